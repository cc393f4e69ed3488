//! TOML and JSON files as lists of what they declare, each with its places.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::{bail, ensure};
use innkeeper_model::problem::nearest;
use serde_json::Value;
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, Places, place_in};
use crate::dev::manifest::to_json;

/// What may stand at the top of a file. The last is for `dev` alone.
const SECTIONS: [&str; 5] = ["preset", "plugin", "config", "task", "dev"];

/// One thing that a file declares.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) body: Value,
    pub(super) places: Places,
}

/// What a text declares, in the order in which it stands there.
///
/// # Errors
/// It is neither TOML nor a JSON object, or has a section that is unknown; the message begins with the place.
pub(super) fn read(text: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries = if text.trim_start().starts_with('{') { json(text)? } else { toml(text)? };
    entries.sort_by_key(|entry| (entry.places.whole.line, entry.places.whole.column));
    Ok(entries)
}

fn toml(text: &str) -> anyhow::Result<Vec<Entry>> {
    let file = DeTable::parse(text)?;
    let mut entries = Vec::new();
    for (section, value) in file.get_ref() {
        let name = section.get_ref().as_ref();
        check_section(name, Place::of(text, section.span().start))?;
        let values: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(values) => values.iter().collect(),
            _ => vec![value],
        };
        for value in values {
            let whole = Place::of(text, value.span().start);
            let Some(table) = value.get_ref().as_table() else {
                bail!("{whole}: `{name}` must be a table, written as [[{name}]]");
            };
            let mut places = Places::new(whole);
            places.note_table(text, table, "");
            entries.push(Entry { section: name.to_owned(), body: to_json(plain(value.get_ref())?), places });
        }
    }
    Ok(entries)
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
                let key: &Cow<'_, str> = key.get_ref();
                Ok((key.to_string(), plain(value.get_ref())?))
            };
            toml::Value::Table(table.iter().map(plain).collect::<anyhow::Result<_>>()?)
        }
    })
}

fn json(text: &str) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (section, value) in serde_json::from_str::<BTreeMap<String, &RawValue>>(text)? {
        check_section(&section, place_in(text, value))?;
        let values = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value]);
        for value in values {
            let whole = place_in(text, value);
            let body: Value = serde_json::from_str(value.get())?;
            ensure!(body.is_object(), "{whole}: `{section}` must be an object, or a list of objects");
            let mut places = Places::new(whole);
            places.note_json(text, value, "");
            entries.push(Entry { section: section.clone(), body, places });
        }
    }
    Ok(entries)
}

fn check_section(name: &str, place: Place) -> anyhow::Result<()> {
    if SECTIONS.contains(&name) {
        return Ok(());
    }
    if matches!(name, "grants" | "limits") {
        bail!("{place}: `{name}` belong to a plugin: write [plugin.{name}] below its [[plugin]]");
    }
    let near = nearest(name, SECTIONS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    bail!("{place}: `{name}` is not a known section{near}")
}
