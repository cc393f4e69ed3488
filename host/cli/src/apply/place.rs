//! Places in files: where a mistake stands.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A line and a column, both from 1. Columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// The place of a byte of `text`.
    pub(super) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.line, self.column)
    }
}

/// Where something is declared, and each of its fields, by its path: `retryPolicy.delay`, `grants.http[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) whole: Place,
    fields: BTreeMap<String, Place>,
}

impl Places {
    /// Places of which only the whole is known.
    pub(super) fn new(whole: Place) -> Self {
        Self { whole, fields: BTreeMap::new() }
    }

    /// The place of a field; if it is not there, of what it belongs to.
    pub(super) fn of(&self, field: &str) -> Place {
        let mut path = field;
        loop {
            if let Some(place) = self.fields.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return self.whole,
            }
        }
    }

    /// Notes the keys of a TOML table.
    pub(super) fn note_table(&mut self, text: &str, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            self.fields.insert(path.clone(), Place::of(text, key.span().start));
            self.note_value(text, value, &path);
        }
    }

    fn note_value(&mut self, text: &str, value: &Spanned<DeValue<'_>>, path: &str) {
        match value.get_ref() {
            DeValue::Table(table) => self.note_table(text, table, &format!("{path}.")),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.fields.insert(path.clone(), Place::of(text, item.span().start));
                    self.note_value(text, item, &path);
                }
            }
            _ => {}
        }
    }

    /// Notes the values of a JSON object that is a part of `text`.
    pub(super) fn note_json(&mut self, text: &str, raw: &RawValue, path: &str) {
        if let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(raw.get()) {
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            for (key, value) in fields {
                self.note_json_value(text, value, &format!("{prefix}{key}"));
            }
        } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
            for (index, item) in items.into_iter().enumerate() {
                self.note_json_value(text, item, &format!("{path}[{index}]"));
            }
        }
    }

    fn note_json_value(&mut self, text: &str, value: &RawValue, path: &str) {
        self.fields.insert(path.to_owned(), place_in(text, value));
        self.note_json(text, value, path);
    }
}

/// The place of a JSON value that was read from `text` without being copied.
pub(super) fn place_in(text: &str, value: &RawValue) -> Place {
    let byte = value.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    Place::of(text, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "é = 1\nab = 'ü', x";
        assert_eq!(Place::of(text, 0), Place { line: 1, column: 1 });
        assert_eq!(Place::of(text, text.len()).to_string(), "2:12");
    }

    #[test]
    fn what_is_not_there_stands_where_it_would_belong() {
        let text = "{\"a\": {\"b\": [1,\n  2]}}";
        let raw: &RawValue = serde_json::from_str(text).expect("JSON");
        let mut places = Places::new(Place { line: 1, column: 1 });
        places.note_json(text, raw, "");
        for (field, expected) in [("a.b[1]", "2:3"), ("a.b[7]", "1:13"), ("a.c.d", "1:7"), ("z", "1:1")] {
            assert_eq!(places.of(field).to_string(), expected, "{field}");
        }
    }
}
