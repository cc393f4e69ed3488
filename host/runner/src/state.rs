//! What the parts of one runner share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use innkeeper_model::BoxFuture;
use innkeeper_model::clock::Clock;
use innkeeper_model::id::{Digest, ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::sandbox::{ConfigValue, Sandbox, StateError, StateReader, StopReason};
use innkeeper_model::topic::{PatternIndex, TopicPattern};
use innkeeper_store::{Consequences, QueuedRun, Store, StoreError, StoredConfig};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::config::RunnerConfig;
use crate::error::RunnerError;
use crate::execute;
use crate::ids::IdSource;
use crate::metrics::Metrics;
use crate::plugin_lines::PluginLines;
use crate::policies::Policies;
use crate::quarantine::Suspects;
use crate::queue::DispatchQueue;
use crate::retention::PrunedCounters;
use crate::running::Running;
use crate::schedules::Schedules;
use crate::secret_key::{SecretError, SecretKey};
use crate::staged::Staged;
use crate::tenants::Tenants;
use crate::tokens::Tokens;

/// The shared parts.
pub(crate) struct Shared {
    pub(crate) config: RunnerConfig,
    pub(crate) store: Store,
    pub(crate) sandbox: Arc<dyn Sandbox>,
    pub(crate) state_reader: Arc<dyn StateReader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: IdSource,
    pub(crate) bus: Bus,
    pub(crate) metrics: Metrics,
    pub(crate) pruned: PrunedCounters,
    pub(crate) presets: RwLock<BTreeMap<String, String>>,
    pub(crate) schedules: Schedules,
    pub(crate) policies: Policies,
    /// Components that wait for the declaration that names them.
    pub(crate) staged: Staged,
    pub(crate) tenants: Tenants,
    /// Changes of tenants and of tokens are made one after the other.
    pub(crate) tenant_changes: tokio::sync::Mutex<()>,
    pub(crate) tokens: Tokens,
    pub(crate) suspects: Suspects,
    pub(crate) plugin_lines: PluginLines,
    pub(crate) subscriptions: RwLock<HashMap<TenantId, PatternIndex<TaskId>>>,
    pub(crate) queue: Mutex<DispatchQueue>,
    pub(crate) running: Running,
    /// Free slots for executions.
    pub(crate) slots: Arc<Semaphore>,
    /// Ends of executions that may wait to be written.
    pub(crate) unsettled: Semaphore,
    /// Nudges the dispatch loop.
    pub(crate) queued: Notify,
    /// Nudges the fire loop.
    pub(crate) scheduled: Notify,
    /// Nudges the loop that looks at expectations.
    pub(crate) expected: Notify,
    /// Ends the loops.
    pub(crate) stopping: CancellationToken,
    /// The loops.
    pub(crate) loops: TaskTracker,
    /// The executions.
    pub(crate) executions: TaskTracker,
}

impl Shared {
    /// Hands runs to the dispatch loop.
    pub(crate) fn enqueue(&self, runs: impl IntoIterator<Item = QueuedRun>) {
        let now = self.clock.now();
        let mut queue = self.lock_queue();
        for run in runs {
            queue.push(run, now);
        }
        drop(queue);
        self.queued.notify_one();
    }

    /// Does what follows from a recording or a settlement. `slots` are for the executions that it started.
    pub(crate) fn follow(self: &Arc<Self>, then: Consequences, slots: &mut Option<OwnedSemaphorePermit>) {
        for (tenant, task) in &then.reopened {
            self.reopen(tenant, task);
        }
        for claimed in then.started {
            let slot = slots.as_mut().and_then(|slots| slots.split(1));
            let slot = slot.expect("no more is claimed than there are slots");
            self.executions.spawn(execute::run(Arc::clone(self), claimed, slot));
        }
        for execution in &then.cancelled {
            self.running.stop(execution, StopReason::Cancelled);
        }
        if !then.queued.is_empty() {
            self.enqueue(then.queued);
        }
    }

    /// Lets the dispatch loop know that another run of the task may be able to start; whether one waited for that.
    pub(crate) fn reopen(&self, tenant: &TenantId, task: &TaskId) -> bool {
        let is_let_out = self.lock_queue().reopen(tenant, task);
        self.queued.notify_one();
        is_let_out
    }

    pub(crate) fn lock_queue(&self) -> MutexGuard<'_, DispatchQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Identifiers for executions that are about to be claimed, registered as running.
    pub(crate) fn register(&self, count: usize) -> Vec<ExecutionId> {
        let ids: Vec<_> = (0..count).map(|_| self.ids.next(ExecutionId::new)).collect();
        self.running.register(&ids);
        ids
    }

    /// Does `work` to its end, also if whoever asked for it goes away: what follows from a commit must not be left undone.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, RunnerError>> + Send + 'static,
    ) -> Result<T, RunnerError> {
        let done = self.loops.spawn(work).await;
        done.unwrap_or(Err(RunnerError::Store(StoreError::Stopped)))
    }

    pub(crate) fn listen(&self, tenant: &TenantId, pattern: &TopicPattern, task: TaskId) {
        let mut subscriptions = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        subscriptions.entry(tenant.clone()).or_default().insert(pattern, task);
    }

    pub(crate) fn stop_listening(&self, tenant: &TenantId, pattern: &TopicPattern, task: &TaskId) {
        let mut subscriptions = self.subscriptions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(patterns) = subscriptions.get_mut(tenant) {
            patterns.remove(pattern, task);
        }
    }

    /// Has nothing of a tenant listen any more.
    pub(crate) fn forget_listeners(&self, tenant: &TenantId) {
        self.subscriptions.write().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }

    /// Whether any task listens to `event`.
    pub(crate) fn is_heard(&self, tenant: &TenantId, event: &str) -> bool {
        let subscriptions = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
        subscriptions.get(tenant).is_some_and(|patterns| !patterns.matching(event).is_empty())
    }

    /// The tasks that listen to `event`, each with an id for its run.
    pub(crate) fn listeners(&self, tenant: &TenantId, event: &str) -> Vec<(TaskId, RunId)> {
        let subscriptions = self.subscriptions.read().unwrap_or_else(PoisonError::into_inner);
        let Some(patterns) = subscriptions.get(tenant) else { return Vec::new() };
        let mut tasks = patterns.matching(event);
        tasks.sort_unstable();
        tasks.dedup();
        tasks.into_iter().map(|task| (task, self.ids.next(RunId::new))).collect()
    }
}

/// Stored state, as executions may read it.
pub(crate) struct StoredState {
    pub(crate) store: Store,
    pub(crate) secret_key: Option<SecretKey>,
}

impl StateReader for StoredState {
    fn component(
        &self,
        tenant: &TenantId,
        digest: &Digest,
    ) -> BoxFuture<Result<Option<Arc<[u8]>>, StateError>> {
        let (store, tenant, digest) = (self.store.clone(), tenant.clone(), *digest);
        Box::pin(async move {
            store.component(&tenant, &digest).await.map_err(|error| StateError(error.to_string()))
        })
    }

    fn value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
    ) -> BoxFuture<Result<Option<Vec<u8>>, StateError>> {
        let (store, tenant) = (self.store.clone(), tenant.clone());
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        Box::pin(async move {
            store.value(&tenant, &bucket, &key).await.map_err(|error| StateError(error.to_string()))
        })
    }

    fn keys(
        &self,
        tenant: &TenantId,
        bucket: &str,
        after: Option<&str>,
        limit: u32,
    ) -> BoxFuture<Result<Vec<String>, StateError>> {
        let (store, tenant) = (self.store.clone(), tenant.clone());
        let (bucket, after) = (bucket.to_owned(), after.map(str::to_owned));
        Box::pin(async move {
            let keys = store.keys(&tenant, &bucket, after.as_deref(), limit).await;
            keys.map_err(|error| StateError(error.to_string()))
        })
    }

    fn configuration(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> BoxFuture<Result<Option<ConfigValue>, StateError>> {
        let (store, tenant, key) = (self.store.clone(), tenant.clone(), key.to_owned());
        let secret_key = self.secret_key.clone();
        Box::pin(async move {
            let stored = store.config_value(&tenant, &key).await;
            match stored.map_err(|error| StateError(error.to_string()))? {
                None => Ok(None),
                Some(StoredConfig::Plain(text)) => Ok(Some(ConfigValue { text, is_secret: false })),
                Some(StoredConfig::Secret(ciphertext)) => {
                    let opened = secret_key.ok_or(SecretError::NoKey);
                    let opened = opened.and_then(|secret_key| secret_key.open(&tenant, &key, &ciphertext));
                    let text = opened.map_err(|error| StateError(format!("the secret `{key}`: {error}")))?;
                    Ok(Some(ConfigValue { text, is_secret: true }))
                }
            }
        })
    }
}
