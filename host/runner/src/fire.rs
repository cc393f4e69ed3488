//! The loop that turns due times into runs.

mod groups;

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::RunId;
use innkeeper_model::time::Timestamp;
use innkeeper_store::{DueDecision, DueTask, StoreError};

use self::groups::DueGroups;
use crate::plan::Planner;
use crate::state::Shared;

/// The longest sleep before the wall clock is looked at again: a clock that jumped costs a second, not a schedule.
pub(crate) const NAP: Duration = Duration::from_secs(1);

/// Due tasks read at once.
const READ_MAX: u32 = 1000;

/// Tasks decided in one transaction.
const GROUP_MAX: usize = 128;

/// How long before their time tasks are read and decided upon, so that all that is left then is to record their runs.
const LEAD: Duration = Duration::from_millis(100);

/// Decisions about what will be due, made shortly before.
struct Ahead {
    due: Timestamp,
    decisions: Vec<DueDecision>,
}

/// Records what is due until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut next_due = None;
    let mut ahead = None;
    let mut nudged = true;
    while !shared.stopping.is_cancelled() {
        // Registered before anything is read, so that no change is missed.
        let nudge = shared.scheduled.notified();
        tokio::pin!(nudge);
        nudge.as_mut().enable();
        let now = shared.clock.now();
        if nudged || next_due.is_some_and(|due| due <= now) {
            match record_all_due(&shared, ahead.take()).await {
                Ok(next) => next_due = next,
                Err(StoreError::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "fire.record failed");
                    // The next turn is the retry.
                    tokio::select! {
                        () = shared.stopping.cancelled() => return,
                        () = tokio::time::sleep(NAP) => {}
                    }
                    nudged = true;
                    continue;
                }
            }
        }
        let wait = match next_due {
            Some(due) => prepare(&shared, due, &mut ahead).await,
            None => NAP,
        };
        nudged = tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = nudge => true,
            () = tokio::time::sleep(wait) => false,
        };
    }
}

/// Decides upon what will be due next if its time is near; returns how long to sleep.
async fn prepare(shared: &Shared, due: Timestamp, ahead: &mut Option<Ahead>) -> Duration {
    let near = due.saturating_sub(LEAD);
    if ahead.is_none() && near > shared.clock.now() {
        return near.since(shared.clock.now()).min(NAP);
    }
    if ahead.is_none() {
        // What keeps it from being read now is met again when it is due.
        let tasks = shared.store.due_tasks(due, READ_MAX).await.unwrap_or_default();
        *ahead = Some(Ahead { due, decisions: decide_all(shared, &tasks, due) });
    }
    due.since(shared.clock.now()).min(NAP)
}

/// Records everything that is due, and returns when something will be next. A decision that was made `ahead` about a task
/// that is another by now is void, and is made again.
async fn record_all_due(
    shared: &Arc<Shared>,
    mut ahead: Option<Ahead>,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        // What is due waits for room on the disk, and is then late but not lost.
        if shared.store.is_full() {
            return shared.store.next_due(shared.clock.now()).await;
        }
        let now = shared.clock.now();
        let is_timely = |ahead: &Ahead| ahead.due <= now && now.since(ahead.due) <= NAP;
        let mut decisions = ahead.take().filter(is_timely).map_or_else(Vec::new, |ahead| ahead.decisions);
        if decisions.is_empty() {
            decisions = decide_all(shared, &shared.store.due_tasks(now, READ_MAX).await?, now);
        }
        if decisions.is_empty() {
            // What is due by now and was not read is damaged: it must not keep this loop busy.
            return shared.store.next_due(now).await;
        }
        let mut due_groups = DueGroups::new(shared, now);
        let mut rest = decisions.into_iter();
        let groups = std::iter::from_fn(|| Some(rest.by_ref().take(GROUP_MAX).collect::<Vec<_>>()));
        for group in groups.take_while(|group| !group.is_empty()) {
            due_groups.add(group).await;
        }
        due_groups.finish().await?;
    }
}

fn decide_all(shared: &Shared, tasks: &[DueTask], now: Timestamp) -> Vec<DueDecision> {
    let mut planner = Planner::new(&shared.schedules, now);
    tasks.iter().map(|task| decide(shared, &mut planner, task)).collect()
}

fn decide<'a>(shared: &Shared, planner: &mut Planner<'a>, task: &'a DueTask) -> DueDecision {
    let decision = planner.plan(task, || shared.ids.next(RunId::new));
    decision.unwrap_or_else(|| {
        let (task_id, tenant) = (&task.id, &task.tenant);
        tracing::error!(%tenant, %task_id, "fire.plan failed: the schedule is no longer understood; it stops");
        DueDecision {
            tenant: task.tenant.clone(),
            task_id: task.id.clone(),
            due_at: task.due_at,
            revision: task.revision,
            fire: Vec::new(),
            skips: Vec::new(),
            cursor: task.due_at,
            next_run_at: None,
        }
    })
}
