//! A fault in the middle of a mutation leaves the old state, never a mix: every verb of the store is interrupted at every
//! kind of step, looked at, and then tried again without the fault.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use innkeeper_model::BoxFuture;
use innkeeper_model::execution::{FailureKind, LogLevel, LogLine, Receipt};
use innkeeper_model::grants::Grants;
use innkeeper_model::id::{Digest, EventId, ExecutionId, PluginName, RunId, TenantId, UploadId};
use innkeeper_model::limits::LimitWishes;
use innkeeper_model::precondition::Precondition;
use innkeeper_model::retry::RetryPolicy;
use innkeeper_model::rollout::Rollout;
use innkeeper_model::sandbox::{Expected, KeyValueChange, KeyValueWrite};
use innkeeper_model::task::{Misfire, Overlap, TaskDefinition, Trigger};
use innkeeper_model::time::Timestamp;
use innkeeper_store::{
    ClaimRequest, DeadFilter, Deployed, DueDecision, Durability, Location, ManualRun, NewEvent, NewTask,
    PluginVersion, RunEnding, Settlement, Skip, SkipReason, Store, StoreError, Verdict, VersionChoice,
};
use rusqlite::Connection;
use tempfile::TempDir;

type Verb = fn(Store) -> BoxFuture<Result<(), StoreError>>;

const TABLES: [&str; 13] = [
    "tasks",
    "runs",
    "events",
    "task_executions",
    "logs",
    "kv",
    "skips",
    "plugins",
    "plugin_versions",
    "version_facts",
    "uploads",
    "dead_runs",
    "run_keys",
];

const VERBS: [(&str, Verb); 19] = [
    ("create_task", |store| done(async move { store.create_task(&tenant(), task("new", cron())).await })),
    ("replace_task", |store| {
        done(async move { store.replace_task(&tenant(), task("hook", cron()), Precondition::None).await })
    }),
    ("pause_task", |store| done(async move { store.pause_task(&tenant(), &id("hook")).await })),
    ("delete_task", |store| {
        done(async move { store.delete_task(&tenant(), &id("hook"), Precondition::None, now()).await })
    }),
    ("record_due", |store| done(async move { store.record_due(vec![due()], vec![spare()], now()).await })),
    ("record_events", |store| {
        done(async move {
            store.record_events(&tenant(), vec![event(7), event(8)].into(), vec![spare()], now()).await
        })
    }),
    ("record_manual", |store| done(async move { store.record_manual(&tenant(), manual(), now()).await })),
    ("record_manual_once", |store| {
        done(async move { store.record_manual_once(&tenant(), manual(), "key".to_owned(), now()).await })
    }),
    ("replay", |store| {
        done(async move { store.replay(&tenant(), claim(4).execution_id, run(98), None, now()).await })
    }),
    ("redrive", |store| {
        done(async move {
            store.redrive(&tenant(), DeadFilter::default(), None, vec![run(98)], None, now()).await
        })
    }),
    ("settle with an end", |store| done(async move { store.settle(settlement(0, end())).await })),
    ("claim", |store| done(async move { store.claim(vec![claim(1), claim(2)], now()).await })),
    ("settle with effects", |store| done(async move { store.settle(settlement(0, success())).await })),
    ("settle with a retry", |store| done(async move { store.settle(settlement(0, retry())).await })),
    ("recover", |store| done(async move { store.recover(now()).await })),
    ("put_plugin", |store| done(async move { put(&store, b"second", rollout()).await })),
    ("activate_version", |store| {
        done(async move {
            let choice = VersionChoice::Digest(Digest::of(b"staged"));
            store.activate_version(&tenant(), &plugin(), choice, rollout(), now()).await
        })
    }),
    ("delete_version", |store| {
        done(async move { store.delete_version(&tenant(), &plugin(), Digest::of(b"staged")).await })
    }),
    ("begin_upload", |store| {
        done(async move {
            let id = UploadId::new(now(), [1; 10]);
            store.begin_upload(&tenant(), &plugin(), Digest::of(b"third"), id, now()).await
        })
    }),
];

fn done<T>(
    verb: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> BoxFuture<Result<(), StoreError>> {
    Box::pin(async move { verb.await.map(|_| ()) })
}

#[tokio::test]
async fn a_fault_between_the_steps_of_a_mutation_leaves_the_state_before_it() {
    let directory = TempDir::new().expect("a directory");
    let original = directory.path().join("original.db");
    prepare(&original).await;
    let mut interrupted = 0;
    for (name, verb) in VERBS {
        for table in TABLES {
            for step in ["INSERT", "UPDATE", "DELETE"] {
                // A file of its own each time: the writer of the one before may still be closing.
                let copy = directory.path().join(format!("{name} {table} {step}.db"));
                std::fs::copy(&original, &copy).expect("a copy");
                interrupted += usize::from(is_interrupted_cleanly(&copy, name, verb, table, step).await);
            }
        }
    }
    assert!(interrupted >= 25, "only {interrupted} steps were interrupted: does the fault still work?");
}

/// Due times are decided upon shortly before they come: what is changed meanwhile is not decided by what it was.
#[tokio::test]
async fn a_decision_about_what_a_task_was_is_void() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("innkeeper.db");
    prepare(&path).await;
    let store = open(&path);
    let changed = task("due", Trigger::Cron("0 * * * *".to_owned()));
    store.replace_task(&tenant(), changed, Precondition::None).await.expect("a replaced task");
    let stale = store.record_due(vec![due()], vec![spare()], now()).await.expect("an answer");
    assert!(stale.started.is_empty() && stale.queued.is_empty(), "{stale:?}");
    let revision = store.due_tasks(now(), 9).await.expect("due tasks")[0].revision;
    let decided = DueDecision { revision, ..due() };
    let recorded = store.record_due(vec![decided], vec![spare()], now()).await.expect("an answer");
    assert_eq!(recorded.started.len(), 1);
}

/// Runs `verb` on the database with a fault at `step`. Returns whether the fault was met.
async fn is_interrupted_cleanly(path: &Path, name: &str, verb: Verb, table: &str, step: &str) -> bool {
    let store = open(path);
    let database = Connection::open(path).expect("a second connection");
    let fault =
        format!("CREATE TRIGGER fault BEFORE {step} ON {table} BEGIN SELECT RAISE(ABORT, 'fault'); END");
    database.execute_batch(&fault).expect("a trigger");
    let before = contents(&database);
    let met = verb(store.clone()).await.is_err();
    if met {
        assert_eq!(contents(&database), before, "{name} with a fault at {step} on {table}");
        database.execute_batch("DROP TRIGGER fault").expect("the trigger goes");
        let again = verb(store.clone()).await;
        assert!(again.is_ok(), "{name} works after the fault at {step} on {table}: {again:?}");
    }
    assert_ne!(contents(&database), before, "{name} does something");
    met
}

/// Every row of every table, as text.
fn contents(database: &Connection) -> String {
    let mut text = String::new();
    for table in TABLES {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}")).expect("a query");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            for column in 0..columns {
                let value = row.get_ref(column).expect("a value");
                write!(text, "{table}.{column}={value:?} ").expect("a string takes text");
            }
            text.push('\n');
        }
    }
    text
}

/// A database with an event task that has one run running, two waiting and one that ended as failed, and a task that is due.
async fn prepare(path: &Path) {
    let store = open(path);
    put(&store, b"first", Rollout::default()).await.expect("a plugin");
    put(&store, b"staged", Rollout { activates: false, ..Rollout::default() }).await.expect("a version");
    let hook = Trigger::OnEvent("a".parse().expect("a pattern"));
    store.create_task(&tenant(), task("hook", hook)).await.expect("a task");
    store.create_task(&tenant(), task("due", cron())).await.expect("a task");
    for number in 0..3 {
        store
            .record_events(&tenant(), vec![event(number)].into(), Vec::new(), now())
            .await
            .expect("an event");
    }
    store.claim(vec![claim(0)], now()).await.expect("a claim");
    store.record_events(&tenant(), vec![event(4)].into(), Vec::new(), now()).await.expect("an event");
    store.claim(vec![claim(4)], now()).await.expect("a claim");
    store.settle(settlement(4, end())).await.expect("a settlement");
    let database = Connection::open(path).expect("a second connection");
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).expect("one file");
}

fn open(path: &Path) -> Store {
    Store::open(&Location::File(path.to_owned()), Durability::Normal).expect("a store")
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

fn now() -> Timestamp {
    "2025-01-01T00:01:00Z".parse().expect("a time")
}

fn id(task: &str) -> innkeeper_model::id::TaskId {
    task.parse().expect("an id")
}

fn run(number: u8) -> RunId {
    RunId::new(now(), [number; 10])
}

fn cron() -> Trigger {
    Trigger::Cron("* * * * *".to_owned())
}

fn task(name: &str, trigger: Trigger) -> NewTask {
    let next_run_at = trigger.cron().map(|_| now());
    let definition = TaskDefinition {
        id: id(name),
        name: None,
        overlap: Overlap::default_for(&trigger),
        trigger,
        timezone: "UTC".to_owned(),
        plugin: "plugin".parse().expect("a plugin"),
        retry: RetryPolicy::ONCE,
        rate_limit: None,
        misfire: Misfire::RunOnce,
        concurrency: None,
        limits: LimitWishes::default(),
        alerts: innkeeper_model::alert::Alerts::default(),
        is_paused: false,
        metadata: Some(Arc::from("{}")),
    };
    NewTask { definition, next_run_at, skipped: None, created_at: now() }
}

fn plugin() -> PluginName {
    "plugin".parse().expect("a name")
}

/// Everything that may come along with an activation.
fn rollout() -> Rollout {
    let allow = Grants { key_value: vec!["bucket".to_owned()], ..Grants::default() };
    Rollout { activates: true, allow, accepts_denial: false, migrates: true }
}

async fn put(store: &Store, component: &[u8], rollout: Rollout) -> Result<Deployed, StoreError> {
    store.put_plugin(&tenant(), version(component), rollout, Precondition::None, now()).await
}

fn version(component: &[u8]) -> PluginVersion {
    PluginVersion {
        name: plugin(),
        digest: Digest::of(component),
        handler: "plugin".to_owned(),
        imports: Vec::new(),
        uploaded_by: Some("somebody".to_owned()),
        component: component.into(),
    }
}

/// The event that makes run `number`.
fn event(number: u8) -> NewEvent {
    NewEvent {
        id: EventId::new(now(), [number; 10]),
        event: "a".parse().expect("a name"),
        data: Some("1".to_owned()),
        hops: 0,
        source: None,
        idempotency_key: None,
        over_quota: false,
        trace: None,
        listeners: vec![(id("hook"), run(number))],
    }
}

fn spare() -> ExecutionId {
    ExecutionId::new(now(), [60; 10])
}

fn manual() -> ManualRun {
    ManualRun { task_id: id("hook"), run_id: run(99), event: None, data: None, trace: None }
}

fn due() -> DueDecision {
    DueDecision {
        tenant: tenant(),
        task_id: id("due"),
        due_at: now(),
        revision: 1,
        fire: vec![(now(), run(50))],
        skips: vec![Skip::one(SkipReason::Misfire, now())],
        cursor: now(),
        next_run_at: None,
    }
}

fn claim(number: u8) -> ClaimRequest {
    ClaimRequest {
        tenant: tenant(),
        run_id: run(number),
        execution_id: ExecutionId::new(now(), [number; 10]),
    }
}

fn settlement(number: u8, verdict: Verdict) -> Settlement {
    let line = LogLine { at: now(), level: LogLevel::Info, message: "a line".to_owned() };
    Settlement {
        tenant: tenant(),
        task_id: id("hook"),
        run_id: run(number),
        execution_id: claim(number).execution_id,
        is_one_off: false,
        completed_at: now(),
        verdict,
        receipt: Receipt::default(),
        logs: vec![line],
        alert: None,
    }
}

fn success() -> Verdict {
    let write = KeyValueWrite {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        change: KeyValueChange::Set(vec![1]),
        expected: Expected::Value(None),
    };
    Verdict::Success {
        output: Some("1".to_owned()),
        writes: vec![write],
        events: vec![event(9)],
        on_conflict: RunEnding::AfterConflict,
    }
}

fn end() -> Verdict {
    Verdict::Failure { kind: FailureKind::Trap, error: "it trapped".to_owned(), run: RunEnding::End }
}

fn retry() -> Verdict {
    Verdict::Failure {
        kind: FailureKind::Timeout,
        error: "too slow".to_owned(),
        run: RunEnding::Retry(now()),
    }
}
