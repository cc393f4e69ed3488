//! Executions per second when the queue is full.

use innkeeper_runner::Publication;
use serde_json::json;

use crate::probe::now;
use crate::table::{Table, per_second};
use crate::{Size, host};

/// Events per call while the queue is filled.
const GROUP: usize = 500;

pub(crate) async fn measure(table: &mut Table, size: Size) {
    let host = host().await;
    let paused =
        json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter", "concurrency": 1});
    host.create(paused).await;
    // One at a time, so that the queue fills faster than it empties.
    for group in 0..size.count / GROUP.min(size.count) {
        let publication = |number: usize| Publication {
            event: "greet".to_owned(),
            data: Some(json!({"userId": format!("{group}-{number}")})),
            idempotency_key: None,
        };
        let events = (0..GROUP.min(size.count)).map(publication).collect();
        host.runner.publish_events(&host.tenant, events).await.expect("receipts");
    }
    let open = json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter"});
    let config = innkeeper_model::task_config::TaskConfig::from_json(open).expect("a config");
    host.runner.replace_task(&host.tenant, config).await.expect("replaced");
    let total = size.count / GROUP.min(size.count) * GROUP.min(size.count);
    let (begun, before) = (now(), host.count());
    host.ended(total).await;
    host.idle().await;
    let figure = per_second(total - before, begun.elapsed().as_secs_f64());
    table.row("executions drained", figure, "60,000/s");
    host.runner.shutdown(std::future::pending()).await;
}
