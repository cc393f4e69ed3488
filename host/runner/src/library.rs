//! The runner as a library: the specification's functions by their names, for a program that embeds it and has no
//! tenants.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use innkeeper_model::{sandbox::Sandbox, task_config::TaskConfig};
//! # use innkeeper_runner::{RunnerError, TaskRunnerConfig, create_task_runner};
//! # async fn example(sandbox: Arc<dyn Sandbox>) -> Result<(), RunnerError> {
//! let config = TaskRunnerConfig { db_path: Some("./tasks.db".into()), timezone: Some("America/New_York".into()) };
//! let task_runner = create_task_runner(config, sandbox).await?;
//! let id = task_runner
//!     .create_task(TaskConfig {
//!         id: "weekly:report".into(),
//!         task_type: "schedule".into(),
//!         cron: Some("0 9 * * 1".into()),
//!         plugin: "report".into(),
//!         ..TaskConfig::default()
//!     })
//!     .await?;
//! println!("next run: {:?}", task_runner.get_next_run_time(&id).await?);
//! task_runner.shutdown().await;
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use innkeeper_model::clock::{Clock, SystemClock};
use innkeeper_model::event::Event;
use innkeeper_model::execution::Execution;
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::sandbox::Sandbox;
use innkeeper_model::task::{Task, TaskStatus};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::TopicPattern;
use innkeeper_store::{Durability, ExecutionFilter, Location, Store, TaskFilter};
use serde_json::Value;

use crate::bus::{Message, Subscription};
use crate::config::RunnerConfig;
use crate::error::RunnerError;
use crate::publish::Publication;
use crate::query::TaskStats;
use crate::task_runner::TaskRunner;

/// The specification's `TaskRunnerConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskRunnerConfig {
    /// Path of the database file; `None`, or `:memory:`, for one that is gone when the runner is. One runner at a time may
    /// use a file, and nothing here sees to that: a second one would take the first one's executions for dead.
    pub db_path: Option<String>,
    /// IANA name of the zone of tasks that name none; `None` means UTC.
    pub timezone: Option<String>,
}

/// Starts a runner with a database of its own. To be called within a tokio runtime.
///
/// # Errors
/// [`RunnerError::Invalid`] if the zone is unknown; those of the store if the database cannot be opened.
pub async fn create_task_runner(
    config: TaskRunnerConfig,
    sandbox: Arc<dyn Sandbox>,
) -> Result<EmbeddedRunner, RunnerError> {
    let mut settings = RunnerConfig::default();
    if let Some(name) = &config.timezone {
        let unknown = |error: innkeeper_schedule::zone::ZoneError| {
            RunnerError::Invalid(vec![FieldError::new("timezone", "unknown_timezone", error.to_string())])
        };
        settings.timezone = settings.timezone_data.zone(name).map_err(unknown)?;
    }
    let location = match config.db_path {
        Some(path) if path != ":memory:" => Location::File(path.into()),
        _ => Location::Memory,
    };
    let store = Store::open(&location, Durability::Full)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runner = TaskRunner::start(settings, store, sandbox, clock).await?;
    Ok(EmbeddedRunner { runner, tenant: TenantId::default_tenant() })
}

/// A runner for one tenant; clones share it.
#[derive(Clone)]
pub struct EmbeddedRunner {
    runner: TaskRunner,
    tenant: TenantId,
}

impl EmbeddedRunner {
    /// The functions of `runner` for one of its tenants.
    #[must_use]
    pub fn of(runner: TaskRunner, tenant: TenantId) -> Self {
        Self { runner, tenant }
    }

    /// The runner with everything that is not in the specification: plugins, logs, skips, tenants.
    #[must_use]
    pub fn runner(&self) -> &TaskRunner {
        &self.runner
    }

    /// Makes `name` known as a handler, for a sandbox that runs handlers of the embedding program. Uploaded components
    /// are pushed with [`TaskRunner::push_plugin`] instead.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if the name is not valid; [`RunnerError::Refused`] if the sandbox refuses it.
    pub async fn register_handler(&self, name: &str) -> Result<(), RunnerError> {
        let parsed = name.parse().map_err(|error: innkeeper_model::id::InvalidId| {
            RunnerError::Invalid(vec![FieldError::new("plugin", "invalid_plugin", error.to_string())])
        })?;
        self.runner.push_plugin(&self.tenant, parsed, name.as_bytes().into()).await.map(|_| ())
    }

    /// Stores a task and returns its id.
    ///
    /// # Errors
    /// As [`TaskRunner::create_task`].
    pub async fn create_task(&self, config: TaskConfig) -> Result<TaskId, RunnerError> {
        Ok(self.runner.create_task(&self.tenant, config).await?.definition.id)
    }

    /// Pauses a task; whether there is such a task and it was not paused before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pause_task(&self, id: &TaskId) -> Result<bool, RunnerError> {
        Ok(found(self.runner.pause_task(&self.tenant, id).await)?.unwrap_or(false))
    }

    /// Resumes a task; whether there is such a task and it was paused before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resume_task(&self, id: &TaskId) -> Result<bool, RunnerError> {
        Ok(found(self.runner.resume_task(&self.tenant, id).await)?.unwrap_or(false))
    }

    /// Deletes a task; whether there was one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete_task(&self, id: &TaskId) -> Result<bool, RunnerError> {
        Ok(found(self.runner.delete_task(&self.tenant, id).await)?.is_some())
    }

    /// The task with this id, or `None`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_task(&self, id: &TaskId) -> Result<Option<Task>, RunnerError> {
        found(self.runner.get_task(&self.tenant, id).await)
    }

    /// Every task, in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_all_tasks(&self) -> Result<Vec<Task>, RunnerError> {
        self.list(None).await
    }

    /// Every task with this status, in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_tasks_by_status(&self, status: TaskStatus) -> Result<Vec<Task>, RunnerError> {
        self.list(Some(status)).await
    }

    /// Every execution of a task, the newest first, also if the task is gone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_task_executions(&self, id: &TaskId) -> Result<Vec<Execution>, RunnerError> {
        let task = Some(id.clone());
        let filter = ExecutionFilter { task, limit: u32::MAX, ..ExecutionFilter::default() };
        self.runner.executions(&self.tenant, filter).await
    }

    /// When a task is due next; `None` if it is not, or there is no such task.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_next_run_time(&self, id: &TaskId) -> Result<Option<Timestamp>, RunnerError> {
        let next = found(self.runner.next_runs(&self.tenant, id, 1).await)?;
        Ok(next.and_then(|times| times.first().copied()))
    }

    /// When a task was last due; `None` if it was not since it was created, or there is no such task.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_previous_run_time(&self, id: &TaskId) -> Result<Option<Timestamp>, RunnerError> {
        Ok(found(self.runner.previous_run(&self.tenant, id).await)?.flatten())
    }

    /// Publishes an event; returns when it is stored.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if the name or the data is not acceptable.
    pub async fn publish_event(&self, event: &str, data: Option<Value>) -> Result<(), RunnerError> {
        let publication = Publication { event: event.to_owned(), data, idempotency_key: None };
        self.runner.publish_events(&self.tenant, vec![publication]).await.map(|_| ())
    }

    /// Calls `callback` for every event whose name matches `pattern`, which may begin with `event:`, one after the other, until it is unsubscribed or
    /// the runner is gone. A callback that panics is logged and called again for the next event.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] if the pattern is not valid.
    pub fn subscribe_to_event(
        &self,
        pattern: &str,
        callback: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<EventSubscription, RunnerError> {
        let name = pattern.strip_prefix("event:").unwrap_or(pattern);
        let topic: TopicPattern = format!("event:{name}").parse().map_err(|_| {
            let message = format!("`{pattern}` is not an event pattern; write such as `user:*`");
            RunnerError::Invalid(vec![FieldError::new("event", "invalid_pattern", message)])
        })?;
        let subscription = self.runner.subscribe(&self.tenant, &topic);
        let delivery = tokio::spawn(deliver(subscription, Arc::new(callback)));
        Ok(EventSubscription { delivery: delivery.abort_handle() })
    }

    /// Ends a subscription; whether it was still there.
    #[must_use]
    pub fn unsubscribe_from_event(&self, subscription: &EventSubscription) -> bool {
        let active = !subscription.delivery.is_finished();
        subscription.delivery.abort();
        active
    }

    /// Counts over the tasks.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get_stats(&self) -> Result<TaskStats, RunnerError> {
        self.runner.stats(&self.tenant).await
    }

    /// Stops: waits for running executions, up to the grace, and puts back what runs longer.
    pub async fn shutdown(&self) {
        self.runner.shutdown(std::future::pending()).await;
    }

    async fn list(&self, status: Option<TaskStatus>) -> Result<Vec<Task>, RunnerError> {
        let filter = TaskFilter { status, limit: u32::MAX, ..TaskFilter::default() };
        self.runner.tasks(&self.tenant, filter).await
    }
}

/// Names a subscription, for [`EmbeddedRunner::unsubscribe_from_event`]. It goes on if this is dropped.
#[derive(Debug, Clone)]
pub struct EventSubscription {
    delivery: tokio::task::AbortHandle,
}

/// Each call runs on a thread that may block, so that a slow or failing callback harms nobody else.
async fn deliver(mut subscription: Subscription, callback: Arc<dyn Fn(Event) + Send + Sync>) {
    while let Some(message) = subscription.next().await {
        let Message::Event(event) = message else { continue };
        let callback = Arc::clone(&callback);
        let name = event.event.clone();
        let called = tokio::task::spawn_blocking(move || callback(Event::clone(&event))).await;
        if let Err(error) = called {
            tracing::error!(event = %name, %error, "bus.callback failed");
        }
    }
}

/// What does not exist is `None` here.
fn found<T>(result: Result<T, RunnerError>) -> Result<Option<T>, RunnerError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(RunnerError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
