//! The table `tasks`.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::alert::Alerts;
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::precondition::Precondition;
use innkeeper_model::retry::RetryPolicy;
use innkeeper_model::task::{PluginRef, Task, TaskDefinition, TaskStatus, TaskType, Trigger};
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};

use crate::settle::refresh_task;
use crate::value::{Columns as _, to_json};
use crate::{Skip, Store, StoreError, alert, plugin, skip};

/// A task to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// What it is.
    pub definition: TaskDefinition,
    /// Its first due time.
    pub next_run_at: Option<Timestamp>,
    /// Due times that passed while it was paused, if it takes the place of one that was.
    pub skipped: Option<Skip>,
    /// Now.
    pub created_at: Timestamp,
}

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only those with this status.
    pub status: Option<TaskStatus>,
    /// Only those of this type.
    pub task_type: Option<TaskType>,
    /// Only those whose id comes after this one.
    pub after: Option<TaskId>,
    /// At most so many.
    pub limit: u32,
}

/// What a replacement did.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced {
    /// The task as it is now.
    pub task: Task,
    /// The task as it was; `None` if there was none.
    pub before: Option<Task>,
}

impl Store {
    /// Stores a task.
    ///
    /// # Errors
    /// [`StoreError::TaskExists`] if the id is taken; [`StoreError::PluginMissing`] if its handler does not exist.
    pub async fn create_task(&self, tenant: &TenantId, task: NewTask) -> Result<Task, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| create(connection, &tenant, &task)).await
    }

    /// Stores tasks in one transaction. What is refused is refused alone.
    ///
    /// # Errors
    /// Those of the store; then none is stored.
    pub async fn create_tasks(
        &self,
        tenant: &TenantId,
        tasks: Vec<NewTask>,
    ) -> Result<Vec<Result<Task, StoreError>>, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| {
            let created = tasks.iter().map(|task| match create(connection, &tenant, task) {
                refused @ Err(StoreError::TaskExists(_) | StoreError::PluginMissing(_)) => Ok(refused),
                created => created.map(Ok),
            });
            created.collect()
        })
        .await
    }

    /// Stores a task in place of the one with its id, or anew; also returns whether it is new. What the old one has
    /// counted stays; its due time stays too if trigger and zone are the same.
    ///
    /// # Errors
    /// [`StoreError::Precondition`] if the task is not as demanded; [`StoreError::PluginMissing`] if its handler does not
    /// exist.
    pub async fn replace_task(
        &self,
        tenant: &TenantId,
        task: NewTask,
        precondition: Precondition,
    ) -> Result<Replaced, StoreError> {
        let tenant = tenant.clone();
        self.write(move |connection| replace(connection, &tenant, &task, &precondition)).await
    }

    /// The task with this id, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn task(&self, tenant: &TenantId, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.read(move |connection| find(connection, &tenant, &id)).await
    }

    /// Tasks in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tasks(&self, tenant: &TenantId, filter: TaskFilter) -> Result<Vec<Task>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |connection| list(connection, &tenant, &filter)).await
    }
}

fn create(connection: &Connection, tenant: &TenantId, task: &NewTask) -> Result<Task, StoreError> {
    let definition = &task.definition;
    if find(connection, tenant, &definition.id)?.is_some() {
        return Err(StoreError::TaskExists(definition.id.to_string()));
    }
    if !plugin::exists(connection, tenant, &definition.plugin)? {
        return Err(StoreError::PluginMissing(definition.plugin.to_string()));
    }
    insert(connection, INSERT, tenant, task)?;
    if definition.alerts.expect_within.is_some() {
        alert::expect_from(connection, tenant, &definition.id, task.created_at)?;
    }
    let stored = find(connection, tenant, &definition.id)?;
    stored.ok_or_else(|| StoreError::BadRow(format!("tasks: `{}` is not there", definition.id)))
}

/// Stores a task in place of the one with its id, or anew.
pub(crate) fn replace(
    connection: &Connection,
    tenant: &TenantId,
    task: &NewTask,
    precondition: &Precondition,
) -> Result<Replaced, StoreError> {
    let definition = &task.definition;
    let before = find(connection, tenant, &definition.id)?;
    precondition.check(before.as_ref().map(Task::tag).as_deref())?;
    let Some(before) = before else {
        return Ok(Replaced { task: create(connection, tenant, task)?, before: None });
    };
    if !plugin::exists(connection, tenant, &definition.plugin)? {
        return Err(StoreError::PluginMissing(definition.plugin.to_string()));
    }
    update(connection, tenant, task, &before)?;
    let old = &before.definition;
    if (definition.alerts.expect_within, definition.is_paused) != (old.alerts.expect_within, old.is_paused) {
        alert::expect_from(connection, tenant, &definition.id, task.created_at)?;
    }
    if let Some(skipped) = task.skipped.as_ref().filter(|_| old.is_paused && !definition.is_paused) {
        skip::note_resumption(connection, tenant, &definition.id, skipped)?;
    }
    // What a rate limit held may be free under the new one; the next claim tells.
    let sql = "UPDATE runs INDEXED BY runs_by_task SET readyAt = recordedAt
        WHERE tenant = ?1 AND taskId = ?2 AND firstStartedAt IS NULL";
    connection.prepare_cached(sql)?.execute([tenant.as_str(), definition.id.as_str()])?;
    refresh_task(connection, tenant, &definition.id)?;
    let stored = find(connection, tenant, &definition.id)?;
    let task =
        stored.ok_or_else(|| StoreError::BadRow(format!("tasks: `{}` is not there", definition.id)))?;
    Ok(Replaced { task, before: Some(before) })
}

/// Writes a definition over the one that is there.
fn update(
    connection: &Connection,
    tenant: &TenantId,
    task: &NewTask,
    before: &Task,
) -> Result<(), StoreError> {
    let (new, old) = (&task.definition, &before.definition);
    let same_times = new.trigger == old.trigger && new.timezone == old.timezone;
    // A repeating task that is paused or resumed by this loses or gets its due time all the same.
    let keeps_due = same_times && (new.trigger.cron().is_none() || new.is_paused == old.is_paused);
    let times = match (keeps_due, same_times) {
        (true, _) => "",
        (false, true) => ", nextRunAt = excluded.nextRunAt",
        (false, false) => ", nextRunAt = excluded.nextRunAt, cursor = NULL",
    };
    let replaced = [
        "name",
        "type",
        "preset",
        "cron",
        "at",
        "timezone",
        "maxAttempts",
        "status",
        "isPaused",
        "metadata",
        "onEvent",
        "after",
        "plugin",
        "pluginDigest",
        "retryPolicy",
        "rateLimit",
        "overlap",
        "misfire",
        "concurrency",
        "limits",
        "expectWithin",
        "onFailure",
    ];
    let columns = replaced.map(|column| format!("{column} = excluded.{column}")).join(", ");
    // A task that stays paused is paused for the reason that it was.
    let reason = "pauseReason = CASE WHEN excluded.isPaused THEN pauseReason END";
    let sql = format!(
        "{INSERT} ON CONFLICT (tenant, id) DO UPDATE SET {columns}{times}, {reason}, revision = revision + 1"
    );
    insert(connection, &sql, tenant, task)
}

const INSERT: &str =
    "INSERT INTO tasks (id, name, type, preset, cron, at, timezone, nextRunAt, maxAttempts, status,
        isPaused, metadata, createdAt, onEvent, tenant, after, plugin, pluginDigest, retryPolicy,
        rateLimit, overlap, misfire, concurrency, limits, expectWithin, onFailure)
    VALUES (:id, :name, :type, :preset, :cron, :at, :timezone, :nextRunAt, :maxAttempts, :status,
        :isPaused, :metadata, :createdAt, :onEvent, :tenant, :after, :plugin, :pluginDigest, :retryPolicy,
        :rateLimit, :overlap, :misfire, :concurrency, :limits,
        :expectWithin, :onFailure)";

/// Runs an insertion of every column of a definition.
fn insert(connection: &Connection, sql: &str, tenant: &TenantId, task: &NewTask) -> Result<(), StoreError> {
    let definition = &task.definition;
    let (preset, at, after, on_event) = match &definition.trigger {
        Trigger::Preset { preset, .. } => (Some(preset), None, None, None),
        Trigger::Cron(_) => (None, None, None, None),
        Trigger::At(at) => (None, Some(at), None, None),
        Trigger::After(after) => (None, None, Some(after), None),
        Trigger::OnEvent(pattern) => (None, None, None, Some(pattern.as_str())),
    };
    let status = if definition.is_paused { TaskStatus::Paused } else { TaskStatus::Pending };
    connection.prepare_cached(sql)?.execute(named_params! {
        ":id": definition.id.as_str(),
        ":name": definition.name,
        ":type": definition.trigger.task_type().as_str(),
        ":preset": preset,
        ":cron": definition.trigger.cron(),
        ":at": at,
        ":timezone": definition.timezone,
        ":nextRunAt": next_run_at(task).map(|at| at.to_string()),
        ":maxAttempts": definition.retry.max_attempts,
        ":status": status.as_str(),
        ":isPaused": definition.is_paused,
        ":metadata": definition.metadata.as_deref(),
        ":createdAt": task.created_at.to_string(),
        ":onEvent": on_event,
        ":tenant": tenant.as_str(),
        ":after": after,
        ":plugin": definition.plugin.name.as_str(),
        ":pluginDigest": definition.plugin.digest.map(|digest| digest.to_string()),
        ":retryPolicy": to_json(&definition.retry)?,
        ":rateLimit": definition.rate_limit.as_ref().map(to_json).transpose()?,
        ":overlap": definition.overlap.as_str(),
        ":misfire": definition.misfire.as_str(),
        ":concurrency": definition.concurrency,
        ":expectWithin": definition.alerts.expect_within.map(millis),
        ":onFailure": definition.alerts.on_failure.as_ref().map(EventName::as_str),
        ":limits": if definition.limits == LimitWishes::default() { None } else { Some(to_json(&definition.limits)?) },
    })?;
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 1)
}

/// A repeating task has no next due time while it is paused.
fn next_run_at(task: &NewTask) -> Option<Timestamp> {
    let definition = &task.definition;
    task.next_run_at.filter(|_| !definition.is_paused || definition.trigger.cron().is_none())
}

pub(crate) fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &TaskId,
) -> Result<Option<Task>, StoreError> {
    let sql = "SELECT * FROM tasks WHERE tenant = ?1 AND id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([tenant.as_str(), id.as_str()], read).optional()?)
}

fn list(connection: &Connection, tenant: &TenantId, filter: &TaskFilter) -> Result<Vec<Task>, StoreError> {
    // An absent filter is a condition that always holds. There is no index by status: it would change twice with every
    // execution, for a question that is asked by people.
    let sql =
        "SELECT * FROM tasks WHERE tenant = :tenant AND id > :after AND (:status IS NULL OR status = :status)
        AND (:type IS NULL OR type = :type) ORDER BY id LIMIT :limit";
    let mut statement = connection.prepare_cached(sql)?;
    let tasks = statement.query_map(
        named_params! {
            ":tenant": tenant.as_str(),
            ":after": filter.after.as_ref().map_or("", TaskId::as_str),
            ":status": filter.status.map(TaskStatus::as_str),
            ":type": filter.task_type.map(TaskType::as_str),
            ":limit": filter.limit,
        },
        read,
    )?;
    Ok(tasks.collect::<Result<_, _>>()?)
}

/// A row of `tasks`.
fn read(row: &Row<'_>) -> rusqlite::Result<Task> {
    Ok(Task {
        definition: TaskDefinition {
            id: row.parsed("id")?,
            name: row.plain("name")?,
            trigger: read_trigger(row)?,
            timezone: row.plain("timezone")?,
            plugin: PluginRef { name: row.parsed("plugin")?, digest: row.parsed_option("pluginDigest")? },
            retry: row.json("retryPolicy")?.unwrap_or(RetryPolicy::ONCE),
            rate_limit: row.json("rateLimit")?,
            overlap: row.parsed("overlap")?,
            misfire: row.parsed("misfire")?,
            concurrency: row.plain("concurrency")?,
            limits: row.json("limits")?.unwrap_or_default(),
            alerts: Alerts {
                expect_within: row.plain::<Option<u64>>("expectWithin")?.map(Duration::from_millis),
                on_failure: row.parsed_option("onFailure")?,
            },
            is_paused: row.plain("isPaused")?,
            metadata: row.plain::<Option<String>>("metadata")?.map(Arc::from),
        },
        status: row.parsed("status")?,
        next_run_at: row.parsed_option("nextRunAt")?,
        cursor: row.parsed_option("cursor")?,
        last_run_at: row.parsed_option("lastRunAt")?,
        attempts: row.plain("attempts")?,
        rate_count: row.plain("rateCount")?,
        rate_window: row.parsed_option("rateWindow")?,
        pause_reason: row.plain("pauseReason")?,
        overdue_since: row.parsed_option("overdueSince")?,
        created_at: row.parsed("createdAt")?,
        revision: row.plain("revision")?,
    })
}

/// The trigger of a row; the table's checks see to it that there is just one.
pub(crate) fn read_trigger(row: &Row<'_>) -> rusqlite::Result<Trigger> {
    if let Some(cron) = row.plain::<Option<String>>("cron")? {
        return Ok(match row.plain("preset")? {
            Some(preset) => Trigger::Preset { preset, cron },
            None => Trigger::Cron(cron),
        });
    }
    if let Some(at) = row.plain("at")? {
        return Ok(Trigger::At(at));
    }
    if let Some(after) = row.plain("after")? {
        return Ok(Trigger::After(after));
    }
    row.parsed("onEvent").map(Trigger::OnEvent)
}
