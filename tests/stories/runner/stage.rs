//! A runner on a stage: manual clock, scripted sandbox, a database file that outlives it.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::clock::{Clock as _, ManualClock};
use innkeeper_model::execution::Execution;
use innkeeper_model::id::TenantId;
use innkeeper_model::task::Task;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::bus::{Message, Subscription};
use innkeeper_runner::{Publication, RunnerConfig, TaskRunner};
use innkeeper_store::{Durability, ExecutionFilter, Location, Skip, Store};
use serde_json::Value;
use tempfile::TempDir;

use super::scripted::Scripted;

/// The stage. Times are told as seconds after its opening, 2025-01-01T00:00:00Z.
pub struct Stage {
    pub runner: TaskRunner,
    pub clock: Arc<ManualClock>,
    pub tenant: TenantId,
    ended: Subscription,
    directory: TempDir,
}

pub fn opening() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().expect("a time")
}

fn default_config() -> RunnerConfig {
    RunnerConfig { shutdown_grace: Duration::ZERO, ..RunnerConfig::default() }
}

impl Stage {
    pub async fn open(sandbox: &Arc<Scripted>) -> Self {
        Self::open_with(default_config(), sandbox).await
    }

    /// A stage whose runner has these settings.
    pub async fn open_with(config: RunnerConfig, sandbox: &Arc<Scripted>) -> Self {
        let directory = TempDir::new().expect("a directory");
        let stage = Self::start(config, directory, opening(), sandbox).await;
        let name = "plugin".parse().expect("a name");
        stage.runner.push_plugin(&stage.tenant, name, Arc::from(&b"component"[..])).await.expect("a plugin");
        stage
    }

    pub async fn open_in(directory: TempDir, now: Timestamp, sandbox: &Arc<Scripted>) -> Self {
        Self::start(default_config(), directory, now, sandbox).await
    }

    async fn start(
        config: RunnerConfig,
        directory: TempDir,
        now: Timestamp,
        sandbox: &Arc<Scripted>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(now));
        let location = Location::File(directory.path().join("innkeeper.db"));
        let store = Store::open(&location, Durability::Normal).expect("a store");
        let (sandbox, time) = (Arc::clone(sandbox), Arc::clone(&clock));
        let runner = TaskRunner::start(config, store, sandbox, time).await.expect("a runner");
        let tenant = TenantId::default_tenant();
        let ended = runner.subscribe(&tenant, &"execution:*".parse().expect("a pattern"));
        Self { runner, clock, tenant, ended, directory }
    }

    /// Stops the runner in order; what it leaves on the disk.
    pub async fn close(self) -> TempDir {
        self.runner.shutdown(std::future::pending()).await;
        self.directory
    }

    /// Moves the clock to `seconds` after the opening and lets the loops look at it.
    pub fn at(&self, seconds: u64) {
        self.clock.set(opening().saturating_add(Duration::from_secs(seconds)));
        self.runner.wake();
    }

    pub async fn create(&self, mut config: Value) -> Task {
        config["plugin"] = "plugin".into();
        let config = TaskConfig::from_json(config).expect("a config of the right shape");
        self.runner.create_task(&self.tenant, config).await.expect("a valid task")
    }

    pub async fn publish(&self, event: &str) -> u32 {
        let publication = Publication { event: event.to_owned(), ..Publication::default() };
        let receipts = self.runner.publish_events(&self.tenant, vec![publication]).await.expect("a receipt");
        receipts[0].runs
    }

    /// The next execution that ends.
    pub async fn ended(&mut self) -> Execution {
        let message = tokio::time::timeout(Duration::from_secs(20), self.ended.next()).await;
        match message.expect("an execution ends in time") {
            Some(Message::Execution(ended)) => ended.execution.clone(),
            other => panic!("not the end of an execution: {other:?}"),
        }
    }

    pub async fn executions(&self) -> Vec<Execution> {
        let filter = ExecutionFilter { limit: 1000, ..ExecutionFilter::default() };
        self.runner.executions(&self.tenant, filter).await.expect("executions")
    }

    pub async fn skips(&self, task: &str) -> Vec<Skip> {
        let id = task.parse().expect("an id");
        self.runner.skips(&self.tenant, &id, 100).await.expect("skips")
    }

    /// Seconds after the opening.
    pub fn seconds(time: Timestamp) -> u64 {
        time.since(opening()).as_secs()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
