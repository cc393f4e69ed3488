//! The file that `serve --config` reads: tables of settings, each value with its line.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use innkeeper_model::problem::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::Mistake;
use super::settings::SETTINGS;

/// Sections of the other files that are called innkeeper.toml.
const OTHER_SECTIONS: [&str; 6] = ["plugin", "grants", "task", "dev", "preset", "config"];

/// A value as the file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// A string without its quotes; a number or a switch as text.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// What a file says: its settings by `section.key`, and what is wrong with the rest of it.
pub(super) type Contents = (BTreeMap<String, Entry>, Vec<Mistake>);

/// Reads the settings of a file.
///
/// # Errors
/// The file cannot be read or is not TOML; the message names the line.
pub(super) fn read(path: &Path) -> anyhow::Result<Contents> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(path, &text).with_context(|| path.display().to_string())
}

fn parse(path: &Path, text: &str) -> anyhow::Result<Contents> {
    let file = DeTable::parse(text)?;
    let (mut entries, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (section, table) in file.get_ref() {
        let name = section.get_ref().as_ref();
        let found = match table.get_ref().as_table() {
            _ if !sections().contains(&name) => vec![(section.span().start, unknown_section(name))],
            Some(table) => read_section(text, name, table, &mut entries),
            None => {
                let told = format!("`{name}` must be a table, written as [{name}]");
                vec![(section.span().start, told)]
            }
        };
        mistakes.extend(found.into_iter().map(|(place, told)| {
            let line = line_of(text, place);
            Mistake {
                place: Some((path.to_owned(), line)),
                told: format!("{}:{line}: {told}", path.display()),
            }
        }));
    }
    Ok((entries, mistakes))
}

/// Reads the settings of a section. Gives what is wrong, each with its place in the text.
fn read_section(
    text: &str,
    section: &str,
    table: &DeTable<'_>,
    entries: &mut BTreeMap<String, Entry>,
) -> Vec<(usize, String)> {
    let mut mistakes = Vec::new();
    for (key, value) in table {
        let place = key.span().start;
        let name = format!("{section}.{}", key.get_ref());
        if !SETTINGS.iter().any(|setting| setting.key == name) {
            let prefix = format!("{section}.");
            let known: Vec<_> =
                SETTINGS.iter().filter_map(|setting| setting.key.strip_prefix(prefix.as_str())).collect();
            mistakes.push((
                place,
                format!("`{prefix}{}", unknown(key.get_ref(), &known).trim_start_matches('`')),
            ));
        } else if let Some(written) = written(value) {
            entries.insert(name, Entry { text: written, line: line_of(text, place) });
        } else {
            mistakes.push((place, format!("`{name}` must be a string, a whole number or a list of strings")));
        }
    }
    mistakes
}

fn written(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str()).collect::<Option<Vec<_>>>()?;
            Some(texts.join(","))
        }
        _ => None,
    }
}

fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = SETTINGS.iter().filter_map(|setting| setting.key.split('.').next()).collect();
    sections.dedup();
    sections
}

/// The line, from 1, of a place in a text.
fn line_of(text: &str, place: usize) -> usize {
    text.get(..place).unwrap_or(text).matches('\n').count() + 1
}

/// What is wrong with a section: maybe it is a key that stands above them all, or the file is one of another kind.
fn unknown_section(name: &str) -> String {
    let home = SETTINGS.iter().find_map(|setting| setting.key.strip_suffix(name)?.strip_suffix('.'));
    match home {
        Some(section) => format!("`{name}` must stand below [{section}]"),
        None if OTHER_SECTIONS.contains(&name) => format!(
            "`{name}` is not a known key: this looks like the innkeeper.toml of a plugin's project, or one that `innkeeper apply` \
             reads, not like a server's settings"
        ),
        None => unknown(name, &sections()),
    }
}

fn unknown(key: &str, known: &[&str]) -> String {
    match nearest(key, known.iter().copied()) {
        Some(near) => format!("`{key}` is not a known key; did you mean `{near}`?"),
        None => format!("`{key}` is not a known key; known are {}", known.join(", ")),
    }
}

/// Refuses a table that has other keys than `known`; `prefix` is the table's own path.
///
/// # Errors
/// The first unknown key, with the nearest known one.
pub fn check_keys(table: &toml::Table, known: &[&str], prefix: &str) -> anyhow::Result<()> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => bail!("`{prefix}{}", unknown(key, known).trim_start_matches('`')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let (_, mistakes) = parse(Path::new("a.toml"), text).expect("TOML");
        mistakes.into_iter().map(|mistake| mistake.told).collect()
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_the_nearest() {
        for (text, expected) in [
            (
                "[server]\nlissen = 'x'",
                "a.toml:2: `server.lissen` is not a known key; did you mean `listen`?",
            ),
            ("[server]\ndata_dir = 'x'", "`server.data_dir` is not a known key; did you mean `dataDir`?"),
            ("\n[sever]", "a.toml:2: `sever` is not a known key; did you mean `server`?"),
            ("[server]\nwhatever = 1", "known are listen, dataDir"),
            ("[retention]\nevent = '7d'", "`retention.event` is not a known key; did you mean `events`?"),
            (
                "[server]\nconcurrency = [3]",
                "a.toml:2: `server.concurrency` must be a string, a whole number or a list of strings",
            ),
            ("server = 3", "a.toml:1: `server` must be a table, written as [server]"),
            ("dataDir = 'x'", "a.toml:1: `dataDir` must stand below [server]"),
            ("[plugin]\nname = 'x'", "a.toml:1: `plugin` is not a known key: this looks like"),
        ] {
            let told = mistakes(text);
            assert!(told.len() == 1 && told[0].contains(expected), "{text}: {told:?}");
        }
        let error = format!("{:#}", parse(Path::new("a.toml"), "[server]\nlisten = ").expect_err("no TOML"));
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn strings_and_numbers_are_read_with_their_lines() {
        let (entries, mistakes) =
            parse(Path::new("a.toml"), "[server]\nconcurrency = 1_024\n\n[limits]\nmemory = '64MiB'")
                .expect("a file");
        assert_eq!(mistakes, []);
        let entry = |text: &str, line| Some(Entry { text: text.to_owned(), line });
        assert_eq!(entries.get("server.concurrency").cloned(), entry("1024", 2));
        assert_eq!(entries.get("limits.memory").cloned(), entry("64MiB", 5));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("no/such/file.toml")).expect_err("an error");
        assert!(format!("{error:#}").contains("cannot read no/such/file.toml"), "{error:#}");
    }
}
