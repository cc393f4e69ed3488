//! Each limit ends an execution under its own name.

use std::time::Duration;

use innkeeper_model::execution::FailureKind;

use crate::guests;
use crate::support::{assert_failed, assert_output, invocation, run, run_within, sandbox};

#[tokio::test]
async fn fuel() {
    let report = run_within(&sandbox(), &guests::spin_forever(), |limits| limits.fuel = 1_000_000).await;
    assert_failed(&report, FailureKind::FuelExhausted, "1000000 units of fuel");
    assert_eq!(report.receipt.fuel, 1_000_000);
    assert!(report.receipt.cpu_us <= report.receipt.wall_us);
}

#[tokio::test]
async fn time_of_a_busy_guest() {
    let report = run_within(&sandbox(), &guests::spin_forever(), |limits| {
        limits.fuel = u64::MAX;
        limits.timeout = Duration::from_millis(30);
    })
    .await;
    assert_failed(&report, FailureKind::Timeout, "30 ms");
    assert!(report.receipt.wall_us >= 30_000 && report.receipt.cpu_us > 0, "{:?}", report.receipt);
}

#[tokio::test]
async fn time_of_a_sleeping_guest() {
    let report =
        run_within(&sandbox(), &guests::log_and_sleep(), |limits| limits.timeout = Duration::from_millis(30))
            .await;
    assert_failed(&report, FailureKind::Timeout, "30 ms");
    assert!(report.receipt.cpu_us < report.receipt.wall_us, "waiting is not counted: {:?}", report.receipt);
}

#[tokio::test]
async fn memory_that_a_guest_cannot_do_without() {
    let sandbox = sandbox();
    let report =
        run_within(&sandbox, &guests::grow_memory_and_trap(), |limits| limits.memory_bytes = 1 << 20).await;
    assert_failed(&report, FailureKind::MemoryExceeded, "its limit is 1048576");
    assert_eq!(report.receipt.memory_bytes_peak, 1 << 20);
    let report = run_within(&sandbox, &guests::succeed(), |limits| limits.memory_bytes = 1 << 16).await;
    assert_failed(&report, FailureKind::MemoryExceeded, "131072 bytes");
}

#[tokio::test]
async fn memory_that_a_guest_can_do_without() {
    let report =
        run_within(&sandbox(), &guests::grow_memory_and_succeed(), |limits| limits.memory_bytes = 1 << 20)
            .await;
    assert_output(&report, None);
}

#[tokio::test]
async fn memory_is_never_more_than_the_hosts_cap() {
    let report =
        run_within(&sandbox(), &guests::grow_memory_and_succeed(), |limits| limits.memory_bytes = 1 << 40)
            .await;
    assert_output(&report, None);
    assert_eq!(report.receipt.memory_bytes_peak, 64 << 20);
}

#[tokio::test]
async fn tables_are_memory_too() {
    let component = guests::grow_tables_and_trap();
    let sandbox = sandbox();
    let roomy = (128 << 10) + 2 * 10_001 * 8;
    assert_output(&run_within(&sandbox, &component, |limits| limits.memory_bytes = roomy).await, None);
    let report = run_within(&sandbox, &component, |limits| limits.memory_bytes = roomy - 1).await;
    assert_failed(&report, FailureKind::MemoryExceeded, "bytes of memory");
}

#[tokio::test]
async fn stack() {
    let report = run_within(&sandbox(), &guests::recurse_forever(), |limits| limits.fuel = u64::MAX).await;
    assert_failed(&report, FailureKind::StackOverflow, "call stack overflowed");
}

#[tokio::test]
async fn output() {
    let component = guests::echo_data();
    let sandbox = sandbox();
    let mut fitting = invocation(&component);
    fitting.data = Some("[1]".to_owned());
    fitting.limits.output_bytes = 3;
    let mut over = fitting.clone();
    over.limits.output_bytes = 2;
    assert_output(&run(&sandbox, fitting).await, Some("[1]"));
    assert_failed(&run(&sandbox, over).await, FailureKind::OutputExceeded, "3 bytes");
}

#[tokio::test]
async fn host_calls() {
    let sandbox = sandbox();
    let report = run_within(&sandbox, &guests::log_forever(), |limits| limits.host_calls = 1000).await;
    assert_failed(&report, FailureKind::HostCallLimit, "more than 1000 times");
    let component = guests::log_times(5);
    let report = run_within(&sandbox, &component, |limits| limits.host_calls = 5).await;
    assert_output(&report, None);
    assert_eq!(report.receipt.host_calls, 5);
    let report = run_within(&sandbox, &component, |limits| limits.host_calls = 4).await;
    assert_failed(&report, FailureKind::HostCallLimit, "more than 4 times");
}

#[tokio::test]
async fn bytes_in_one_host_call() {
    let report = run(&sandbox(), invocation(&guests::publish_megabytes())).await;
    assert_failed(&report, FailureKind::HostCallLimit, "too much");
}

#[tokio::test]
async fn handles() {
    let report = run(&sandbox(), invocation(&guests::hold_handles())).await;
    assert_failed(&report, FailureKind::HostCallLimit, "too much");
}

#[tokio::test]
async fn log() {
    let report = run_within(&sandbox(), &guests::log_times(5), |limits| limits.log_bytes = 14).await;
    assert_output(&report, None);
    assert_eq!(report.logs.len(), 3, "two whole lines and the beginning of a third");
    assert_eq!((report.receipt.log_bytes, report.receipt.log_bytes_dropped), (30, 16));
}

#[tokio::test]
async fn random_bytes() {
    let sandbox = sandbox();
    assert_output(&run(&sandbox, invocation(&guests::random_bytes(65_536))).await, None);
    let report = run(&sandbox, invocation(&guests::random_bytes(65_537))).await;
    assert_failed(&report, FailureKind::Trap, "65537");
}
