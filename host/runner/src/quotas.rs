//! What a tenant uses, metered in memory against its quotas. Counts of rows are approximations that never err in the
//! tenant's disfavour: before anything is refused for one, the rows are counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use innkeeper_model::id::TenantId;
use innkeeper_model::quota::{Bucket, Exceeded, Quota, Rate, check};
use innkeeper_model::time::Timestamp;
use innkeeper_store::{NewTask, TenantUsage};

use crate::error::RunnerError;
use crate::state::Shared;
use crate::task_runner::TaskRunner;
use crate::tenants::Kept;

/// Counting a tenant's rows takes time, so it is not done more often.
const COUNT_PAUSE: Duration = Duration::from_secs(10);

/// When it is worth publishing again for somebody with too many runs waiting.
const QUEUE_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What one tenant uses.
#[derive(Debug, Default)]
pub(crate) struct Meters(Mutex<Levels>);

#[derive(Debug, Default)]
struct Levels {
    events: Option<Bucket>,
    uploads: Option<Bucket>,
    usage: TenantUsage,
    counted_at: Option<Timestamp>,
    /// Runs that are being recorded.
    recording: u64,
}

impl Meters {
    fn lock(&self) -> MutexGuard<'_, Levels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to what is stored.
    pub(crate) fn add(&self, more: TenantUsage) {
        let usage = &mut self.lock().usage;
        usage.tasks = usage.tasks.saturating_add(more.tasks);
        usage.plugins = usage.plugins.saturating_add(more.plugins);
        usage.stored_bytes = usage.stored_bytes.saturating_add(more.stored_bytes);
    }

    /// Notes that so many bytes are stored no longer.
    pub(crate) fn freed(&self, bytes: u64) {
        let usage = &mut self.lock().usage;
        usage.stored_bytes = usage.stored_bytes.saturating_sub(bytes);
    }

    /// Notes that a task is gone.
    pub(crate) fn task_deleted(&self) {
        let usage = &mut self.lock().usage;
        usage.tasks = usage.tasks.saturating_sub(1);
    }

    /// Notes that a plugin is gone. Its bytes are found out when they matter.
    pub(crate) fn plugin_deleted(&self) {
        let usage = &mut self.lock().usage;
        usage.plugins = usage.plugins.saturating_sub(1);
    }
}

/// Room for runs that are being recorded; given back when this is dropped, for then they are in the queue.
pub(crate) struct Room {
    meters: Arc<Meters>,
    runs: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        let recording = &mut self.meters.lock().recording;
        *recording = recording.saturating_sub(self.runs);
    }
}

impl Shared {
    /// Counts what every tenant has stored.
    pub(crate) async fn count_all(&self) {
        for kept in self.tenants.all() {
            if self.stopping.is_cancelled() {
                return;
            }
            match self.store.tenant_usage(&kept.tenant.id).await {
                Ok(usage) => kept.meters.add(usage),
                Err(error) => tracing::warn!(tenant = %kept.tenant.id, %error, "tenant.count failed"),
            }
        }
    }

    /// Draws `count` events from what the tenant may publish now.
    pub(crate) fn admit_events(&self, kept: &Kept, count: u64) -> Result<(), Exceeded> {
        let value = kept.quotas.events_per_second;
        let (rate, now) = (Rate::per_second(value), self.clock.now());
        let bucket = &mut kept.meters.lock().events;
        let drawn = bucket.get_or_insert_with(|| Bucket::full(rate, now)).draw(rate, count, now);
        drawn.map_err(|wait| Exceeded { quota: Quota::EventsPerSecond, value, retry_after: Some(wait) })
    }

    /// Draws an upload from what the tenant may upload now.
    pub(crate) fn admit_upload(&self, kept: &Kept) -> Result<(), Exceeded> {
        let value = kept.quotas.uploads_per_hour;
        let (rate, now) = (Rate::per_hour(value), self.clock.now());
        let bucket = &mut kept.meters.lock().uploads;
        let drawn = bucket.get_or_insert_with(|| Bucket::full(rate, now)).draw(rate, 1, now);
        drawn.map_err(|wait| Exceeded { quota: Quota::UploadsPerHour, value, retry_after: Some(wait) })
    }

    /// Room for `runs` more runs that wait, until they are in the queue.
    pub(crate) fn room(&self, kept: &Kept, runs: usize) -> Result<Room, Exceeded> {
        let runs = u64::try_from(runs).unwrap_or(u64::MAX);
        let waiting = self.lock_queue().waiting(&kept.tenant.id);
        let mut levels = kept.meters.lock();
        let used = waiting.saturating_add(levels.recording);
        check(Quota::QueuedRuns, kept.quotas.queued_runs, used, runs, Some(QUEUE_RETRY_AFTER))?;
        levels.recording = levels.recording.saturating_add(runs);
        Ok(Room { meters: Arc::clone(&kept.meters), runs })
    }

    /// How many more runs may wait.
    pub(crate) fn room_left(&self, kept: &Kept) -> u64 {
        let waiting = self.lock_queue().waiting(&kept.tenant.id);
        kept.quotas.queued_runs.saturating_sub(waiting.saturating_add(kept.meters.lock().recording))
    }

    /// Whether the tenant may store `more`.
    pub(crate) async fn admit_stored(&self, kept: &Kept, more: TenantUsage) -> Result<(), RunnerError> {
        let (refused, counted_at) = {
            let levels = kept.meters.lock();
            (check_stored(kept, &levels.usage, more).err(), levels.counted_at)
        };
        let Some(refused) = refused else { return Ok(()) };
        let now = self.clock.now();
        if counted_at.is_some_and(|at| now.since(at) < COUNT_PAUSE) {
            return Err(refused.into());
        }
        let usage = self.store.tenant_usage(&kept.tenant.id).await?;
        let mut levels = kept.meters.lock();
        (levels.usage, levels.counted_at) = (usage, Some(now));
        Ok(check_stored(kept, &usage, more)?)
    }

    /// The meters of a tenant, if it exists.
    pub(crate) fn meters(&self, tenant: &TenantId) -> Option<Arc<Meters>> {
        self.tenants.find(tenant).map(|kept| Arc::clone(&kept.meters))
    }
}

/// Bytes of a task that it may have many of.
pub(crate) fn metadata_bytes(task: &NewTask) -> u64 {
    let bytes = task.definition.metadata.as_ref().map_or(0, |metadata| metadata.len());
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// What a task takes of its tenant's quotas. One that takes another's place is counted as if that took nothing, until the rows
/// are counted again.
pub(crate) fn task_usage(task: &NewTask, is_new: bool) -> TenantUsage {
    TenantUsage { tasks: u64::from(is_new), stored_bytes: metadata_bytes(task), ..TenantUsage::default() }
}

fn check_stored(kept: &Kept, used: &TenantUsage, more: TenantUsage) -> Result<(), Exceeded> {
    let quotas = &kept.quotas;
    check(Quota::Tasks, quotas.tasks, used.tasks, more.tasks, None)?;
    check(Quota::Plugins, quotas.plugins, used.plugins, more.plugins, None)?;
    check(Quota::StoredBytes, quotas.stored_bytes, used.stored_bytes, more.stored_bytes, None)
}

impl TaskRunner {
    /// Whether a tenant may store so many more bytes, such as a value that a client writes. They are to be noted with
    /// [`TaskRunner::note_stored_bytes`] once they are stored.
    ///
    /// # Errors
    /// [`RunnerError::QuotaExceeded`] if not; [`RunnerError::NotFound`] or [`RunnerError::TenantDisabled`] if nothing is taken
    /// from the tenant.
    pub async fn admit_stored_bytes(&self, tenant: &TenantId, bytes: u64) -> Result<(), RunnerError> {
        let kept = self.0.open_tenant(tenant)?;
        self.0.admit_stored(&kept, TenantUsage { stored_bytes: bytes, ..TenantUsage::default() }).await
    }

    /// Notes that so many more bytes of a tenant are stored.
    pub fn note_stored_bytes(&self, tenant: &TenantId, bytes: u64) {
        if let Some(meters) = self.0.meters(tenant) {
            meters.add(TenantUsage { stored_bytes: bytes, ..TenantUsage::default() });
        }
    }

    /// What a tenant has stored, counted.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such tenant.
    pub async fn tenant_usage(&self, id: &TenantId) -> Result<TenantUsage, RunnerError> {
        self.tenant(id)?;
        Ok(self.0.store.tenant_usage(id).await?)
    }
}
