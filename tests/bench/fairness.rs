//! What a tenant notices of another that floods the host with endless loops.

use std::time::Duration;

use innkeeper_model::id::TenantId;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::tenant::TenantSettings;
use innkeeper_runner::Publication;
use serde_json::json;

use crate::probe::{Host, now};
use crate::table::{Table, percentile};
use crate::{Size, host};

/// Runs that the flood has waiting.
const FLOOD: usize = 10_000;

/// From the call that publishes an event to the start and to the end of its execution: alone, and beside a flood.
pub(crate) async fn measure(table: &mut Table, size: Size) {
    let mut host = host().await;
    let greeter = std::fs::read(env!("INNKEEPER_GREETER")).expect("the greeter is built");
    let spinner = std::fs::read(env!("INNKEEPER_GUEST_SPIN_FOREVER")).expect("the guest is built");
    let quiet = tenant(&host, "quiet", greeter).await;
    let flood = tenant(&host, "flood", spinner).await;
    host.watch(&quiet);
    let alone = latencies(&mut host, &quiet, size.samples).await;
    publish(&host, &flood, FLOOD).await;
    loop {
        let view = host.runner.tenant(&flood).expect("the tenant");
        if Some(view.running) == view.quotas.concurrency {
            break;
        }
        tokio::task::yield_now().await;
    }
    let beside = latencies(&mut host, &quiet, size.samples).await;
    for (what, index) in [("start", 0), ("answer", 1)] {
        let [alone, beside] = [percentile(&alone[index], 99), percentile(&beside[index], 99)];
        let goal = format!("under {:.1?}", alone * 2 + Duration::from_millis(10));
        table.row(&format!("{what} latency p99, alone"), format!("{alone:.2?}"), "");
        table.row(
            &format!("{what} latency p99, beside 10,000 endless loops"),
            format!("{beside:.2?}"),
            &goal,
        );
    }
    host.runner.shutdown(std::future::ready(())).await;
}

async fn tenant(host: &Host, name: &str, component: Vec<u8>) -> TenantId {
    let id: TenantId = name.parse().expect("a name");
    host.runner.create_tenant(id.clone(), TenantSettings::default()).await.expect("a tenant");
    let plugin = "plugin".parse().expect("a name");
    host.runner.push_plugin(&id, plugin, component.into()).await.expect("the plugin is taken");
    let task = json!({"id": "task", "type": "event", "onEvent": "x", "plugin": "plugin"});
    let task = TaskConfig::from_json(task).expect("a config of the right shape");
    host.runner.create_task(&id, task).await.expect("a valid task");
    id
}

async fn publish(host: &Host, tenant: &TenantId, count: usize) {
    let publication = Publication { event: "x".to_owned(), ..Publication::default() };
    host.runner.publish_events(tenant, vec![publication; count]).await.expect("receipts");
}

/// Sorted: to the start, and to the end.
async fn latencies(host: &mut Host, tenant: &TenantId, samples: usize) -> [Vec<Duration>; 2] {
    let [mut starts, mut ends] = [Vec::new(), Vec::new()];
    for _ in 0..samples {
        let (begun, ended) = (now(), host.count());
        publish(host, tenant, 1).await;
        let started = host.starts.recv().await.expect("a start");
        host.ended(ended + 1).await;
        starts.push(started.duration_since(begun));
        ends.push(now().duration_since(begun));
    }
    starts.sort_unstable();
    ends.sort_unstable();
    [starts, ends]
}
