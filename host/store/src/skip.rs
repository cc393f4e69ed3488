//! The table `skips`: what did not run, and why.

use std::str::FromStr;

use innkeeper_model::execution::UnknownName;
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;

use crate::figures::Tally;
use crate::value::Columns as _;
use crate::{Store, StoreError};

/// Why something did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The host was not there at the due time.
    Misfire,
    /// An earlier run of the task was still in progress.
    Overlap,
    /// The task was paused.
    Paused,
    /// The task's rate limit was reached, and what is over it is dropped.
    RateLimited,
    /// The tenant had as many runs waiting as its quota allows.
    Quota,
}

impl SkipReason {
    /// Every reason, in declaration order.
    pub const ALL: [Self; 5] = [Self::Misfire, Self::Overlap, Self::Paused, Self::RateLimited, Self::Quota];

    /// The reason's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Misfire => "misfire",
            Self::Overlap => "overlap",
            Self::Paused => "paused",
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
        }
    }
}

impl FromStr for SkipReason {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        found.ok_or_else(|| UnknownName(text.to_owned(), "skip reason"))
    }
}

/// Due times or events that did not become runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Skip {
    /// Why.
    pub reason: SkipReason,
    /// The first of them.
    pub from: Timestamp,
    /// The last of them.
    pub to: Timestamp,
    /// How many.
    pub count: u64,
}

impl Skip {
    /// A single one.
    #[must_use]
    pub fn one(reason: SkipReason, at: Timestamp) -> Self {
        Self { reason, from: at, to: at, count: 1 }
    }
}

impl Store {
    /// What did not run of a task, the newest first, each with its number; only those numbered below `before`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn skips(
        &self,
        tenant: &TenantId,
        task: &TaskId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Skip)>, StoreError> {
        let (tenant, task) = (tenant.clone(), task.clone());
        self.read(move |connection| {
            let sql = "SELECT id, reason, fromAt, toAt, count FROM skips WHERE tenant = ?1 AND taskId = ?2 AND id < ?4
                ORDER BY id DESC LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let skips = statement.query_map(params![tenant.as_str(), task.as_str(), limit, before.unwrap_or(i64::MAX)], |row| {
                let skip = Skip {
                    reason: row.parsed("reason")?,
                    from: row.parsed("fromAt")?,
                    to: row.parsed("toAt")?,
                    count: row.plain("count")?,
                };
                Ok((row.plain("id")?, skip))
            })?;
            Ok(skips.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// Notes the due times that passed while a task was paused; they are decided with that.
pub(crate) fn note_resumption(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
    skipped: &Skip,
) -> Result<(), StoreError> {
    note(connection, tenant, task, skipped)?;
    let sql = "UPDATE tasks SET cursor = ?3 WHERE tenant = ?1 AND id = ?2";
    connection.prepare_cached(sql)?.execute(params![
        tenant.as_str(),
        task.as_str(),
        skipped.to.to_string()
    ])?;
    Ok(())
}

/// Adds to the ledger: extends the task's latest row if it has the same reason, so that a long pause under a stream
/// of events stays one row.
pub(crate) fn note(
    connection: &Connection,
    tenant: &TenantId,
    task: &TaskId,
    skip: &Skip,
) -> Result<(), StoreError> {
    Tally::skip(skip.reason, skip.count);
    let (from, to) = (skip.from.to_string(), skip.to.to_string());
    let sql = "UPDATE skips SET toAt = max(toAt, ?4), count = count + ?5
        WHERE id = (SELECT max(id) FROM skips WHERE tenant = ?1 AND taskId = ?2) AND reason = ?3";
    let values = params![tenant.as_str(), task.as_str(), skip.reason.as_str(), to, skip.count];
    if connection.prepare_cached(sql)?.execute(values)? == 0 {
        let sql =
            "INSERT INTO skips (tenant, taskId, reason, fromAt, toAt, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![tenant.as_str(), task.as_str(), skip.reason.as_str(), from, to, skip.count];
        connection.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}
