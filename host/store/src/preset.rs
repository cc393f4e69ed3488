//! Presets: cron patterns with a name, the same for all tenants.

use rusqlite::{Connection, params};
use serde::Serialize;

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A cron pattern with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preset {
    /// Such as `@daily`, in lower case.
    pub name: String,
    /// What it means, for people.
    pub description: String,
    /// The pattern it stands for.
    pub cron: String,
}

impl Store {
    /// Adds presets whose names are not taken yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn ensure_presets(&self, presets: Vec<Preset>) -> Result<(), StoreError> {
        self.write(move |connection| ensure(connection, &presets)).await
    }

    /// Adds or changes a preset.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_preset(&self, preset: Preset) -> Result<(), StoreError> {
        self.write(move |connection| put(connection, &preset)).await
    }

    /// Every preset, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn presets(&self) -> Result<Vec<Preset>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, description, cron FROM presets ORDER BY name")?;
            let presets = statement.query_map([], |row| {
                Ok(Preset {
                    name: row.plain("name")?,
                    description: row.plain("description")?,
                    cron: row.plain("cron")?,
                })
            })?;
            Ok(presets.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Adds or changes a preset.
pub(crate) fn put(connection: &Connection, preset: &Preset) -> Result<(), StoreError> {
    let sql = "INSERT INTO presets (name, description, cron) VALUES (?1, ?2, ?3)
        ON CONFLICT (name) DO UPDATE SET description = ?2, cron = ?3";
    connection.prepare_cached(sql)?.execute(params![preset.name, preset.description, preset.cron])?;
    Ok(())
}

fn ensure(connection: &Connection, presets: &[Preset]) -> Result<(), StoreError> {
    let sql = "INSERT INTO presets (name, description, cron) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut statement = connection.prepare_cached(sql)?;
    for preset in presets {
        statement.execute(params![preset.name, preset.description, preset.cron])?;
    }
    Ok(())
}
