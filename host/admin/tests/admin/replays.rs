//! Failed runs: finding them over all tasks, and running them again.

use axum::http::StatusCode;
use innkeeper_runner::bus::Subscription;
use serde_json::{Value, json};

use crate::support::{Answer, Host, column, ended, errors, text};

/// A host with the task `a`, which fails with whatever its event says, and `b`, which does too.
async fn host() -> (Host, Subscription) {
    let host = Host::with_plugin().await;
    for id in ["a", "b"] {
        host.create(id, json!({"type": "event", "onEvent": format!("{id}:*")})).await;
    }
    let executions = host.executions();
    (host, executions)
}

/// Publishes an event that makes its task fail, and waits for that.
async fn fail(host: &Host, executions: &mut Subscription, event: &str, data: Value) -> String {
    let published = host.post_json("/v1/events", json!({"event": event, "data": data})).await;
    assert_eq!(published.body["runs"], 1);
    ended(executions).await
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_failed_run_is_repeated_with_what_it_got() {
    let (host, mut executions) = host().await;
    let id = fail(&host, &mut executions, "a:fail", json!({"n": 1})).await;
    let failed = host.get(&format!("/v1/executions/{id}")).await.body;
    assert_eq!(
        (&failed["final"], &failed["replayOf"], &failed["replayedBy"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    let repeated = host.post(&format!("/v1/executions/{id}/replay")).await;
    assert_eq!((repeated.status, &repeated.body["replayOf"]), (StatusCode::ACCEPTED, &failed["runId"]));
    let again = ended(&mut executions).await;
    let shown = host.get(&format!("/v1/executions/{again}")).await.body;
    let expected = json!({"taskId": "a", "trigger": "manual", "event": "a:fail", "runId": repeated.body["runId"],
        "replayOf": failed["runId"], "error": "it was told to: {\"n\":1}", "final": true});
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&shown[key], value, "{key}");
    }
    assert_ne!(shown["runId"], failed["runId"]);
    assert_eq!(host.get(&format!("/v1/executions/{id}")).await.body["replayedBy"], repeated.body["runId"]);
    let twice = host.post(&format!("/v1/executions/{id}/replay")).await;
    assert_eq!(code(&twice), (409, "already_replayed"));
    let published = host.post_json("/v1/events", json!({"event": "a:fail"})).await;
    let third = ended(&mut executions).await;
    for (filter, expected) in [
        (format!("run={}", text(&failed, "runId")), json!([id])),
        (format!("run={}", text(&repeated.body, "runId")), json!([again])),
        (format!("event={}", text(&published.body, "eventId")), json!([third])),
        (format!("event={id}"), json!([])),
    ] {
        let listed = host.get(&format!("/v1/executions?{filter}")).await;
        assert_eq!(json!(column(&listed, "id")), expected, "{filter}");
    }
}

#[tokio::test]
async fn what_a_start_by_hand_was_given_is_kept_for_its_replay() {
    let (host, mut executions) = host().await;
    host.post_json("/v1/tasks/a/run", json!({"event": "a:fail", "data": [7]})).await;
    let id = ended(&mut executions).await;
    host.post(&format!("/v1/executions/{id}/replay")).await;
    let again = ended(&mut executions).await;
    assert_eq!(host.get(&format!("/v1/executions/{again}")).await.body["error"], "it was told to: [7]");
}

#[tokio::test]
async fn only_what_ended_as_failed_is_repeated() {
    let (host, mut executions) = host().await;
    let missing = host.post("/v1/executions/01890000-0000-7000-8000-000000000000/replay").await;
    assert_eq!(code(&missing), (404, "not_found"));
    let good = fail(&host, &mut executions, "a:good", json!(1)).await;
    assert_eq!(code(&host.post(&format!("/v1/executions/{good}/replay")).await), (409, "not_dead"));
    let retried =
        json!({"type": "event", "onEvent": "c:*", "retryPolicy": {"maxAttempts": 2, "delay": "1h"}});
    host.create("c", retried).await;
    let first = fail(&host, &mut executions, "c:fail", json!(1)).await;
    assert_eq!(code(&host.post(&format!("/v1/executions/{first}/replay")).await), (409, "not_dead"));
    assert_eq!(host.get(&format!("/v1/executions/{first}")).await.body["final"], false);
    let orphan = fail(&host, &mut executions, "b:fail", json!(1)).await;
    host.delete("/v1/tasks/b").await;
    assert_eq!(code(&host.post(&format!("/v1/executions/{orphan}/replay")).await), (409, "task_gone"));
}

#[tokio::test]
async fn executions_of_all_tasks_are_found_by_what_they_are() {
    let (host, mut executions) = host().await;
    let mut ids = Vec::new();
    for (second, event) in ["a:fail", "b:fail", "a:good", "b:permanent"].into_iter().enumerate() {
        host.clock.set(format!("2025-06-01T12:00:0{second}Z").parse().expect("an instant"));
        ids.insert(0, Value::from(fail(&host, &mut executions, event, json!(second)).await));
    }
    for (query, expected) in [
        ("", &[0, 1, 2, 3][..]),
        ("status=failed", &[0, 2, 3]),
        ("status=failed&final=true&task=b", &[0, 2]),
        ("final=false", &[1]),
        ("kind=permanent", &[0]),
        ("final=true&kind=handler_error", &[2, 3]),
        ("plugin=greeter&status=success", &[1]),
        ("plugin=other", &[]),
        ("since=2025-06-01T12:00:01Z&until=2025-06-01T12:00:03Z", &[1, 2]),
        ("final=true&since=2025-06-01T12:00:01Z", &[0, 2]),
        ("replayed=true", &[]),
    ] {
        let found = host.get(&format!("/v1/executions?{query}")).await;
        let expected: Vec<_> = expected.iter().map(|index| ids[*index].clone()).collect();
        assert_eq!(column(&found, "id"), expected, "{query}");
    }
    let first = host.get("/v1/executions?final=true&limit=2").await;
    let cursor = first.body["nextCursor"].as_str().expect("a cursor");
    let second = host.get(&format!("/v1/executions?final=true&limit=2&cursor={cursor}")).await;
    assert_eq!((column(&second, "id"), &second.body["nextCursor"]), (vec![ids[3].clone()], &Value::Null));
    let refused = host.get("/v1/executions?final=yes&kind=slow&since=now&task=a%20b&tsk=a").await;
    assert_eq!(errors(&refused).len(), 5);
}

#[tokio::test]
async fn failed_runs_are_redriven_by_filter_and_once() {
    let (host, mut executions) = host().await;
    for event in ["a:fail", "a:fail", "b:permanent"] {
        fail(&host, &mut executions, event, json!(1)).await;
    }
    let dry = host.post_json("/v1/executions/redrive", json!({"dryRun": true})).await;
    assert_eq!(
        (dry.status, &dry.body),
        (
            StatusCode::OK,
            &json!({"matched": 3, "redriven": 0, "eventsGone": 0, "more": false, "dryRun": true})
        )
    );
    let some = host.post_json("/v1/executions/redrive", json!({"task": "a", "limit": 1})).await;
    assert_eq!(
        (some.status, &some.body),
        (
            StatusCode::ACCEPTED,
            &json!({"matched": 1, "redriven": 1, "eventsGone": 0, "more": true, "dryRun": false})
        )
    );
    ended(&mut executions).await;
    let rest = host.post_json("/v1/executions/redrive", json!({"kind": "permanent"})).await;
    assert_eq!(rest.body["redriven"], 1);
    ended(&mut executions).await;
    assert_eq!(column(&host.get("/v1/executions?replayed=true").await, "taskId"), ["b", "a"]);
    // What failed again is dead anew; what is repeated is not repeated again.
    let all = host.post("/v1/executions/redrive").await;
    assert_eq!((&all.body["redriven"], &all.body["more"]), (&json!(3), &json!(false)));
    let refused = host.post_json("/v1/executions/redrive", json!({"limit": 10_001, "tsk": "a"})).await;
    assert_eq!(errors(&refused), [("tsk", "unknown_field"), ("limit", "out_of_range")]);
}

#[tokio::test]
async fn what_somebody_cancelled_is_redriven_only_by_name() {
    let (host, mut executions) = host().await;
    host.create("c", json!({"type": "event", "onEvent": "hold"})).await;
    host.post_json("/v1/events", json!({"event": "hold"})).await;
    crate::support::arrival(&host.held).await;
    let running = host.get("/v1/executions?status=running").await;
    let id = running.body["items"][0]["id"].as_str().expect("an id");
    host.post(&format!("/v1/executions/{id}/cancel")).await;
    ended(&mut executions).await;
    let any = host.post_json("/v1/executions/redrive", json!({"dryRun": true})).await;
    let named = host.post_json("/v1/executions/redrive", json!({"dryRun": true, "kind": "cancelled"})).await;
    assert_eq!((&any.body["matched"], &named.body["matched"]), (&json!(0), &json!(1)));
}
