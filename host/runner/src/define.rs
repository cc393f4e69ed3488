//! From a task as its author wrote it to a task that can be stored: every problem is found at once. Pure, given the
//! presets and the clock's time.

mod policies;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use innkeeper_model::limits::LimitWishes;
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::retry::RetryPolicy;
use innkeeper_model::task::{Misfire, Overlap, PluginRef, TaskDefinition, TaskType, Trigger};
use innkeeper_model::task_config::{LimitsConfig, TaskConfig};
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::at::resolve_at;
use innkeeper_schedule::cron::Schedule;
use innkeeper_schedule::zone::{TimezoneData, Zone};
use innkeeper_store::NewTask;

/// The longest `metadata`, as JSON text.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// The longest `name`, in characters.
const NAME_CHARS_MAX: usize = 200;

/// What a definition is checked against.
pub(crate) struct Context<'a> {
    /// Patterns by preset name, in lower case.
    pub(crate) presets: &'a BTreeMap<String, String>,
    /// The tables that zones are looked up in.
    pub(crate) tables: &'a TimezoneData,
    /// The zone of tasks that name none.
    pub(crate) timezone: &'a Zone,
    /// Now.
    pub(crate) now: Timestamp,
}

/// Checks `config`.
///
/// # Errors
/// Everything that is wrong with it, each with its field.
pub(crate) fn define(config: TaskConfig, context: &Context<'_>) -> Result<NewTask, Vec<FieldError>> {
    let mut checked = Checker { problems: Vec::new() };
    let id = checked.parse("id", "invalid_id", &config.id);
    let plugin = checked.parse::<PluginRef>("plugin", "invalid_plugin", &config.plugin);
    let zone = checked.zone(config.timezone.as_deref(), context);
    let trigger = checked.trigger(&config, context);
    if let Some(trigger) = &trigger {
        checked.task_type(&config.task_type, trigger);
    }
    // A trigger is checked even if the zone is not known.
    let some_zone = zone.as_ref().unwrap_or(context.timezone);
    let next_run_at = trigger
        .as_ref()
        .and_then(|trigger| checked.first_due(trigger, some_zone, context.now, config.allow_past));
    let retry = config.retry_policy.as_ref().map_or(RetryPolicy::ONCE, |policy| checked.retry(policy));
    let limits = config.limits.as_ref().map_or_else(LimitWishes::default, |limits| checked.limits(limits));
    let rate_limit = config.rate_limit.as_ref().map(|limit| checked.rate_limit(limit));
    let overlap = checked.choice("overlap", config.overlap.as_deref(), Overlap::ALL, Overlap::as_str);
    let misfire = checked.choice("misfire", config.misfire.as_deref(), Misfire::ALL, Misfire::as_str);
    if config.concurrency == Some(0) {
        checked.problem("concurrency", "out_of_range", "must be at least 1");
    }
    if config.name.as_ref().is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        checked.problem("name", "too_long", format!("must be at most {NAME_CHARS_MAX} characters"));
    }
    let alerts = checked.alerts(config.expect_within.as_deref(), config.on_failure.as_deref());
    let metadata = checked.metadata(config.metadata);
    let (Some(id), Some(plugin), Some(zone), Some(trigger), []) =
        (id, plugin, zone, trigger, checked.problems.as_slice())
    else {
        return Err(checked.problems);
    };
    let definition = TaskDefinition {
        id,
        name: config.name,
        rate_limit,
        overlap: overlap.unwrap_or_else(|| Overlap::default_for(&trigger)),
        misfire: misfire.unwrap_or_default(),
        concurrency: config.concurrency,
        trigger,
        timezone: zone.name().to_owned(),
        plugin,
        retry,
        limits,
        alerts,
        is_paused: config.is_paused,
        metadata,
    };
    Ok(NewTask { definition, next_run_at, skipped: None, created_at: context.now })
}

/// Checks limits that somebody asks for on their own: for a plugin, a tenant, or the host.
///
/// # Errors
/// Everything that is wrong with them, each with its field, which begins with `limits.`.
pub fn define_limits(config: &LimitsConfig) -> Result<LimitWishes, Vec<FieldError>> {
    let mut checked = Checker { problems: Vec::new() };
    let limits = checked.limits(config);
    if checked.problems.is_empty() { Ok(limits) } else { Err(checked.problems) }
}

struct Checker {
    problems: Vec<FieldError>,
}

impl Checker {
    fn problem(&mut self, field: &str, code: &str, message: impl Into<String>) {
        self.problems.push(FieldError::new(field, code, message));
    }

    fn keep<T, E: Display>(&mut self, field: &str, code: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.problem(field, code, error.to_string())).ok()
    }

    fn parse<T: std::str::FromStr<Err: Display>>(
        &mut self,
        field: &str,
        code: &str,
        text: &str,
    ) -> Option<T> {
        self.keep(field, code, text.parse::<T>())
    }

    fn zone(&mut self, name: Option<&str>, context: &Context<'_>) -> Option<Zone> {
        match name {
            Some(name) => self.keep("timezone", "unknown_timezone", context.tables.zone(name)),
            None => Some(context.timezone.clone()),
        }
    }

    /// The one trigger that is given.
    fn trigger(&mut self, config: &TaskConfig, context: &Context<'_>) -> Option<Trigger> {
        let given: Vec<(&str, &str)> = [
            ("preset", config.preset.as_deref()),
            ("cron", config.cron.as_deref()),
            ("at", config.at.as_deref()),
            ("after", config.after.as_deref()),
            ("onEvent", config.on_event.as_deref()),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .collect();
        match given.as_slice() {
            [] => self.no_trigger(&config.task_type),
            [(field, value)] => self.read_trigger(field, value, context),
            several => {
                let names =
                    several.iter().map(|(field, _)| format!("`{field}`")).collect::<Vec<_>>().join(", ");
                for (field, _) in several {
                    let message = format!("is one of several triggers ({names}): a task has exactly one");
                    self.problem(field, "several_triggers", message);
                }
                None
            }
        }
    }

    fn no_trigger(&mut self, task_type: &str) -> Option<Trigger> {
        let (field, message) = match task_type {
            "event" => ("onEvent", "is required for a task of type `event`"),
            _ => (
                "cron",
                "is missing: a task of type `schedule` has one of `preset`, `cron`, `at` and `after`",
            ),
        };
        self.problem(field, "no_trigger", message);
        None
    }

    fn read_trigger(&mut self, field: &str, value: &str, context: &Context<'_>) -> Option<Trigger> {
        match field {
            "preset" => self.preset(value, context.presets),
            "cron" => Some(Trigger::Cron(value.to_owned())),
            "at" => Some(Trigger::At(value.to_owned())),
            "after" => Some(Trigger::After(value.to_owned())),
            _ => self.parse("onEvent", "invalid_pattern", value).map(Trigger::OnEvent),
        }
    }

    fn preset(&mut self, name: &str, presets: &BTreeMap<String, String>) -> Option<Trigger> {
        let lower = name.to_lowercase();
        if let Some(cron) = presets.get(&lower) {
            return Some(Trigger::Preset { preset: lower, cron: cron.clone() });
        }
        let known = presets.keys().map(String::as_str).collect::<Vec<_>>();
        let near = nearest(name, known.iter().copied());
        let hint = match &near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        let message = format!("`{name}` is not a preset; {hint}");
        self.problems.push(FieldError::new("preset", "unknown_preset", message).suggesting(near));
        None
    }

    fn task_type(&mut self, written: &str, trigger: &Trigger) {
        let expected = trigger.task_type();
        match written.parse::<TaskType>() {
            Ok(given) if given == expected => {}
            Ok(_) => {
                let message = format!("must be `{}` for a task with this trigger", expected.as_str());
                self.problem("type", "type_mismatch", message);
            }
            // An absent type is reported where the config is read.
            Err(_) if written.is_empty() => {}
            Err(_) => {
                let error = FieldError::new(
                    "type",
                    "unknown_type",
                    format!("`{written}` is neither `schedule` nor `event`"),
                );
                self.problems.push(error.suggesting(nearest(written, ["schedule", "event"])));
            }
        }
    }

    /// The first due time; an error if there is none, or if it is past.
    fn first_due(
        &mut self,
        trigger: &Trigger,
        zone: &Zone,
        now: Timestamp,
        allow_past: bool,
    ) -> Option<Timestamp> {
        match trigger {
            Trigger::Preset { cron, .. } => {
                self.keep("preset", "invalid_cron", Schedule::parse(cron, zone))?.next_after(now)
            }
            Trigger::Cron(cron) => {
                let next = self.keep("cron", "invalid_cron", Schedule::parse(cron, zone))?.next_after(now);
                if next.is_none() {
                    self.problem("cron", "never_fires", format!("`{cron}` has no due time after now"));
                }
                next
            }
            Trigger::At(at) => {
                let due = self.keep("at", "invalid_timestamp", resolve_at(at, zone))?;
                if due < now && !allow_past {
                    let message =
                        format!("`{at}` is {due}, which is past; set `allowPast` to run the task at once");
                    self.problem("at", "past", message);
                }
                Some(due)
            }
            Trigger::After(after) => Some(now.saturating_add(self.duration("after", after)?)),
            Trigger::OnEvent(_) => None,
        }
    }

    fn metadata(&mut self, metadata: Option<serde_json::Map<String, serde_json::Value>>) -> Option<Arc<str>> {
        let text = serde_json::Value::Object(metadata?).to_string();
        if text.len() > METADATA_BYTES_MAX {
            let message = format!("is {} bytes as JSON; at most {METADATA_BYTES_MAX} are kept", text.len());
            self.problem("metadata", "too_large", message);
        }
        Some(text.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn defined(mut config: Value) -> Result<NewTask, Vec<FieldError>> {
        let presets = BTreeMap::from([("@daily".to_owned(), "0 0 * * *".to_owned())]);
        let timezone = Zone::utc();
        let now = "2025-06-01T12:00:00Z".parse().expect("a time");
        config["id"] = "task".into();
        config["plugin"] = "greeter".into();
        let config = TaskConfig::from_json(config).expect("a config of the right shape");
        define(
            config,
            &Context { presets: &presets, tables: &TimezoneData::Bundled, timezone: &timezone, now },
        )
    }

    fn due(config: Value) -> String {
        defined(config).expect("a valid task").next_run_at.expect("a due time").to_string()
    }

    fn refused(config: Value) -> Vec<(String, String)> {
        let problems = defined(config).expect_err("an invalid task");
        problems.into_iter().map(|problem| (problem.field, problem.code)).collect()
    }

    #[test]
    fn each_trigger_has_its_first_due_time() {
        assert_eq!(
            due(json!({"type": "schedule", "preset": "@Daily", "timezone": "America/New_York"})),
            "2025-06-02T04:00:00.000Z"
        );
        assert_eq!(due(json!({"type": "schedule", "cron": "0 9 * * 1"})), "2025-06-02T09:00:00.000Z");
        assert_eq!(due(json!({"type": "schedule", "at": "2025-09-01T15:00:00"})), "2025-09-01T15:00:00.000Z");
        assert_eq!(due(json!({"type": "schedule", "after": "in 1 day"})), "2025-06-02T12:00:00.000Z");
        assert_eq!(defined(json!({"type": "event", "onEvent": "user:*"})).expect("valid").next_run_at, None);
    }

    #[test]
    fn a_task_has_exactly_one_trigger_of_its_type() {
        let several = refused(json!({"type": "schedule", "cron": "* * * * *", "after": "5m"}));
        assert_eq!(several, [("cron", "several_triggers"), ("after", "several_triggers")].map(owned));
        assert_eq!(refused(json!({"type": "schedule"})), [("cron", "no_trigger")].map(owned));
        assert_eq!(refused(json!({"type": "event"})), [("onEvent", "no_trigger")].map(owned));
        let mismatch = refused(json!({"type": "event", "cron": "* * * * *"}));
        assert_eq!(mismatch, [("type", "type_mismatch")].map(owned));
        assert_eq!(
            refused(json!({"type": "shedule", "cron": "* * * * *"})),
            [("type", "unknown_type")].map(owned)
        );
    }

    #[test]
    fn every_problem_is_found_at_once() {
        let problems = refused(json!({
            "type": "schedule", "cron": "61 * * * *", "timezone": "Europe/Atlantis",
            "retryPolicy": {"maxAttempts": 0, "delay": "soon", "backoff": "linear", "jitter": 2},
            "limits": {"fuel": 0, "timeout": "1 fortnight"},
        }));
        let fields: Vec<_> = problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "timezone",
                "cron",
                "retryPolicy.maxAttempts",
                "retryPolicy.jitter",
                "retryPolicy.delay",
                "retryPolicy.backoff",
                "limits.timeout",
                "limits.fuel"
            ]
        );
    }

    #[test]
    fn a_past_time_is_refused_unless_allowed() {
        let past = json!({"type": "schedule", "at": "2024-12-25T09:00:00"});
        assert_eq!(refused(past), [("at", "past")].map(owned));
        let allowed = json!({"type": "schedule", "at": "2024-12-25T09:00:00", "allowPast": true});
        assert_eq!(due(allowed), "2024-12-25T09:00:00.000Z");
    }

    fn owned((field, code): (&str, &str)) -> (String, String) {
        (field.to_owned(), code.to_owned())
    }
}
