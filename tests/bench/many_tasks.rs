//! A hundred thousand stored tasks: creating them, starting again with them, and what they cost an idle host.

use std::fs;

use innkeeper_model::task_config::TaskConfig;
use serde_json::json;

use crate::probe::{Host, now};
use crate::table::Table;
use crate::{Size, host};

/// Tasks that are created at once.
const BATCH: usize = 1000;

pub(crate) async fn measure(table: &mut Table, size: Size) {
    let host = host().await;
    let begun = now();
    for batch in 0..size.tasks.div_ceil(BATCH) {
        let configs = (0..BATCH.min(size.tasks)).map(|number| config(batch * BATCH + number));
        let created = host.runner.create_tasks(&host.tenant, configs.collect()).await.expect("a batch");
        assert!(created.iter().all(Result::is_ok), "every task is valid");
    }
    table.row("create 100,000 tasks", format!("{:.1?}", begun.elapsed()), "under 10 s");
    host.runner.shutdown(std::future::pending()).await;
    let Host { directory, .. } = host;
    let begun = now();
    let host = Host::start(directory, crate::probe::CONCURRENCY).await;
    table.row("start again with 100,000 tasks", format!("{:.2?}", begun.elapsed()), "under 2 s");
    let resident = resident_bytes() >> 20;
    table.row("resident memory with 100,000 tasks", format!("{resident} MB"), "a million in 300 MB");
    host.runner.shutdown(std::future::pending()).await;
}

fn config(number: usize) -> TaskConfig {
    let (minute, hour) = (number % 60, number / 60 % 24);
    let cron = format!("{minute} {hour} 1 1 *");
    let config =
        json!({"id": format!("task-{number}"), "type": "schedule", "cron": cron, "plugin": "greeter"});
    TaskConfig::from_json(config).expect("a config of the right shape")
}

/// What the process holds in memory, as Linux tells it; zero elsewhere.
fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<usize>().ok());
    kilobytes.unwrap_or(0) << 10
}
