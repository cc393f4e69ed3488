//! How executions end other than by a limit.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Invocation, Report, Sandbox as _, StopReason};
use innkeeper_sandbox::SandboxConfig;

use crate::guests;
use crate::support::{
    FirstRead, assert_failed, assert_output, failure, invocation, run, sandbox, sandbox_at, sandbox_with,
    soon, stop, stored,
};

fn with_data(component: &[u8], data: &str) -> Invocation {
    let mut invocation = invocation(component);
    invocation.data = Some(data.to_owned());
    invocation
}

#[tokio::test]
async fn a_handler_gets_its_event_and_data_and_returns_its_output() {
    let sandbox = sandbox();
    let report = run(&sandbox, invocation(&guests::succeed())).await;
    assert_output(&report, None);
    assert!(report.receipt.fuel > 0 && report.receipt.wall_us > 0, "{:?}", report.receipt);
    assert_eq!(report.receipt.memory_bytes_peak, 2 << 16);
    let report = run(&sandbox, with_data(&guests::echo_data(), "{\"id\": \"é\"}")).await;
    assert_output(&report, Some("{\"id\": \"é\"}"));
    let mut with_event = invocation(&guests::echo_event());
    with_event.event = Some("\"user:created\"".to_owned());
    assert_output(&run(&sandbox, with_event).await, Some("\"user:created\""));
}

#[tokio::test]
async fn output_that_is_not_json_is_an_error_of_the_handler() {
    let report = run(&sandbox(), with_data(&guests::echo_data(), "hello")).await;
    assert_failed(&report, FailureKind::HandlerError, "not JSON");
}

#[tokio::test]
async fn a_handlers_failures_keep_their_message() {
    let sandbox = sandbox();
    let report = run(&sandbox, with_data(&guests::fail(0), "busy")).await;
    assert_failed(&report, FailureKind::HandlerError, "busy");
    assert_eq!(failure(&report).retry_after, None);
    let report = run(&sandbox, with_data(&guests::fail(2), "hopeless")).await;
    assert_failed(&report, FailureKind::Permanent, "hopeless");
    let report = run(&sandbox, with_data(&guests::fail_retry_after(), "later")).await;
    assert_failed(&report, FailureKind::HandlerError, "later");
    assert_eq!(failure(&report).retry_after, Some(Duration::from_millis(1500)));
}

#[tokio::test]
async fn a_trap_tells_where_it_was() {
    let report = run(&sandbox(), invocation(&guests::trap())).await;
    assert_failed(&report, FailureKind::Trap, "unreachable");
    assert!(failure(&report).message.contains("open_the_door"), "{report:?}");
}

#[tokio::test]
async fn a_program_that_exits_did_not_return() {
    let report = run(&sandbox(), invocation(&guests::exit())).await;
    assert_failed(&report, FailureKind::Trap, "exit code 0");
}

async fn stopped(component: &[u8], reason: StopReason) -> Report {
    let (clock, started) = FirstRead::new();
    let sandbox = sandbox_at(SandboxConfig::default(), clock);
    let (stop, stopping) = stop();
    let mut invocation = invocation(component);
    invocation.limits.fuel = u64::MAX;
    let execution = tokio::spawn(sandbox.execute(invocation, stopping));
    soon(started).await.unwrap();
    stop.send(reason).unwrap();
    soon(execution).await.unwrap()
}

#[tokio::test]
async fn a_busy_guest_can_be_stopped() {
    let report = stopped(&guests::log_and_spin_forever(), StopReason::Cancelled).await;
    assert_failed(&report, FailureKind::Cancelled, "cancelled");
    assert_eq!(report.logs.len(), 1, "what it logged before is kept");
    let report = stopped(&guests::log_and_spin_forever(), StopReason::Interrupted).await;
    assert_failed(&report, FailureKind::Interrupted, "host stopped");
}

#[tokio::test]
async fn a_sleeping_guest_can_be_stopped() {
    let report = stopped(&guests::log_and_sleep(), StopReason::Cancelled).await;
    assert_failed(&report, FailureKind::Cancelled, "cancelled");
}

#[tokio::test]
async fn an_execution_that_is_stopped_at_once_never_starts() {
    let component = guests::succeed();
    let report = sandbox().execute(invocation(&component), Box::pin(async { StopReason::Cancelled })).await;
    assert_failed(&report, FailureKind::Cancelled, "cancelled");
    assert_eq!(report.receipt.fuel, 0);
}

#[tokio::test]
async fn closing_the_sandbox_interrupts_what_runs() {
    for component in [guests::log_and_spin_forever(), guests::log_and_sleep()] {
        let (clock, started) = FirstRead::new();
        let sandbox = sandbox_at(SandboxConfig::default(), clock);
        let mut invocation = invocation(&component);
        invocation.limits.fuel = u64::MAX;
        let execution = tokio::spawn(sandbox.execute(invocation, Box::pin(std::future::pending())));
        soon(started).await.unwrap();
        drop(sandbox);
        assert_failed(&soon(execution).await.unwrap(), FailureKind::Interrupted, "closed");
    }
}

#[tokio::test]
async fn a_version_that_is_gone_or_damaged_is_unavailable() {
    let sandbox = sandbox();
    let component = guests::succeed();
    let mut gone = invocation(&component);
    gone.state = stored(None);
    assert_failed(&run(&sandbox, gone).await, FailureKind::Unavailable, "gone");
    let mut damaged = invocation(&component);
    damaged.state = stored(Some(&guests::trap()));
    assert_failed(&run(&sandbox, damaged).await, FailureKind::Unavailable, "damaged");
    let unknown = invocation(&guests::import_unknown());
    assert_failed(&run(&sandbox, unknown).await, FailureKind::Unavailable, "acme:db/query@1.0.0");
    assert_output(&run(&sandbox, invocation(&component)).await, None);
}

#[tokio::test]
async fn a_full_pool_makes_the_others_wait() {
    let sandbox = Arc::new(sandbox_with(SandboxConfig { concurrency: 1, ..SandboxConfig::default() }));
    let component = guests::succeed();
    let executions: Vec<_> = (0..50)
        .map(|_| tokio::spawn(sandbox.execute(invocation(&component), Box::pin(std::future::pending()))))
        .collect();
    for execution in executions {
        assert_output(&soon(execution).await.unwrap(), None);
    }
}

#[tokio::test]
async fn nothing_of_one_execution_is_left_for_the_next() {
    let sandbox = sandbox_with(SandboxConfig { concurrency: 1, ..SandboxConfig::default() });
    for _ in 0..5 {
        assert_output(&run(&sandbox, invocation(&guests::find_leftovers())).await, None);
    }
}
