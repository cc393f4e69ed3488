//! A plugin has so many executions at once, whatever tasks they are of: what is beyond waits, and nothing of it fails.

use innkeeper_model::execution::{Execution, FailureKind};
use innkeeper_model::id::{PluginName, TaskId};
use innkeeper_store::PluginPolicy;
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

fn id(task: &str) -> TaskId {
    task.parse().expect("an id")
}

async fn allow(stage: &Stage, concurrency: Option<u32>) {
    let plugin: PluginName = "plugin".parse().expect("a name");
    let policy = PluginPolicy { concurrency, ..PluginPolicy::default() };
    stage.runner.set_plugin_policy(&stage.tenant, &plugin, policy).await.expect("it is set");
}

/// The executions that go on, when there are `count` of them.
async fn going_on(stage: &Stage, count: usize) -> Vec<Execution> {
    loop {
        let mut executions = stage.executions().await;
        executions.retain(|execution| execution.completed_at.is_none());
        if executions.len() == count {
            return executions;
        }
        tokio::task::yield_now().await;
    }
}

async fn why(stage: &Stage, task: &str, part: &str) -> String {
    loop {
        let why = stage.runner.why(&stage.tenant, &id(task)).await.expect("a reason");
        if why.contains(part) {
            return why;
        }
        tokio::task::yield_now().await;
    }
}

async fn end(stage: &mut Stage, execution: &Execution) {
    stage.runner.cancel_execution(&stage.tenant, &execution.id).await.expect("it runs");
    let ended = stage.ended().await;
    assert_eq!((ended.id, ended.kind), (execution.id, Some(FailureKind::Cancelled)));
}

#[tokio::test]
async fn tasks_of_one_plugin_share_what_it_may_have_at_once() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    allow(&stage, Some(2)).await;
    for task in ["a", "b", "c", "d"] {
        stage.create(json!({"id": task, "type": "event", "onEvent": format!("{task}:*")})).await;
    }
    for event in ["a:1", "a:2", "b:1", "c:1", "d:1", "a:3"] {
        assert_eq!(stage.publish(event).await, 1);
    }
    let first = going_on(&stage, 2).await;
    assert!(first.iter().all(|execution| execution.task_id == id("a")), "in the order of recording");
    assert_eq!(
        why(&stage, "b", "plugin").await,
        "a run has waited since 2025-01-01T00:00:00.000Z: it waits for a free execution of plugin `plugin`, which has 2 \
         at once at most"
    );
    assert_eq!(sandbox.seen().len(), 2, "nothing beyond has started");
    let mut order = Vec::new();
    for left in [4, 3, 2, 1] {
        let running = going_on(&stage, 2).await;
        end(&mut stage, &running[1]).await;
        let seen = sandbox_has(&sandbox, 6 - left + 1).await;
        order.push(seen);
    }
    // Tasks take turns; the third run of `a` came back into the line behind the others.
    order.sort();
    assert_eq!(order, ["a:3", "b:1", "c:1", "d:1"]);
    for execution in going_on(&stage, 2).await {
        end(&mut stage, &execution).await;
    }
    let all = stage.executions().await;
    assert_eq!(all.len(), 6, "each run had one attempt: none failed for want of room");
    stage.close().await;
}

/// The event of the execution that started last, when there have been `count`.
async fn sandbox_has(sandbox: &Scripted, count: usize) -> String {
    loop {
        let seen = sandbox.seen();
        if seen.len() == count {
            return seen.last().and_then(|invocation| invocation.event.clone()).expect("an event");
        }
        assert!(seen.len() < count, "more run than may");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_wider_limit_lets_in_what_waits() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    allow(&stage, Some(1)).await;
    for task in ["a", "b", "c", "d"] {
        stage.create(json!({"id": task, "type": "event", "onEvent": "e"})).await;
    }
    assert_eq!(stage.publish("e").await, 4);
    going_on(&stage, 1).await;
    why(&stage, "d", "plugin").await;
    allow(&stage, Some(3)).await;
    going_on(&stage, 3).await;
    why(&stage, "d", "which has 3 at once").await;
    allow(&stage, None).await;
    for execution in going_on(&stage, 4).await {
        end(&mut stage, &execution).await;
    }
    stage.close().await;
}

#[tokio::test]
async fn a_task_that_cannot_start_holds_up_nobody_behind_it() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    allow(&stage, Some(1)).await;
    for task in ["first", "paused", "deleted", "last"] {
        stage.create(json!({"id": task, "type": "event", "onEvent": task})).await;
        stage.publish(task).await;
        if task == "first" {
            going_on(&stage, 1).await;
        } else {
            why(&stage, task, "plugin").await;
        }
    }
    stage.runner.pause_task(&stage.tenant, &id("paused")).await.expect("paused");
    stage.runner.delete_task(&stage.tenant, &id("deleted")).await.expect("deleted");
    let first = going_on(&stage, 1).await;
    end(&mut stage, &first[0]).await;
    let last = going_on(&stage, 1).await;
    assert_eq!(last[0].task_id, id("last"));
    stage.runner.resume_task(&stage.tenant, &id("paused")).await.expect("resumed");
    why(&stage, "paused", "plugin").await;
    end(&mut stage, &last[0]).await;
    let resumed = going_on(&stage, 1).await;
    assert_eq!(resumed[0].task_id, id("paused"));
    end(&mut stage, &resumed[0]).await;
    stage.close().await;
}
