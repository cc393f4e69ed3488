//! The cron job everybody writes: makes the HTTP request that the task's metadata describes.
//!
//! It must not know which task it serves. Its invariant: what can never succeed, such as a request that is not granted, is a
//! permanent failure; what may succeed later is one that may be tried again.

mod template;

use std::collections::BTreeMap;
use std::time::Duration;

use innkeeper_sdk::{Failure, context, handler, http, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Values;

/// Bytes of the answer's body that the output keeps.
const BODY_BYTES_MAX: usize = 16 << 10;

/// The task's metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// `GET` unless it says otherwise, and `POST` if there is a body.
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A string is sent as it is, anything else as JSON.
    body: Option<Value>,
    /// The statuses that count as success; any from 200 to 299 unless it says otherwise.
    #[serde(default)]
    expected_status: Vec<u16>,
    timeout_seconds: Option<u64>,
}

/// The output: what was answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    status: u16,
    elapsed_ms: u64,
    /// Bytes of the answer's body.
    bytes: usize,
    /// The body: a value if it is JSON, else its beginning as text.
    body: Value,
}

#[handler]
fn request(event: Option<&str>, data: Option<Value>) -> Result<Outcome, Failure> {
    let settings = context::metadata::<Settings>()?;
    let values = Values::new(event, data.as_ref(), &context::current());
    let request = build(&settings, &values).map_err(Failure::permanent)?;
    let answer = request.send().map_err(http::Error::failure)?;
    let answer = check(answer, &settings.expected_status)?;
    log::info!("{} in {} ms", answer.status, answer.elapsed.as_millis());
    Ok(outcome(&answer))
}

fn build(settings: &Settings, values: &Values) -> Result<http::Request, String> {
    let default = if settings.body.is_some() { "POST" } else { "GET" };
    let method = settings.method.as_deref().unwrap_or(default).to_ascii_uppercase();
    let mut request = http::Request::new(&method, values.fill_url(&settings.url)?);
    for (name, value) in &settings.headers {
        request = request.header(name, values.fill(value)?);
    }
    request = match &settings.body {
        None => request,
        Some(Value::String(text)) => request.body(values.fill(text)?),
        Some(json) => request.json(&values.fill_json(json)?),
    };
    Ok(match settings.timeout_seconds {
        Some(seconds) => request.timeout(Duration::from_secs(seconds)),
        None => request,
    })
}

fn check(answer: http::Response, expected: &[u16]) -> Result<http::Response, Failure> {
    if expected.is_empty() {
        return answer.expect_success();
    }
    if expected.contains(&answer.status) {
        return Ok(answer);
    }
    let status = answer.status;
    let unexpected =
        || Failure::permanent(format!("the answer was {status}; expected was one of {expected:?}"));
    answer.expect_success().and_then(|_| Err(unexpected()))
}

fn outcome(answer: &http::Response) -> Outcome {
    let text = answer.text();
    let body = if answer.body.len() <= BODY_BYTES_MAX {
        answer.json().unwrap_or_else(|_| Value::String(text.into_owned()))
    } else {
        Value::String(text[..text.floor_char_boundary(BODY_BYTES_MAX)].to_owned())
    };
    Outcome {
        status: answer.status,
        elapsed_ms: u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX),
        bytes: answer.body.len(),
        body,
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::http::{ErrorKind, Response};
    use innkeeper_sdk::testing::Scenario;
    use serde_json::json;

    use super::*;

    fn scenario(metadata: &Value) -> Scenario {
        Scenario::new().metadata(metadata)
    }

    #[test]
    fn a_url_is_enough() {
        let report = scenario(&json!({"url": "https://a.org/x"}))
            .answer(Response::new(200).with_json(&json!({"ok": true})).after(Duration::from_millis(7)))
            .run(request);
        let expected = json!({"status": 200, "elapsedMs": 7, "bytes": 11, "body": {"ok": true}});
        assert_eq!(report.result, Ok(Some(expected)));
        assert_eq!(
            (report.requests[0].method.as_str(), report.requests[0].url.as_str()),
            ("GET", "https://a.org/x")
        );
    }

    #[test]
    fn everything_may_be_filled_in() {
        let metadata = json!({
            "method": "put",
            "url": "https://a.org/{{data.id}}?e={{event}}",
            "headers": {"idempotency-key": "{{runId}}"},
            "body": {"total": "{{data.total}}", "text": "at {{startedAt}}", "all": ["{{data}}"]},
            "timeoutSeconds": 5,
        });
        let data = json!({"id": "a/b", "total": 3});
        let report =
            scenario(&metadata).event("order:paid").data(&data).answer(Response::new(204)).run(request);
        assert!(report.result.is_ok(), "{report:?}");
        let sent = &report.requests[0];
        assert_eq!((sent.method.as_str(), sent.url.as_str()), ("PUT", "https://a.org/a%2Fb?e=order%3Apaid"));
        assert_eq!(sent.header("idempotency-key"), Some("01990000-0000-7000-8000-000000000001"));
        let body: Value = serde_json::from_str(&sent.text()).expect("JSON");
        assert_eq!(body, json!({"total": 3, "text": "at 2025-09-01T15:00:00.000Z", "all": [data]}));
        assert_eq!(sent.timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_text_body_is_sent_as_it_is() {
        let report = scenario(&json!({"url": "https://a.org", "body": "a {{event}}"}))
            .event("b")
            .answer(Response::new(200))
            .run(request);
        assert_eq!(
            (report.requests[0].method.as_str(), report.requests[0].text()),
            ("POST", "a b".to_owned())
        );
    }

    #[test]
    fn failures_are_as_final_as_their_cause() {
        let failure = |metadata: &Value, answer: Scenario| {
            answer.metadata(metadata).run(request).result.expect_err("a failure")
        };
        let plain = json!({"url": "https://a.org"});
        let busy = Response::new(503).with_header("retry-after", "9");
        assert!(
            matches!(failure(&plain, Scenario::new().answer(busy)), Failure::RetryAfter(delay, _) if delay.as_secs() == 9)
        );
        let gone = Scenario::new().answer(Response::new(404));
        assert!(matches!(failure(&plain, gone), Failure::Permanent(_)));
        let denied = Scenario::new().answer_error(ErrorKind::Denied);
        assert!(matches!(failure(&plain, denied), Failure::Permanent(_)));
        let slow = Scenario::new().answer_error(ErrorKind::Timeout);
        assert!(matches!(failure(&plain, slow), Failure::Retry(_)));
        let expecting = json!({"url": "https://a.org", "expectedStatus": [404]});
        let found = failure(&expecting, Scenario::new().answer(Response::new(200)));
        assert_eq!(found, Failure::permanent("the answer was 200; expected was one of [404]"));
        let missing = failure(&json!({"url": "https://a.org/{{data.x}}"}), Scenario::new());
        assert!(matches!(&missing, Failure::Permanent(text) if text.contains("`data.x`")), "{missing:?}");
        assert!(matches!(failure(&json!({"ulr": ""}), Scenario::new()), Failure::Permanent(_)));
    }

    #[test]
    fn an_expected_status_is_a_success() {
        let metadata = json!({"url": "https://a.org", "expectedStatus": [404]});
        let report =
            scenario(&metadata).answer(Response::new(404).with_body("é".repeat(BODY_BYTES_MAX))).run(request);
        let output = report.result.expect("a success").expect("an output");
        assert_eq!((&output["status"], &output["bytes"]), (&json!(404), &json!(2 * BODY_BYTES_MAX)));
        assert_eq!(output["body"].as_str().map(str::len), Some(BODY_BYTES_MAX));
    }
}
