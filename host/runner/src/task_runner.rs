//! The runner's handle: starting and stopping it. What a client asks of it stands in `tasks`, `query`, `publish` and
//! `plugins`.

use std::collections::BTreeMap;
use std::sync::Arc;

use innkeeper_model::clock::Clock;
use innkeeper_model::id::{TaskId, TenantId};
use innkeeper_model::sandbox::{Sandbox, StopReason};
use innkeeper_model::time::Timestamp;
use innkeeper_store::{Store, StoreError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::{Bus, ChangeKind, Message, TaskChange};
use crate::config::RunnerConfig;
use crate::error::RunnerError;
use crate::ids::IdSource;
use crate::metrics::Metrics;
use crate::plugin_lines::PluginLines;
use crate::policies::Policies;
use crate::quarantine::Suspects;
use crate::retention::PrunedCounters;
use crate::running::Running;
use crate::schedules::Schedules;
use crate::staged::Staged;
use crate::state::{Shared, StoredState};
use crate::tenants::Tenants;
use crate::tokens::Tokens;
use crate::{alerts, config_values, dispatch, fire, presets, retention, tenant_status};

/// A running task runner; clones share it. Everything is asked for a tenant.
#[derive(Clone)]
pub struct TaskRunner(pub(crate) Arc<Shared>);

impl TaskRunner {
    /// Starts a runner on a store that nobody else uses: recovers what an earlier one left, then begins to fire and to
    /// dispatch. To be called within a tokio runtime.
    ///
    /// # Errors
    /// [`RunnerError::WrongSecretKey`] if the stored secrets were encrypted with another key than the configured one;
    /// those of the store.
    pub async fn start(
        config: RunnerConfig,
        store: Store,
        sandbox: Arc<dyn Sandbox>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, RunnerError> {
        config_values::check_secret_key(&store, config.secret_key.as_ref()).await?;
        store.ensure_presets(presets::built_in()).await?;
        let shared = Arc::new(share(config, store, sandbox, clock).await?);
        for subscriber in shared.store.subscribers().await? {
            shared.listen(&subscriber.tenant, &subscriber.pattern, subscriber.task_id);
        }
        shared.share_slots();
        let now = shared.clock.now();
        alerts::tell_doomed(&shared, now).await?;
        let recovered = shared.store.recover(now).await?;
        if recovered.interrupted > 0 {
            let (interrupted, ended, quarantined) =
                (recovered.interrupted, recovered.ended, recovered.quarantined);
            shared.metrics.recovered(interrupted);
            tracing::warn!(interrupted, ended, quarantined, "runner.recovered");
        }
        shared.suspects.read(&shared.store).await?;
        let uploads = shared.store.interrupt_uploads(now).await?;
        if uploads > 0 {
            tracing::warn!(uploads, "plugin.uploads_interrupted");
        }
        shared.enqueue(shared.store.queued_runs(None).await?);
        shared.loops.spawn(tenant_status::resume(Arc::clone(&shared)));
        let counting = Arc::clone(&shared);
        shared.loops.spawn(async move { counting.count_all().await });
        shared.loops.spawn(fire::run(Arc::clone(&shared)));
        shared.loops.spawn(dispatch::run(Arc::clone(&shared)));
        shared.loops.spawn(alerts::run(Arc::clone(&shared)));
        shared.loops.spawn(retention::run(Arc::clone(&shared)));
        Ok(Self(shared))
    }

    /// Stops taking work, waits for running executions up to the configured grace, or until `hurry` resolves, then
    /// interrupts them: their runs go back without using up an attempt. Returns when everything is settled.
    pub async fn shutdown(&self, hurry: impl Future<Output = ()>) {
        let shared = &self.0;
        shared.stopping.cancel();
        shared.loops.close();
        shared.loops.wait().await;
        shared.executions.close();
        tokio::select! {
            () = shared.executions.wait() => {}
            () = tokio::time::sleep(shared.config.shutdown_grace) => {}
            () = hurry => {}
        }
        shared.running.stop_all(StopReason::Interrupted);
        shared.executions.wait().await;
        tracing::info!("runner.stopped");
    }

    /// Resolves when the runner can no longer do its work: the store has stopped by itself.
    pub async fn failed(&self) {
        self.0.store.stopped().await;
    }

    /// Resolves when the runner takes no more work.
    pub async fn stopping(&self) {
        self.0.stopping.cancelled().await;
    }

    /// Makes the loops look at the clock now.
    pub fn wake(&self) {
        self.0.scheduled.notify_one();
        self.0.queued.notify_one();
        self.0.expected.notify_one();
    }

    /// Whether the runner takes no more work.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// The settings it was started with.
    #[must_use]
    pub fn config(&self) -> &RunnerConfig {
        &self.0.config
    }

    /// The time it goes by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Refuses new work that the host cannot take now.
    pub(crate) fn refuse_when_stopping(&self) -> Result<(), RunnerError> {
        if self.is_stopping() {
            return Err(RunnerError::ShuttingDown);
        }
        // Deletions go on; what would add to a full disk is refused before it takes the room they need.
        if self.is_full() { Err(StoreError::Full.into()) } else { Ok(()) }
    }

    pub(crate) fn tell(&self, tenant: &TenantId, id: &TaskId, change: ChangeKind) {
        tracing::info!(%tenant, task_id = %id, ?change, "task.changed");
        self.0.expected.notify_one();
        let changed = || Message::Task(TaskChange { task_id: id.clone(), change });
        self.0.bus.publish(tenant, &format!("task:{id}"), changed);
    }
}

/// Ends of executions that may wait to be written before no more are started.
const UNSETTLED_MAX: usize = 1024;

async fn share(
    config: RunnerConfig,
    store: Store,
    sandbox: Arc<dyn Sandbox>,
    clock: Arc<dyn Clock>,
) -> Result<Shared, RunnerError> {
    let known: BTreeMap<_, _> =
        store.presets().await?.into_iter().map(|preset| (preset.name, preset.cron)).collect();
    let secret_key = config.secret_key.clone();
    let slots = Arc::new(Semaphore::new(usize::try_from(config.concurrency).unwrap_or(1).max(1)));
    Ok(Shared {
        pruned: PrunedCounters::default(),
        metrics: Metrics::new(config.metric_tenants_max),
        schedules: Schedules::new(config.timezone_data.clone()),
        tenants: Tenants::load(&store, &config).await?,
        tenant_changes: tokio::sync::Mutex::default(),
        tokens: Tokens::load(&store).await?,
        suspects: Suspects::default(),
        plugin_lines: PluginLines::default(),
        bus: Bus::new(config.feeds),
        config,
        policies: Policies::load(&store).await?,
        staged: Staged::default(),
        state_reader: Arc::new(StoredState { store: store.clone(), secret_key }),
        store,
        sandbox,
        ids: IdSource::new(Arc::clone(&clock)),
        clock,
        presets: std::sync::RwLock::new(known),
        subscriptions: std::sync::RwLock::default(),
        queue: std::sync::Mutex::default(),
        running: Running::default(),
        slots,
        unsettled: Semaphore::new(UNSETTLED_MAX),
        queued: Notify::new(),
        scheduled: Notify::new(),
        expected: Notify::new(),
        stopping: CancellationToken::new(),
        loops: TaskTracker::new(),
        executions: TaskTracker::new(),
    })
}
