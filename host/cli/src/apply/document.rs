//! Files that declare plugins and tasks, read with the line of everything in them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use innkeeper_model::id::PluginName;
use innkeeper_model::problem::nearest;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::is_document;
use crate::config::line_of;
use crate::dev::manifest::to_json;
use crate::problem::Problem;

/// What may stand at the top of a file. The last is for `dev` alone.
const SECTIONS: [&str; 3] = ["plugin", "task", "dev"];

/// What one file declares.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    pub(super) plugins: Vec<DeclaredPlugin>,
    pub(super) tasks: Vec<DeclaredTask>,
}

/// A plugin, with its component.
#[derive(Debug)]
pub(super) struct DeclaredPlugin {
    pub(super) name: String,
    pub(super) component: Vec<u8>,
    pub(super) line: usize,
}

/// A task as its author writes it.
#[derive(Debug)]
pub(super) struct DeclaredTask {
    pub(super) id: String,
    pub(super) body: Value,
    /// The line of each field, by its path, such as `retryPolicy.delay`.
    lines: BTreeMap<String, usize>,
    line: usize,
}

impl Document {
    /// The problem of something that stands on a line.
    pub(super) fn locate(&self, line: usize, what: &str, problem: &Problem) -> String {
        format!("{}:{line}: {what}: {}", self.path.display(), problem.describe())
    }

    /// What is wrong with a task, field by field, each with its line.
    pub(super) fn locate_in_task(&self, task: &DeclaredTask, problem: &Problem) -> String {
        if problem.errors.is_empty() {
            return self.locate(task.line, &task.id, problem);
        }
        let lines = problem.errors.iter().map(|error| {
            let line = task.lines.get(&error.field).copied().unwrap_or(task.line);
            format!("{}:{line}: {}: `{}` {}", self.path.display(), task.id, error.field, error.message)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Reads a file, or every file of a folder in the order of their names.
///
/// # Errors
/// One cannot be read or is not of the right form, or something is declared twice; the message names file and line.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Document>> {
    let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
    let documents = files.iter().map(|file| read_file(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut plugins, mut tasks) = (BTreeSet::new(), BTreeSet::new());
    for document in &documents {
        let shown = document.path.display();
        for plugin in &document.plugins {
            let is_new = plugins.insert(&plugin.name);
            ensure!(is_new, "{shown}:{}: the plugin `{}` is declared twice", plugin.line, plugin.name);
        }
        for task in &document.tasks {
            ensure!(
                tasks.insert(&task.id),
                "{shown}:{}: the task `{}` is declared twice",
                task.line,
                task.id
            );
        }
    }
    Ok(documents)
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_document(path)).collect();
    ensure!(!files.is_empty(), "there is no .toml and no .json file in {}", folder.display());
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> anyhow::Result<Document> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let entries = if text.trim_start().starts_with('{') { json_entries(&text) } else { toml_entries(&text) };
    let entries = entries.with_context(|| path.display().to_string())?;
    let mut document = Document { path: path.to_owned(), plugins: Vec::new(), tasks: Vec::new() };
    for entry in entries {
        let line = entry.line;
        let added = document.add(entry);
        added.with_context(|| format!("{}:{line}", path.display()))?;
    }
    Ok(document)
}

/// One plugin or task of a file.
struct Entry {
    section: String,
    body: Value,
    lines: BTreeMap<String, usize>,
    line: usize,
}

impl Document {
    fn add(&mut self, entry: Entry) -> anyhow::Result<()> {
        let Entry { section, body, lines, line } = entry;
        match section.as_str() {
            "plugin" => self.plugins.push(read_plugin(&self.path, &body, line)?),
            "task" => {
                let id = body["id"].as_str().context("a task without `id`")?.to_owned();
                self.tasks.push(DeclaredTask { id, body, lines, line });
            }
            _ => {}
        }
        Ok(())
    }
}

fn read_plugin(document: &Path, body: &Value, line: usize) -> anyhow::Result<DeclaredPlugin> {
    let known = ["name", "path"];
    let unknown = body.as_object().and_then(|keys| keys.keys().find(|key| !known.contains(&key.as_str())));
    if let Some(key) = unknown {
        let near = nearest(key, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        bail!("`plugin.{key}` is not a known key{near}");
    }
    let name = body["name"].as_str().context("a plugin without `name`")?;
    name.parse::<PluginName>()?;
    let path = body["path"].as_str().context("a plugin without `path`, which names its .wasm file")?;
    let path = document.with_file_name(path);
    let component = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(component.starts_with(b"\0asm"), "{} is not a WebAssembly file", path.display());
    Ok(DeclaredPlugin { name: name.to_owned(), component, line })
}

fn toml_entries(text: &str) -> anyhow::Result<Vec<Entry>> {
    let file = DeTable::parse(text)?;
    let mut entries = Vec::new();
    for (section, value) in file.get_ref() {
        let line = line_of(text, section.span().start);
        let name = section.get_ref().as_ref();
        check_section(name).with_context(|| format!("line {line}"))?;
        let values: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            let line = line_of(text, value.span().start);
            let Some(table) = value.get_ref().as_table() else {
                bail!("line {line}: `{name}` must be a table, written as [[{name}]]");
            };
            let mut lines = BTreeMap::new();
            note_lines(text, table, "", &mut lines);
            let body = to_json(plain(value.get_ref())?);
            entries.push(Entry { section: name.to_owned(), body, lines, line });
        }
    }
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

/// Notes the line of each key, by its path.
fn note_lines(text: &str, table: &DeTable<'_>, prefix: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = format!("{prefix}{}", key.get_ref());
        lines.insert(path.clone(), line_of(text, key.span().start));
        if let Some(table) = value.get_ref().as_table() {
            note_lines(text, table, &format!("{path}."), lines);
        }
    }
}

/// The value without its places.
fn plain(value: &DeValue<'_>) -> anyhow::Result<toml::Value> {
    Ok(match value {
        DeValue::String(text) => toml::Value::String(text.to_string()),
        DeValue::Integer(number) => {
            toml::Value::Integer(i64::from_str_radix(number.as_str(), number.radix())?)
        }
        DeValue::Float(number) => toml::Value::Float(number.as_str().parse()?),
        DeValue::Boolean(value) => toml::Value::Boolean(*value),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(values) => {
            toml::Value::Array(values.iter().map(|value| plain(value.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let plain = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                Ok((key.to_string(), plain(value.get_ref())?))
            };
            toml::Value::Table(table.iter().map(plain).collect::<anyhow::Result<_>>()?)
        }
    })
}

/// JSON tells no lines but those of what is no JSON: everything stands on the first one.
fn json_entries(text: &str) -> anyhow::Result<Vec<Entry>> {
    let Value::Object(file) = serde_json::from_str(text)? else { bail!("must be an object") };
    let mut entries = Vec::new();
    for (section, value) in file {
        check_section(&section)?;
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for body in values {
            entries.push(Entry { section: section.clone(), body, lines: BTreeMap::new(), line: 1 });
        }
    }
    Ok(entries)
}

fn check_section(name: &str) -> anyhow::Result<()> {
    if SECTIONS.contains(&name) {
        return Ok(());
    }
    let near = nearest(name, SECTIONS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    bail!("`{name}` is not a known section{near}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).expect("a file");
        }
        folder
    }

    #[test]
    fn a_folder_is_read_in_order_with_its_lines() {
        let toml = b"[[plugin]]\nname = 'a'\npath = 'a.wasm'\n\n[[task]]\nid = 'one'\n[task.retryPolicy]\ndelay = '1s'\n";
        let files: [(&str, &[u8]); 4] = [
            ("b.toml", toml),
            ("a.json", br#"{"task": [{"id": "two"}]}"#),
            ("a.wasm", b"\0asm"),
            ("notes", b""),
        ];
        let folder = folder(&files);
        let documents = read(folder.path()).expect("documents");
        assert_eq!(documents[0].tasks[0].id, "two");
        let task = &documents[1].tasks[0];
        assert_eq!(task.body, json!({"id": "one", "retryPolicy": {"delay": "1s"}}));
        assert_eq!((task.line, task.lines["retryPolicy.delay"]), (5, 8));
        assert_eq!(documents[1].plugins[0].component, b"\0asm");
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_line() {
        for (text, expected) in [
            ("\n[[tasks]]\nid = 'a'", "x.toml: line 2: `tasks` is not a known section; did you mean `task`?"),
            ("task = 3", "line 1: `task` must be a table"),
            ("[[task]]\nname = 'a'", "x.toml:1: a task without `id`"),
            ("\n[[plugin]]\nname = 'a'", "x.toml:2: a plugin without `path`"),
            ("[[plugin]]\nname = 'a'\nfile = 'x'", "`plugin.file` is not a known key"),
            ("[[plugin]]\nname = 'a'\npath = 'none.wasm'", "cannot read"),
            ("[[task]]\nid = 'a'\n[[task]]\nid = 'a'", "x.toml:3: the task `a` is declared twice"),
            ("[[task]\n", "x.toml"),
        ] {
            let folder = folder(&[("x.toml", text.as_bytes())]);
            let error = format!("{:#}", read(folder.path()).expect_err("a refused file"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
