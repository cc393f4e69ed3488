//! A web server's handler made with the standard bindings alone, which does not answer as one should: by data, with an error
//! code, with a body that is not finished, or not at all.

// Its bindings are there for WebAssembly only.
#![cfg(target_family = "wasm")]

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Handler;

impl Guest for Handler {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let body = request.consume().expect("a body");
        let wish = body.stream().expect("a stream").blocking_read(100).unwrap_or_default();
        match wish.as_slice() {
            b"\"error\"" => ResponseOutparam::set(answer, Err(ErrorCode::ConnectionRefused)),
            b"\"unfinished\"" => answer_partly(answer),
            _ => drop(answer),
        }
    }
}

/// Sends the head and one word, and goes on as if it had forgotten the rest.
fn answer_partly(answer: ResponseOutparam) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(503).expect("a status");
    let body = response.body().expect("a body");
    ResponseOutparam::set(answer, Ok(response));
    let stream = body.write().expect("a stream");
    stream.blocking_write_and_flush(b"partly").expect("a word");
    drop(stream);
    OutgoingBody::finish(body, None).expect("an end");
    panic!("after the answer");
}

wasip2::http::proxy::export!(Handler);
