//! `innkeeper.toml` of a plugin: its name, what it may reach, its tasks, and an event to try it with.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use innkeeper_model::grants::Grants;
use innkeeper_model::id::PluginName;
use innkeeper_model::problem::FieldError;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::topic::{EventName, TopicPattern};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::check_keys;

/// The file's name.
pub const FILE: &str = "innkeeper.toml";

/// What a plugin's author declares.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The plugin's name.
    pub name: PluginName,
    /// What it may reach.
    pub grants: Grants,
    /// The tasks to set up.
    pub tasks: Vec<TaskConfig>,
    /// An event that one of the tasks listens to; `None` if none listens to any.
    pub example: Option<Example>,
}

/// An event to try a plugin with.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Its name.
    pub event: EventName,
    /// Its data.
    pub data: Option<Value>,
}

#[derive(Deserialize)]
struct Raw {
    plugin: RawPlugin,
    grants: Option<toml::Value>,
    #[serde(default)]
    task: Vec<toml::Value>,
    #[serde(default)]
    dev: RawDev,
}

#[derive(Deserialize)]
struct RawPlugin {
    name: PluginName,
}

#[derive(Default, Deserialize)]
struct RawDev {
    event: Option<EventName>,
    data: Option<toml::Value>,
}

impl Manifest {
    /// Reads the file in a plugin's folder.
    ///
    /// # Errors
    /// The file is missing or not valid; the message names it and says what would be right.
    pub fn read(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join(FILE);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}: it names the plugin (`[plugin]`, `name = \"…\"`) and its tasks",
                path.display()
            )
        })?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Reads a manifest from text.
    ///
    /// # Errors
    /// The text is not TOML, has an unknown key, or declares a task that has no valid shape.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text.parse()?;
        check_keys(&table, &["plugin", "grants", "task", "dev"], "")?;
        for (section, known) in [("plugin", &["name"][..]), ("dev", &["event", "data"])] {
            if let Some(section_table) = table.get(section).and_then(toml::Value::as_table) {
                check_keys(section_table, known, &format!("{section}."))?;
            }
        }
        let raw: Raw = table.try_into()?;
        let name = raw.plugin.name;
        let grants = raw.grants.map(read_grants).transpose()?.unwrap_or_default();
        let tasks = raw.task.into_iter().map(|task| read_task(task, &name)).collect::<Result<Vec<_>, _>>()?;
        let example = example(raw.dev, &tasks)?;
        Ok(Self { name, grants, tasks, example })
    }
}

fn read_grants(grants: toml::Value) -> anyhow::Result<Grants> {
    Grants::from_json(to_json(grants)).map_err(|problems| {
        let lines = problems.iter().map(|problem| format!("\n  {}: {}", problem.field, problem.message));
        anyhow::anyhow!("[grants] is not valid:{}", lines.collect::<String>())
    })
}

/// A task as declared. Its handler is the plugin itself unless it names another.
fn read_task(task: toml::Value, plugin: &PluginName) -> anyhow::Result<TaskConfig> {
    let mut task = to_json(task);
    let id = task["id"].as_str().unwrap_or("without an id").to_owned();
    if let Value::Object(fields) = &mut task {
        fields.entry("plugin").or_insert_with(|| plugin.as_str().into());
    }
    TaskConfig::from_json(task).map_err(|problems| anyhow::anyhow!(describe(&id, &problems)))
}

/// What is wrong with a task, a line for each field.
pub(super) fn describe(id: &str, problems: &[FieldError]) -> String {
    let lines = problems.iter().map(|problem| format!("\n  {}: {}", problem.field, problem.message));
    format!("the task {id} is not valid:{}", lines.collect::<String>())
}

/// The event that `[dev]` names, or one that the first event task listens to.
fn example(dev: RawDev, tasks: &[TaskConfig]) -> anyhow::Result<Option<Example>> {
    let data = dev.data.map(to_json);
    let patterns = || tasks.iter().filter_map(|task| task.on_event.as_deref());
    let Some(event) = dev.event else {
        ensure!(data.is_none(), "`dev.data` goes with `dev.event`, which is missing");
        let event = patterns().next().and_then(|pattern| pattern.replace('*', "example").parse().ok());
        return Ok(event.map(|event| Example { event, data: None }));
    };
    let hears =
        |pattern: &str| pattern.parse::<TopicPattern>().is_ok_and(|pattern| pattern.matches(event.as_str()));
    if !patterns().any(hears) {
        bail!("`dev.event` is `{event}`, but no task listens to it");
    }
    Ok(Some(Example { event, data }))
}

/// TOML as JSON. A date or a time becomes its text, which is what a task's `at` wants.
pub fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, to_json(value))).collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const WHOLE: &str = "
        [plugin]
        name = 'greeter'
        [grants]
        http = ['https://api.example.com']
        [[task]]
        id = 'once'
        type = 'schedule'
        at = 2030-01-02T03:04:05
        metadata = { tags = ['a', 1, 0.5, true] }
        [[task]]
        id = 'on-login'
        type = 'event'
        onEvent = 'user:*'
        plugin = 'other'
    ";

    #[test]
    fn a_whole_manifest_is_read() {
        let manifest = Manifest::parse(WHOLE).expect("a valid manifest");
        assert_eq!(manifest.name.as_str(), "greeter");
        assert_eq!(manifest.grants.http[0].to_string(), "https://api.example.com");
        assert_eq!(manifest.tasks[0].at.as_deref(), Some("2030-01-02T03:04:05"));
        assert_eq!(manifest.tasks[0].plugin, "greeter");
        assert_eq!(manifest.tasks[1].plugin, "other");
        let metadata = manifest.tasks[0].metadata.clone().map(Value::Object);
        assert_eq!(metadata, Some(json!({"tags": ["a", 1, 0.5, true]})));
    }

    #[test]
    fn the_example_is_declared_or_derived_from_the_first_pattern() {
        let event = |more: &str| {
            let manifest = Manifest::parse(&format!("{WHOLE}\n{more}")).expect("a valid manifest");
            manifest.example.map(|example| (example.event.to_string(), example.data))
        };
        assert_eq!(event(""), Some(("user:example".to_owned(), None)));
        assert_eq!(
            event("[dev]\nevent = 'user:logged_in'\ndata = { userId = '123' }"),
            Some(("user:logged_in".to_owned(), Some(json!({"userId": "123"}))))
        );
        assert_eq!(Manifest::parse("[plugin]\nname = 'x'").expect("a valid manifest").example, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("[plugin]\nnmae = 'x'", "`plugin.nmae` is not a known key; did you mean `name`?"),
            ("[plugin]\nname = 'x'\n[[tasks]]", "did you mean `task`?"),
            ("[[task]]\nid = 'x'", "plugin"),
            ("[plugin]\nname = 'No'", "plugin name `No` must be"),
            (
                "[plugin]\nname = 'x'\n[[task]]\nid = 'a'\ntype = 'event'\nonevent = 'e'",
                "did you mean `onEvent`?",
            ),
            ("[plugin]\nname = 'x'\n[dev]\nevent = 'e'", "no task listens to it"),
            ("[plugin]\nname = 'x'\n[dev]\ndata = 1", "`dev.event`, which is missing"),
            ("[plugin]\nname = 'x'\n[grants]\nhttp = ['x']", "http[0]: `x` names no destination"),
        ] {
            let error = format!("{:#}", Manifest::parse(text).expect_err("a refused manifest"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
