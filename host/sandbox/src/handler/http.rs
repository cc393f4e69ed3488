//! `wasi:http/incoming-handler`: what was built to answer web requests. One request is made up for it; nothing listens.

mod answer;

use std::convert::Infallible;
use std::future::ready;
use std::pin::pin;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use innkeeper_model::execution::LogLevel;
use tokio::sync::oneshot;
use tokio::task::unconstrained;
use wasmtime::Store;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};

use self::answer::{Answer, Meaning};
use super::{Done, Input, facts};
use crate::bindings::exports::innkeeper::plugin::handler::Failure;
use crate::capability::http::view;
use crate::capability::wasi::Program;
use crate::classify::Ended;
use crate::state::State;

/// Where the request seems to be sent. The name is reserved, so it means nobody.
const AUTHORITY: &str = "innkeeper.invalid";

pub(super) async fn call(pre: &ProxyPre<State>, store: &mut Store<State>, input: &Input) -> Done {
    let state = store.data_mut();
    let environment = facts::environment(state, input);
    state.wasi.run_program(Program { environment, ..Program::default() });
    let bytes_max = state.limits.output_bytes;
    let request = request(state, input).map_err(|error| Ended::NotStarted(error.into()))?;
    let instance = pre.instantiate_async(&mut *store).await.map_err(Ended::NotStarted)?;
    let (sender, receiver) = oneshot::channel();
    let arguments = view(store.data_mut()).new_incoming_request(Scheme::Http, request);
    let request = arguments.map_err(Ended::NotStarted)?;
    let answer = view(store.data_mut()).new_response_outparam(sender).map_err(Ended::NotStarted)?;
    let handler = instance.wasi_http_incoming_handler();
    let answered =
        converse(handler.call_handle(&mut *store, request, answer), receive(receiver, bytes_max)).await;
    match answered.map_err(Ended::Broken)? {
        None => Ok(Err(Failure::Retry("the handler returned without a whole answer".to_owned()))),
        Some(Err(code)) => Ok(Err(Failure::Retry(format!("the handler answered with an error: {code:?}")))),
        Some(Ok(answer)) => conclude(&answer, store.data()),
    }
}

/// Reads the answer while it is written: the guest waits for that. What is not there when the call has ended will never come,
/// though whatever would write it is still held by the store.
async fn converse<T>(
    call: impl Future<Output = wasmtime::Result<()>>,
    answer: impl Future<Output = Option<T>>,
) -> wasmtime::Result<Option<T>> {
    let mut call = pin!(call);
    // Otherwise it could seem not to be there because it is another task's turn.
    let mut answer = pin!(unconstrained(answer));
    let mut answered = None;
    loop {
        tokio::select! {
            biased;
            called = &mut call => {
                called?;
                break;
            }
            came = &mut answer, if answered.is_none() => answered = Some(came),
        }
    }
    match answered {
        Some(came) => Ok(came),
        None => Ok(tokio::select! {
            biased;
            came = &mut answer => came,
            () = ready(()) => None,
        }),
    }
}

fn conclude(answer: &Answer, state: &State) -> Done {
    match answer.meaning(state.now()) {
        Meaning::Output(text) => Ok(Ok(Some(text))),
        Meaning::NoOutput(note) => {
            if let Some(note) = note {
                state.logs.lock().log(LogLevel::Debug, &note, state.now());
            }
            Ok(Ok(None))
        }
        Meaning::TooLarge(bytes) => Err(Ended::OutputTooLarge(bytes)),
        Meaning::Failure(failure) => Ok(Err(failure)),
    }
}

/// The request that stands for an execution.
fn request(state: &State, input: &Input) -> Result<Request<WasiBody>, http::Error> {
    let body = input.data.clone().map(Bytes::from);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{AUTHORITY}/"))
        .header(header::HOST, AUTHORITY);
    if let Some(body) = &body {
        request = request
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len());
    }
    for (name, value) in facts::facts(state, input) {
        let name = HeaderName::try_from(format!("innkeeper-{name}"))?;
        request = request.header(name, HeaderValue::from_bytes(value.as_bytes())?);
    }
    for (name, value) in facts::trace(state) {
        request = request.header(name, value);
    }
    let body = Full::new(body.unwrap_or_default()).map_err(|never: Infallible| match never {});
    request.body(body.boxed_unsync())
}

/// The answer with its body, or `None` if there will be none.
async fn receive(
    answer: oneshot::Receiver<Result<Response<WasiBody>, ErrorCode>>,
    bytes_max: u64,
) -> Option<Result<Answer, ErrorCode>> {
    let response = match answer.await.ok()? {
        Ok(response) => response,
        Err(code) => return Some(Err(code)),
    };
    let (parts, mut body) = response.into_parts();
    let field =
        |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let mut answer =
        Answer::new(parts.status.as_u16(), field(header::CONTENT_TYPE), field(header::RETRY_AFTER));
    while let Some(frame) = body.frame().await {
        // A body that breaks off is what came of it: the guest, which broke it off, says how it ended.
        let Ok(frame) = frame else { break };
        if let Some(data) = frame.data_ref() {
            answer.take(data, bytes_max);
        }
    }
    Some(Ok(answer))
}
