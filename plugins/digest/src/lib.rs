//! Collects events, and publishes a summary of what has come in whenever a schedule starts it.
//!
//! It must not know what the events mean. Its invariant: an event that was collected is in exactly one summary, whatever
//! fails or is tried again in between, because collecting and summing up are effects of successful executions.

use std::collections::BTreeMap;

use innkeeper_sdk::kv::{self, Bucket};
use innkeeper_sdk::{Failure, context, events, handler, log};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of collected items in one summary at most. An event may have 256 KiB; the rest waits for the next summary.
const SUMMARY_BYTES_MAX: usize = 192 << 10;
/// Items in one summary at most.
const SUMMARY_ITEMS_MAX: usize = 1000;

/// The metadata of the tasks, such as `{"digest": "signups", "publish": "digest:signups"}`. Those that collect and the one
/// that publishes have the same.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    /// What the digest is called: several share a bucket.
    digest: String,
    /// The event that carries the summary.
    publish: String,
    /// Where the events wait.
    #[serde(default = "default_bucket")]
    bucket: String,
}

fn default_bucket() -> String {
    "digest".to_owned()
}

/// An event that waits.
#[derive(Serialize, Deserialize)]
struct Item {
    event: String,
    at: String,
    data: Value,
}

/// What is published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    digest: String,
    count: usize,
    /// How often each event came.
    by_event: BTreeMap<String, usize>,
    /// The events in the order in which they came.
    items: Vec<Item>,
    /// Whether more are waiting, because this summary is full.
    has_more: bool,
}

#[handler]
fn digest(event: Option<&str>, data: Option<Value>) -> Result<Value, Failure> {
    let settings: Settings = context::metadata()?;
    let bucket = kv::open(&settings.bucket).map_err(Failure::permanent)?;
    match event {
        // A task that listens to everything hears its own summaries too.
        Some(event) if event == settings.publish => Ok(Value::Null),
        Some(event) => collect(&bucket, &settings, event, data.unwrap_or_default()),
        None => sum_up(&bucket, settings),
    }
}

/// Puts an event with the others. Its key is the run's, which orders them and is the same for every attempt.
fn collect(bucket: &Bucket, settings: &Settings, event: &str, data: Value) -> Result<Value, Failure> {
    let execution = context::current();
    let item = Item { event: event.to_owned(), at: execution.started_at, data };
    bucket.set_json(&format!("{}:{}", settings.digest, execution.run_id), &item)?;
    Ok(Value::from("collected"))
}

/// Takes what has come in and publishes it.
fn sum_up(bucket: &Bucket, settings: Settings) -> Result<Value, Failure> {
    let keys = bucket.list_at_most(&format!("{}:", settings.digest), SUMMARY_ITEMS_MAX + 1)?;
    let (mut items, mut by_event, mut bytes) = (Vec::new(), BTreeMap::new(), 0);
    for key in keys.iter().take(SUMMARY_ITEMS_MAX) {
        let value = bucket.get(key)?.unwrap_or_default();
        if bytes + value.len() > SUMMARY_BYTES_MAX && !items.is_empty() {
            break;
        }
        bytes += value.len();
        let item: Item = serde_json::from_slice(&value).map_err(Failure::permanent)?;
        *by_event.entry(item.event.clone()).or_default() += 1;
        items.push(item);
        bucket.delete(key)?;
    }
    if items.is_empty() {
        log::info!("nothing came in for {}", settings.digest);
        return Ok(Value::from(0));
    }
    let (count, has_more) = (items.len(), items.len() < keys.len());
    let summary = Summary { digest: settings.digest, count, by_event, items, has_more };
    events::publish(&settings.publish, &summary)?;
    Ok(Value::from(count))
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::testing::Scenario;
    use serde_json::json;

    use super::*;

    fn scenario() -> Scenario {
        Scenario::new().metadata(&json!({"digest": "signups", "publish": "digest:signups"}))
    }

    /// `scenario` after this event has come in, in a run of its own.
    fn after(scenario: &Scenario, run: &str, event: &str, data: &Value) -> Scenario {
        let coming =
            scenario.clone().event(event).data(data).execution(|execution| execution.run_id = run.to_owned());
        let report = coming.run(digest);
        assert_eq!(report.result, Ok(Some(json!("collected"))));
        scenario.clone().after(&report)
    }

    #[test]
    fn what_came_in_is_published_once_and_in_order() {
        let scenario = after(&scenario(), "1", "user:created", &json!({"name": "Ada"}));
        let scenario = after(&scenario, "2", "user:created", &Value::Null);
        let scenario = after(&scenario, "3", "user:deleted", &json!(7));
        let report = scenario.run(digest);
        assert_eq!(report.result, Ok(Some(json!(3))));
        assert_eq!(report.events.len(), 1);
        assert_eq!(report.events[0].event, "digest:signups");
        let summary: Value =
            serde_json::from_str(report.events[0].data.as_deref().expect("data")).expect("JSON");
        assert_eq!(summary["byEvent"], json!({"user:created": 2, "user:deleted": 1}));
        assert_eq!(summary["items"][0]["data"], json!({"name": "Ada"}));
        assert_eq!((&summary["count"], &summary["hasMore"]), (&json!(3), &json!(false)));
        let again = scenario.after(&report).run(digest);
        assert_eq!((again.result, again.events.len()), (Ok(Some(json!(0))), 0));
    }

    #[test]
    fn another_attempt_collects_nothing_twice() {
        let scenario = after(&scenario(), "1", "user:created", &json!(1));
        let scenario = after(&scenario, "1", "user:created", &json!(1));
        assert_eq!(scenario.run(digest).result, Ok(Some(json!(1))));
    }

    #[test]
    fn what_does_not_fit_waits_for_the_next_summary() {
        let large = json!("x".repeat(150 << 10));
        let scenario = after(&after(&scenario(), "1", "a", &large), "2", "b", &large);
        let first = scenario.run(digest);
        assert_eq!(first.result, Ok(Some(json!(1))));
        assert!(first.events[0].data.as_ref().is_some_and(|data| data.contains("\"hasMore\":true")));
        let second = scenario.after(&first).run(digest);
        assert_eq!(second.result, Ok(Some(json!(1))));
    }

    #[test]
    fn its_own_summary_and_other_digests_are_left_alone() {
        let report = scenario().event("digest:signups").run(digest);
        assert_eq!((report.result, report.writes.len()), (Ok(None), 0));
        let others = scenario().value("digest", "orders:1", "{}").value("digest", "signups-old:1", "{}");
        assert_eq!(others.run(digest).result, Ok(Some(json!(0))));
    }

    #[test]
    fn without_a_grant_or_settings_it_fails_for_good() {
        let denied = scenario().deny_bucket("digest").run(digest).result;
        assert!(matches!(denied, Err(Failure::Permanent(text)) if text.contains("not granted")));
        assert!(matches!(Scenario::new().run(digest).result, Err(Failure::Permanent(_))));
    }
}
