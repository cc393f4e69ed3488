//! Compare-and-swap: whoever is slower is done again at once, and nobody's change is lost.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::clock::{Clock, SystemClock};
use innkeeper_model::execution::{Execution, ExecutionStatus, FailureKind};
use innkeeper_model::grants::Grants;
use innkeeper_model::id::TenantId;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::bus::{Message, Subscription};
use innkeeper_runner::{Publication, RunnerConfig, TaskRunner};
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};
use innkeeper_store::{Condition, Durability, Location, PluginPolicy, Store};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::components::USE_KEY_VALUE;
use crate::granted::{host_with_bucket, set, value};

/// A clock that tells when it is read. A guest reads it by logging, so this is how a test knows how far a guest is.
struct Told(Arc<Semaphore>);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        self.0.add_permits(1);
        SystemClock.now()
    }
}

/// A runner with the real sandbox, and the times at which its guests log.
async fn runner() -> (TaskRunner, Arc<Semaphore>) {
    let logged = Arc::new(Semaphore::new(0));
    let settings = SandboxConfig { concurrency: 4, guest_threads: 2, ..SandboxConfig::default() };
    let sandbox = WasmSandbox::new(settings, Arc::new(Told(Arc::clone(&logged)))).expect("a sandbox");
    let store = Store::open(&Location::Memory, Durability::Full).expect("a store");
    let config = RunnerConfig::default();
    let runner =
        TaskRunner::start(config, store, Arc::new(sandbox), Arc::new(SystemClock)).await.expect("a runner");
    let (tenant, name) = (TenantId::default_tenant(), "kv".parse().expect("a name"));
    let component: Arc<[u8]> = std::fs::read(USE_KEY_VALUE).expect("the component is there").into();
    runner.push_plugin(&tenant, name, component).await.expect("a plugin");
    let grants = Grants { key_value: vec!["state".to_owned()], ..Grants::default() };
    let policy = PluginPolicy { grants, ..PluginPolicy::default() };
    runner.set_plugin_policy(&tenant, &"kv".parse().expect("a name"), policy).await.expect("a policy");
    (runner, logged)
}

async fn ended(executions: &mut Subscription) -> Execution {
    let message = tokio::time::timeout(Duration::from_mins(1), executions.next()).await;
    match message.expect("an execution ends in time") {
        Some(Message::Execution(ended)) => ended.execution.clone(),
        other => panic!("not the end of an execution: {other:?}"),
    }
}

#[tokio::test]
async fn a_conflict_is_attempted_again_at_once_without_using_up_an_attempt() {
    let (runner, logged) = runner().await;
    let tenant = TenantId::default_tenant();
    let mut executions = runner.subscribe(&tenant, &"execution:*".parse().expect("a pattern"));
    let task = json!({"id": "append", "type": "event", "onEvent": "append", "plugin": "kv"});
    runner.create_task(&tenant, TaskConfig::from_json(task).expect("a task")).await.expect("a valid task");
    let set = async |key: &str, value: &str| {
        let value = value.as_bytes().to_vec();
        runner.set_value(&tenant, "state", key, value, Condition::Always).await.expect("a value");
    };
    set("shared", "first+").await;
    logged.forget_permits(usize::MAX);
    let steps = json!([["append", "shared", "mine"], ["log", "compared"], ["wait", "go"]]);
    let data = Some(json!({"bucket": "state", "steps": steps}));
    let publication = Publication { event: "append".to_owned(), data, idempotency_key: None };
    runner.publish_events(&tenant, vec![publication]).await.expect("an event");
    // The handler has compared; now somebody else is faster.
    let compared = tokio::time::timeout(Duration::from_mins(1), logged.acquire()).await;
    compared.expect("the handler logs in time").expect("never closed").forget();
    set("shared", "theirs+").await;
    set("go", "1").await;
    let first = ended(&mut executions).await;
    assert_eq!((first.status, first.kind), (ExecutionStatus::Failed, Some(FailureKind::Conflict)));
    let second = ended(&mut executions).await;
    assert_eq!((second.status, second.attempt), (ExecutionStatus::Success, 1), "{second:?}");
    assert!(first.run_id == second.run_id && first.id != second.id);
    let shared = runner.value(&tenant, "state", "shared").await.expect("a value");
    assert_eq!(String::from_utf8_lossy(&shared), "theirs+mine");
    runner.shutdown(std::future::pending()).await;
}

#[test]
fn of_many_that_change_one_key_at_once_nobody_is_lost() {
    let host = host_with_bucket();
    host.create(&json!({"id": "append", "type": "event", "onEvent": "append", "plugin": "kv"}));
    let data = json!({"bucket": "state", "steps": [["append", "shared", "x"], ["wait", "go"]]});
    for _ in 0..8 {
        host.publish("append", &data, 1);
    }
    set(&host, "go", "1");
    let appended = || (value(&host, "shared")?.len() == 8).then_some(());
    innkeeper_tests::eventually("eight changes", appended);
    let executions = host.ended("append", 8);
    let others = executions.iter().filter(|execution| execution["status"] != "success");
    assert!(others.clone().all(|execution| execution["kind"] == "conflict"), "{executions:?}");
    assert!(executions.iter().all(|execution| execution["attempt"] == 1));
}
