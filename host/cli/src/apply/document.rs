//! Files that declare what a tenant is to have, turned into what the server is asked for.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use innkeeper_model::id::Digest;
use innkeeper_model::problem::{FieldError, nearest};
use serde_json::{Map, Value, json};

use super::mistake::{Mistake, Mistakes};
use super::place::Places;
use super::source::{self, Entry};
use crate::input::without_line_end;

/// The lists of a declaration, by the sections of files that fill them.
const LISTS: [(&str, &str); 4] =
    [("preset", "presets"), ("plugin", "plugins"), ("config", "config"), ("task", "tasks")];

/// What files declare.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// What the server is asked for, without `prune`.
    pub(super) body: Map<String, Value>,
    /// Where each thing stands, in the order of each list.
    sites: Vec<(&'static str, Site)>,
    /// Components that are declared, each with its digest.
    pub(super) components: Vec<Component>,
    /// What whoever applies it should know.
    pub(super) notes: Vec<Mistake>,
}

/// Where something is declared.
#[derive(Debug, Clone)]
struct Site {
    path: PathBuf,
    name: String,
    places: Places,
}

impl Site {
    fn at(&self, field: &str, what: &str) -> Mistake {
        Mistake {
            file: Some(self.path.clone()),
            place: Some(self.places.of(field)),
            name: self.name.clone(),
            field: field.to_owned(),
            message: what.to_owned(),
        }
    }
}

/// A component, and what declares it.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) plugin: String,
    pub(super) digest: String,
    pub(super) bytes: Vec<u8>,
    site: Site,
}

impl Component {
    /// What is wrong with it, with its place.
    pub(super) fn locate(&self, what: &str) -> Mistake {
        self.site.at("path", what)
    }
}

impl Declared {
    /// What the server finds wrong with a field such as `tasks[3].cron`, with its place.
    pub(super) fn locate(&self, problem: &FieldError) -> Mistake {
        let found = problem.field.split_once('[').and_then(|(list, rest)| {
            let (index, field) = rest.split_once(']')?;
            let index: usize = index.parse().ok()?;
            let site = self.sites.iter().filter(|(of, _)| *of == list).nth(index)?;
            Some(site.1.at(field.trim_start_matches('.'), &problem.message))
        });
        found.unwrap_or_else(|| Mistake {
            field: problem.field.clone(),
            message: problem.message.clone(),
            ..Mistake::default()
        })
    }

    fn add(&mut self, list: &'static str, body: Value, site: Site) {
        if let Some(Value::Array(items)) = self.body.get_mut(list) {
            items.push(body);
        }
        self.sites.push((list, site));
    }
}

/// Reads a file, or every file of a folder in the order of their names.
///
/// # Errors
/// One cannot be read or is not of the right form; the message names all mistakes with file, line and column.
pub(super) fn read(path: &Path) -> anyhow::Result<Declared> {
    let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
    let mut declared = Declared::default();
    declared.body.extend(LISTS.map(|(_, list)| (list.to_owned(), json!([]))));
    let mut mistakes = Vec::new();
    for file in &files {
        match read_file(file, &mut declared) {
            Ok(found) => mistakes.extend(found),
            Err(error) => mistakes.push(error),
        }
    }
    if mistakes.is_empty() { Ok(declared) } else { Err(Mistakes { headline: None, all: mistakes }.into()) }
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_document(path)).collect();
    ensure!(!files.is_empty(), "there is no .toml and no .json file in {}", folder.display());
    files.sort();
    Ok(files)
}

/// Whether a path is a file that can be applied.
fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml" || extension == "json")
}

/// Adds what a file declares. Gives its mistakes.
fn read_file(path: &Path, declared: &mut Declared) -> Result<Vec<Mistake>, Mistake> {
    let in_file = |mistake| Mistake { file: Some(path.to_owned()), ..mistake };
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| {
        in_file(Mistake { message: format!("cannot be read: {error}"), ..Mistake::default() })
    })?;
    let entries = source::read(&text).map_err(in_file)?;
    let added = entries.into_iter().filter_map(|entry| add(path, entry, declared).err());
    Ok(added.collect())
}

/// Adds one thing, or says what is wrong with it.
fn add(path: &Path, entry: Entry, declared: &mut Declared) -> Result<(), Mistake> {
    let Entry { section, body, places } = entry;
    let Some((_, list)) = LISTS.into_iter().find(|(known, _)| *known == section) else { return Ok(()) };
    let name = ["id", "name", "key"].into_iter().find_map(|key| body[key].as_str());
    let name = name.map_or_else(|| format!("a {section}"), str::to_owned);
    let site = Site { path: path.to_owned(), name, places };
    let body = match section.as_str() {
        "plugin" => {
            read_plugin(path, body, &site, declared).map_err(|(field, error)| site.at(field, &error))?
        }
        "config" => {
            read_value(path, body, &site, declared).map_err(|(field, error)| site.at(field, &error))?
        }
        _ => body,
    };
    declared.add(list, body, site);
    Ok(())
}

/// What is wrong, and with which field.
type Wrong = (&'static str, String);

fn whole(error: &anyhow::Error) -> Wrong {
    ("", format!("{error:#}"))
}

fn read_plugin(
    document: &Path,
    mut body: Value,
    site: &Site,
    declared: &mut Declared,
) -> Result<Value, Wrong> {
    check_keys(&body, &["name", "path", "grants", "limits"]).map_err(|error| whole(&error))?;
    let path = body["path"]
        .as_str()
        .ok_or(("", "a plugin without `path`, which names its .wasm file".to_owned()))?;
    let path = document.with_file_name(path);
    let bytes = crate::plugins::read(&path).map_err(|error| ("path", format!("{error:#}")))?;
    let digest = Digest::of(&bytes).to_string();
    let component =
        Component { plugin: site.name.clone(), digest: digest.clone(), bytes, site: site.clone() };
    declared.components.push(component);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("path");
        fields.insert("digest".to_owned(), digest.into());
    }
    Ok(body)
}

/// A value as it is written; that of a secret comes from elsewhere.
fn read_value(
    document: &Path,
    mut body: Value,
    site: &Site,
    declared: &mut Declared,
) -> Result<Value, Wrong> {
    check_keys(&body, &["key", "value", "secret"]).map_err(|error| whole(&error))?;
    let secret = body["secret"].clone();
    if secret.is_null() {
        return Ok(body);
    }
    if !body["value"].is_null() {
        return Err((
            "value",
            "is in clear: a secret is named by `secret = { env = \"NAME\" }` alone".to_owned(),
        ));
    }
    let value = match secret_text(document, &secret).map_err(|error| ("secret", format!("{error:#}")))? {
        Ok(text) => text.into(),
        Err(variable) => {
            declared.notes.push(site.at("secret", &format!("the variable {variable} is not set")));
            Value::Null
        }
    };
    (body["secret"], body["value"]) = (true.into(), value);
    Ok(body)
}

/// The text of a secret; the inner error is the variable that is not set.
fn secret_text(document: &Path, secret: &Value) -> anyhow::Result<Result<String, String>> {
    let form = "must be { env = \"NAME\" } or { file = \"PATH\" }";
    let Some(place) = secret.as_object().filter(|place| place.len() == 1) else { bail!("{form}") };
    let of = |key: &str| place.get(key).and_then(Value::as_str);
    match (of("env"), of("file")) {
        (Some(variable), _) => {
            let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
            Ok(text.ok_or_else(|| variable.to_owned()))
        }
        (_, Some(file)) => {
            let path = document.with_file_name(file);
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Ok(without_line_end(text)))
        }
        _ => bail!("{form}"),
    }
}

fn check_keys(body: &Value, known: &[&str]) -> anyhow::Result<()> {
    let unknown = body.as_object().and_then(|keys| keys.keys().find(|key| !known.contains(&key.as_str())));
    let Some(key) = unknown else { return Ok(()) };
    let near = nearest(key, known.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    bail!("`{key}` is not a known key{near}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).expect("a file");
        }
        folder
    }

    fn at(field: &str) -> FieldError {
        FieldError::new(field, "x", "is wrong")
    }

    #[test]
    fn a_folder_is_read_in_order_and_everything_has_its_place() {
        let toml = b"[[plugin]]\nname = 'a'\npath = 'a.wasm'\n[plugin.grants]\nhttp = [\n  'x']\n\n[[task]]\nid = 'one'\n\
            [task.retryPolicy]\ndelay = '1s'\n";
        let files: [(&str, &[u8]); 4] = [
            ("b.toml", toml),
            ("a.json", b"{\"task\": [{\"id\": \"two\",\n  \"cron\": \"x\"}]}"),
            ("a.wasm", b"\0asm"),
            ("notes", b""),
        ];
        let folder = folder(&files);
        let declared = read(folder.path()).expect("a declaration");
        assert_eq!(declared.body["tasks"][0]["id"], "two");
        assert_eq!(declared.body["tasks"][1], json!({"id": "one", "retryPolicy": {"delay": "1s"}}));
        assert_eq!(declared.body["plugins"][0]["digest"], Digest::of(b"\0asm").to_string());
        assert_eq!(declared.components[0].bytes, b"\0asm");
        for (field, expected) in [
            ("tasks[0].cron", "a.json:2:11: two: `cron` is wrong"),
            ("tasks[1].retryPolicy.delay", "b.toml:11:1: one: `retryPolicy.delay` is wrong"),
            ("tasks[1].plugin", "b.toml:8:1: one: `plugin` is wrong"),
            ("plugins[0].grants.http[0]", "b.toml:6:3: a: `grants.http[0]` is wrong"),
            ("tasks[1]", "b.toml:8:1: one: is wrong"),
        ] {
            let located = declared.locate(&at(field)).to_string();
            assert!(located.ends_with(expected), "{located}");
        }
        assert_eq!(declared.locate(&at("body")).to_string(), "`body` is wrong");
    }

    #[test]
    fn a_secret_comes_from_a_file_or_the_environment() {
        let text = b"[[config]]\nkey = 'a'\nsecret = { file = 'token' }\n[[config]]\nkey = 'b'\nvalue = ''\n\
            [[config]]\nkey = 'c'\nsecret = { env = 'INNKEEPER_TEST_NO_SUCH_VARIABLE' }";
        let folder = folder(&[("x.toml", text), ("token", b"s3cret\n")]);
        let declared = read(&folder.path().join("x.toml")).expect("a declaration");
        assert_eq!(
            declared.body["config"],
            json!([{"key": "a", "value": "s3cret", "secret": true}, {"key": "b", "value": ""},
                {"key": "c", "value": null, "secret": true}])
        );
        let notes: Vec<_> = declared.notes.iter().map(ToString::to_string).collect();
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains("x.toml:9:1: c: `secret` the variable INNKEEPER_TEST"), "{notes:?}");
    }

    #[test]
    fn what_is_wrong_is_named_with_file_line_and_column() {
        for (text, expected) in [
            ("\n[[tasks]]\nid = 'a'", "x.toml:2:3: `tasks` is not a known section; did you mean `task`?"),
            ("[grants]", "x.toml:1:2: `grants` belong to a plugin: write [plugin.grants]"),
            ("task = 3", "x.toml:1:8: `task` must be a table"),
            ("{\"task\": [\n 3]}", "x.toml:2:2: `task` must be an object"),
            ("\n[[plugin]]\nname = 'a'", "x.toml:2:1: a: a plugin without `path`"),
            ("[[plugin]]\nname = 'a'\nfile = 'x'", "`file` is not a known key"),
            ("[[plugin]]\nname = 'a'\npath = 'none.wasm'", "x.toml:3:1: a: `path` cannot read"),
            (
                "[[config]]\nkey = 'a'\nvalue = 'x'\nsecret = { env = 'X' }",
                "x.toml:3:1: a: `value` is in clear",
            ),
            ("[[config]]\nkey = 'a'\nsecret = true", "x.toml:3:1: a: `secret` must be { env"),
            ("[[task]\n", "x.toml"),
        ] {
            let folder = folder(&[("x.toml", text.as_bytes())]);
            let error = format!("{:#}", read(folder.path()).expect_err("a refused file"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
