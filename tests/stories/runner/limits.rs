//! Rate limits and runs of one task that meet.

use innkeeper_model::execution::FailureKind;
use innkeeper_store::SkipReason;
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::{Stage, opening};

fn id(task: &str) -> innkeeper_model::id::TaskId {
    task.parse().expect("an id")
}

#[tokio::test]
async fn what_is_over_a_rate_limit_is_held_until_the_window_allows_it_in_order() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let rate = json!({"interval": "1m", "limit": 2});
    stage.create(json!({"id": "limited", "type": "event", "onEvent": "e:*", "rateLimit": rate})).await;
    for number in 0..5 {
        assert_eq!(stage.publish(&format!("e:{number}")).await, 1);
    }
    for _ in 0..2 {
        stage.ended().await;
    }
    stage.at(59);
    let why = loop {
        let why = stage.runner.why(&stage.tenant, &id("limited")).await.expect("a reason");
        if why.contains("rate limit") {
            break why;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(why, "its rate limit holds it until 2025-01-01T00:01:00.000Z");
    assert_eq!(sandbox.seen().len(), 2);
    let task = stage.runner.get_task(&stage.tenant, &id("limited")).await.expect("a task");
    assert_eq!((task.rate_count, task.rate_window), (2, Some(opening())));
    stage.at(60);
    for _ in 0..2 {
        stage.ended().await;
    }
    let now = stage.now();
    let mut stage = Stage::open_in(stage.close().await, now, &sandbox).await;
    stage.at(120);
    stage.ended().await;
    let events: Vec<_> = sandbox.seen().into_iter().filter_map(|invocation| invocation.event).collect();
    assert_eq!(events, ["e:0", "e:1", "e:2", "e:3", "e:4"], "in order, also over a restart");
    assert!(stage.skips("limited").await.is_empty(), "nothing was dropped");
    stage.close().await;
}

#[tokio::test]
async fn a_sliding_window_counts_the_interval_just_past() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let rate = json!({"interval": "1m", "limit": 2, "strategy": "sliding"});
    stage.create(json!({"id": "limited", "type": "event", "onEvent": "e", "rateLimit": rate})).await;
    stage.publish("e").await;
    stage.ended().await;
    stage.at(40);
    stage.publish("e").await;
    stage.ended().await;
    stage.publish("e").await;
    stage.publish("e").await;
    stage.at(60);
    let third = stage.ended().await;
    assert_eq!(Stage::seconds(third.started_at), 60);
    stage.at(100);
    let fourth = stage.ended().await;
    assert_eq!(Stage::seconds(fourth.started_at), 100);
    stage.close().await;
}

#[tokio::test]
async fn what_is_dropped_for_a_rate_limit_is_counted() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let rate = json!({"interval": "1m", "limit": 1, "overflow": "drop"});
    stage.create(json!({"id": "limited", "type": "event", "onEvent": "e", "rateLimit": rate})).await;
    for _ in 0..4 {
        stage.publish("e").await;
    }
    stage.ended().await;
    while stage.skips("limited").await.first().is_none_or(|skip| skip.count < 3) {
        tokio::task::yield_now().await;
    }
    let skips = stage.skips("limited").await;
    assert_eq!((skips.len(), skips[0].reason, skips[0].count), (1, SkipReason::RateLimited, 3));
    stage.at(60);
    stage.publish("e").await;
    stage.ended().await;
    assert_eq!(sandbox.seen().len(), 2);
    stage.close().await;
}

/// The first run of the task hangs; the others succeed.
fn first_hangs() -> std::sync::Arc<Scripted> {
    let started = std::sync::atomic::AtomicU32::new(0);
    Scripted::new(move |_| match started.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Act::Hang,
        _ => Act::Succeed(Vec::new()),
    })
}

async fn begun(sandbox: &Scripted, count: usize) {
    while sandbox.seen().len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_queued_run_is_the_latest_and_starts_when_the_one_before_it_has_ended() {
    let sandbox = first_hangs();
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "queue", "type": "event", "onEvent": "e:*", "overlap": "queue"})).await;
    stage.publish("e:0").await;
    begun(&sandbox, 1).await;
    for number in 1..4 {
        assert_eq!(stage.publish(&format!("e:{number}")).await, 1);
    }
    let skips = stage.skips("queue").await;
    assert_eq!((skips[0].reason, skips[0].count), (SkipReason::Overlap, 2), "only the latest waits");
    let running = stage.executions().await.remove(0);
    stage.runner.cancel_execution(&stage.tenant, &running.id).await.expect("it runs");
    assert_eq!(stage.ended().await.kind, Some(FailureKind::Cancelled));
    assert_eq!(stage.ended().await.event.as_deref(), Some("e:3"));
    assert_eq!(sandbox.seen().len(), 2);
    stage.close().await;
}

#[tokio::test]
async fn a_new_run_may_cancel_the_one_before_it() {
    let sandbox = first_hangs();
    let mut stage = Stage::open(&sandbox).await;
    stage
        .create(json!({"id": "latest", "type": "event", "onEvent": "e:*", "overlap": "cancelPrevious"}))
        .await;
    stage.publish("e:0").await;
    begun(&sandbox, 1).await;
    stage.publish("e:1").await;
    let first = stage.ended().await;
    assert_eq!((first.event.as_deref(), first.kind), (Some("e:0"), Some(FailureKind::Cancelled)));
    let second = stage.ended().await;
    assert_eq!((second.event.as_deref(), second.kind), (Some("e:1"), None));
    assert!(second.started_at >= first.completed_at.expect("an end"), "they do not overlap");
    stage.close().await;
}

#[tokio::test]
async fn a_task_runs_at_most_as_often_at_once_as_it_allows() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "two", "type": "event", "onEvent": "e", "concurrency": 2})).await;
    for _ in 0..4 {
        stage.publish("e").await;
    }
    begun(&sandbox, 2).await;
    let running = stage.executions().await;
    assert_eq!(running.len(), 2);
    stage.runner.cancel_execution(&stage.tenant, &running[0].id).await.expect("it runs");
    stage.ended().await;
    begun(&sandbox, 3).await;
    assert_eq!(
        stage.executions().await.iter().filter(|execution| execution.completed_at.is_none()).count(),
        2
    );
    stage.runner.delete_task(&stage.tenant, &id("two")).await.expect("deleted");
    stage.close().await;
}

#[tokio::test]
async fn a_misfire_policy_may_skip_or_catch_up() {
    for (policy, fired, skipped) in [("skip", 0, 58), ("catchUp", 58, 0), ("runOnce", 1, 57)] {
        let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
        let mut stage = Stage::open(&sandbox).await;
        stage
            .create(json!({
                "id": "task", "type": "schedule", "cron": "* * * * *", "misfire": policy, "overlap": "allow",
            }))
            .await;
        stage.at(3600);
        // 00:59 and 01:00 are on time, whatever the policy: not more than a minute late.
        let fired = fired + 2;
        for _ in 0..fired {
            stage.ended().await;
        }
        let misfires: u64 = stage.skips("task").await.iter().map(|skip| skip.count).sum();
        assert_eq!((misfires, sandbox.seen().len()), (skipped, fired), "{policy}");
        stage.close().await;
    }
}
