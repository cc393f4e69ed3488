//! One tenant floods the host; another does not notice. Told by the order of starts, which does not depend on the machine.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::BoxFuture;
use innkeeper_model::clock::SystemClock;
use innkeeper_model::execution::{Failure, FailureKind, Receipt};
use innkeeper_model::id::TenantId;
use innkeeper_model::quota::QuotaWishes;
use innkeeper_model::sandbox::{
    Admission, Effects, Invocation, Outcome, Refusal, Report, Sandbox, StopReason,
};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::tenant::TenantSettings;
use innkeeper_model::upload::Upload;
use innkeeper_runner::{Publication, RunnerConfig, TaskRunner};
use innkeeper_store::{Durability, Location, Store};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

/// Executions go on until they are let go, one by one.
struct Held {
    starts: mpsc::UnboundedSender<TenantId>,
    ends: Arc<Semaphore>,
}

impl Sandbox for Held {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        Box::pin(async move {
            Ok(Admission { digest: component.digest(), handler: "plugin".to_owned(), imports: Vec::new() })
        })
    }

    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        self.starts.send(invocation.tenant).expect("the story listens");
        let ends = Arc::clone(&self.ends);
        Box::pin(async move {
            let outcome = tokio::select! {
                _ = stop => Outcome::Failure(Failure::new(FailureKind::Interrupted, "stopped")),
                end = ends.acquire() => {
                    end.expect("never closed").forget();
                    Outcome::Success(None)
                }
            };
            Report { outcome, effects: Effects::default(), logs: Vec::new(), receipt: Receipt::default() }
        })
    }
}

struct Stage {
    runner: TaskRunner,
    starts: mpsc::UnboundedReceiver<TenantId>,
    ends: Arc<Semaphore>,
}

impl Stage {
    /// A host with so many slots.
    async fn open(slots: u32) -> Self {
        let (sender, starts) = mpsc::unbounded_channel();
        let ends = Arc::new(Semaphore::new(0));
        let sandbox = Arc::new(Held { starts: sender, ends: Arc::clone(&ends) });
        let store = Store::open(&Location::Memory, Durability::Normal).expect("a store");
        let config =
            RunnerConfig { concurrency: slots, shutdown_grace: Duration::ZERO, ..RunnerConfig::default() };
        let runner =
            TaskRunner::start(config, store, sandbox, Arc::new(SystemClock)).await.expect("a runner");
        Self { runner, starts, ends }
    }

    /// A tenant with a task that runs on each event.
    async fn tenant(&self, name: &str, settings: TenantSettings) -> TenantId {
        let id: TenantId = name.parse().expect("a name");
        self.runner.create_tenant(id.clone(), settings).await.expect("a tenant");
        let plugin = "plugin".parse().expect("a name");
        self.runner.push_plugin(&id, plugin, Arc::from(&b"x"[..])).await.expect("a plugin");
        let task = json!({"id": "task", "type": "event", "onEvent": "x", "plugin": "plugin"});
        let task = TaskConfig::from_json(task).expect("a config");
        self.runner.create_task(&id, task).await.expect("a task");
        id
    }

    async fn publish(&self, tenant: &TenantId, count: usize) {
        let publication = Publication { event: "x".to_owned(), ..Publication::default() };
        let receipts = self.runner.publish_events(tenant, vec![publication; count]).await.expect("receipts");
        assert!(receipts.iter().all(|receipt| receipt.runs == 1));
    }

    /// Whose the next executions are that start.
    async fn next(&mut self, count: usize) -> Vec<String> {
        let mut tenants = Vec::with_capacity(count);
        while tenants.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(30), self.starts.recv()).await;
            tenants.push(next.expect("one starts in time").expect("the sandbox is there").to_string());
        }
        tenants
    }

    /// Lets one execution end, and says whose the next is that starts.
    async fn turn(&mut self) -> String {
        self.ends.add_permits(1);
        self.next(1).await.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_a_slot_to_who_comes_later() {
    let mut stage = Stage::open(8).await;
    let flood = stage.tenant("flood", TenantSettings::default()).await;
    let quiet = stage.tenant("quiet", TenantSettings::default()).await;
    stage.publish(&flood, 10_000).await;
    assert_eq!(stage.next(7).await, vec!["flood"; 7], "all slots but one");
    stage.publish(&quiet, 1).await;
    assert_eq!(stage.next(1).await, ["quiet"], "before any more of the 9,993 that wait");
    assert_eq!(stage.runner.tenant(&flood).expect("a tenant").queued_runs, 9_993);
    let why = stage.runner.why(&flood, &"task".parse().expect("an id")).await.expect("a reason");
    assert!(why.contains("its tenant has 7 executions at once, which is the tenant's cap"), "{why}");
    stage.runner.shutdown(std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_beside_a_flood_has_every_second_turn() {
    let mut stage = Stage::open(2).await;
    let all = QuotaWishes { concurrency: Some(2), ..QuotaWishes::default() };
    let flood = stage.tenant("flood", TenantSettings { quotas: all, ..TenantSettings::default() }).await;
    let quiet = stage.tenant("quiet", TenantSettings { quotas: all, ..TenantSettings::default() }).await;
    stage.publish(&flood, 10_000).await;
    assert_eq!(stage.next(2).await, ["flood", "flood"]);
    stage.publish(&quiet, 3).await;
    let mut order = Vec::new();
    for _ in 0..8 {
        order.push(stage.turn().await);
    }
    let quiets: Vec<_> = (0..8).filter(|place| order[*place] == "quiet").collect();
    assert_eq!(quiets.len(), 3, "{order:?}");
    assert!(quiets[0] <= 2 && quiets.windows(2).all(|pair| pair[1] - pair[0] <= 2), "{order:?}");
    stage.runner.shutdown(std::future::ready(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_weight_is_so_many_turns() {
    let mut stage = Stage::open(1).await;
    let one = stage.tenant("one", TenantSettings::default()).await;
    let three = stage.tenant("three", TenantSettings { weight: 3, ..TenantSettings::default() }).await;
    stage.publish(&one, 1).await;
    assert_eq!(stage.next(1).await, ["one"]);
    stage.publish(&one, 100).await;
    stage.publish(&three, 100).await;
    let mut heavy = 0;
    for _ in 0..24 {
        heavy += usize::from(stage.turn().await == "three");
    }
    assert!((17..=19).contains(&heavy), "three of four turns, not {heavy} of 24");
    stage.runner.shutdown(std::future::ready(())).await;
}
