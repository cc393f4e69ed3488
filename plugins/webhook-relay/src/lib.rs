//! Sends events on to a webhook, signed as the Standard Webhooks convention says, so that receivers can use its libraries.
//!
//! It must not know what the events mean. Its invariant: the receiver gets the same `webhook-id` for every attempt of one
//! run, and can tell from the signature that the message is ours, whole and recent.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use innkeeper_sdk::{Failure, config, context, handler, http, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;

/// How long the receiver may take unless the metadata says otherwise.
const TIMEOUT_SECONDS: u64 = 15;
/// The configuration key of the secret unless the metadata names another.
const SECRET_KEY: &str = "webhook-secret";
/// How a secret of the convention begins; what follows is base64.
const SECRET_PREFIX: &str = "whsec_";

/// The task's metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    url: String,
    /// The configuration key of what signs the messages: `whsec_` and base64, or any text.
    secret_key: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    timeout_seconds: Option<u64>,
}

/// What the receiver gets.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'a str,
    timestamp: &'a str,
    data: Option<Value>,
}

/// The output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: String,
    status: u16,
    elapsed_ms: u64,
}

#[handler]
fn relay(event: &str, data: Option<Value>) -> Result<Delivery, Failure> {
    let settings = context::metadata::<Settings>()?;
    let secret = config::require(settings.secret_key.as_deref().unwrap_or(SECRET_KEY))?;
    let key = key(&secret).map_err(Failure::permanent)?;
    let execution = context::current();
    let timestamp = execution.started_at_seconds();
    let message = Message { r#type: event, timestamp: &execution.started_at, data };
    let body = serde_json::to_string(&message)?;
    let signature = sign(&key, &execution.run_id, timestamp, &body)?;
    let mut request = http::post(&settings.url)
        .header("content-type", "application/json")
        .header("webhook-id", &execution.run_id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", format!("v1,{signature}"))
        .timeout(Duration::from_secs(settings.timeout_seconds.unwrap_or(TIMEOUT_SECONDS)))
        // A message is for the receiver that was named, and nobody else.
        .redirects(0)
        .body(body);
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    let answer = request.send().map_err(http::Error::failure)?.expect_success()?;
    log::info!("{event} was taken with {} in {} ms", answer.status, answer.elapsed.as_millis());
    let elapsed_ms = u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
    Ok(Delivery { id: execution.run_id, status: answer.status, elapsed_ms })
}

/// The bytes that sign.
fn key(secret: &str) -> Result<Vec<u8>, &'static str> {
    if secret.is_empty() {
        return Err("the secret is empty, so nothing can be signed");
    }
    match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) => {
            BASE64.decode(encoded).map_err(|_| "what follows `whsec_` in the secret is not base64")
        }
        None => Ok(secret.as_bytes().to_vec()),
    }
}

fn sign(key: &[u8], id: &str, timestamp: i64, body: &str) -> Result<String, Failure> {
    let mut code = Hmac::<Sha256>::new_from_slice(key)?;
    code.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(BASE64.encode(code.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::http::Response;
    use innkeeper_sdk::testing::Scenario;
    use serde_json::json;

    use super::*;

    fn scenario(secret: &str) -> Scenario {
        let metadata = json!({"url": "https://hooks.example/in", "headers": {"x-team": "a"}});
        let scenario = Scenario::new().event("order:paid").data(&json!({"total": 3})).metadata(&metadata);
        scenario.config(SECRET_KEY, secret)
    }

    #[test]
    fn the_signature_is_that_of_the_convention() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let body = r#"{"test": 2432232314}"#;
        let signature = sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature.as_deref(), Ok("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn an_event_is_sent_signed() {
        let report =
            scenario("some secret").answer(Response::new(202).after(Duration::from_millis(3))).run(relay);
        let id = "01990000-0000-7000-8000-000000000001";
        assert_eq!(report.result, Ok(Some(json!({"id": id, "status": 202, "elapsedMs": 3}))));
        let sent = &report.requests[0];
        let body = r#"{"type":"order:paid","timestamp":"2025-09-01T15:00:00.000Z","data":{"total":3}}"#;
        assert_eq!((sent.method.as_str(), sent.text().as_str()), ("POST", body));
        assert_eq!(
            (sent.header("webhook-id"), sent.header("webhook-timestamp")),
            (Some(id), Some("1756738800"))
        );
        let signature = sign(b"some secret", id, 1_756_738_800, body).expect("a signature");
        assert_eq!(sent.header("webhook-signature"), Some(format!("v1,{signature}").as_str()));
        assert_eq!(sent.header("x-team"), Some("a"));
    }

    #[test]
    fn a_busy_receiver_is_asked_again_when_it_says() {
        let busy = Response::new(429).with_header("retry-after", "30");
        let report = scenario("x").answer(busy).run(relay);
        assert!(matches!(report.result, Err(Failure::RetryAfter(delay, _)) if delay.as_secs() == 30));
        let moved = Response::new(308).with_header("location", "https://elsewhere.example");
        let report = scenario("x").answer(moved).run(relay);
        assert!(matches!(report.result, Err(Failure::Permanent(_))) && report.requests.len() == 1);
    }

    #[test]
    fn nothing_is_sent_unsigned() {
        for secret in ["", "whsec_not base64"] {
            let report = scenario(secret).answer(Response::new(200)).run(relay);
            assert!(matches!(report.result, Err(Failure::Permanent(_))), "{secret}");
            assert!(report.requests.is_empty());
        }
    }
}
