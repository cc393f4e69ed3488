//! The file that `serve --config` reads: tables of settings, each value with its line.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use innkeeper_model::problem::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::SETTINGS;

/// A value as the file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// A string without its quotes; a number or a switch as text.
    pub(super) text: String,
    /// Its line, from 1.
    pub(super) line: usize,
}

/// Reads the settings of a file, by `section.key`.
///
/// # Errors
/// The file cannot be read, is not TOML, or has a key that is unknown; the message names the line.
pub(super) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Entry>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Entry>> {
    let file = DeTable::parse(text)?;
    let mut entries = BTreeMap::new();
    for (section, table) in file.get_ref() {
        let line = line_of(text, section.span().start);
        let name = section.get_ref().as_ref();
        let known = sections();
        if !known.contains(&name) {
            bail!("line {line}: {}", unknown(name, &known));
        }
        let Some(table) = table.get_ref().as_table() else {
            bail!("line {line}: `{name}` must be a table, written as [{name}]");
        };
        read_section(text, name, table, &mut entries)?;
    }
    Ok(entries)
}

fn read_section(
    text: &str,
    section: &str,
    table: &DeTable<'_>,
    entries: &mut BTreeMap<String, Entry>,
) -> anyhow::Result<()> {
    for (key, value) in table {
        let line = line_of(text, key.span().start);
        let name = format!("{section}.{}", key.get_ref());
        if !SETTINGS.iter().any(|setting| setting.key == name) {
            let prefix = format!("{section}.");
            let known: Vec<_> =
                SETTINGS.iter().filter_map(|setting| setting.key.strip_prefix(prefix.as_str())).collect();
            bail!("line {line}: `{prefix}{}`", unknown(key.get_ref(), &known).trim_start_matches('`'));
        }
        let Some(written) = written(value) else {
            bail!("line {line}: `{name}` must be a string, a whole number or a list of strings");
        };
        entries.insert(name, Entry { text: written, line });
    }
    Ok(())
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

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_line_and_the_nearest() {
        for (text, expected) in [
            ("[server]\nlissen = 'x'", "line 2: `server.lissen` is not a known key; did you mean `listen`?"),
            ("[server]\ndata_dir = 'x'", "`server.data_dir` is not a known key; did you mean `dataDir`?"),
            ("\n[sever]", "line 2: `sever` is not a known key; did you mean `server`?"),
            ("[server]\nwhatever = 1", "known are listen, dataDir"),
            ("[retention]\nevent = '7d'", "`retention.event` is not a known key; did you mean `events`?"),
            (
                "[server]\nconcurrency = [3]",
                "line 2: `server.concurrency` must be a string, a whole number or a list of strings",
            ),
            ("server = 3", "line 1: `server` must be a table, written as [server]"),
            ("[server]\nlisten = ", "line 2"),
        ] {
            let error = format!("{:#}", parse(text).expect_err("a refused file"));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn strings_and_numbers_are_read_with_their_lines() {
        let entries = parse("[server]\nconcurrency = 1_024\n\n[limits]\nmemory = '64MiB'").expect("a file");
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
