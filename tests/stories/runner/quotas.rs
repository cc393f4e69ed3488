//! What a tenant may not have, and what becomes of what is disabled.

use std::sync::Arc;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::quota::QuotaWishes;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::tenant::{TenantSettings, TenantStatus};
use innkeeper_runner::RunnerError;
use innkeeper_store::{Durability, Location, SkipReason, Store, TaskFilter};
use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

async fn allow(stage: &Stage, queued_runs: u64) {
    let quotas = QuotaWishes { queued_runs: Some(queued_runs), ..QuotaWishes::default() };
    let settings = TenantSettings { quotas, ..TenantSettings::default() };
    stage.runner.set_tenant(&stage.tenant, settings).await.expect("settings");
}

#[tokio::test]
async fn due_times_over_the_quota_are_in_the_ledger() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "often", "type": "schedule", "cron": "* * * * * *", "overlap": "allow"})).await;
    stage.create(json!({"id": "once", "type": "schedule", "after": "2s"})).await;
    allow(&stage, 0).await;
    stage.at(2);
    assert_eq!(
        stage.ended().await.task_id.as_str(),
        "once",
        "the one due time of a one-off is never skipped"
    );
    let skips = stage.skips("often").await;
    assert!(skips.iter().all(|skip| skip.reason == SkipReason::Quota), "{skips:?}");
    assert_eq!(skips.iter().map(|skip| skip.count).sum::<u64>(), 2);
    allow(&stage, 9).await;
    stage.at(3);
    assert_eq!(stage.ended().await.task_id.as_str(), "often");
    stage.close().await;
}

#[tokio::test]
async fn a_handlers_events_over_the_quota_are_in_the_ledger() {
    let sandbox = Scripted::new(|invocation| match invocation.task_id.as_str() {
        "teller" => Act::Succeed(vec!["news", "news"]),
        _ => Act::Succeed(Vec::new()),
    });
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "teller", "type": "event", "onEvent": "go"})).await;
    stage.create(json!({"id": "listener", "type": "event", "onEvent": "news"})).await;
    allow(&stage, 1).await;
    stage.publish("go").await;
    let told = stage.ended().await;
    assert_eq!((told.task_id.as_str(), told.kind), ("teller", None), "the execution itself succeeded");
    let skips = stage.skips("listener").await;
    assert_eq!(skips.len(), 1, "{skips:?}");
    assert_eq!((skips[0].reason, skips[0].count), (SkipReason::Quota, 2));
    stage.close().await;
}

#[tokio::test]
async fn what_tells_of_failures_is_within_the_quota() {
    let sandbox = Scripted::new(|_| Act::Fail(FailureKind::HandlerError));
    let mut stage = Stage::open(&sandbox).await;
    for id in ["a", "b", "c"] {
        stage.create(json!({"id": id, "type": "event", "onEvent": "boom", "onFailure": "boom"})).await;
    }
    allow(&stage, 4).await;
    stage.publish("boom").await;
    // Each failure would start three more runs, sixteen times over.
    let mut ended = 0;
    while stage.skips("a").await.is_empty()
        || stage.runner.stats(&stage.tenant).await.expect("counts").queued_runs > 0
    {
        stage.ended().await;
        ended += 1;
        assert!(ended < 500, "they multiply");
    }
    assert!(stage.skips("a").await.iter().all(|skip| skip.reason == SkipReason::Quota));
    stage.close().await;
}

#[tokio::test]
async fn what_a_handler_may_not_store_makes_it_fail_and_leaves_nothing() {
    let sandbox = Scripted::new(|_| Act::Tell("news", 5_000));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "teller", "type": "event", "onEvent": "go"})).await;
    let quotas = QuotaWishes { stored_bytes: Some(6_000), ..QuotaWishes::default() };
    let settings = TenantSettings { quotas, ..TenantSettings::default() };
    stage.runner.set_tenant(&stage.tenant, settings).await.expect("settings");
    stage.publish("go").await;
    assert_eq!(stage.ended().await.kind, None);
    stage.publish("go").await;
    let over = stage.ended().await;
    assert_eq!(over.kind, Some(FailureKind::QuotaExceeded));
    assert!(over.error.is_some_and(|error| error.contains("quota `storedBytes` of 6000")));
    let usage = stage.runner.tenant_usage(&stage.tenant).await.expect("a count");
    assert_eq!(usage.stored_bytes, 5_000 + 9, "the second left nothing; the plugin has nine bytes");
    stage.close().await;
}

#[tokio::test]
async fn what_a_disabled_tenant_misses_is_decided_when_it_is_enabled() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "hourly", "type": "schedule", "preset": "@hourly"})).await;
    stage.create(json!({"id": "once", "type": "schedule", "after": "30m"})).await;
    stage.runner.disable_tenant(&stage.tenant).await.expect("disabled");
    stage.at(3 * 3600 + 60);
    assert!(stage.executions().await.is_empty());
    let now = stage.now();
    let mut stage = Stage::open_in(stage.close().await, now, &sandbox).await;
    stage.at(3 * 3600 + 120);
    assert!(sandbox.seen().is_empty(), "nor after a restart");
    stage.runner.enable_tenant(&stage.tenant).await.expect("enabled");
    let mut ran = [stage.ended().await.task_id.to_string(), stage.ended().await.task_id.to_string()];
    ran.sort();
    assert_eq!(ran, ["hourly", "once"]);
    let missed = stage.skips("hourly").await;
    assert_eq!((missed[0].reason, missed[0].count), (SkipReason::Misfire, 2));
    stage.close().await;
}

#[tokio::test]
async fn a_deletion_that_was_interrupted_goes_on_at_the_next_start() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    let doomed: TenantId = "doomed".parse().expect("a name");
    stage.runner.create_tenant(doomed.clone(), TenantSettings::default()).await.expect("a tenant");
    let plugin: PluginName = "plugin".parse().expect("a name");
    for component in ["first", "second"] {
        let component = Arc::from(component.as_bytes());
        stage.runner.push_plugin(&doomed, plugin.clone(), component).await.expect("a plugin");
    }
    let task = json!({"id": "often", "type": "schedule", "cron": "* * * * * *", "plugin": "plugin"});
    let task = TaskConfig::from_json(task).expect("a config");
    stage.runner.create_task(&doomed, task).await.expect("a task");
    let now = stage.now();
    let directory = stage.close().await;
    let location = Location::File(directory.path().join("innkeeper.db"));
    let store = Store::open(&location, Durability::Normal).expect("a store");
    assert!(store.set_tenant_status(&doomed, TenantStatus::Deleting).await.expect("a write"));
    drop(store);
    let stage = Stage::open_in(directory, now, &sandbox).await;
    while stage.runner.tenant_status(&doomed).is_some() {
        tokio::task::yield_now().await;
    }
    assert!(sandbox.seen().is_empty());
    let again = stage.runner.create_tenant(doomed.clone(), TenantSettings::default()).await;
    assert!(again.is_ok(), "its name is free");
    assert!(
        stage
            .runner
            .tasks(&doomed, TaskFilter { limit: 9, ..TaskFilter::default() })
            .await
            .expect("none")
            .is_empty()
    );
    stage.close().await;
}

#[tokio::test]
async fn what_runs_is_put_back_when_its_tenant_is_disabled() {
    let sandbox = Scripted::new(|_| Act::Hang);
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "long", "type": "event", "onEvent": "go"})).await;
    stage.publish("go").await;
    stage.runner.disable_tenant(&stage.tenant).await.expect("disabled");
    let interrupted = stage.ended().await;
    let stats = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!((stats.running_runs, stats.queued_runs), (0, 1), "it waits");
    stage.runner.enable_tenant(&stage.tenant).await.expect("enabled");
    stage.runner.disable_tenant(&stage.tenant).await.expect("disabled");
    let again = stage.executions().await;
    assert!(again.iter().all(|execution| execution.run_id == interrupted.run_id && execution.attempt == 1));
    stage.close().await;
}

#[tokio::test]
async fn what_failed_manual_starts_were_given_counts_as_stored() {
    let sandbox = Scripted::new(|_| Act::Fail(FailureKind::Trap));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "task", "type": "event", "onEvent": "e"})).await;
    let (runner, tenant) = (stage.runner.clone(), stage.tenant.clone());
    let before = runner.tenant_usage(&tenant).await.expect("a count").stored_bytes;
    let quotas = QuotaWishes { stored_bytes: Some(before + 20), ..QuotaWishes::default() };
    runner.set_tenant(&tenant, TenantSettings { quotas, ..TenantSettings::default() }).await.expect("set");
    let task = "task".parse().expect("an id");
    let start = |data: &str| runner.run_task(&tenant, &task, Some("e".to_owned()), Some(json!(data)));
    let refused = start("more than twenty bytes").await.expect_err("it would be kept");
    assert!(matches!(refused, RunnerError::QuotaExceeded(_)), "{refused}");
    start("0123456789").await.expect("a run");
    let failed = stage.ended().await;
    assert_eq!(failed.kind, Some(FailureKind::Trap));
    let refused = start("0123456789").await.expect_err("what is kept leaves no room for as much again");
    assert!(matches!(refused, RunnerError::QuotaExceeded(_)), "{refused}");
    let after = runner.tenant_usage(&tenant).await.expect("a count").stored_bytes;
    assert_eq!(after, before + 13, "the event's name, and the data as JSON");
    runner.replay(&tenant, failed.id, None).await.expect("there is some room");
    let failed = stage.ended().await;
    let refused =
        runner.replay(&tenant, failed.id, None).await.expect_err("a repetition keeps as much again");
    assert!(matches!(refused, RunnerError::QuotaExceeded(_)), "{refused}");
    stage.close().await;
}
