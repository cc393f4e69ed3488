//! Makes one HTTP request with the standard bindings of `wasi:http`, as its data says, and gives back what each step came to.

use innkeeper_sdk::{Failure, handler};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

/// Such as `{"authority": "127.0.0.1:1"}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wish {
    authority: String,
    #[serde(default = "root")]
    path: String,
    method: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Headers `x-0` and so on, of so many bytes each.
    #[serde(default)]
    many_headers: (u32, usize),
    body: Option<String>,
    first_byte_timeout_ms: Option<u64>,
    between_bytes_timeout_ms: Option<u64>,
}

fn root() -> String {
    "/".to_owned()
}

#[handler]
fn fetch_standard(_event: Option<&str>, wish: Wish) -> Result<Value, Failure> {
    let mut steps = Map::new();
    if let Err(step) = exchange(&wish, &mut steps) {
        steps.insert("failed".to_owned(), step.into());
    }
    Ok(Value::Object(steps))
}

/// Does one step after the other; the error names the step that ended it.
fn exchange(wish: &Wish, steps: &mut Map<String, Value>) -> Result<(), &'static str> {
    let fields = Fields::new();
    let mut refused = Vec::new();
    for (name, value) in &wish.headers {
        if let Err(error) = fields.append(name, value.as_bytes()) {
            refused.push(json!([name, format!("{error:?}")]));
        }
    }
    for number in 0..wish.many_headers.0 {
        let value = vec![b'x'; wish.many_headers.1];
        fields.append(&format!("x-{number}"), &value).map_err(|_| "many headers")?;
    }
    steps.insert("refusedHeaders".to_owned(), refused.into());
    let request = OutgoingRequest::new(fields);
    request.set_scheme(Some(&Scheme::Http)).map_err(|()| "scheme")?;
    request.set_authority(Some(&wish.authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(&wish.path)).map_err(|()| "path")?;
    if let Some(method) = &wish.method {
        request.set_method(&Method::Other(method.clone())).map_err(|()| "method")?;
    }
    let body = wish.body.as_ref().map(|_| request.body()).transpose().map_err(|()| "body")?;
    let future = outgoing_handler::handle(request, Some(options(wish)?)).map_err(|error| {
        steps.insert("error".to_owned(), code(&error));
        "handle"
    })?;
    if let Some(body) = body {
        steps.insert("finished".to_owned(), write(body, wish.body.as_deref().unwrap_or_default()));
    }
    receive(&future, steps)
}

fn options(wish: &Wish) -> Result<RequestOptions, &'static str> {
    let nanos = |millis: u64| millis * 1_000_000;
    let options = RequestOptions::new();
    options
        .set_first_byte_timeout(wish.first_byte_timeout_ms.map(nanos))
        .map_err(|()| "first byte timeout")?;
    options
        .set_between_bytes_timeout(wish.between_bytes_timeout_ms.map(nanos))
        .map_err(|()| "between bytes timeout")?;
    Ok(options)
}

fn write(body: OutgoingBody, text: &str) -> Value {
    let written = match body.write() {
        Ok(stream) => stream.blocking_write_and_flush(text.as_bytes()).is_ok(),
        Err(()) => false,
    };
    match OutgoingBody::finish(body, None) {
        Ok(()) => json!(written),
        Err(error) => code(&error),
    }
}

fn receive(future: &FutureIncomingResponse, steps: &mut Map<String, Value>) -> Result<(), &'static str> {
    future.subscribe().block();
    let answer = future.get().ok_or("get")?.map_err(|()| "get")?;
    let answer = answer.map_err(|error| {
        steps.insert("error".to_owned(), code(&error));
        "answer"
    })?;
    steps.insert("status".to_owned(), answer.status().into());
    let names = answer.headers().entries().into_iter().map(|(name, _)| name);
    steps.insert("headers".to_owned(), names.collect::<Vec<_>>().into());
    let body = answer.consume().map_err(|()| "consume")?;
    let (bytes, error) = read(&body);
    steps.insert("body".to_owned(), String::from_utf8_lossy(&bytes).into());
    steps.insert("bodyError".to_owned(), error.as_ref().map_or(Value::Null, code));
    Ok(())
}

fn read(body: &IncomingBody) -> (Vec<u8>, Option<ErrorCode>) {
    let mut all = Vec::new();
    let Ok(stream) = body.stream() else { return (all, None) };
    loop {
        match stream.blocking_read(4096) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return (all, None),
            Err(StreamError::LastOperationFailed(error)) => return (all, http_error_code(&error)),
        }
    }
}

/// A code without its details, such as `HttpRequestDenied`.
fn code(code: &ErrorCode) -> Value {
    let text = format!("{code:?}");
    let name = text.rsplit("ErrorCode::").next().unwrap_or_default();
    name.split(['(', ' ', '{']).next().unwrap_or_default().into()
}
