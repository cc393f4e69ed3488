//! Whoever operates a host: backups, checks, declared tasks, and what the command line says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use innkeeper_tests::host::{TestHost, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::{ECHO, SLEEP_THEN_SUCCEED};

/// Runs the binary as a client of `host`.
fn ask(host: &TestHost, arguments: &[&str]) -> Output {
    Command::new(binary()).args(["--url", host.url()]).args(arguments).output().expect("the binary runs")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("the binary runs")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in Unicode")
}

#[test]
fn a_backup_of_a_working_host_is_a_host_again() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let ran = host.run_once(&json!({"id": "hook", "plugin": "echo"}), &json!({"a": 1}));
    let folder = TempDir::new().expect("a folder");
    let (file, data) = (folder.path().join("copy.db"), TempDir::new().expect("a folder"));
    let copied = ask(&host, &["backup", text(&file)]);
    assert_eq!(code(&copied), Some(0), "{}", stderr(&copied));
    assert_eq!(code(&ask(&host, &["backup", text(&file)])), Some(2), "a file is not written over");
    assert!(!host.directory().join("backup.tmp").exists(), "nothing is left of it on the host");
    drop(host);
    let restored = run(&["restore", text(&file), "--data-dir", text(data.path())]);
    assert_eq!(code(&restored), Some(0), "{}", stderr(&restored));
    assert_eq!(code(&run(&["restore", text(&file), "--data-dir", text(data.path())])), Some(2));
    let again = TestHost::start_in(data);
    let id = ran["id"].as_str().expect("an id");
    assert_eq!(again.get(&format!("/v1/executions/{id}")).body["output"], ran["output"]);
    again.publish("hook", &json!(2), 1);
    assert_eq!(again.ended("hook", 2).len(), 2, "it works on");
}

#[test]
fn a_host_that_stops_in_order_leaves_no_log_and_a_doctor_finds_nothing() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let busy = run(&["doctor", "--data-dir", text(host.directory())]);
    assert_eq!(code(&busy), Some(1));
    assert!(stderr(&busy).contains("another innkeeper server uses"), "{}", stderr(&busy));
    let directory = host.stop();
    let log = directory.path().join("innkeeper.db-wal");
    assert_eq!(log.metadata().map_or(0, |data| data.len()), 0);
    private(directory.path(), 0o700);
    let well = run(&["doctor", "--json", "--data-dir", text(directory.path())]);
    let findings: Value = serde_json::from_str(&stdout(&well)).expect("JSON");
    let bad = |finding: &&Value| finding["grade"] == "bad" && !finding["text"].to_string().contains("disk");
    let bad: Vec<_> = findings.as_array().expect("findings").iter().filter(bad).collect();
    assert!(bad.is_empty(), "{bad:?}");
    private(directory.path(), 0o755);
    let open = run(&["doctor", "--data-dir", text(directory.path())]);
    assert_eq!(code(&open), Some(1));
    assert!(stdout(&open).contains("chmod go="), "{}", stdout(&open));
    assert_eq!(code(&run(&["doctor", "--data-dir", "no/such/folder"])), Some(1));
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights can be changed");
}

/// A folder that declares the plugin `echo` and these tasks.
fn declared(tasks: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::copy(ECHO, folder.path().join("echo.wasm")).expect("a component");
    let text = format!("[[plugin]]\nname = 'echo'\npath = 'echo.wasm'\n\n{tasks}");
    fs::write(folder.path().join("innkeeper.toml"), text).expect("a file");
    folder
}

const TASKS: &str = "[[task]]
id = 'hook'
type = 'event'
onEvent = 'user:*'
plugin = 'echo'
expectWithin = '1h'
limits = { timeout = '5s' }
metadata = { deep = [1, 'two', true] }

[[task]]
id = 'nightly'
type = 'schedule'
preset = '@daily'
timezone = 'Europe/Rome'
plugin = 'echo'
retryPolicy = { maxAttempts = 3, delay = '1m', backoff = 'exponential' }
rateLimit = { limit = 5, interval = '1m' }
";

#[test]
fn what_is_declared_is_brought_about_once_and_an_export_changes_nothing() {
    let host = TestHost::start();
    let folder = declared(TASKS);
    let apply = |more: &[&str]| ask(&host, &[&["apply", "-f", text(folder.path())], more].concat());
    let dry = apply(&["--dry-run"]);
    assert!(
        stdout(&dry).contains("would be created 3, changed 0, deleted 0"),
        "{}{}",
        stdout(&dry),
        stderr(&dry)
    );
    assert_eq!(host.get("/v1/tasks").body["items"], json!([]));
    let first = apply(&[]);
    assert!(
        stdout(&first).ends_with("created 3, changed 0, deleted 0\n"),
        "{}{}",
        stdout(&first),
        stderr(&first)
    );
    assert_eq!(stdout(&apply(&[])), "nothing to change\n");
    host.create(&json!({"id": "other", "type": "event", "onEvent": "x", "plugin": "echo", "isPaused": true,
        "metadata": {"nothing": null}}));
    let export = TempDir::new().expect("a folder");
    let place = export.path().join("out");
    let exported = ask(&host, &["export", text(&place)]);
    assert_eq!(code(&exported), Some(0), "{}", stderr(&exported));
    assert_eq!(code(&ask(&host, &["export", text(&place)])), Some(2), "it writes over nothing");
    let again = ask(&host, &["apply", "-f", text(&place), "--prune"]);
    assert_eq!(stdout(&again), "nothing to change\n", "{}", stderr(&again));
    let pruned = apply(&["--prune"]);
    assert!(stdout(&pruned).contains("- task other"), "{}", stdout(&pruned));
    assert_eq!(host.get("/v1/tasks/other").status, 404);
    let changed = TASKS.replace("'5s'", "'6s'");
    let text_of = format!("[[plugin]]\nname = 'echo'\npath = 'echo.wasm'\n\n{changed}");
    fs::write(folder.path().join("innkeeper.toml"), text_of).expect("a file");
    let json = apply(&["--json"]);
    let answer: Value = serde_json::from_str(&stdout(&json)).expect("JSON");
    assert_eq!(answer["changes"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(answer["changes"][0]["fields"]["limits"]["to"]["timeout"], "6s", "{answer}");
}

#[test]
fn a_mistake_is_named_with_file_and_line_and_changes_nothing() {
    let host = TestHost::start();
    let folder = declared(&TASKS.replace("delay = '1m'", "delay = 'later'"));
    let refused = ask(&host, &["apply", "-f", text(folder.path())]);
    assert_eq!(code(&refused), Some(1));
    let said = stderr(&refused);
    let line = said.lines().find(|line| line.contains("retryPolicy.delay")).expect("the field");
    assert!(line.contains("innkeeper.toml:20:34: nightly: `retryPolicy.delay`"), "{said}");
    assert_eq!(host.get("/v1/plugins").body["items"], json!([]), "not even the plugin");
    let paused = declared("[[task]]\nid = 'a'\ntype = 'event'\nonEvent = 'x'\nplugin = 'none'");
    let unknown = ask(&host, &["apply", "-f", text(paused.path())]);
    assert!(stderr(&unknown).contains("innkeeper.toml:9:1: a: `plugin`"), "{}", stderr(&unknown));
}

#[test]
fn a_task_that_somebody_paused_stays_so_unless_it_is_declared() {
    let host = TestHost::start();
    let folder = declared(TASKS);
    assert_eq!(code(&ask(&host, &["apply", "-f", text(folder.path()), "--quiet"])), Some(0));
    assert_eq!(stdout(&ask(&host, &["task", "pause", "hook", "--quiet"])), "");
    assert_eq!(stdout(&ask(&host, &["apply", "-f", text(folder.path())])), "nothing to change\n");
    let waits = ask(&host, &["task", "run", "hook"]);
    assert!(stdout(&waits).contains("waits until it is resumed"), "{}", stdout(&waits));
    assert_eq!(host.delete("/v1/tasks/hook").status, 204);
}

#[test]
fn a_short_digest_names_a_version() {
    let host = TestHost::start();
    let pushed = host.push("echo", ECHO);
    let digest = pushed["digest"].as_str().expect("a digest");
    let (short, whole) = (format!("echo@{}", &digest[..8]), format!("echo@{digest}"));
    let task = host.create(&json!({"id": "a", "type": "event", "onEvent": "x", "plugin": short}));
    assert_eq!(task["plugin"], whole);
    let config = json!({"id": "b", "type": "event", "onEvent": "x", "plugin": "echo@00000000"});
    let refused = host.post("/v1/tasks", &config);
    assert_eq!(refused.body["errors"][0]["code"], "unknown_version", "{refused:?}");
}

#[test]
fn programs_get_errors_as_problem_documents() {
    let host = TestHost::start();
    let missing = ask(&host, &["--json", "task", "get", "none"]);
    let problem: Value = serde_json::from_str(&stderr(&missing)).expect("JSON");
    assert_eq!(
        (code(&missing), &problem["code"], &problem["status"]),
        (Some(1), &json!("not_found"), &json!(404))
    );
    let wrong = ask(&host, &["--json", "task", "list", "--status", "foo"]);
    let problem: Value = serde_json::from_str(&stderr(&wrong)).expect("JSON");
    assert_eq!((code(&wrong), &problem["code"]), (Some(2), &json!("usage")));
    assert!(problem["detail"].to_string().contains("pending, running, paused"), "{problem}");
    let nobody = run(&["--json", "--url", "http://127.0.0.1:1", "stats"]);
    let problem: Value = serde_json::from_str(&stderr(&nobody)).expect("JSON");
    assert_eq!((code(&nobody), &problem["code"]), (Some(3), &json!("unreachable")));
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("innkeeper.toml");
    fs::write(&file, "[retention]\nevents = '2d'\n").expect("a file");
    let shown = Command::new(binary())
        .args(["--json", "config", "check", text(&file)])
        .env("INNKEEPER_RETENTION_SKIPS", "forever")
        .output()
        .expect("the binary runs");
    let rows: Value = serde_json::from_str(&stdout(&shown)).expect("JSON");
    let from = |key: &str| {
        let rows = rows.as_array().expect("rows");
        rows.iter().find(|row| row["key"] == key).expect("a setting")["from"].clone()
    };
    assert_eq!(from("retention.events"), json!(format!("{}:2", text(&file))));
    assert_eq!(from("retention.skips"), "INNKEEPER_RETENTION_SKIPS");
    assert_eq!(from("server.listen"), "default");
    fs::write(&file, "[retention]\nevents = 'soon'\n").expect("a file");
    assert_eq!(code(&run(&["config", "check", text(&file)])), Some(2));
}

#[test]
fn a_host_counts_what_it_does() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    assert_eq!(host.run_once(&json!({"id": "hook", "plugin": "echo"}), &json!(1))["status"], "success");
    let text = host.text("/metrics");
    for line in [
        "innkeeper_executions_total{status=\"success\",kind=\"\"} 1",
        "innkeeper_compile_seconds_count 1",
        "innkeeper_sandbox_plugins_loaded 1",
        "innkeeper_sandbox_slots_used 0",
        "innkeeper_store_full 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
}

#[test]
fn a_run_that_takes_its_host_down_is_told_once() {
    let mut host = TestHost::start();
    host.push("slow", SLEEP_THEN_SUCCEED);
    host.push("echo", ECHO);
    host.create(&json!({"id": "pager", "type": "event", "onEvent": "job:failed", "plugin": "echo"}));
    host.create(
        &json!({"id": "slow", "type": "event", "onEvent": "go", "plugin": "slow", "onFailure": "job:failed"}),
    );
    host.publish("go", &json!({"ms": 20_000}), 1);
    for _ in 0..3 {
        assert_eq!(host.running("slow")["status"], "running");
        assert!(host.executions("pager").is_empty(), "it is not over yet");
        host = TestHost::start_in(host.kill());
    }
    let told = host.ended("pager", 1);
    let data = &told[0]["output"]["data"];
    assert_eq!((&data["taskId"], &data["kind"]), (&json!("slow"), &json!("interrupted")), "{told:?}");
    assert_eq!(data["runId"], host.executions("slow")[0]["runId"]);
    let again = TestHost::start_in(host.stop());
    assert_eq!(again.executions("pager").len(), 1);
}
