//! The executions in the sandbox: they can be told to stop, and say how far they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use innkeeper_model::id::{ExecutionId, TenantId};
use innkeeper_model::progress::Progress;
use innkeeper_model::sandbox::{Invocation, ProgressSink, StopReason};
use innkeeper_model::time::Timestamp;
use tokio::sync::watch;

use crate::bus::{ExecutionProgress, Message};
use crate::state::Shared;

/// How often listeners hear how far one execution is, at most.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Executions that have begun, or are about to, and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<ExecutionId, Entry>>);

#[derive(Debug)]
struct Entry {
    stop: watch::Sender<Option<StopReason>>,
    told: Option<Box<Told>>,
}

impl Running {
    /// They can be told to stop from now on, before anybody can know of them.
    pub(crate) fn register(&self, ids: &[ExecutionId]) {
        self.lock().extend(ids.iter().map(|id| (*id, Entry { stop: watch::channel(None).0, told: None })));
    }

    /// Notes that an execution has ended.
    pub(crate) fn unregister(&self, id: &ExecutionId) {
        self.lock().remove(id);
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Hears when an execution is to stop.
    pub(crate) fn stop_signal(&self, id: &ExecutionId) -> Option<watch::Receiver<Option<StopReason>>> {
        self.lock().get(id).map(|entry| entry.stop.subscribe())
    }

    /// Tells an execution to stop. `false` if it does not run here.
    pub(crate) fn stop(&self, id: &ExecutionId, reason: StopReason) -> bool {
        self.lock().get(id).is_some_and(|entry| entry.stop.send_replace(Some(reason)).is_none())
    }

    /// Tells every execution to stop.
    pub(crate) fn stop_all(&self, reason: StopReason) {
        for entry in self.lock().values() {
            entry.stop.send_replace(Some(reason));
        }
    }

    /// How far an execution says it is; `None` if it says nothing, or does not run.
    pub(crate) fn progress(&self, id: &ExecutionId) -> Option<Progress> {
        self.lock().get(id)?.told.as_ref().map(|told| told.latest.clone())
    }

    /// Keeps what an execution says. One that has ended says nothing.
    fn note(&self, id: &ExecutionId, progress: Progress) -> Tell {
        let mut running = self.lock();
        let Some(entry) = running.get_mut(id) else { return Tell::Nothing };
        if let Some(told) = &mut entry.told {
            return told.note(progress);
        }
        entry.told = Some(Box::new(Told::first(progress)));
        Tell::Now
    }

    /// What is told now of an execution that was to be told of later.
    fn tell_late(&self, id: &ExecutionId, now: Timestamp) -> Option<Progress> {
        self.lock().get_mut(id)?.told.as_mut().map(|told| told.late(now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ExecutionId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The latest that an execution said, and when listeners heard of it last.
#[derive(Debug)]
struct Told {
    latest: Progress,
    at: Timestamp,
    /// Somebody sees to it that the latest is told.
    is_pending: bool,
}

/// What is to be done about what an execution said.
#[derive(Debug, PartialEq, Eq)]
enum Tell {
    Now,
    /// When so much time has passed: whatever is the latest then.
    After(Duration),
    Nothing,
}

impl Told {
    /// What is said first is told at once.
    fn first(progress: Progress) -> Self {
        Self { at: progress.at, latest: progress, is_pending: false }
    }

    fn note(&mut self, progress: Progress) -> Tell {
        let now = progress.at;
        self.latest = progress;
        if self.is_pending {
            return Tell::Nothing;
        }
        match TELL_EVERY.checked_sub(now.since(self.at)) {
            Some(rest) if !rest.is_zero() => {
                self.is_pending = true;
                Tell::After(rest)
            }
            _ => {
                self.at = now;
                Tell::Now
            }
        }
    }

    fn late(&mut self, now: Timestamp) -> Progress {
        (self.at, self.is_pending) = (now, false);
        self.latest.clone()
    }
}

impl ProgressSink for Shared {
    fn report(self: Arc<Self>, from: &Invocation, fraction: f32, note: &str) {
        let progress = Progress::new(fraction, note, self.clock.now());
        let id = from.execution_id;
        match self.running.note(&id, progress.clone()) {
            Tell::Now => self.tell_progress(&from.tenant, said(from, progress)),
            Tell::After(rest) => {
                let (shared, tenant, said) = (Arc::clone(&self), from.tenant.clone(), said(from, progress));
                self.loops.spawn(async move {
                    tokio::select! {
                        () = tokio::time::sleep(rest) => {}
                        () = shared.stopping.cancelled() => return,
                    }
                    if let Some(progress) = shared.running.tell_late(&id, shared.clock.now()) {
                        shared.tell_progress(&tenant, ExecutionProgress { progress, ..said });
                    }
                });
            }
            Tell::Nothing => {}
        }
    }
}

impl Shared {
    fn tell_progress(&self, tenant: &TenantId, said: ExecutionProgress) {
        let topic = format!("execution:{}", said.task_id);
        self.bus.publish(tenant, &topic, || Message::Progress(Arc::new(said)));
    }
}

fn said(from: &Invocation, progress: Progress) -> ExecutionProgress {
    let Invocation { execution_id, run_id, task_id, .. } = from;
    ExecutionProgress { execution_id: *execution_id, run_id: *run_id, task_id: task_id.clone(), progress }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(millis: i64) -> Progress {
        Progress::new(0.5, "", Timestamp::from_millis(millis))
    }

    #[test]
    fn listeners_hear_of_the_latest_and_not_too_often() {
        let mut told = Told::first(said(1_000));
        assert_eq!(told.note(said(1_100)), Tell::After(Duration::from_millis(150)));
        assert_eq!(told.note(said(1_200)), Tell::Nothing);
        assert_eq!(told.late(Timestamp::from_millis(1_250)), said(1_200));
        assert_eq!(told.note(said(1_500)), Tell::Now);
        assert_eq!(told.note(said(1_000)), Tell::After(TELL_EVERY), "a clock that was set back");
    }

    #[test]
    fn who_has_ended_says_nothing() {
        let running = Running::default();
        let id = ExecutionId::new(Timestamp::from_millis(0), [1; 10]);
        assert_eq!(running.note(&id, said(0)), Tell::Nothing);
        running.register(&[id]);
        assert_eq!(running.progress(&id), None);
        assert_eq!(running.note(&id, said(0)), Tell::Now);
        assert_eq!(running.progress(&id), Some(said(0)));
        running.unregister(&id);
        assert_eq!(running.progress(&id), None);
        assert_eq!(running.tell_late(&id, Timestamp::from_millis(9)), None);
    }
}
