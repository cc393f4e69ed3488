//! The standard interfaces behave as their documents say, whatever bindings a guest was made with.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::USE_STANDARD_INTERFACES;

fn used(interface: &str) -> (TestHost, Value) {
    let host = TestHost::start();
    host.push("standard", USE_STANDARD_INTERFACES);
    let execution = host.run_once(&json!({"id": interface, "plugin": "standard"}), &Value::Null);
    let id = execution["id"].as_str().expect("an id");
    let mut execution = host.get(&format!("/v1/executions/{id}")).body;
    execution["logs"] = host.get(&format!("/v1/executions/{id}/logs")).body["items"].take();
    (host, execution)
}

#[test]
fn wasi_cli_shows_an_empty_world() {
    let (_host, execution) = used("cli");
    let expected = json!({
        "environment": [], "arguments": [], "initialCwd": null, "inputIsAtItsEnd": true, "hasTerminal": false,
    });
    assert_eq!(execution["output"], expected, "{execution}");
}

#[test]
fn wasi_cli_exit_is_a_failure_of_a_handler() {
    let (_host, execution) = used("exit");
    assert_eq!(execution["kind"], "trap", "{execution}");
    assert!(execution["error"].as_str().is_some_and(|error| error.contains("exit code 1")), "{execution}");
}

#[test]
fn wasi_clocks_tell_the_time() {
    let before = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let (_host, execution) = used("clocks");
    let output = &execution["output"];
    assert!(
        output["wallSeconds"].as_u64().is_some_and(|now| (before..before + 60).contains(&now)),
        "{execution}"
    );
    assert_eq!(output["wallResolutionNanos"], 1_000_000);
    for fact in ["advances", "waited", "hasResolution"] {
        assert_eq!(output[fact], true, "{fact}: {execution}");
    }
}

#[test]
fn wasi_random_is_random() {
    let (_host, execution) = used("random");
    let expected = json!({"length": 32, "differ": true, "insecureLength": 7, "insecureDiffer": true});
    assert_eq!(execution["output"], expected, "{execution}");
}

#[test]
fn wasi_io_streams_and_polls() {
    let (_host, execution) = used("io");
    let expected =
        json!({"ready": [0, 1], "hasRoom": true, "written": true, "first": [1], "isLateReady": false});
    assert_eq!(execution["output"], expected, "{execution}");
    let logs = execution["logs"].as_array().cloned().unwrap_or_default();
    let lines: Vec<_> = logs.iter().map(|line| (line["level"].as_str(), line["message"].as_str())).collect();
    assert_eq!(
        lines,
        [(Some("info"), Some("to standard output")), (Some("warn"), Some("to standard error"))]
    );
}

#[test]
fn wasi_logging_is_there_under_both_names() {
    let (_host, execution) = used("logging");
    let logs = execution["logs"].as_array().cloned().unwrap_or_default();
    let lines: Vec<_> = logs.iter().map(|line| (line["level"].as_str(), line["message"].as_str())).collect();
    assert_eq!(
        lines,
        [(Some("info"), Some("unversioned: news")), (Some("error"), Some("alarm"))],
        "{execution}"
    );
}
