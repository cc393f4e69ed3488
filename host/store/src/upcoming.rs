//! Tasks that have due times to come.

use innkeeper_model::id::{PluginName, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use rusqlite::named_params;

use crate::value::Columns as _;
use crate::{Store, StoreError};

/// A task that is due again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingTask {
    /// Its id.
    pub id: TaskId,
    /// Its plugin.
    pub plugin: PluginName,
    /// The cron pattern of a repeating task.
    pub cron: Option<String>,
    /// Its time zone.
    pub timezone: String,
    /// When it is due next.
    pub next_run_at: Timestamp,
}

impl Store {
    /// The tasks that are due before `until`, the earliest first, at most `limit`. Paused ones are not.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn upcoming_tasks(
        &self,
        tenant: &TenantId,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<UpcomingTask>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| {
            let sql = "SELECT id, plugin, cron, timezone, nextRunAt FROM tasks
                WHERE tenant = :tenant AND nextRunAt IS NOT NULL AND nextRunAt < :until AND isPaused = 0
                ORDER BY nextRunAt, id LIMIT :limit";
            let mut statement = connection.prepare_cached(sql)?;
            let values = named_params! {
                ":tenant": tenant.as_str(), ":until": until.to_string(), ":limit": limit,
            };
            let tasks = statement.query_map(values, |row| {
                Ok(UpcomingTask {
                    id: row.parsed("id")?,
                    plugin: row.parsed("plugin")?,
                    cron: row.plain("cron")?,
                    timezone: row.plain("timezone")?,
                    next_run_at: row.parsed("nextRunAt")?,
                })
            })?;
            Ok(tasks.collect::<Result<_, _>>()?)
        })
        .await
    }
}
