//! Tests of the stand-in itself.

use std::panic::catch_unwind;

use serde_json::json;

use super::*;
use crate::{context, events, log};

fn publish_then_fail(event: &str, fail: bool) -> Result<(), Failure> {
    events::publish(event, &1)?;
    if fail { Err(Failure::retry("later")) } else { Ok(()) }
}

#[test]
fn a_failed_handler_has_published_nothing() {
    let scenario = Scenario::new().event("a:b");
    let failed = scenario.clone().data(&true).run(publish_then_fail);
    assert_eq!((failed.result, failed.events), (Err(Failure::retry("later")), vec![]));
    let succeeded = scenario.clone().data(&false).run(publish_then_fail);
    assert_eq!((succeeded.result, succeeded.events.len()), (Ok(None), 1));
    assert_eq!(scenario.enter(|| publish_then_fail("a:b", true)).events.len(), 1);
}

#[test]
fn the_execution_is_as_described() {
    let scenario = Scenario::new()
        .attempt(2)
        .scheduled_at("2025-09-01T00:00:00.000Z")
        .metadata(&json!({"a": 1}))
        .execution(|execution| execution.tenant = "acme".to_owned());
    let execution = scenario.enter(context::current).result;
    assert_eq!((execution.attempt, execution.max_attempts), (2, 2));
    assert_eq!(execution.scheduled_at.as_deref(), Some("2025-09-01T00:00:00.000Z"));
    assert_eq!(execution.metadata.as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(execution.tenant, "acme");
}

#[test]
fn names_are_checked_as_the_host_checks_them() {
    let publish = |name: &str| events::publish(name, &()).is_ok();
    assert!(publish("user:logged_in") && publish(&"x".repeat(200)));
    for bad in ["", "user:*", "two words", "tab\t", &"x".repeat(201)] {
        assert!(!publish(bad), "{bad:?}");
    }
}

#[test]
fn a_scenario_ends_with_its_work() {
    let outer = Scenario::new().attempt(5).enter(|| {
        let panicked = catch_unwind(|| Scenario::new().attempt(7).enter(|| panic!("for the test")));
        log::info!("back in attempt {}", context::current().attempt);
        panicked.is_err()
    });
    assert!(outer.result);
    assert_eq!(outer.logs[0].message, "back in attempt 5");
    assert_eq!(context::current().attempt, 1);
}
