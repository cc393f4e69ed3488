//! Guests that mean harm end under the right name, at any moment, and leave their slot as it was.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Outcome, Sandbox as _, StopReason};
use innkeeper_sandbox::SandboxConfig;

use crate::guests;
use crate::hostile_guests as hostile;
use crate::support::{
    assert_failed, assert_output, invocation, run, run_within, sandbox, sandbox_with, soon,
};

/// Stops an execution when it is looked at for the `left`th time: each time is a point at which the execution waits.
struct StopAt {
    left: usize,
}

impl Future for StopAt {
    type Output = StopReason;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<StopReason> {
        if self.left == 0 {
            return Poll::Ready(StopReason::Cancelled);
        }
        self.left -= 1;
        Poll::Pending
    }
}

#[tokio::test]
async fn an_execution_can_be_cancelled_wherever_it_waits() {
    let sandbox = sandbox_with(SandboxConfig { concurrency: 1, compilations: 1, ..SandboxConfig::default() });
    let component = hostile::wait_in_every_way();
    sandbox.admit(component.as_slice().into()).await.unwrap();
    let mut points = 0;
    loop {
        let mut invocation = invocation(&component);
        invocation.limits.fuel = u64::MAX;
        let report = soon(sandbox.execute(invocation, Box::pin(StopAt { left: points }))).await;
        if let Outcome::Success(_) = report.outcome {
            break;
        }
        assert_failed(&report, FailureKind::Cancelled, "cancelled");
        points += 1;
    }
    assert!(points > 16, "it waits at {points} points only");
    assert_output(&run(&sandbox, invocation(&guests::find_leftovers())).await, None);
}

#[tokio::test]
async fn a_result_too_large_to_be_read_is_one_too_large_to_be_kept() {
    for is_failure in [false, true] {
        let report = run(&sandbox(), invocation(&hostile::return_megabytes(is_failure))).await;
        assert_failed(&report, FailureKind::OutputExceeded, "4194304 bytes");
    }
}

#[tokio::test]
async fn an_output_that_is_nested_too_deep_for_others_is_an_error_of_the_handler() {
    let mut invocation = invocation(&guests::echo_data());
    invocation.data = Some("[".repeat(10_000) + &"]".repeat(10_000));
    assert_failed(&run(&sandbox(), invocation).await, FailureKind::HandlerError, "10000 levels deep");
}

#[tokio::test]
async fn all_of_the_call_counts_not_the_handler_alone() {
    let sandbox = sandbox();
    for component in [hostile::spin_in_realloc(), hostile::spin_in_post_return()] {
        let mut given = invocation(&component);
        given.data = Some("[1]".to_owned());
        let mut hurried = given.clone();
        assert_failed(&run(&sandbox, given).await, FailureKind::FuelExhausted, "fuel");
        hurried.limits.fuel = u64::MAX;
        hurried.limits.timeout = Duration::from_millis(30);
        assert_failed(&run(&sandbox, hurried).await, FailureKind::Timeout, "30 ms");
    }
}

#[tokio::test]
async fn a_panic_after_memory_was_denied_keeps_its_message() {
    let report = run_within(&sandbox(), &hostile::panic_without_memory(), |_| {}).await;
    assert_failed(
        &report,
        FailureKind::MemoryExceeded,
        "its limit is 67108864; then it panicked at lib.rs:1:1: no room",
    );
}
