//! Spans are exported to a collector, if there is one; and nothing but spans depends on it.

use std::net::TcpListener;

use innkeeper_tests::{Collector, TestHost, attribute, eventually, post_in_trace};
use serde_json::{Value, json};

use crate::components::{ECHO, FAIL_PERMANENTLY, PUBLISH};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn host_with(endpoint: &str, more: &[(&str, &str)]) -> TestHost {
    let mut variables = vec![("INNKEEPER_TELEMETRY_OTLP_ENDPOINT", endpoint)];
    variables.extend_from_slice(more);
    TestHost::start_with_variables(&[], &variables)
}

/// The only span of this name below `parent`.
fn below<'a>(spans: &'a [Value], parent: &str, name: &str) -> &'a Value {
    let found: Vec<_> =
        spans.iter().filter(|span| span["name"] == name && span["parentSpanId"] == parent).collect();
    assert_eq!(found.len(), 1, "{name} below {parent}: {spans:#?}");
    found[0]
}

fn id(span: &Value) -> &str {
    span["spanId"].as_str().expect("an id")
}

fn times(span: &Value) -> (u64, u64) {
    let time = |key: &str| span[key].as_str().and_then(|text| text.parse().ok()).expect("a time");
    (time("startTimeUnixNano"), time("endTimeUnixNano"))
}

/// Expects the whole way of an execution below `parent`, and gives the span of its settlement.
fn way<'a>(spans: &'a [Value], parent: &str, execution: &Value) -> &'a Value {
    let whole = below(spans, parent, "run.execute");
    let parts = ["run.dispatch", "run.sandbox", "run.settle"].map(|name| below(spans, id(whole), name));
    for span in [whole, parts[0], parts[1], parts[2]] {
        for (key, name) in
            [("innkeeper.task_id", "taskId"), ("innkeeper.run_id", "runId"), ("innkeeper.execution_id", "id")]
        {
            assert_eq!(execution[name], attribute(span, key), "{span}");
        }
        assert_eq!(attribute(span, "innkeeper.tenant"), "default");
    }
    let outcome = execution["kind"].as_str().unwrap_or("success");
    assert_eq!(attribute(whole, "innkeeper.outcome"), outcome);
    assert_eq!(whole["status"]["code"] == 2, execution["status"] == "failed", "{whole}");
    let [dispatch, sandbox, settle] = parts.map(times);
    assert!(dispatch.1 == sandbox.0 && sandbox.1 == settle.0, "one after the other: {parts:?}");
    assert_eq!(times(whole), (dispatch.0, settle.1));
    parts[2]
}

#[test]
fn the_way_of_a_run_is_told_as_a_tree_below_its_request() {
    let collector = Collector::start();
    let host = host_with(&collector.url(), &[]);
    host.push("publish", PUBLISH);
    host.push("fail", FAIL_PERMANENTLY);
    host.create(&json!({"id": "first", "type": "event", "onEvent": "go", "plugin": "publish"}));
    host.create(&json!({"id": "second", "type": "event", "onEvent": "next", "plugin": "fail"}));
    let event = json!({"event": "go", "data": [{"event": "next"}]});
    let caller = format!("00-{TRACE}-{CALLER}-01");
    assert_eq!(post_in_trace(&host, "/v1/events", &caller, "", &event).status, 202);
    let first = host.ended("first", 1).remove(0);
    let second = host.ended("second", 1).remove(0);
    // A request, its recording, and two executions of four spans.
    let spans = collector.trace(TRACE, 10);
    assert_eq!(spans.len(), 10, "{spans:#?}");
    let request = below(&spans, CALLER, "http.request");
    assert_eq!((&request["kind"], attribute(request, "http.route").as_str()), (&json!(2), "/v1/events"));
    assert_eq!(attribute(request, "http.response.status_code"), "202");
    let record = below(&spans, id(request), "run.record");
    assert_eq!(attribute(record, "innkeeper.runs"), "1");
    let settled = way(&spans, id(record), &first);
    let _settled = way(&spans, id(settled), &second);
    // A schedule, and a start by hand without a caller, begin traces of their own.
    host.create(&json!({"id": "once", "type": "schedule", "after": "1ms", "plugin": "fail"}));
    let once = host.ended("once", 1).remove(0);
    let spans = collector.trace(once["traceId"].as_str().expect("a trace"), 5);
    let root = spans.iter().find(|span| span.get("parentSpanId").is_none()).expect("a first span");
    assert_eq!(
        (&root["name"], attribute(root, "innkeeper.task_id").as_str()),
        (&json!("run.record"), "once")
    );
    let _settled = way(&spans, id(root), &once);
    let metrics = host.text("/metrics");
    assert!(metrics.contains("innkeeper_spans_total{result=\"dropped\"} 0\n"), "{metrics}");
}

#[test]
fn a_trace_that_its_caller_does_not_record_is_not_told() {
    let collector = Collector::start();
    let host = host_with(&collector.url(), &[]);
    host.push("echo", ECHO);
    host.create(&json!({"id": "hook", "type": "event", "onEvent": "go", "plugin": "echo"}));
    for (count, flags) in [(1, "00"), (2, "01")] {
        let caller = format!("00-{}{}-{CALLER}-{flags}", &TRACE[..30], flags);
        assert_eq!(post_in_trace(&host, "/v1/events", &caller, "", &json!({"event": "go"})).status, 202);
        let execution = host.ended("hook", count).remove(0);
        let told = execution["output"]["traceparent"].as_str().expect("a trace");
        assert!(told.ends_with(flags), "{told}");
    }
    let told = collector.trace(&format!("{}01", &TRACE[..30]), 6);
    assert_eq!((told.len(), collector.spans().len()), (6, 6));
}

#[test]
fn the_last_spans_are_sent_before_the_host_ends() {
    let collector = Collector::start();
    let host = host_with(&collector.url(), &[]);
    host.push("echo", ECHO);
    let execution = host.run_once(&json!({"id": "a", "plugin": "echo"}), &json!(1));
    let _directory = host.stop();
    let mut spans = collector.spans();
    spans.retain(|span| span["traceId"] == execution["traceId"]);
    // The request begins the trace here.
    assert_eq!(spans.len(), 6, "{spans:#?}");
}

#[test]
fn a_collector_that_is_away_harms_nothing_but_spans() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let host = host_with(&endpoint, &[("INNKEEPER_TELEMETRY_QUEUE", "8")]);
    host.push("echo", ECHO);
    host.create(&json!({"id": "hook", "type": "event", "onEvent": "go", "plugin": "echo"}));
    for _ in 0..20 {
        host.publish("go", &json!(1), 1);
    }
    assert_eq!(host.ended("hook", 20).len(), 20);
    let dropped = eventually("spans are dropped", || {
        let metrics = host.text("/metrics");
        let line =
            metrics.lines().find_map(|line| line.strip_prefix("innkeeper_spans_total{result=\"dropped\"} "));
        line.and_then(|count| count.parse::<u64>().ok()).filter(|count| *count > 0)
    });
    assert!(dropped > 0);
    let directory = host.stop();
    let log = std::fs::read_to_string(directory.path().join("host.log")).expect("a log");
    assert_eq!(log.matches("telemetry.export failed").count(), 1, "it is said once: {log}");
}
