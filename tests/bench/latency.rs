//! How long after it was wanted an execution starts.

use innkeeper_model::clock::{Clock as _, SystemClock};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::Publication;
use serde_json::json;

use crate::probe::now;
use crate::table::{Table, percentile};
use crate::{Size, host, with_slots};

/// Tasks that are due in the same second.
const DUE: usize = 1000;

/// From the call that publishes an event to the start of its execution, on an idle host.
pub(crate) async fn idle(table: &mut Table, size: Size) {
    let mut host = host().await;
    host.create(json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter"})).await;
    let mut latencies = Vec::with_capacity(size.samples);
    for sample in 0..size.samples {
        let publication = Publication { event: "greet".to_owned(), ..Publication::default() };
        let begun = now();
        host.runner.publish_events(&host.tenant, vec![publication]).await.expect("a receipt");
        let started = host.starts.recv().await.expect("a start");
        latencies.push(started.duration_since(begun));
        host.ended(sample + 1).await;
    }
    latencies.sort_unstable();
    let (median, late) = (percentile(&latencies, 50), percentile(&latencies, 99));
    table.row("start latency, idle, p50", format!("{median:.2?}"), "under 0.6 ms");
    table.row("start latency, idle, p99", format!("{late:.2?}"), "under 1.4 ms");
    host.runner.shutdown(std::future::pending()).await;
}

/// From the second in which a thousand tasks are due to the start of the last of them.
pub(crate) async fn due_at_once(table: &mut Table, size: Size, slots: u32) {
    let mut host = with_slots(slots).await;
    let count = DUE.min(size.count);
    let clock = SystemClock;
    // Five seconds from now, as a pattern of second, minute and hour.
    let due = clock.now().as_millis() / 1000 + 5;
    let cron = format!("{} {} {} * * *", due % 60, due / 60 % 60, due / 3600 % 24);
    let config = |number| {
        let config =
            json!({"id": format!("t{number}"), "type": "schedule", "cron": cron, "plugin": "greeter"});
        TaskConfig::from_json(config).expect("a config of the right shape")
    };
    host.runner.create_tasks(&host.tenant, (0..count).map(config).collect()).await.expect("tasks");
    let due = Timestamp::from_millis(due * 1000);
    let early = due.since(clock.now());
    let begun = now() + early;
    let mut delays = Vec::with_capacity(count);
    for _ in 0..count {
        delays.push(host.starts.recv().await.expect("a start").saturating_duration_since(begun));
    }
    let (half, last) = (percentile(&delays, 50), percentile(&delays, 100));
    table.row(&format!("1,000 due at once, {slots} slots, half have started"), format!("{half:.1?}"), "");
    table.row(
        &format!("1,000 due at once, {slots} slots, all have started"),
        format!("{last:.1?}"),
        "under 20 ms",
    );
    host.ended(count).await;
    host.idle().await;
    host.runner.shutdown(std::future::pending()).await;
}
