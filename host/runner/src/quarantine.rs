//! Plugin versions that are blamed for crashes of the host: they start one at a time, are cleared when they end in order
//! often enough, and are quarantined when they do not.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{Digest, PluginName, TaskId, TenantId};
use innkeeper_model::quarantine::CLEARING_ENDS;
use innkeeper_store::{Claimed, QueuedRun, Store, StoreError, Suspect};

use crate::error::RunnerError;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

type Version = (TenantId, PluginName, Digest);

/// What is known of suspects. Empty on a host that does not crash.
#[derive(Debug, Default)]
pub(crate) struct Suspects(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    versions: HashMap<Version, State>,
    /// Tasks of which a run was refused for this.
    refused: HashSet<(TenantId, TaskId)>,
    /// How often suspects have been let start: what a claim from before says may be out of date.
    let_start: u64,
}

#[derive(Debug)]
struct State {
    suspect: Suspect,
    /// Executions that ended in order since the crash.
    ends: u32,
}

impl Suspects {
    /// Reads the suspects that are stored, once what an earlier host left has been recovered.
    pub(crate) async fn read(&self, store: &Store) -> Result<(), StoreError> {
        for suspect in store.suspects().await? {
            let version = (suspect.tenant.clone(), suspect.plugin.clone(), suspect.digest);
            self.lock().versions.insert(version, State { suspect, ends: 0 });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often suspects have been let start, to be asked before a claim.
    pub(crate) fn let_start(&self) -> u64 {
        self.lock().let_start
    }

    /// Notes that a run was refused a start because of a suspect, by a claim that began when suspects had been let start
    /// so often. Returns whether that is out of date, and the run may ask again.
    pub(crate) fn refused(&self, run: &QueuedRun, let_start: u64) -> bool {
        let mut known = self.lock();
        known.refused.insert((run.tenant.clone(), run.task_id.clone()));
        known.let_start != let_start
    }

    /// Whether a run of the task waits because of a suspect, and what is to be said of it.
    pub(crate) fn hold(&self, tenant: &TenantId, task: &TaskId, plugin: &PluginName) -> Option<String> {
        let known = self.lock();
        if !known.refused.contains(&(tenant.clone(), task.clone())) {
            return None;
        }
        let is_quarantined = known.versions.values().any(|state| {
            let suspect = &state.suspect;
            suspect.tenant == *tenant && suspect.plugin == *plugin && suspect.quarantined_at.is_some()
        });
        Some(if is_quarantined {
            format!(
                "its plugin `{plugin}` is quarantined until the operator releases it or a new version is pushed"
            )
        } else {
            format!("its plugin `{plugin}` ran when the host crashed, and such plugins run one at a time")
        })
    }

    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        let mut known = self.lock();
        known.versions.retain(|(of, _, _), _| of != tenant);
        known.refused.retain(|(of, _)| of != tenant);
    }

    fn forget(&self, tenant: &TenantId, plugin: &PluginName) {
        self.lock().versions.retain(|(of, name, _), _| of != tenant || name != plugin);
    }

    /// Notes the end of an execution. Whether it was a suspect's, and whether that is cleared by it.
    fn ended(&self, version: &Version, in_order: bool) -> (bool, bool) {
        let mut known = self.lock();
        let Some(state) = known.versions.get_mut(version) else { return (false, false) };
        state.ends += u32::from(in_order);
        let is_cleared = state.suspect.quarantined_at.is_none() && state.ends >= CLEARING_ENDS;
        if is_cleared {
            known.versions.remove(version);
        }
        (true, is_cleared)
    }

    fn take_refused(&self) -> HashSet<(TenantId, TaskId)> {
        let mut known = self.lock();
        known.let_start += 1;
        std::mem::take(&mut known.refused)
    }
}

impl Shared {
    /// Does what follows from the end of an execution if it was a suspect's: another suspect may start.
    pub(crate) async fn suspect_ended(&self, claimed: &Claimed, kind: Option<FailureKind>) {
        let version = (claimed.tenant.clone(), claimed.plugin.clone(), claimed.digest);
        let in_order = kind != Some(FailureKind::Interrupted);
        let (was_suspect, is_cleared) = self.suspects.ended(&version, in_order);
        if is_cleared {
            let (tenant, plugin, digest) = &version;
            tracing::info!(%tenant, %plugin, %digest, "plugin.cleared");
            if let Err(error) = self.store.clear_suspects(tenant, plugin, Some(*digest)).await {
                tracing::error!(%tenant, %plugin, %error, "plugin.clear failed");
            }
        }
        if was_suspect {
            self.let_suspects_start();
        }
    }

    pub(crate) fn let_suspects_start(&self) {
        for (tenant, task) in self.suspects.take_refused() {
            self.reopen(&tenant, &task);
        }
    }
}

impl TaskRunner {
    /// Releases a plugin from quarantine: its versions are suspects no longer, and the tasks that were paused for it are
    /// resumed. Returns which.
    ///
    /// # Errors
    /// [`RunnerError::NotFound`] if there is no such plugin.
    pub async fn release_plugin(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
    ) -> Result<Vec<TaskId>, RunnerError> {
        self.plugin(tenant, plugin).await?;
        let (runner, tenant, plugin) = (self.clone(), tenant.clone(), plugin.clone());
        let work = async move {
            let shared = &runner.0;
            shared.store.clear_suspects(&tenant, &plugin, None).await?;
            shared.suspects.forget(&tenant, &plugin);
            let resumed = runner.resume_released(&tenant, &plugin).await?;
            shared.let_suspects_start();
            tracing::info!(%tenant, %plugin, tasks = resumed.len(), "plugin.released");
            Ok(resumed)
        };
        self.0.finish(work).await
    }

    /// Resumes the tasks of a plugin that are paused for a quarantine that no longer concerns them.
    pub(crate) async fn resume_released(
        &self,
        tenant: &TenantId,
        plugin: &PluginName,
    ) -> Result<Vec<TaskId>, RunnerError> {
        let tasks = self.0.store.quarantine_released(tenant, plugin).await?;
        for task in &tasks {
            self.resume_task_anyhow(tenant, task).await?;
        }
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::RunId;
    use innkeeper_model::time::Timestamp;

    use super::*;

    fn run() -> QueuedRun {
        let now = Timestamp::default();
        QueuedRun {
            tenant: TenantId::default_tenant(),
            task_id: "task".parse().expect("an id"),
            run_id: RunId::new(now, [0; 10]),
            ready_at: now,
            has_started: false,
        }
    }

    #[test]
    fn a_refusal_from_before_a_suspect_ended_is_out_of_date() {
        let suspects = Suspects::default();
        let before = suspects.let_start();
        assert!(!suspects.refused(&run(), before));
        assert_eq!(suspects.take_refused().len(), 1);
        assert!(suspects.refused(&run(), before), "the suspect it met has ended meanwhile");
        assert!(!suspects.refused(&run(), suspects.let_start()));
    }

    #[test]
    fn a_suspect_is_cleared_by_ten_ends_in_order() {
        let (tenant, plugin, digest) =
            (TenantId::default_tenant(), "plugin".parse::<PluginName>().expect("a name"), Digest::of(b"x"));
        let version = (tenant.clone(), plugin.clone(), digest);
        let suspect = Suspect { tenant, plugin, digest, crashes: 2, quarantined_at: None };
        let suspects = Suspects::default();
        suspects.lock().versions.insert(version.clone(), State { suspect, ends: 0 });
        assert_eq!(suspects.ended(&version, false), (true, false), "an interruption is no end in order");
        for _ in 1..CLEARING_ENDS {
            assert_eq!(suspects.ended(&version, true), (true, false));
        }
        assert_eq!(suspects.ended(&version, true), (true, true));
        assert_eq!(suspects.ended(&version, true), (false, false), "it is a suspect no longer");
    }
}
