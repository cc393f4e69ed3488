//! The speed budget, measured: `cargo bench -p innkeeper-tests`. Everything is real (a file, synced commits, a fresh
//! sandbox per execution), in one process, and each figure stands beside its goal.
//!
//! Figures depend on the machine and on what else it does: compare the ratios of one run, and medians of several.

#[path = "../stories/hostile_uploads/bomb.rs"]
mod bomb;
mod cancel;
mod drained;
mod events;
mod fairness;
mod latency;
mod many_tasks;
mod matching;
mod path;
mod probe;
mod table;
mod uploads;

use innkeeper_runner::RunnerConfig;
use probe::Host;
use table::Table;

fn main() {
    // `cargo test --benches` only asks whether it runs at all.
    let quick = std::env::args().any(|argument| argument == "--test");
    let size = if quick { Size::QUICK } else { Size::FULL };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut table = Table::default();
    // `cargo bench -p innkeeper-tests -- drained` measures one group alone.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |group: &str| wanted.is_empty() || wanted.iter().any(|name| name == group);
    runtime.block_on(async {
        if is_wanted("matching") {
            matching::measure(&mut table, size);
        }
        if is_wanted("path") {
            path::measure(&mut table, size).await;
        }
        if is_wanted("latency") {
            latency::idle(&mut table, size).await;
            latency::due_at_once(&mut table, size, RunnerConfig::default().concurrency).await;
            latency::due_at_once(&mut table, size, probe::CONCURRENCY).await;
        }
        if is_wanted("drained") {
            drained::measure(&mut table, size).await;
        }
        if is_wanted("events") {
            events::measure(&mut table, size).await;
        }
        if is_wanted("fairness") {
            fairness::measure(&mut table, size).await;
        }
        if is_wanted("uploads") {
            uploads::measure(&mut table, size);
        }
        if is_wanted("cancel") {
            cancel::measure(&mut table, size).await;
        }
        if is_wanted("tasks") {
            many_tasks::measure(&mut table, size).await;
        }
    });
    table.print();
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Events, runs or executions per figure.
    pub(crate) count: usize,
    /// Samples of a latency.
    pub(crate) samples: usize,
    /// Stored tasks.
    pub(crate) tasks: usize,
}

impl Size {
    const FULL: Self = Self { count: 40_000, samples: 500, tasks: 100_000 };
    const QUICK: Self = Self { count: 200, samples: 5, tasks: 200 };
}

/// A host on a new data directory, with the greeter as the plugin `greeter`.
pub(crate) async fn host() -> Host {
    with_slots(probe::CONCURRENCY).await
}

/// The same, with slots for so many executions at once.
pub(crate) async fn with_slots(concurrency: u32) -> Host {
    Host::start(tempfile::TempDir::new().expect("a directory"), concurrency).await
}
