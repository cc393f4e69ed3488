//! Requests that say which trace they are part of.

use serde_json::Value;

use crate::host::{Answer, TestHost};

/// POST with a JSON body and the headers of W3C Trace Context, `tracestate` only if it is not empty.
///
/// # Panics
/// If the host does not answer.
#[must_use]
pub fn post_in_trace(
    host: &TestHost,
    path: &str,
    traceparent: &str,
    tracestate: &str,
    body: &Value,
) -> Answer {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let mut request = agent.post(format!("{}{path}", host.url())).header("traceparent", traceparent);
    if !tracestate.is_empty() {
        request = request.header("tracestate", tracestate);
    }
    let mut response = request.send_json(body).expect("the host answers");
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}
