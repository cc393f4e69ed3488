//! Makes the HTTP requests that its data lists, one after the other, and gives back what came of each: its status and body,
//! or why there is none. Then fails if that is what its data says.

use std::time::Duration;

use innkeeper_sdk::{Failure, handler, http};
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"requests": [{"url": "http://127.0.0.1:1/"}]}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    requests: Vec<Request>,
    #[serde(default)]
    then_fail: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default = "get")]
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    timeout_ms: Option<u64>,
    /// How often the request is made.
    #[serde(default = "once")]
    times: u32,
}

fn get() -> String {
    "GET".to_owned()
}

fn once() -> u32 {
    1
}

#[handler]
fn fetch(_event: Option<&str>, wish: Wish) -> Result<Vec<Value>, Failure> {
    let each = |request: &Request| (0..request.times).map(|_| send(request)).collect::<Vec<_>>();
    let answers = wish.requests.iter().flat_map(each).collect();
    if wish.then_fail { Err(Failure::retry("as the data says")) } else { Ok(answers) }
}

fn send(wish: &Request) -> Value {
    let mut request = http::Request::new(&wish.method, &wish.url).body(wish.body.as_bytes());
    for (name, value) in &wish.headers {
        request = request.header(name, value);
    }
    if let Some(timeout) = wish.timeout_ms {
        request = request.timeout(Duration::from_millis(timeout));
    }
    match request.send() {
        Ok(answer) => json!({
            "status": answer.status,
            "bytes": answer.body.len(),
            "body": answer.text().chars().take(1000).collect::<String>(),
            "location": answer.header("location"),
        }),
        Err(error) => json!({"error": format!("{:?}", error.kind()), "message": error.to_string()}),
    }
}
