//! Checks whether web addresses answer as they should, and publishes `uptime:up` or `uptime:down` for each.
//!
//! It must not know who listens to that. Its invariant: an address that does not answer is a finding, and no failure; an
//! address that it may not ask is a failure, since nobody is watching then.

use std::time::Duration;

use innkeeper_sdk::http::ErrorKind;
use innkeeper_sdk::{Failure, context, events, handler, http, log};
use serde::{Deserialize, Serialize};

/// How long an answer may take unless the metadata says otherwise.
const TIMEOUT_SECONDS: u64 = 5;

/// The task's metadata.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    checks: Vec<Check>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    publish: Publish,
}

/// One address, and what it should answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Check {
    /// What it is called; its URL unless it says otherwise.
    name: Option<String>,
    url: String,
    /// Any status from 200 to 299 unless it says otherwise.
    expected_status: Option<u16>,
    /// A text that the answer's body must have in it.
    contains: Option<String>,
}

/// Which findings are published.
#[derive(Default, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Publish {
    /// One event for each check.
    #[default]
    Everything,
    /// Only `uptime:down`.
    Problems,
}

/// The output.
#[derive(Serialize)]
struct Findings {
    up: usize,
    down: usize,
    checks: Vec<Finding>,
}

/// What one check came to; also the data of its event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    name: String,
    url: String,
    up: bool,
    status: Option<u16>,
    /// How long the answer took; `None` if there was none.
    latency_ms: Option<u64>,
    /// Why it counts as down.
    reason: Option<String>,
    checked_at: String,
}

#[handler]
fn check_all(_event: Option<&str>, _data: Option<serde_json::Value>) -> Result<Findings, Failure> {
    let settings = context::metadata::<Settings>()?;
    let timeout = Duration::from_secs(settings.timeout_seconds.unwrap_or(TIMEOUT_SECONDS));
    let mut checks = Vec::new();
    for check in &settings.checks {
        let finding = ask(check, timeout)?;
        match &finding.reason {
            None => log::info!("{} is up", finding.name),
            Some(reason) => log::warn!("{} is down: {reason}", finding.name),
        }
        if !finding.up || settings.publish == Publish::Everything {
            events::publish(if finding.up { "uptime:up" } else { "uptime:down" }, &finding)?;
        }
        checks.push(finding);
    }
    let up = checks.iter().filter(|finding| finding.up).count();
    Ok(Findings { up, down: checks.len() - up, checks })
}

fn ask(check: &Check, timeout: Duration) -> Result<Finding, Failure> {
    let answer = http::get(&check.url).timeout(timeout).send();
    let (status, latency_ms, reason) = match answer {
        Ok(answer) => {
            let latency = u64::try_from(answer.elapsed.as_millis()).unwrap_or(u64::MAX);
            (Some(answer.status), Some(latency), complaint(check, &answer))
        }
        Err(error) if is_ours(error.kind()) => return Err(error.failure()),
        Err(error) => (None, None, Some(error.to_string())),
    };
    let name = check.name.as_ref().unwrap_or(&check.url).clone();
    let checked_at = context::current().started_at;
    Ok(Finding { name, url: check.url.clone(), up: reason.is_none(), status, latency_ms, reason, checked_at })
}

/// Whether an error says something about us and nothing about the address.
fn is_ours(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Invalid | ErrorKind::Denied | ErrorKind::AddressRefused | ErrorKind::Limit)
}

/// What is wrong with an answer.
fn complaint(check: &Check, answer: &http::Response) -> Option<String> {
    let is_expected = match check.expected_status {
        Some(expected) => answer.status == expected,
        None => answer.is_success(),
    };
    if !is_expected {
        let expected = check.expected_status.map_or("200 to 299".to_owned(), |status| status.to_string());
        return Some(format!("it answered {}; expected was {expected}", answer.status));
    }
    let text = check.contains.as_ref()?;
    (!answer.text().contains(text.as_str())).then(|| format!("its answer does not have `{text}` in it"))
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::http::Response;
    use innkeeper_sdk::testing::Scenario;
    use serde_json::{Value, json};

    use super::*;

    fn scenario(publish: &str) -> Scenario {
        Scenario::new().metadata(&json!({
            "checks": [
                {"name": "shop", "url": "https://shop.example/health", "contains": "ok"},
                {"url": "https://old.example", "expectedStatus": 410},
            ],
            "publish": publish,
        }))
    }

    #[test]
    fn what_is_up_is_found_and_published() {
        let report = scenario("everything")
            .answer(Response::new(200).with_body("all ok").after(Duration::from_millis(12)))
            .answer(Response::new(410))
            .run(check_all);
        let output = report.result.expect("a success").expect("an output");
        assert_eq!((&output["up"], &output["down"]), (&json!(2), &json!(0)));
        let expected = json!({
            "name": "shop", "url": "https://shop.example/health", "up": true, "status": 200, "latencyMs": 12,
            "reason": null, "checkedAt": "2025-09-01T15:00:00.000Z",
        });
        assert_eq!(output["checks"][0], expected);
        let names: Vec<_> = report.events.iter().map(|event| event.event.as_str()).collect();
        assert_eq!(names, ["uptime:up", "uptime:up"]);
        assert_eq!(report.requests[0].timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_is_down_is_published_with_its_reason() {
        let answers = [
            (Response::new(500), "it answered 500; expected was 200 to 299"),
            (Response::new(200).with_body("no"), "its answer does not have `ok` in it"),
        ];
        for (answer, reason) in answers {
            let report = scenario("problems").answer(answer).answer(Response::new(410)).run(check_all);
            assert!(report.result.is_ok());
            assert_eq!(report.events.len(), 1);
            assert_eq!(report.events[0].event, "uptime:down");
            let data: Value =
                serde_json::from_str(report.events[0].data.as_deref().unwrap_or("")).expect("JSON");
            assert_eq!((&data["name"], &data["reason"]), (&json!("shop"), &json!(reason)));
        }
        let silent = scenario("problems").answer_error(ErrorKind::Timeout).answer(Response::new(200));
        let output = silent.run(check_all).result.expect("a success").expect("an output");
        assert_eq!(output["down"], 2);
        assert_eq!(output["checks"][0]["latencyMs"], Value::Null);
        assert_eq!(output["checks"][1]["reason"], "it answered 200; expected was 410");
    }

    #[test]
    fn what_may_not_be_asked_is_a_failure() {
        let report = scenario("everything").answer_error(ErrorKind::Denied).run(check_all);
        assert!(
            matches!(&report.result, Err(Failure::Permanent(text)) if text.contains("no grant")),
            "{report:?}"
        );
        assert!(report.events.is_empty());
    }
}
