//! TOML and JSON files as lists of what they declare, each with its places.

use std::borrow::Cow;
use std::collections::BTreeMap;

use innkeeper_model::problem::nearest;
use serde_json::Value;
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;
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
/// It is neither TOML nor a JSON object, or has a section that is unknown.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, Mistake> {
    let mut entries = if text.trim_start().starts_with('{') { json(text)? } else { toml(text)? };
    entries.sort_by_key(|entry| (entry.places.whole.line, entry.places.whole.column));
    Ok(entries)
}

fn wrong(place: Place, message: impl Into<String>) -> Mistake {
    Mistake { place: Some(place), message: message.into(), ..Mistake::default() }
}

fn toml(text: &str) -> Result<Vec<Entry>, Mistake> {
    let file = DeTable::parse(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        wrong(Place::of(text, start), format!("is no TOML: {}", error.message()))
    })?;
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
                return Err(wrong(whole, format!("`{name}` must be a table, written as [[{name}]]")));
            };
            let mut places = Places::new(whole);
            places.note_table(text, table, "");
            let plain = plain(value.get_ref()).map_err(|error| wrong(whole, error.to_string()))?;
            entries.push(Entry { section: name.to_owned(), body: to_json(plain), places });
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

fn json(text: &str) -> Result<Vec<Entry>, Mistake> {
    let no_json = |error: serde_json::Error| {
        let place = Place { line: error.line().max(1), column: error.column().max(1) };
        wrong(place, format!("is no JSON: {error}"))
    };
    let mut entries = Vec::new();
    for (section, value) in serde_json::from_str::<BTreeMap<String, &RawValue>>(text).map_err(no_json)? {
        check_section(&section, place_in(text, value))?;
        let values = serde_json::from_str::<Vec<&RawValue>>(value.get()).unwrap_or_else(|_| vec![value]);
        for value in values {
            let whole = place_in(text, value);
            let body: Value = serde_json::from_str(value.get()).map_err(no_json)?;
            if !body.is_object() {
                return Err(wrong(whole, format!("`{section}` must be an object, or a list of objects")));
            }
            let mut places = Places::new(whole);
            places.note_json(text, value, "");
            entries.push(Entry { section: section.clone(), body, places });
        }
    }
    Ok(entries)
}

fn check_section(name: &str, place: Place) -> Result<(), Mistake> {
    if SECTIONS.contains(&name) {
        return Ok(());
    }
    if matches!(name, "grants" | "limits") {
        let message = format!("`{name}` belong to a plugin: write [plugin.{name}] below its [[plugin]]");
        return Err(wrong(place, message));
    }
    let near = nearest(name, SECTIONS).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(wrong(place, format!("`{name}` is not a known section{near}")))
}
