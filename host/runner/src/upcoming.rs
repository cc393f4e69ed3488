//! What is due when, over all tasks of a tenant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::{PluginName, TaskId, TenantId};
use innkeeper_model::time::Timestamp;
use innkeeper_schedule::cron::Schedule;
use innkeeper_store::{StoreError, UpcomingTask};

use crate::error::RunnerError;
use crate::schedules::Schedules;
use crate::task_runner::TaskRunner;

/// Tasks that one answer considers, those that are due next.
const TASKS_MAX: u32 = 10_000;

/// Which due times are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueWindow {
    /// Not before.
    pub from: Timestamp,
    /// Before.
    pub until: Timestamp,
    /// Only those after this one, in the order of time and then of task.
    pub after: Option<(Timestamp, TaskId)>,
    /// At most so many.
    pub limit: usize,
}

/// A due time of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTime {
    /// When.
    pub at: Timestamp,
    /// Of which task.
    pub task_id: TaskId,
    /// What it runs.
    pub plugin: PluginName,
}

/// The due times of a window, in the order of time and then of task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// The due times.
    pub due: Vec<DueTime>,
    /// Whether there are more in the window.
    pub is_more: bool,
    /// Up to when all tasks were considered; `None` if that is the whole window.
    pub complete_until: Option<Timestamp>,
}

impl TaskRunner {
    /// The due times of all tasks in a window, as the tasks are now. Paused tasks have none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn upcoming(&self, tenant: &TenantId, window: DueWindow) -> Result<Upcoming, RunnerError> {
        let tasks = self.0.store.upcoming_tasks(tenant, window.until, TASKS_MAX + 1).await?;
        let shared = Arc::clone(&self.0);
        let merging = tokio::task::spawn_blocking(move || merge(tasks, &shared.schedules, &window));
        Ok(merging.await.map_err(|_| StoreError::Stopped)?)
    }
}

/// A task and its next due time in the window.
struct Line {
    id: TaskId,
    plugin: PluginName,
    /// `None` for a one-off.
    schedule: Option<Schedule>,
}

fn merge(mut tasks: Vec<UpcomingTask>, schedules: &Schedules, window: &DueWindow) -> Upcoming {
    let considered = usize::try_from(TASKS_MAX).unwrap_or(usize::MAX);
    // The tasks come in the order of their next due times: one that is left out has none before its own.
    let complete_until = tasks.get(considered).map(|task| task.next_run_at);
    tasks.truncate(considered);
    let until = complete_until.map_or(window.until, |complete| complete.min(window.until));
    let start = window.after.as_ref().map_or(window.from, |(at, _)| window.from.max(*at));
    let mut lines = Vec::with_capacity(tasks.len());
    let mut heap = BinaryHeap::with_capacity(tasks.len());
    for task in tasks {
        let schedule = task.cron.as_ref().and_then(|cron| schedules.schedule(cron, &task.timezone));
        let first = first_due(task.next_run_at, schedule.as_ref(), start);
        if let Some(first) = first.filter(|first| *first < until) {
            heap.push(Reverse((first, task.id.clone(), lines.len())));
            lines.push(Line { id: task.id, plugin: task.plugin, schedule });
        }
    }
    let mut due = Vec::new();
    while let Some(Reverse((at, id, index))) = heap.pop() {
        let line = &lines[index];
        let next = line.schedule.as_ref().and_then(|schedule| schedule.next_after(at));
        if let Some(next) = next.filter(|next| *next < until) {
            heap.push(Reverse((next, id.clone(), index)));
        }
        if window.after.as_ref().is_some_and(|after| (at, &id) <= (after.0, &after.1)) {
            continue;
        }
        if due.len() == window.limit {
            return Upcoming { due, is_more: true, complete_until };
        }
        due.push(DueTime { at, task_id: line.id.clone(), plugin: line.plugin.clone() });
    }
    Upcoming {
        due,
        is_more: false,
        complete_until: complete_until.filter(|complete| *complete < window.until),
    }
}

/// The first due time at `start` or later.
fn first_due(next: Timestamp, schedule: Option<&Schedule>, start: Timestamp) -> Option<Timestamp> {
    if next >= start {
        return Some(next);
    }
    schedule?.next_after(start.saturating_sub(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use innkeeper_schedule::zone::TimezoneData;

    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2025-06-01T{text}Z").parse().expect("an instant")
    }

    fn task(id: &str, cron: Option<&str>, next: &str) -> UpcomingTask {
        UpcomingTask {
            id: id.parse().expect("an id"),
            plugin: "greeter".parse().expect("a name"),
            cron: cron.map(str::to_owned),
            timezone: "UTC".to_owned(),
            next_run_at: at(next),
        }
    }

    fn shown(upcoming: &Upcoming) -> Vec<String> {
        upcoming.due.iter().map(|due| format!("{} {}", &due.at.to_string()[11..16], due.task_id)).collect()
    }

    fn tasks() -> Vec<UpcomingTask> {
        vec![
            task("b", Some("*/20 * * * *"), "12:00:00"),
            task("a", Some("0 * * * *"), "12:00:00"),
            task("once", None, "12:30:00"),
        ]
    }

    fn window(from: &str, until: &str, limit: usize) -> DueWindow {
        DueWindow { from: at(from), until: at(until), after: None, limit }
    }

    #[test]
    fn due_times_of_all_tasks_are_in_order() {
        let schedules = Schedules::new(TimezoneData::Bundled);
        let found = merge(tasks(), &schedules, &window("11:30:00", "13:00:00", 10));
        assert_eq!(shown(&found), ["12:00 a", "12:00 b", "12:20 b", "12:30 once", "12:40 b"]);
        assert!(!found.is_more && found.complete_until.is_none());
        let later = merge(tasks(), &schedules, &window("12:31:00", "13:00:01", 10));
        assert_eq!(shown(&later), ["12:40 b", "13:00 a", "13:00 b"]);
    }

    #[test]
    fn pages_join_without_a_gap() {
        let schedules = Schedules::new(TimezoneData::Bundled);
        let whole = merge(tasks(), &schedules, &window("11:30:00", "14:00:00", 100));
        let mut pages = Vec::new();
        let mut next = window("11:30:00", "14:00:00", 2);
        loop {
            let page = merge(tasks(), &schedules, &next);
            next.after = page.due.last().map(|due| (due.at, due.task_id.clone()));
            pages.extend(page.due);
            if !page.is_more {
                break;
            }
        }
        assert_eq!(pages, whole.due);
    }

    #[test]
    fn tasks_that_are_left_out_are_not_hidden() {
        let many = TASKS_MAX as usize + 1;
        let tasks = (0..many)
            .map(|n| task(&format!("t{n}"), None, if n < many - 1 { "12:00:00" } else { "12:30:00" }));
        let found = merge(
            tasks.collect(),
            &Schedules::new(TimezoneData::Bundled),
            &window("12:10:00", "13:00:00", 5),
        );
        assert_eq!((found.due.len(), found.complete_until), (0, Some(at("12:30:00"))));
    }
}
