//! What a guest may do: granted things work, and what is not granted is denied.

use innkeeper_model::execution::{FailureKind, LogLevel};
use innkeeper_model::sandbox::Invocation;

use crate::guests;
use crate::support::{START, assert_failed, assert_output, failure, invocation, run, sandbox};

#[tokio::test]
async fn an_execution_knows_itself() {
    let sandbox = sandbox();
    let mut expected = invocation(&guests::succeed());
    expected.metadata = Some("{\"a\":1}".into());
    let deadline = START.saturating_add(expected.limits.timeout).to_string();
    for (offset, text) in [
        (0, expected.run_id.to_string()),
        (8, expected.execution_id.to_string()),
        (16, "user:task".to_owned()),
        (44, START.to_string()),
        (52, deadline),
        (64, "{\"a\":1}".to_owned()),
        (72, "default".to_owned()),
    ] {
        let component = guests::tell_context(offset);
        let invocation = Invocation { metadata: expected.metadata.clone(), ..invocation(&component) };
        assert_eq!(failure(&run(&sandbox, invocation).await).message, text, "at {offset}");
    }
    let component = guests::tell_context(80);
    let invocation = invocation(&component);
    let digest = invocation.digest.to_string();
    assert_eq!(failure(&run(&sandbox, invocation).await).message, digest);
}

fn publishing(component: &[u8], event: &str, data: Option<&str>) -> Invocation {
    Invocation { event: Some(event.to_owned()), data: data.map(str::to_owned), ..invocation(component) }
}

#[tokio::test]
async fn events_are_effects_of_a_success() {
    let sandbox = sandbox();
    let report = run(&sandbox, publishing(&guests::publish_twice(false), "order:paid", Some("[1]"))).await;
    assert_output(&report, None);
    let events: Vec<_> =
        report.effects.events.iter().map(|event| (event.event.as_str(), event.data.as_deref())).collect();
    assert_eq!(events, [("order:paid", Some("[1]")); 2]);
    let report = run(&sandbox, publishing(&guests::publish_twice(true), "order:paid", None)).await;
    assert_failed(&report, FailureKind::HandlerError, "");
}

#[tokio::test]
async fn the_guest_is_told_why_an_event_is_refused() {
    let sandbox = sandbox();
    let component = guests::publish_and_tell();
    assert_output(&run(&sandbox, publishing(&component, "a", None)).await, None);
    for (event, data, events_max, hint) in [
        ("user:*", None, 1, "`user:*` names no event"),
        ("a", Some("{"), 1, "not JSON"),
        ("a", Some("\"x\""), 0, "may publish 0 events"),
    ] {
        let mut invocation = publishing(&component, event, data);
        invocation.limits.events = events_max;
        assert_failed(&run(&sandbox, invocation).await, FailureKind::Permanent, hint);
    }
}

#[tokio::test]
async fn messages_go_to_the_log() {
    let report = run(&sandbox(), invocation(&guests::log_an_error())).await;
    assert_output(&report, None);
    assert_eq!(report.logs.len(), 1);
    assert_eq!((report.logs[0].level, report.logs[0].message.as_str()), (LogLevel::Error, "first: second"));
    assert_eq!(report.logs[0].at.as_millis(), 42_000);
}

#[tokio::test]
async fn the_wall_clock_is_the_hosts() {
    assert_output(&run(&sandbox(), invocation(&guests::tell_wall_clock())).await, Some("42"));
}

#[tokio::test]
async fn files_and_sockets_are_named_but_not_granted() {
    // No folder, "access-denied" and a network that leads nowhere.
    assert_output(&run(&sandbox(), invocation(&guests::try_files_and_sockets())).await, Some("117"));
}
