//! When a schedule would be due, without creating a task.

use std::fmt::Display;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::at::resolve_at;
use innkeeper_schedule::cron::Schedule;
use innkeeper_schedule::duration::parse_duration;
use innkeeper_schedule::zone::{TimezoneData, Zone};
use innkeeper_store::Preset;
use serde_json::Value;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::router::Api;
use crate::wire::Preview;

const TRIGGERS: [&str; 4] = ["preset", "cron", "at", "after"];
const KEYS: [&str; 7] = ["preset", "cron", "at", "after", "timezone", "from", "count"];

/// Due times in each direction, unless the client asks for another number.
const COUNT_DEFAULT: u32 = 5;

/// Due times in each direction at most.
const COUNT_MAX: u32 = 1000;

pub(crate) async fn preview(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let presets = api.runner.presets().await?;
    let timezone = api.runner.timezone_of(&tenant);
    let context = Context {
        presets: &presets,
        tables: &api.runner.config().timezone_data,
        timezone: &timezone,
        now: api.runner.now(),
    };
    Ok(Json(context.preview(body).map_err(Problem::invalid)?))
}

/// What a preview is calculated with.
struct Context<'a> {
    presets: &'a [Preset],
    /// The tables that zones are looked up in.
    tables: &'a TimezoneData,
    /// The zone of schedules that name none.
    timezone: &'a Zone,
    now: Timestamp,
}

/// When something is due.
enum Due {
    Repeatedly(Schedule),
    Once(Timestamp),
}

impl Context<'_> {
    fn preview(&self, body: Value) -> Result<Preview, Vec<FieldError>> {
        let mut problems = Vec::new();
        let mut fields = Fields::new("", body, &KEYS, &mut problems);
        let triggers = TRIGGERS.map(|key| (key, fields.text(key)));
        let (zone, from) = (fields.text("timezone"), fields.text("from"));
        let count = fields.count("count", COUNT_MAX).unwrap_or(COUNT_DEFAULT);
        let zone = match zone {
            Some(name) => keep(&mut problems, "timezone", "unknown_timezone", self.tables.zone(&name)),
            None => Some(self.timezone.clone()),
        };
        // What depends on the zone is still checked if the zone is wrong.
        let assumed = zone.unwrap_or_else(Zone::utc);
        let from = match from {
            Some(from) => keep(&mut problems, "from", "invalid_timestamp", resolve_at(&from, &assumed)),
            None => Some(self.now),
        };
        let from = from.unwrap_or(self.now);
        let due = match only_one(triggers, &mut problems) {
            Some((key, text)) => self.due(key, &text, &assumed, from, &mut problems),
            None => None,
        };
        match due {
            Some(due) if problems.is_empty() => Ok(due.around(from, usize::try_from(count).unwrap_or(1))),
            _ => Err(problems),
        }
    }

    fn due(
        &self,
        key: &str,
        text: &str,
        zone: &Zone,
        from: Timestamp,
        problems: &mut Vec<FieldError>,
    ) -> Option<Due> {
        match key {
            "preset" => {
                let cron = self.preset(text, problems)?;
                keep(problems, "preset", "invalid_cron", Schedule::parse(cron, zone)).map(Due::Repeatedly)
            }
            "cron" => {
                keep(problems, "cron", "invalid_cron", Schedule::parse(text, zone)).map(Due::Repeatedly)
            }
            "at" => keep(problems, "at", "invalid_timestamp", resolve_at(text, zone)).map(Due::Once),
            _ => {
                let after = keep(problems, "after", "invalid_duration", parse_duration(text))?;
                Some(Due::Once(from.saturating_add(after)))
            }
        }
    }

    fn preset(&self, name: &str, problems: &mut Vec<FieldError>) -> Option<&str> {
        let found = self.presets.iter().find(|preset| preset.name.eq_ignore_ascii_case(name));
        if found.is_none() {
            let known = || self.presets.iter().map(|preset| preset.name.as_str());
            let names = known().collect::<Vec<_>>().join(", ");
            let message = format!("`{name}` is not a preset; there are {names}");
            let error = FieldError::new("preset", "unknown_preset", message);
            problems.push(error.suggesting(nearest(name, known())));
        }
        found.map(|preset| preset.cron.as_str())
    }
}

impl Due {
    /// The due times after and before `from`. One that is due at `from` itself is still to come if it is the only one.
    fn around(&self, from: Timestamp, count: usize) -> Preview {
        match self {
            Self::Repeatedly(schedule) => {
                Preview { next: schedule.next_n(from, count), previous: schedule.previous_n(from, count) }
            }
            Self::Once(due) if *due >= from => Preview { next: vec![*due], previous: Vec::new() },
            Self::Once(due) => Preview { next: Vec::new(), previous: vec![*due] },
        }
    }
}

/// The one trigger that is given.
fn only_one(
    triggers: [(&'static str, Option<String>); 4],
    problems: &mut Vec<FieldError>,
) -> Option<(&'static str, String)> {
    let mut given: Vec<_> = triggers.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    match given.len() {
        1 => given.pop(),
        0 => {
            // A trigger that is there but no text has its own problem.
            if !problems.iter().any(|problem| TRIGGERS.contains(&problem.field.as_str())) {
                let message = "is missing: a schedule is one of `preset`, `cron`, `at` and `after`";
                problems.push(FieldError::new("cron", "no_trigger", message));
            }
            None
        }
        _ => {
            let names = given.iter().map(|(key, _)| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            for (key, _) in given {
                let message = format!("is one of several ({names}): a schedule is exactly one");
                problems.push(FieldError::new(key, "several_triggers", message));
            }
            None
        }
    }
}

fn keep<T, E: Display>(
    problems: &mut Vec<FieldError>,
    field: &str,
    code: &str,
    result: Result<T, E>,
) -> Option<T> {
    result.map_err(|error| problems.push(FieldError::new(field, code, error.to_string()))).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn preview(body: Value) -> Result<Preview, Vec<FieldError>> {
        let daily =
            Preset { name: "@daily".to_owned(), description: String::new(), cron: "0 0 * * *".to_owned() };
        let now = "2025-06-01T12:00:00Z".parse().expect("an instant");
        Context { presets: &[daily], tables: &TimezoneData::Bundled, timezone: &Zone::utc(), now }
            .preview(body)
    }

    fn times(texts: &[&str]) -> Vec<Timestamp> {
        texts.iter().map(|text| text.parse().expect("an instant")).collect()
    }

    #[test]
    fn a_pattern_is_shown_in_both_directions() {
        let shown = preview(json!({"preset": "@Daily", "timezone": "America/New_York", "count": 2}));
        let expected = Preview {
            next: times(&["2025-06-02T04:00:00Z", "2025-06-03T04:00:00Z"]),
            previous: times(&["2025-06-01T04:00:00Z", "2025-05-31T04:00:00Z"]),
        };
        assert_eq!(shown, Ok(expected));
        let from_local = json!({
            "cron": "0 9 * * 1", "timezone": "Europe/London", "from": "2025-01-01T00:00:00", "count": 1,
        });
        let expected =
            Preview { next: times(&["2025-01-06T09:00:00Z"]), previous: times(&["2024-12-30T09:00:00Z"]) };
        assert_eq!(preview(from_local), Ok(expected));
    }

    #[test]
    fn a_one_off_is_either_to_come_or_past() {
        let after = Preview { next: times(&["2025-06-01T12:05:00Z"]), previous: Vec::new() };
        assert_eq!(preview(json!({"after": "in 5m"})), Ok(after));
        let past = Preview { next: Vec::new(), previous: times(&["2024-12-25T09:00:00Z"]) };
        assert_eq!(preview(json!({"at": "2024-12-25T09:00:00"})), Ok(past));
    }

    #[test]
    fn every_problem_is_found() {
        let body =
            json!({"cron": "61 * * * *", "timezone": "Mars/Base", "from": "now", "count": 0, "zone": "x"});
        let problems = preview(body).expect_err("an invalid preview");
        let mut fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["count", "cron", "from", "timezone", "zone"]);
        for (body, codes) in [
            (json!({}), &["no_trigger"][..]),
            (json!({"at": 5}), &["wrong_type"]),
            (json!({"cron": "* * * * *", "after": "5m"}), &["several_triggers", "several_triggers"]),
            (json!({"preset": "@dayly"}), &["unknown_preset"]),
        ] {
            let problems = preview(body).expect_err("an invalid preview");
            assert_eq!(problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), codes);
        }
    }
}
