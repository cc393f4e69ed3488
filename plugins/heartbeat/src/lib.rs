//! A dead man's switch: notes the events by which other systems say that they are alive, and tells when one is late.
//!
//! It must not know what the systems do. Its invariant: a silence is reported once, and its end is reported once, whatever
//! fails or is tried again in between.

mod time;

use std::cell::Cell;
use std::collections::BTreeMap;

use innkeeper_sdk::kv::{self, Bucket};
use innkeeper_sdk::{Failure, context, events, handler, log};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::time::{duration_ms, instant_ms};

/// What the names of heartbeats begin with: `heartbeat:backup` is that of `backup`.
const PREFIX: &str = "heartbeat:";
/// What this plugin publishes itself. Nothing can be called like that.
const MISSED: &str = "heartbeat:missed";
const RECOVERED: &str = "heartbeat:recovered";

/// The metadata of the task that looks for silence, such as `{"expect": {"backup": "25h", "worker": "5m"}}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Who should be heard of, and how often at least.
    #[serde(default)]
    expect: BTreeMap<String, String>,
    /// Where the times are kept.
    #[serde(default = "default_bucket")]
    bucket: String,
}

fn default_bucket() -> String {
    "heartbeat".to_owned()
}

/// What is known of a system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    /// When it was last heard of, or first looked for.
    since: String,
    /// Whether it has ever been heard of.
    heard: bool,
    /// Whether its silence was reported.
    missed: bool,
}

#[handler]
fn heartbeat(event: Option<&str>, _data: Option<Value>) -> Result<Value, Failure> {
    let settings = context::metadata::<Option<Settings>>()?;
    let settings = settings.unwrap_or_else(|| Settings { expect: BTreeMap::new(), bucket: default_bucket() });
    let bucket = kv::open(&settings.bucket).map_err(Failure::permanent)?;
    let now = context::current().started_at;
    match event {
        // A task that listens to every heartbeat hears these too.
        Some(MISSED | RECOVERED) => Ok(Value::Null),
        Some(event) => beat(&bucket, event, &now),
        None => look(&bucket, &settings.expect, &now),
    }
}

/// Notes that a system is alive.
fn beat(bucket: &Bucket, event: &str, now: &str) -> Result<Value, Failure> {
    let Some(name) = event.strip_prefix(PREFIX).filter(|name| !name.is_empty()) else {
        return Err(Failure::permanent(format!(
            "`{event}` is no heartbeat: it must be called `{PREFIX}NAME`"
        )));
    };
    let before = Cell::new(None);
    bucket.update_json(name, |known| {
        before.set(known);
        Known { since: now.to_owned(), heard: true, missed: false }
    })?;
    if let Some(before) = before.take().filter(|before: &Known| before.missed) {
        log::info!("{name} is back");
        let silent_since = before.heard.then_some(before.since);
        events::publish(RECOVERED, &json!({"name": name, "silentSince": silent_since, "at": now}))?;
    }
    Ok(json!({"name": name}))
}

/// Reports each system that has been silent for longer than it may.
fn look(bucket: &Bucket, expect: &BTreeMap<String, String>, now: &str) -> Result<Value, Failure> {
    let now_ms = instant_ms(now).ok_or_else(|| Failure::permanent(format!("`{now}` is no time")))?;
    let mut missed = Vec::new();
    for (name, every) in expect {
        let every_ms = duration_ms(every).ok_or_else(|| {
            Failure::permanent(format!(
                "`{every}`, expected of `{name}`, is no duration: write 30s, 5m, 2h or 1d"
            ))
        })?;
        let late = Cell::new(None);
        // What is there is changed, not replaced, so that a heartbeat that comes at this very moment is not lost.
        bucket.update_json(name, |known| {
            let new = Known { since: now.to_owned(), heard: false, missed: false };
            let mut known: Known = known.unwrap_or(new);
            let silent_ms = instant_ms(&known.since).map_or(0, |since| now_ms.saturating_sub(since));
            let is_late = silent_ms > every_ms && !known.missed;
            late.set(is_late.then(|| (silent_ms, known.heard.then(|| known.since.clone()))));
            known.missed |= is_late;
            known
        })?;
        if let Some((silent_ms, last)) = late.take() {
            log::warn!("{name} has been silent for {} s", silent_ms / 1000);
            events::publish(
                MISSED,
                &json!({"name": name, "lastSeenAt": last, "silentMs": silent_ms, "every": every}),
            )?;
            missed.push(name.as_str());
        }
    }
    Ok(json!({"missed": missed}))
}

#[cfg(test)]
mod tests {
    use innkeeper_sdk::testing::{Report, Scenario};

    use super::*;

    type Ended = Report<Result<Option<Value>, Failure>>;

    fn at(scenario: Scenario, time: &str) -> Scenario {
        scenario.execution(|execution| execution.started_at = format!("2025-09-01T{time}.000Z"))
    }

    /// What comes of a heartbeat of `backup` at this time.
    fn beat_at(scenario: &Scenario, time: &str) -> Ended {
        at(scenario.clone().event("heartbeat:backup"), time).run(heartbeat)
    }

    /// What comes of a look at this time.
    fn look_at(scenario: &Scenario, time: &str) -> Ended {
        let settings = json!({"expect": {"backup": "1h"}});
        at(scenario.clone().metadata(&settings), time).run(heartbeat)
    }

    fn published(report: &Ended) -> Vec<(&str, Value)> {
        let data =
            |data: &Option<String>| serde_json::from_str(data.as_deref().expect("data")).expect("JSON");
        report.events.iter().map(|event| (event.event.as_str(), data(&event.data))).collect()
    }

    #[test]
    fn silence_is_reported_once_and_so_is_its_end() {
        let start = Scenario::new();
        let scenario = start.clone().after(&beat_at(&start, "10:00:00"));
        let early = look_at(&scenario, "11:00:00");
        assert_eq!(published(&early), []);
        let late = look_at(&scenario.clone().after(&early), "11:00:01");
        let expected = json!({
            "name": "backup", "lastSeenAt": "2025-09-01T10:00:00.000Z", "silentMs": 3_601_000, "every": "1h",
        });
        assert_eq!(published(&late), [("heartbeat:missed", expected)]);
        assert_eq!(late.result, Ok(Some(json!({"missed": ["backup"]}))));
        let scenario = scenario.after(&late);
        let later = look_at(&scenario, "15:00:00");
        assert_eq!(published(&later), []);
        let back = beat_at(&scenario.after(&later), "16:00:00");
        let expected = json!({
            "name": "backup", "silentSince": "2025-09-01T10:00:00.000Z", "at": "2025-09-01T16:00:00.000Z",
        });
        assert_eq!(published(&back), [("heartbeat:recovered", expected)]);
        assert_eq!(published(&beat_at(&start.after(&back), "16:00:01")), []);
    }

    #[test]
    fn what_was_never_heard_of_is_late_after_its_time_too() {
        let start = Scenario::new();
        let scenario = start.clone().after(&look_at(&start, "10:00:00"));
        let late = look_at(&scenario, "11:30:00");
        assert_eq!(published(&late)[0].1["lastSeenAt"], Value::Null);
        let back = beat_at(&start.after(&late), "12:00:00");
        assert_eq!(published(&back)[0].1["silentSince"], Value::Null);
    }

    #[test]
    fn its_own_events_and_others_are_no_heartbeats() {
        for own in ["heartbeat:missed", "heartbeat:recovered"] {
            let report = Scenario::new().event(own).run(heartbeat);
            assert_eq!((report.result, report.writes.len()), (Ok(None), 0));
        }
        for other in ["backup", "heartbeat:"] {
            let refused = Scenario::new().event(other).run(heartbeat).result;
            assert!(matches!(refused, Err(Failure::Permanent(text)) if text.contains("heartbeat:NAME")));
        }
    }

    #[test]
    fn a_duration_that_is_none_is_named() {
        let settings = json!({"expect": {"backup": "soon"}});
        let refused = Scenario::new().metadata(&settings).run(heartbeat).result;
        assert!(
            matches!(refused, Err(Failure::Permanent(text)) if text.contains("`soon`, expected of `backup`"))
        );
    }
}
