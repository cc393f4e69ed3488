//! From columns to the types of the model and back.

use std::fmt::Display;
use std::str::FromStr;

use rusqlite::types::{FromSql, Type};
use rusqlite::{Row, RowIndex};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A column's value that cannot be what it should be.
#[derive(Debug, thiserror::Error)]
#[error("column `{column}`, value `{value}`: {reason}")]
struct BadValue {
    column: String,
    value: String,
    reason: String,
}

fn bad(column: impl Place, value: String, reason: &impl Display) -> rusqlite::Error {
    let bad = BadValue { column: column.to_string(), value, reason: reason.to_string() };
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(bad))
}

/// Where a column is: its name or its number.
pub(crate) trait Place: RowIndex + Display + Copy {}

impl<P: RowIndex + Display + Copy> Place for P {}

/// Reads typed columns by name, or by place where it has to be quick.
pub(crate) trait Columns {
    /// A column of a type SQLite knows.
    fn plain<T: FromSql>(&self, column: impl Place) -> rusqlite::Result<T>;

    /// A TEXT column, parsed.
    fn parsed<T: FromStr<Err: Display>>(&self, column: impl Place) -> rusqlite::Result<T> {
        let text: String = self.plain(column)?;
        text.parse().map_err(|error| bad(column, text, &error))
    }

    /// A TEXT column that may be NULL, parsed.
    fn parsed_option<T: FromStr<Err: Display>>(&self, column: impl Place) -> rusqlite::Result<Option<T>> {
        let Some(text) = self.plain::<Option<String>>(column)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| bad(column, text, &error))
    }

    /// A TEXT column that may be NULL, read as JSON.
    fn json<T: DeserializeOwned>(&self, column: impl Place) -> rusqlite::Result<Option<T>> {
        let Some(text) = self.plain::<Option<String>>(column)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| bad(column, text, &error))
    }
}

impl Columns for Row<'_> {
    fn plain<T: FromSql>(&self, column: impl Place) -> rusqlite::Result<T> {
        self.get(column)
    }
}

/// The rows that can be read. Each that cannot is logged and left out: one damaged row must not hold up all others.
pub(crate) fn readable<T>(
    table: &str,
    rows: impl Iterator<Item = rusqlite::Result<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut read = Vec::new();
    for row in rows {
        match row {
            Ok(value) => read.push(value),
            Err(
                error @ (rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)),
            ) => tracing::error!(table, %error, "store.read: a row is damaged and left out"),
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// A value as the JSON text that is stored.
pub(crate) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
