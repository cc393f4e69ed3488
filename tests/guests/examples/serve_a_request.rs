//! A web server's handler made with `wstd`, which knows nothing of the host: answers as the request's body says, and tells
//! what was asked if it says nothing.

// Its bindings are there for WebAssembly only.
#[cfg(target_family = "wasm")]
mod server {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};
    use wstd::http::{Body, Error, Request, Response};

    #[derive(Deserialize)]
    #[serde(default)]
    struct Wish {
        status: u16,
        headers: BTreeMap<String, String>,
        body: String,
        /// How often the body is sent.
        times: usize,
        panic: bool,
    }

    impl Default for Wish {
        fn default() -> Self {
            Self { status: 200, headers: BTreeMap::new(), body: String::new(), times: 1, panic: false }
        }
    }

    #[wstd::http_server]
    async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let data = request.body_mut().str_contents().await?.to_owned();
        let Ok(Some(wish)) = serde_json::from_str::<Option<Wish>>(&data) else {
            return Ok(Response::new(asked(&request, &data).to_string().into()));
        };
        assert!(!wish.panic, "as asked");
        let mut response = Response::builder().status(wish.status);
        for (name, value) in &wish.headers {
            response = response.header(name, value);
        }
        Ok(response.body(wish.body.repeat(wish.times).into())?)
    }

    fn asked(request: &Request<Body>, data: &str) -> Value {
        let headers: BTreeMap<String, String> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        json!({
            "method": request.method().as_str(),
            "uri": request.uri().to_string(),
            "headers": headers,
            "data": data,
        })
    }
}

fn main() {}
