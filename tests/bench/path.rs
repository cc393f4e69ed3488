//! What each step of the way of a run costs in the store, in groups as a busy host forms them.

use std::time::Duration;

use innkeeper_model::clock::{Clock as _, SystemClock};
use innkeeper_model::execution::{LogLevel, LogLine, Receipt};
use innkeeper_model::id::{EventId, ExecutionId, RunId, TenantId};
use innkeeper_store::{
    Claim, ClaimRequest, Claimed, Durability, Location, NewEvent, QueuedRun, RunEnding, Settlement, Store,
    Verdict,
};
use serde_json::json;
use tempfile::TempDir;

use crate::Size;
use crate::probe::{Host, now};
use crate::table::Table;

/// Items in a group.
const GROUP: usize = 200;

pub(crate) async fn measure(table: &mut Table, size: Size) {
    let host = Host::start(TempDir::new().expect("a directory"), crate::probe::CONCURRENCY).await;
    host.create(json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter"})).await;
    host.runner.shutdown(std::future::pending()).await;
    let Host { directory, tenant, .. } = host;
    let location = Location::File(directory.path().join("innkeeper.db"));
    let store = Store::open(&location, Durability::Full).expect("a store");
    let groups = (size.count / GROUP).max(1);
    let (mut recorded, mut claimed, mut settled) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for group in 0..groups {
        let begun = now();
        let queued = record(&store, &tenant, group).await;
        recorded += begun.elapsed();
        let begun = now();
        let runs = claim(&store, queued, group).await;
        claimed += begun.elapsed();
        let begun = now();
        settle(&store, runs).await;
        settled += begun.elapsed();
    }
    let each = |total: Duration| format!("{:.1?}", total / u32::try_from(groups * GROUP).unwrap_or(1));
    table.row("store: record an event and its run", each(recorded), "");
    table.row("store: claim", each(claimed), "");
    table.row("store: settle with one log line", each(settled), "");
}

fn random(group: usize, number: usize) -> [u8; 10] {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&u64::try_from(group * GROUP + number).unwrap_or(0).to_be_bytes());
    bytes
}

async fn record(store: &Store, tenant: &TenantId, group: usize) -> Vec<QueuedRun> {
    let time = SystemClock.now();
    let event = |number| NewEvent {
        id: EventId::new(time, random(group, number)),
        event: "greet".parse().expect("a name"),
        data: Some(r#"{"userId":"7"}"#.to_owned()),
        hops: 0,
        source: None,
        idempotency_key: None,
        over_quota: false,
        trace: None,
        listeners: vec![("greet".parse().expect("an id"), RunId::new(time, random(group, number)))],
    };
    let receipts = store.record_events(tenant, (0..GROUP).map(event).collect(), Vec::new(), time).await;
    receipts.expect("receipts").into_iter().flat_map(|receipt| receipt.then.queued).collect()
}

async fn claim(store: &Store, queued: Vec<QueuedRun>, group: usize) -> Vec<Claimed> {
    let time = SystemClock.now();
    let request = |(number, run): (usize, QueuedRun)| ClaimRequest {
        tenant: run.tenant,
        run_id: run.run_id,
        execution_id: ExecutionId::new(time, random(group, number)),
    };
    let claims =
        store.claim(queued.into_iter().enumerate().map(request).collect(), time).await.expect("claims");
    let started = |claim| match claim {
        Claim::Started(claimed) => Some(*claimed),
        _ => None,
    };
    claims.into_iter().filter_map(started).collect()
}

async fn settle(store: &Store, runs: Vec<Claimed>) {
    let time = SystemClock.now();
    let settlement = |run: Claimed| Settlement {
        tenant: run.tenant,
        task_id: run.task_id,
        run_id: run.run_id,
        execution_id: run.execution_id,
        is_one_off: run.is_one_off,
        completed_at: time,
        verdict: Verdict::Success {
            output: Some("1".to_owned()),
            writes: Vec::new(),
            events: Vec::new(),
            on_conflict: RunEnding::End,
        },
        receipt: Receipt::default(),
        logs: vec![LogLine { at: time, level: LogLevel::Info, message: "a line".to_owned() }],
        alert: None,
    };
    let settling: Vec<_> = runs
        .into_iter()
        .map(|run| {
            let (store, settlement) = (store.clone(), settlement(run));
            tokio::spawn(async move { store.settle(settlement).await })
        })
        .collect();
    for settled in settling {
        settled.await.expect("it ends").expect("it is stored");
    }
}
