//! The command line under bad input, closed pipes and missing keys, with the real binary.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};

use innkeeper_tests::host::binary;
use innkeeper_tests::{TestHost, eventually};
use serde_json::json;

use crate::components::FLOOD_LOG;

fn command(host: &TestHost) -> Command {
    let mut command = Command::new(binary());
    command.env("INNKEEPER_URL", host.url());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_log_is_printed_to_its_end_and_what_is_missing_is_told() {
    let host = TestHost::start();
    host.push("flood", FLOOD_LOG);
    let run = |id: &str, lines: u32, limits| {
        let task = json!({"id": id, "plugin": "flood", "limits": limits});
        let execution = host.run_once(&task, &json!({"lines": lines}));
        let id = execution["id"].as_str().expect("an id").to_owned();
        command(&host).args(["execution", "logs", &id]).output().expect("it runs")
    };
    let whole = run("whole", 150, json!({}));
    let text = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert_eq!(text.lines().count(), 300, "printed and logged, and more than a page of it");
    assert!(text.ends_with("149\n") && said(&whole).is_empty(), "{}", said(&whole));
    let cut = run("cut", 150, json!({"log": 5000}));
    assert!(said(&cut).contains("more were logged and not kept"), "{}", said(&cut));
    let none = run("none", 0, json!({}));
    assert_eq!((none.stdout.as_slice(), said(&none).as_str()), (&b""[..], "no log\n"));
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    let host = TestHost::start();
    let wrong =
        command(&host).args(["task", "get"]).arg(OsStr::from_bytes(b"\xff")).output().expect("it runs");
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    let token = command(&host).arg("stats").env("INNKEEPER_TOKEN", "abc\r").output().expect("it runs");
    assert!(token.status.code() == Some(2) && said(&token).contains("INNKEEPER_TOKEN"), "{}", said(&token));
    let nothing = command(&host).args(["task", "list", "--limit", "0"]).output().expect("it runs");
    assert!(nothing.status.code() == Some(2) && said(&nothing).contains("1 or more"), "{}", said(&nothing));
}

#[test]
fn a_tail_ends_when_nobody_reads_it_any_more() {
    let host = TestHost::start();
    let mut tail = command(&host).args(["event", "tail"]).stdout(Stdio::piped()).spawn().expect("it starts");
    eventually("the stream", || (host.get("/v1/stats").body["subscribers"] == 1).then_some(()));
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe"));
    host.publish("a", &json!(1), 0);
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    assert!(line.ends_with("  a  1\n"), "{line}");
    drop(lines);
    host.publish("b", &json!(2), 0);
    assert!(tail.wait().expect("it ends").success());
}

#[test]
fn secrets_without_their_key_are_not_locked_away_by_a_new_one() {
    let host = TestHost::start();
    assert_eq!(host.put_json("/v1/config/token", &json!({"value": "s3cret", "secret": true})).status, 201);
    let backup = host.directory().join("copy.backup").display().to_string();
    let kept = command(&host).args(["backup", &backup, "--quiet"]).output().expect("it runs");
    assert!(kept.status.success() && kept.stdout.is_empty(), "{}", said(&kept));
    let folder = tempfile::tempdir().expect("a folder");
    let restored = folder.path().join("restored");
    let target = restored.display().to_string();
    let told =
        Command::new(binary()).args(["restore", &backup, "--data-dir", &target]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&told.stdout).contains("holds 1 secret,"), "{told:?}");
    let serve = || {
        let mut serve = Command::new(binary());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", &target]);
        serve.output().expect("it ends")
    };
    let refused = serve();
    assert!(
        !refused.status.success() && said(&refused).contains("their key is missing"),
        "{}",
        said(&refused)
    );
    assert!(!restored.join("secret.key").exists(), "none is made");
    fs::copy(host.directory().join("secret.key"), restored.join("secret.key")).expect("the key");
    let examined = Command::new(binary()).args(["doctor", "--data-dir", &target]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&examined.stdout).contains("1 secret(s) can be read"), "{examined:?}");
}

#[test]
fn who_makes_a_token_on_an_open_host_is_told_what_follows() {
    let host = TestHost::start();
    let create =
        |role: &str| command(&host).args(["token", "create", "--name", role, "--role", role]).output();
    let reader = create("reader").expect("it runs");
    assert!(said(&reader).contains("still takes requests without a token"), "{}", said(&reader));
    let operator = create("operator").expect("it runs");
    assert!(said(&operator).contains("wants a token of everybody"), "{}", said(&operator));
    let secret = String::from_utf8_lossy(&operator.stdout).lines().last().expect("the secret").to_owned();
    assert!(!command(&host).arg("stats").output().expect("it runs").status.success());
    let stats = command(&host).arg("stats").env("INNKEEPER_TOKEN", secret).output().expect("it runs");
    assert!(stats.status.success(), "{}", said(&stats));
}
