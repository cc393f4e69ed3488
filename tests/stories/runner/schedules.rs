//! Due times: each becomes one run, or is in the ledger.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::task::TaskStatus;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_runner::ManualRequest;
use innkeeper_store::SkipReason;
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

fn id(task: &str) -> innkeeper_model::id::TaskId {
    task.parse().expect("an id")
}

#[tokio::test]
async fn each_due_time_runs_once_when_it_comes() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "minutely", "type": "schedule", "cron": "* * * * *"})).await;
    for minute in 1..=3 {
        stage.at(minute * 60 - 1);
        stage.at(minute * 60);
        let ended = stage.ended().await;
        assert_eq!(ended.scheduled_at.map(Stage::seconds), Some(minute * 60));
    }
    stage.at(10);
    stage.runner.wake();
    let task = stage.runner.get_task(&stage.tenant, &id("minutely")).await.expect("a task");
    assert_eq!(task.next_run_at.map(Stage::seconds), Some(240), "a clock that goes back doubles nothing");
    assert_eq!(stage.executions().await.len(), 3);
    stage.close().await;
}

#[tokio::test]
async fn a_month_of_missed_seconds_is_one_run_and_one_row() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "secondly", "type": "schedule", "cron": "* * * * * *"})).await;
    let month = 31 * 86_400;
    stage.at(month);
    let fired = stage.ended().await.scheduled_at.map(Stage::seconds).expect("a due time");
    let skips = stage.skips("secondly").await;
    let missed: Vec<_> = skips.iter().filter(|skip| skip.reason == SkipReason::Misfire).collect();
    assert_eq!(missed.len(), 1, "{skips:?}");
    assert_eq!(Stage::seconds(missed[0].from), 1);
    let skipped: u64 = skips.iter().map(|skip| skip.count).sum();
    assert_eq!(skipped + 1, month, "every second is decided once: fired {fired}, {skips:?}");
    stage.close().await;
}

#[tokio::test]
async fn a_one_off_that_was_missed_runs_at_start_and_is_gone() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "later", "type": "schedule", "after": "5m"})).await;
    let late = stage.now().saturating_add(std::time::Duration::from_hours(25));
    let mut stage = Stage::open_in(stage.close().await, late, &sandbox).await;
    let ended = stage.ended().await;
    assert_eq!(ended.scheduled_at.map(Stage::seconds), Some(300));
    assert!(stage.runner.get_task(&stage.tenant, &id("later")).await.is_err());
    stage.close().await;
}

#[tokio::test]
async fn a_due_time_is_skipped_while_the_run_before_it_is_in_progress() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "slow", "type": "schedule", "cron": "* * * * *"})).await;
    let mut changes = stage.runner.subscribe(&stage.tenant, &"task:*".parse().expect("a pattern"));
    stage.at(60);
    let running = || async {
        let task = stage.runner.get_task(&stage.tenant, &id("slow")).await.expect("a task");
        task.status == TaskStatus::Running
    };
    while !running().await {
        tokio::task::yield_now().await;
    }
    stage.at(120);
    while stage.skips("slow").await.is_empty() {
        tokio::task::yield_now().await;
    }
    let skips = stage.skips("slow").await;
    assert_eq!(
        (skips[0].reason, skips[0].count, Stage::seconds(skips[0].from)),
        (SkipReason::Overlap, 1, 120)
    );
    assert_eq!(sandbox.seen().len(), 1);
    stage.runner.delete_task(&stage.tenant, &id("slow")).await.expect("deleted");
    assert!(changes.next().await.is_some());
    stage.close().await;
}

#[tokio::test]
async fn a_retry_waits_for_its_time_and_a_pause_holds_it() {
    let sandbox = Scripted::new(|invocation| match invocation.attempt {
        1 => Act::Fail(FailureKind::Timeout),
        _ => Act::Succeed(Vec::new()),
    });
    let mut stage = Stage::open(&sandbox).await;
    let retry = json!({"maxAttempts": 3, "delay": "1m"});
    stage.create(json!({"id": "flaky", "type": "schedule", "after": "1s", "retryPolicy": retry})).await;
    stage.at(1);
    assert_eq!(stage.ended().await.kind, Some(FailureKind::Timeout));
    let task = stage.runner.get_task(&stage.tenant, &id("flaky")).await.expect("a task");
    assert_eq!((task.attempts, task.status), (1, TaskStatus::Pending));
    assert!(stage.runner.pause_task(&stage.tenant, &id("flaky")).await.expect("paused"));
    stage.at(61);
    let stage_two = Stage::open_in(stage.close().await, super::stage::opening(), &sandbox).await;
    let mut stage = stage_two;
    stage.at(70);
    assert_eq!(stage.executions().await.len(), 1, "a paused task's retry is held, also over a restart");
    assert!(stage.runner.resume_task(&stage.tenant, &id("flaky")).await.expect("resumed"));
    let second = stage.ended().await;
    assert_eq!((second.attempt, second.kind), (2, None));
    assert_eq!(stage.executions().await.len(), 2);
    assert!(stage.runner.get_task(&stage.tenant, &id("flaky")).await.is_err(), "the one-off is done");
    stage.close().await;
}

#[tokio::test]
async fn a_replacement_that_resumes_says_what_was_skipped() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let config = json!({"id": "minutely", "type": "schedule", "cron": "* * * * *", "plugin": "plugin"});
    let task = stage.create(config.clone()).await;
    stage.runner.pause_task(&stage.tenant, &id("minutely")).await.expect("paused");
    stage.at(3601);
    let mut config = config;
    config["plugin"] = task.definition.plugin.to_string().into();
    let config = TaskConfig::from_json(config).expect("a task");
    stage.runner.replace_task(&stage.tenant, config).await.expect("replaced");
    let skips = stage.skips("minutely").await;
    assert!(skips.iter().all(|skip| skip.reason == SkipReason::Paused), "{skips:?}");
    assert_eq!(skips.iter().map(|skip| skip.count).sum::<u64>(), 60, "as a resumption by hand");
    stage.at(3660);
    assert_eq!(stage.ended().await.scheduled_at.map(Stage::seconds), Some(3660));
    stage.close().await;
}

#[tokio::test]
async fn a_key_of_a_start_is_known_for_a_week() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "report", "type": "event", "onEvent": "report"})).await;
    let mut runs = Vec::new();
    for day in [0, 6, 8] {
        stage.at(day * 86_400);
        let request =
            ManualRequest { idempotency_key: Some("monthly".to_owned()), ..ManualRequest::default() };
        runs.push(stage.runner.start_task(&stage.tenant, &id("report"), request).await.expect("a run"));
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[1], runs[2], "a week later it is another start");
    assert_ne!(stage.ended().await.run_id, stage.ended().await.run_id);
    stage.close().await;
}

#[tokio::test]
async fn resuming_does_not_catch_up() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "minutely", "type": "schedule", "cron": "* * * * *"})).await;
    stage.runner.pause_task(&stage.tenant, &id("minutely")).await.expect("paused");
    assert!(!stage.runner.pause_task(&stage.tenant, &id("minutely")).await.expect("paused already"));
    stage.at(3601);
    stage.runner.resume_task(&stage.tenant, &id("minutely")).await.expect("resumed");
    stage.at(3660);
    assert_eq!(stage.ended().await.scheduled_at.map(Stage::seconds), Some(3660));
    assert_eq!(stage.executions().await.len(), 1);
    stage.close().await;
}
