//! Traces go through the host: from a request to the runs that it makes, to their handlers, to what those publish and call.

use innkeeper_tests::{EventStream, HttpServer, Reply, TestHost, post_in_trace};
use serde_json::{Value, json};

use crate::components::{BE_A_PROGRAM, ECHO, FAIL_PERMANENTLY, FETCH, PUBLISH, SERVE_A_REQUEST};
use crate::egress::{ALLOW_LOOPBACK, grant};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn caller() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// The trace that begins with the run of an execution.
fn own(execution: &Value) -> String {
    execution["runId"].as_str().expect("a run").replace('-', "")
}

/// Expects a `traceparent` of the caller's trace, and gives the span that it names.
fn below_caller(traceparent: &Value) -> String {
    let text = traceparent.as_str().unwrap_or_default();
    let parts: Vec<_> = text.split('-').collect();
    assert!(matches!(parts[..], ["00", TRACE, span, "01"] if span != CALLER), "{traceparent}");
    parts[2].to_owned()
}

#[test]
fn a_trace_goes_from_a_request_through_handlers_to_further_runs() {
    let host = TestHost::start();
    host.push("publish", PUBLISH);
    host.push("echo", ECHO);
    host.create(&json!({"id": "first", "type": "event", "onEvent": "go", "plugin": "publish"}));
    host.create(&json!({"id": "second", "type": "event", "onEvent": "next", "plugin": "echo"}));
    let mut stream = EventStream::open(&host, &["event:*", "execution:*"], None);
    let event = json!({"event": "go", "data": [{"event": "next"}]});
    assert_eq!(post_in_trace(&host, "/v1/events", &caller(), "a=1", &event).status, 202);
    let first = host.ended("first", 1).remove(0);
    let second = host.ended("second", 1).remove(0);
    assert_eq!((&first["traceId"], &second["traceId"]), (&json!(TRACE), &json!(TRACE)));
    let _span = below_caller(&second["output"]["traceparent"]);
    for name in ["event", "event", "execution", "execution"] {
        let told = stream.next().expect("it is told");
        assert_eq!((told.name.as_str(), &told.data["traceId"]), (name, &json!(TRACE)), "{}", told.data);
    }
    assert!(host.client(&["execution", "get", second["id"].as_str().expect("an id")]).contains(TRACE));
    // Without a caller that says something, a trace begins with each run; likewise if what it says is not valid.
    for (count, traceparent) in
        [(2, String::new()), (3, caller().to_uppercase()), (4, format!("{}-", caller()))]
    {
        let event = json!({"event": "next"});
        assert_eq!(post_in_trace(&host, "/v1/events", &traceparent, "a=1", &event).status, 202);
        let execution = host.ended("second", count).remove(0);
        assert_eq!(execution["traceId"], own(&execution), "{traceparent}");
        let told = execution["output"]["traceparent"].as_str().expect("a trace");
        assert!(told.starts_with(&format!("00-{}-", own(&execution))) && told.ends_with("-00"), "{told}");
    }
}

#[test]
fn a_trace_outlives_a_restart_and_is_not_that_of_what_is_repeated() {
    let host = TestHost::start();
    host.push("fail", FAIL_PERMANENTLY);
    let paused =
        json!({"id": "a", "type": "schedule", "preset": "@yearly", "plugin": "fail", "isPaused": true});
    host.create(&paused);
    assert_eq!(post_in_trace(&host, "/v1/tasks/a/run", &caller(), "", &json!({})).status, 202);
    let host = TestHost::start_in(host.stop());
    assert_eq!(host.post("/v1/tasks/a/resume", &json!({})).status, 200);
    let failed = host.ended("a", 1).remove(0);
    assert_eq!((&failed["traceId"], &failed["final"]), (&json!(TRACE), &json!(true)), "{failed}");
    let mut stream = EventStream::open(&host, &["execution:a"], None);
    let replay = format!("/v1/executions/{}/replay", failed["id"].as_str().expect("an id"));
    let other = caller().replace("0af", "1af");
    assert_eq!(post_in_trace(&host, &replay, &other, "", &json!({})).status, 202);
    let told = stream.next().expect("the repetition").data;
    assert_eq!(told["traceId"], TRACE.replace("0af", "1af"));
    assert_eq!((&told["replayOf"], &told["final"]), (&failed["runId"], &json!(true)), "{told}");
    assert_eq!(told["replayedBy"], Value::Null);
    let asked = host.get(&format!("/v1/executions/{}", told["id"].as_str().expect("an id"))).body;
    let mut fields = told.clone();
    fields.as_object_mut().expect("an object").remove("logs");
    assert_eq!(fields, asked, "a stream tells what the audit trail does");
    assert_eq!(host.post("/v1/executions/redrive", &json!({})).body["redriven"], 1);
    let third = host.ended("a", 3).remove(0);
    assert_eq!(third["traceId"], own(&third));
}

#[test]
fn what_a_handler_calls_is_part_of_its_trace() {
    let host = TestHost::start_with(&ALLOW_LOOPBACK);
    let server = HttpServer::start(|_| Reply::answer("200 OK", &[], ""));
    host.push("fetch", FETCH);
    grant(&host, "fetch", &[&server.url()]);
    host.create(&json!({"id": "fetch", "type": "schedule", "preset": "@yearly", "plugin": "fetch"}));
    let requests = json!({"data": {"requests": [
        {"url": server.url()},
        {"url": server.url(), "headers": [["traceparent", "of-its-own"]]},
    ]}});
    assert_eq!(post_in_trace(&host, "/v1/tasks/fetch/run", &caller(), "a=1,b=2", &requests).status, 202);
    let ended = host.ended("fetch", 1).remove(0);
    assert_eq!(ended["status"], "success", "{ended}");
    let requests = server.requests();
    let fields = |request: &str, name: &str| -> Vec<String> {
        let lines = request.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).collect()
    };
    let [parent] = &fields(&requests[0], "traceparent")[..] else { panic!("{}", requests[0]) };
    let _span = below_caller(&json!(parent));
    assert_eq!(fields(&requests[0], "tracestate"), ["a=1,b=2"]);
    assert_eq!(fields(&requests[1], "traceparent"), ["of-its-own"], "{}", requests[1]);
    assert_eq!(fields(&requests[1], "tracestate"), Vec::<String>::new());
}

#[test]
fn components_made_for_other_hosts_are_told_in_the_usual_places() {
    let host = TestHost::start();
    host.push("program", BE_A_PROGRAM);
    host.push("server", SERVE_A_REQUEST);
    for plugin in ["program", "server"] {
        host.create(&json!({"id": plugin, "type": "event", "onEvent": "go", "plugin": plugin}));
    }
    assert_eq!(post_in_trace(&host, "/v1/events", &caller(), "a=1", &json!({"event": "go"})).status, 202);
    let program = host.ended("program", 1).remove(0);
    let variables = &program["output"]["variables"];
    let server = host.ended("server", 1).remove(0);
    let headers = &server["output"]["headers"];
    assert_ne!(below_caller(&variables["TRACEPARENT"]), below_caller(&headers["traceparent"]));
    assert_eq!((&variables["TRACESTATE"], &headers["tracestate"]), (&json!("a=1"), &json!("a=1")));
}

#[test]
fn a_schedule_begins_a_trace_and_every_execution_is_one_line_of_the_log() {
    let host = TestHost::start_with(&["--log-format", "json"]);
    host.push("echo", ECHO);
    host.create(&json!({"id": "once", "type": "schedule", "after": "1ms", "plugin": "echo"}));
    let scheduled = host.ended("once", 1).remove(0);
    assert_eq!(scheduled["traceId"], own(&scheduled));
    host.create(&json!({"id": "hook", "type": "event", "onEvent": "go", "plugin": "echo"}));
    assert_eq!(post_in_trace(&host, "/v1/events", &caller(), "", &json!({"event": "go"})).status, 202);
    let called = host.ended("hook", 1).remove(0);
    let directory = host.stop();
    let log = std::fs::read_to_string(directory.path().join("host.log")).expect("a log");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for execution in [&scheduled, &called] {
        let mut about = lines.iter().filter(|line| line["execution_id"] == execution["id"]);
        let line = about.next().expect("a line");
        assert_eq!(about.next(), None, "one line for one thing");
        assert_eq!((&line["message"], &line["status"]), (&json!("run.executed"), &json!("success")));
        for (field, name) in [("task_id", "taskId"), ("run_id", "runId"), ("trace_id", "traceId")] {
            assert_eq!(line[field], execution[name], "{line}");
        }
    }
    let published = lines.iter().find(|line| line["message"] == "event.published").expect("a line");
    assert_eq!((&published["event"], &published["trace_id"]), (&json!("go"), &json!(TRACE)), "{published}");
}
