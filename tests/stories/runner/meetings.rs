//! Changes that meet runs in progress: nothing is lost, doubled or stuck.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::TaskId;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_store::SkipReason;
use serde_json::{Value, json};

use super::scripted::{Act, Scripted};
use super::stage::Stage;

fn id(task: &str) -> TaskId {
    task.parse().expect("an id")
}

async fn replace(stage: &Stage, mut config: Value) {
    config["plugin"] = "plugin".into();
    let config = TaskConfig::from_json(config).expect("a config of the right shape");
    stage.runner.replace_task(&stage.tenant, config).await.expect("a valid task");
}

/// Fails at the first attempt of each run.
fn fails_first() -> std::sync::Arc<Scripted> {
    Scripted::new(|invocation| match invocation.attempt {
        1 => Act::Fail(FailureKind::Timeout),
        _ => Act::Succeed(Vec::new()),
    })
}

#[tokio::test]
async fn a_retry_is_not_stuck_behind_the_run_that_waits_for_it() {
    let sandbox = fails_first();
    let mut stage = Stage::open(&sandbox).await;
    let retry = json!({"maxAttempts": 2, "delay": "1m"});
    stage
        .create(
            json!({"id": "t", "type": "event", "onEvent": "e:*", "overlap": "queue", "retryPolicy": retry}),
        )
        .await;
    stage.publish("e:1").await;
    stage.ended().await;
    stage.publish("e:2").await;
    stage.at(60);
    let retried = stage.ended().await;
    assert_eq!((retried.event.as_deref(), retried.attempt), (Some("e:1"), 2));
    let next = stage.ended().await;
    assert_eq!((next.event.as_deref(), next.attempt), (Some("e:2"), 1));
    stage.at(180);
    assert_eq!(stage.ended().await.kind, None);
    stage.close().await;
}

#[tokio::test]
async fn runs_that_started_side_by_side_end_though_the_task_became_exclusive() {
    let sandbox = fails_first();
    let mut stage = Stage::open(&sandbox).await;
    let task = |overlap: &str| {
        json!({
            "id": "t", "type": "event", "onEvent": "e", "overlap": overlap,
            "retryPolicy": {"maxAttempts": 2, "delay": "1m"},
        })
    };
    stage.create(task("allow")).await;
    stage.publish("e").await;
    stage.publish("e").await;
    stage.ended().await;
    stage.ended().await;
    replace(&stage, task("skip")).await;
    stage.at(60);
    for _ in 0..2 {
        let ended = stage.ended().await;
        assert_eq!((ended.attempt, ended.kind), (2, None));
    }
    stage.close().await;
}

#[tokio::test]
async fn a_due_time_that_is_written_differently_is_still_one_run() {
    let sandbox = fails_first();
    let mut stage = Stage::open(&sandbox).await;
    let task = |at: &str| {
        json!({
            "id": "once", "type": "schedule", "at": at, "allowPast": true,
            "retryPolicy": {"maxAttempts": 2, "delay": "1h"},
        })
    };
    stage.create(task("2024-12-25T09:00:00")).await;
    stage.create(json!({"id": "minutely", "type": "schedule", "cron": "* * * * *"})).await;
    assert_eq!(stage.ended().await.task_id, id("once"));
    replace(&stage, task("2024-12-25 09:00:00")).await;
    stage.at(60);
    assert_eq!(stage.ended().await.task_id, id("minutely"), "one task's trouble is not another's");
    stage.at(3600);
    let again = loop {
        let ended = stage.ended().await;
        if ended.task_id == id("once") {
            break ended;
        }
    };
    assert_eq!((again.attempt, again.kind), (2, None), "the run goes on, and there is no second one");
    assert!(stage.runner.get_task(&stage.tenant, &id("once")).await.is_err(), "the one-off is done");
    stage.close().await;
}

#[tokio::test]
async fn what_succeeds_after_its_task_was_deleted_leaves_nothing() {
    let sandbox = Scripted::new(|_| Act::SucceedWhenStopped(vec!["ghost"]));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "t", "type": "event", "onEvent": "go"})).await;
    stage.create(json!({"id": "listener", "type": "event", "onEvent": "ghost"})).await;
    stage.publish("go").await;
    while sandbox.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    stage.runner.delete_task(&stage.tenant, &id("t")).await.expect("deleted");
    let executions = stage.executions().await;
    assert_eq!(executions[0].kind, Some(FailureKind::Cancelled), "it is closed at once");
    stage.ended().await;
    let executions = stage.executions().await;
    assert_eq!((executions.len(), executions[0].kind), (1, Some(FailureKind::Cancelled)));
    assert!(executions[0].receipt.is_some());
    stage.close().await;
}

#[tokio::test]
async fn a_task_that_is_replaced_at_once_from_two_sides_runs_once_per_event() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let task = |pattern: &str| json!({"id": "t", "type": "event", "onEvent": pattern});
    stage.create(task("a")).await;
    tokio::join!(replace(&stage, task("b")), replace(&stage, task("b")), replace(&stage, task("c")));
    let mut heard = 0;
    for event in ["a", "b", "c"] {
        heard += stage.publish(event).await;
    }
    assert_eq!(heard, 1, "it listens to one of them, once");
    stage.ended().await;
    stage.close().await;
}

#[tokio::test]
async fn what_was_due_during_a_pause_is_one_row_of_the_ledger() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "minutely", "type": "schedule", "cron": "* * * * *"})).await;
    stage.at(60);
    stage.ended().await;
    stage.runner.pause_task(&stage.tenant, &id("minutely")).await.expect("paused");
    stage.at(3600);
    stage.runner.resume_task(&stage.tenant, &id("minutely")).await.expect("resumed");
    let skips = stage.skips("minutely").await;
    assert_eq!((skips.len(), skips[0].reason, skips[0].count), (1, SkipReason::Paused, 59));
    assert_eq!((Stage::seconds(skips[0].from), Stage::seconds(skips[0].to)), (120, 3600));
    stage.at(1800);
    stage.runner.pause_task(&stage.tenant, &id("minutely")).await.expect("paused");
    stage.runner.resume_task(&stage.tenant, &id("minutely")).await.expect("resumed");
    let task = stage.runner.get_task(&stage.tenant, &id("minutely")).await.expect("a task");
    assert_eq!(
        task.next_run_at.map(Stage::seconds),
        Some(3660),
        "what was decided stays so if the clock goes back"
    );
    stage.close().await;
}

#[tokio::test]
async fn what_a_client_asked_for_is_finished_though_it_goes_away() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "t", "type": "event", "onEvent": "e"})).await;
    let event = innkeeper_runner::Publication { event: "e".to_owned(), ..Default::default() };
    {
        let publishing = stage.runner.publish_events(&stage.tenant, vec![event]);
        tokio::pin!(publishing);
        // Asked once, then dropped: the command is on its way and nobody waits for the answer.
        let first =
            std::future::poll_fn(|context| std::task::Poll::Ready(publishing.as_mut().poll(context))).await;
        assert!(first.is_pending());
    }
    assert_eq!(stage.ended().await.kind, None);
    stage.close().await;
}
