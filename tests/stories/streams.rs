//! What happens is told while it happens, and failed runs are run again, with the real binary.

use std::process::Command;

use innkeeper_tests::host::binary;
use innkeeper_tests::{EventStream, TestHost, eventually};
use serde_json::json;

use crate::components::{ECHO, FAIL_PERMANENTLY, SLEEP_FOREVER, TELL_PROGRESS};

#[test]
fn a_reader_hears_of_events_and_executions_and_of_a_restart() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    host.create(&json!({"id": "a", "type": "event", "onEvent": "user:*", "plugin": "echo"}));
    let mut stream = EventStream::open(&host, &["event:*", "execution:a"], None);
    host.publish("user:in", &json!({"id": 5}), 1);
    let event = stream.next().expect("an event");
    assert_eq!((event.name.as_str(), &event.data["data"]), ("event", &json!({"id": 5})));
    let execution = stream.next().expect("an execution");
    assert_eq!((execution.name.as_str(), &execution.data["status"]), ("execution", &json!("success")));
    let mut behind = EventStream::open(&host, &["execution:*"], Some(&event.id));
    assert_eq!(behind.next().expect("what came after").id, execution.id);
    let directory = host.stop();
    assert_eq!((stream.next(), behind.next()), (None, None), "streams end with the host");
    let host = TestHost::start_in(directory);
    let mut back = EventStream::open(&host, &["event:*"], Some(&execution.id));
    assert_eq!(back.next().expect("a warning").name, "reset", "the id is of an earlier process");
}

#[test]
fn an_execution_tells_how_far_it_is_while_it_runs() {
    let host = TestHost::start();
    host.push("progress", TELL_PROGRESS);
    host.create(&json!({"id": "a", "type": "event", "onEvent": "a", "plugin": "progress"}));
    let mut stream = EventStream::open(&host, &["execution:a"], None);
    host.publish("a", &json!(null), 1);
    for (fraction, note) in [(0.25, "reading"), (0.5, "writing to \u{1b}[31mAda")] {
        let told = stream.next().expect("progress");
        assert_eq!((told.name.as_str(), &told.data["taskId"]), ("progress", &json!("a")));
        assert_eq!((&told.data["fraction"], &told.data["note"]), (&json!(fraction), &json!(note)));
    }
    let running = host.running("a");
    let id = running["id"].as_str().expect("an id");
    assert_eq!(running["progress"]["fraction"], json!(0.5), "{running}");
    let shown =
        Command::new(binary()).args(["execution", "get", id]).env("INNKEEPER_URL", host.url()).output();
    let shown = String::from_utf8(shown.expect("it runs").stdout).expect("text");
    let line = shown.lines().find(|line| line.starts_with("progress")).expect("a line");
    assert!(line.contains("50 %  writing to") && !line.contains('\u{1b}'), "{line:?}");
    assert_eq!(host.post(&format!("/v1/executions/{id}/cancel"), &json!({})).status, 202);
    let ended = host.ended("a", 1).remove(0);
    assert_eq!((&ended["kind"], &ended["progress"]), (&json!("cancelled"), &json!(null)), "{ended}");
}

#[test]
fn the_command_line_watches_and_repeats() {
    let host = TestHost::start();
    host.push("fail", FAIL_PERMANENTLY);
    host.push("sleep", SLEEP_FOREVER);
    for (id, plugin) in [("a", "fail"), ("b", "sleep")] {
        host.create(
            &json!({"id": id, "type": "event", "onEvent": id, "plugin": plugin, "limits": {"timeout": "5s"}}),
        );
    }
    let client = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(arguments).env("INNKEEPER_URL", host.url());
        command
    };
    let output = |arguments: &[&str]| {
        let output = client(arguments).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let tail = client(&["event", "tail", "a", "--count", "1"]).stdout(std::process::Stdio::piped()).spawn();
    let tail = tail.expect("it starts");
    // Two tasks listen, and then the command does.
    eventually("the stream", || (host.get("/v1/stats").body["subscribers"] == 3).then_some(()));
    host.publish("b", &json!(null), 1);
    host.publish("a", &json!({"n": 1}), 1);
    let told = tail.wait_with_output().expect("it ends by itself");
    assert!(String::from_utf8_lossy(&told.stdout).ends_with("  a  {\"n\":1}\n"), "{told:?}");
    let failed = host.ended("a", 1).remove(0);
    let id = failed["id"].as_str().expect("an id");
    assert!(output(&["execution", "list", "--dead"]).contains(id));
    assert!(output(&["execution", "replay", id]).contains("runs again"));
    let again = host.ended("a", 2).remove(0);
    assert_eq!(
        host.get(&format!("/v1/executions/{}", again["id"].as_str().expect("an id"))).body["replayOf"],
        failed["runId"]
    );
    assert!(output(&["execution", "redrive", "--task", "a", "--dry-run"]).starts_with("1 failed run"));
    assert!(output(&["execution", "redrive", "--task", "a"]).starts_with("1 failed run runs"));
    let _third = host.ended("a", 3);
    let sleeping = host.executions("b").remove(0);
    let followed = output(&["execution", "logs", "--follow", sleeping["id"].as_str().expect("an id")]);
    assert_ne!(host.executions("b").remove(0)["status"], "running", "{followed}");
    assert_eq!(output(&["task", "upcoming"]), "");
}
