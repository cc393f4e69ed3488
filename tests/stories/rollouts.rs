//! Versions as people bring them to a host: what they are told, what they must decide, what is tried first.

use std::process::{Command, Output};

use innkeeper_tests::{TestHost, binary};
use serde_json::json;

use crate::components::{ECHO, FETCH, TRAP};

fn plugin(host: &TestHost, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("plugin").args(arguments).env("INNKEEPER_URL", host.url());
    command.output().expect("the binary starts")
}

/// What is said of a command that succeeds.
fn said(host: &TestHost, arguments: &[&str]) -> String {
    let output = plugin(host, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is said of a command that fails.
fn refused(host: &TestHost, arguments: &[&str]) -> String {
    let output = plugin(host, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn active(host: &TestHost) -> String {
    host.get("/v1/plugins/shop").body["digest"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_version_that_reaches_for_more_comes_with_the_command_to_repeat() {
    let host = TestHost::start();
    assert!(said(&host, &["push", "shop", ECHO]).starts_with("pushed\n"));
    let before = active(&host);
    let told = refused(&host, &["push", "shop", FETCH]);
    assert!(
        told.contains(&format!("innkeeper plugin push shop {FETCH} --allow http=https://HOST")),
        "{told}"
    );
    assert_eq!(active(&host), before);
    let told = said(&host, &["push", "shop", FETCH, "--allow", "http=https://api.example.com"]);
    assert!(
        told.contains("imports now wasi:http/outgoing-handler") && told.contains("against version"),
        "{told}"
    );
    assert_ne!(active(&host), before);
    let grants = host.get("/v1/plugins/shop/grants").body;
    assert_eq!(grants["http"], json!(["https://api.example.com"]));
    let versions = said(&host, &["versions", "shop"]);
    assert!(versions.contains("CALLED AS") && versions.contains("whoever sits"), "{versions}");
}

#[test]
fn a_canary_that_fails_keeps_the_version_out() {
    let host = TestHost::start();
    said(&host, &["push", "shop", ECHO]);
    let before = active(&host);
    let told = refused(&host, &["push", "shop", TRAP, "--canary", "guest:arrived={\"name\": \"Ada\"}"]);
    assert!(told.contains("canary_failed") && told.contains("trap"), "{told}");
    assert!(told.contains("is kept, and not active"), "{told}");
    assert_eq!(active(&host), before);
    assert_eq!(host.get("/v1/plugins/shop/versions").body["items"].as_array().map(Vec::len), Some(2));
    let told = said(&host, &["push", "shop", ECHO, "--canary", "guest:arrived={\"name\": \"Ada\"}"]);
    assert!(told.contains("its trial went well") && told.contains("Ada"), "{told}");
    assert_eq!(said(&host, &["prune", "shop", "--keep", "0"]), "1 version of shop deleted\n");
    said(&host, &["push", "shop", TRAP]);
    let told = refused(&host, &["push", "shop", TRAP, "--canary", "guest:arrived={}"]);
    assert!(told.contains("stays active, as it was"), "{told}");
}

#[test]
fn a_version_that_is_only_kept_is_activated_later() {
    let host = TestHost::start();
    let told = said(&host, &["push", "shop", ECHO, "--no-activate"]);
    assert!(told.starts_with("pushed, and not active: innkeeper plugin activate shop "), "{told}");
    assert_eq!(active(&host), "");
    let digest = told.split_whitespace().nth(8).expect("a digest").to_owned();
    let task = json!({"id": "now", "type": "event", "onEvent": "now", "plugin": "shop"});
    let answer = host.post("/v1/tasks", &task);
    assert_eq!(
        (answer.status, &answer.body["errors"][0]["code"]),
        (422, &json!("no_active_version")),
        "{answer:?}"
    );
    assert!(said(&host, &["activate", "shop", &digest]).starts_with("active now\n"));
    assert!(active(&host).starts_with(&digest));
    let execution = host.run_once(&json!({"id": "now", "plugin": "shop"}), &json!(1));
    assert_eq!(execution["status"], "success", "{execution}");
}
