//! Reading a declaration: every problem of its form is noted, with its path.

use std::fmt::Display;
use std::str::FromStr;

use innkeeper_model::grants::Grants;
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::problem::FieldError;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_runner::{Declaration, DeclaredPlugin, DeclaredTask, DeclaredValue};
use innkeeper_store::Preset;
use serde_json::Value;

use crate::fields::Fields;
use crate::limits;

/// Reads a declaration.
///
/// # Errors
/// Everything that is wrong with its form.
pub(crate) fn read(body: Value) -> Result<Declaration, Vec<FieldError>> {
    let mut problems = Vec::new();
    let mut fields =
        Fields::new("", body, &["presets", "plugins", "config", "tasks", "prune"], &mut problems);
    let [presets, plugins, config, tasks] =
        ["presets", "plugins", "config", "tasks"].map(|key| (key, fields.value(key)));
    let prune = fields.flag("prune").unwrap_or(false);
    let declaration = Declaration {
        presets: each(presets, &mut problems, preset),
        plugins: each(plugins, &mut problems, plugin),
        config: each(config, &mut problems, value),
        tasks: each(tasks, &mut problems, task),
        prune,
    };
    if problems.is_empty() { Ok(declaration) } else { Err(problems) }
}

/// Reads every item of a list. `read` is given the item's path, such as `tasks[3].`.
fn each<T>(
    (key, list): (&str, Option<Value>),
    problems: &mut Vec<FieldError>,
    read: impl Fn(&str, Value, &mut Vec<FieldError>) -> Option<T>,
) -> Vec<T> {
    let items = match list {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            problems.push(FieldError::new(key, "wrong_type", "must be an array"));
            Vec::new()
        }
    };
    let numbered = items.into_iter().enumerate();
    numbered.filter_map(|(index, item)| read(&format!("{key}[{index}]."), item, problems)).collect()
}

fn preset(path: &str, item: Value, problems: &mut Vec<FieldError>) -> Option<Preset> {
    let before = problems.len();
    let mut fields = Fields::new(path, item, &["name", "cron", "description"], problems);
    let preset = Preset {
        name: fields.required_text("name"),
        cron: fields.required_text("cron"),
        description: fields.text("description").unwrap_or_default(),
    };
    (problems.len() == before).then_some(preset)
}

fn plugin(path: &str, item: Value, problems: &mut Vec<FieldError>) -> Option<DeclaredPlugin> {
    let mut fields = Fields::new(path, item, &["name", "digest", "grants", "limits"], problems);
    let (name, digest) = (fields.required_text("name"), fields.required_text("digest"));
    let (grants, limits) = (fields.value("grants"), fields.value("limits"));
    let name = parsed(&format!("{path}name"), "invalid_name", &name, problems);
    let digest = parsed(&format!("{path}digest"), "invalid_digest", &digest, problems);
    let grants = grants.map(|grants| {
        Grants::from_json(grants).map_err(|found| problems.extend(below(&format!("{path}grants."), found)))
    });
    let limits = limits.map(|wishes| -> Result<(LimitWishes, Option<u32>), ()> {
        limits::read_of_plugin(wishes)
            .map_err(|found| problems.extend(below(&format!("{path}limits."), found)))
    });
    let (grants, limits) = (grants.transpose().ok()?, limits.transpose().ok()?);
    Some(DeclaredPlugin { name: name?, digest: digest?, grants, limits })
}

fn value(path: &str, item: Value, problems: &mut Vec<FieldError>) -> Option<DeclaredValue> {
    let before = problems.len();
    let mut fields = Fields::new(path, item, &["key", "value", "secret"], problems);
    let declared = DeclaredValue {
        key: fields.required_text("key"),
        value: fields.text("value"),
        is_secret: fields.flag("secret").unwrap_or(false),
    };
    (problems.len() == before).then_some(declared)
}

fn task(path: &str, item: Value, problems: &mut Vec<FieldError>) -> Option<DeclaredTask> {
    let says_paused = item.get("isPaused").is_some_and(|paused| !paused.is_null());
    match TaskConfig::from_json(item) {
        Ok(config) => Some(DeclaredTask { config, says_paused }),
        Err(found) => {
            problems.extend(below(path, found));
            None
        }
    }
}

/// A text that is missing is a problem already.
fn parsed<T: FromStr<Err: Display>>(
    field: &str,
    code: &str,
    text: &str,
    problems: &mut Vec<FieldError>,
) -> Option<T> {
    let is_known = problems.iter().any(|problem| problem.field == field);
    match text.parse() {
        Ok(value) => Some(value),
        Err(_) if is_known => None,
        Err(error) => {
            problems.push(FieldError::new(field, code, T::Err::to_string(&error)));
            None
        }
    }
}

/// Problems of a part, by their path in the whole.
fn below(path: &str, mut problems: Vec<FieldError>) -> Vec<FieldError> {
    for problem in &mut problems {
        let field = format!("{path}{}", problem.field);
        field.trim_end_matches('.').clone_into(&mut problem.field);
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_problem_has_its_path() {
        let problems = read(json!({
            "presets": [{"nam": "@x", "cron": 3}],
            "plugins": [{"name": "No", "digest": "1", "grants": {"http": ["x"], "kv": []}, "limits": {"feul": 1}}, 7],
            "config": [{"value": "a"}],
            "tasks": [{"id": "a", "type": "event", "plugin": "p", "retryPolicy": {"maxAttempts": "x"}}, []],
            "prun": true,
        }));
        let problems = problems.expect_err("it is wrong");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        for expected in [
            "prun",
            "presets[0].nam",
            "presets[0].name",
            "presets[0].cron",
            "plugins[0].name",
            "plugins[0].digest",
            "plugins[0].grants.http[0]",
            "plugins[0].grants.kv",
            "plugins[0].limits.feul",
            "plugins[1]",
            "config[0].key",
            "tasks[0].retryPolicy.maxAttempts",
            "tasks[1]",
        ] {
            assert!(fields.contains(&expected), "{expected}: {fields:?}");
        }
        assert_eq!(read(json!({"tasks": {}})).expect_err("no list")[0].field, "tasks");
    }

    #[test]
    fn what_is_left_out_is_left_alone() {
        let declaration = read(json!({
            "plugins": [{"name": "p", "digest": "0".repeat(64), "grants": null}],
            "tasks": [{"id": "a", "type": "event", "plugin": "p", "isPaused": null},
                {"id": "b", "type": "event", "plugin": "p", "isPaused": false}],
        }));
        let declaration = declaration.expect("a declaration");
        assert_eq!((&declaration.plugins[0].grants, &declaration.plugins[0].limits), (&None, &None));
        assert_eq!([0, 1].map(|task| declaration.tasks[task].says_paused), [false, true]);
        assert!(!declaration.prune);
    }
}
