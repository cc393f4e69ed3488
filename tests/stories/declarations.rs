//! Files that declare all that a tenant has: they are applied whole or not at all, and an export is one of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use innkeeper_tests::host::{TestHost, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::{ECHO, IMPORT_UNKNOWN, READ_CONFIG};

const DECLARED: &str = "[[preset]]
name = '@quarter-hourly'
cron = '*/15 * * * *'
description = 'Four times an hour'

[[plugin]]
name = 'reader'
path = 'reader.wasm'
[plugin.grants]
http = ['https://api.example.com']
keyValue = ['state']
config = ['token', 'greeting']
[plugin.limits]
timeout = '5s'
memory = 33554432

[[plugin]]
name = 'echo'
path = 'echo.wasm'

[[config]]
key = 'greeting'
value = 'Good day'

[[config]]
key = 'token'
secret = { env = 'STORY_TOKEN' }

[[task]]
id = 'read'
type = 'event'
onEvent = 'read'
plugin = 'reader'
limits = { fuel = 500000000 }

[[task]]
id = 'often'
type = 'schedule'
preset = '@quarter-hourly'
timezone = 'Europe/Rome'
plugin = 'echo'
isPaused = true
";

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::copy(READ_CONFIG, folder.path().join("reader.wasm")).expect("a component");
    fs::copy(ECHO, folder.path().join("echo.wasm")).expect("a component");
    declare(&folder, DECLARED);
    folder
}

fn declare(folder: &TempDir, text: &str) {
    fs::write(folder.path().join("innkeeper.toml"), text).expect("a file");
}

/// Runs the binary as a client of `host`, with these variables.
fn ask(host: &TestHost, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary());
    command.args(["--url", host.url()]).args(arguments).envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn apply(host: &TestHost, folder: &Path, more: &[&str], variables: &[(&str, &str)]) -> String {
    let path = folder.to_str().expect("a path in Unicode");
    let output = ask(host, &[&["apply", "-f", path], more].concat(), variables);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file of an export, by its name.
fn exported(host: &TestHost, place: &Path) -> BTreeMap<String, Vec<u8>> {
    let output = ask(host, &["export", place.to_str().expect("a path in Unicode")], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stderr(&output);
    assert!(told.contains("the text of 1 secret is not in it: set SECRET_TOKEN"), "{told}");
    let entries = fs::read_dir(place).expect("a folder").map(|entry| entry.expect("an entry"));
    let name = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries.map(|entry| (name(&entry), fs::read(entry.path()).expect("a file"))).collect()
}

fn read_token(host: &TestHost) -> Value {
    host.publish("read", &json!({"keys": ["token", "greeting"], "show": "output"}), 1);
    host.ended("read", 1)[0]["output"].clone()
}

const TOKEN: [(&str, &str); 1] = [("STORY_TOKEN", "s3cret")];

#[test]
fn an_export_makes_another_host_the_same() {
    let (host, folder, places) = (TestHost::start(), folder(), TempDir::new().expect("a folder"));
    let told = apply(&host, folder.path(), &[], &TOKEN);
    assert!(told.contains("+ preset @quarter-hourly") && told.contains("value: (secret)"), "{told}");
    assert!(told.ends_with("created 7, changed 0, deleted 0\n"), "{told}");
    assert!(!told.contains("s3cret"), "{told}");
    assert_eq!(apply(&host, folder.path(), &[], &TOKEN), "nothing to change\n", "the secret is the same too");
    assert_eq!(host.get("/v1/plugins/reader/grants").body["keyValue"], json!(["state"]));
    assert_eq!(
        host.get("/v1/plugins/reader/limits").body["limits"],
        json!({"timeout": "5s", "memory": 33_554_432})
    );
    assert_eq!(read_token(&host), json!({"values": ["[redacted]", "Good day"]}));
    let first = exported(&host, &places.path().join("first"));
    assert_eq!(apply(&host, &places.path().join("first"), &["--prune"], &[]), "nothing to change\n");

    let other = TestHost::start();
    let place = places.path().join("first");
    let path = place.to_str().expect("a path in Unicode");
    let without = ask(&other, &["apply", "-f", path], &[]);
    assert_eq!(without.status.code(), Some(1), "a secret that is nowhere");
    assert!(stderr(&without).contains("token: `value` is required"), "{}", stderr(&without));
    assert_eq!(other.get("/v1/plugins").body["items"], json!([]), "so nothing was changed");
    apply(&other, &place, &[], &[("SECRET_TOKEN", "s3cret")]);
    assert_eq!(exported(&other, &places.path().join("second")), first);
    assert_eq!(read_token(&other), json!({"values": ["[redacted]", "Good day"]}));
    assert_eq!(apply(&other, folder.path(), &[], &TOKEN), "nothing to change\n", "nor do the first files");
}

#[test]
fn only_what_differs_is_changed_and_what_is_left_out_is_left_alone() {
    let (host, folder) = (TestHost::start(), folder());
    apply(&host, folder.path(), &[], &TOKEN);
    let told = apply(&host, folder.path(), &["--dry-run"], &[("STORY_TOKEN", "another")]);
    assert_eq!(
        told,
        "~ config token\n    value: (secret) → (another secret)\nwould be created 0, changed 1, deleted 0\n"
    );
    declare(&folder, "[[plugin]]\nname = 'reader'\npath = 'reader.wasm'\n[plugin.limits]\nfuel = 7\n");
    let told = apply(&host, folder.path(), &[], &[]);
    assert!(told.contains("limits: {") && told.contains("→ {\"fuel\":7}"), "{told}");
    assert_eq!(
        host.get("/v1/plugins/reader/grants").body["keyValue"],
        json!(["state"]),
        "they were not declared"
    );
    let told = apply(&host, folder.path(), &["--prune", "--json"], &[]);
    let answer: Value = serde_json::from_str(&told).expect("JSON");
    let gone: Vec<_> =
        answer["changes"].as_array().expect("changes").iter().map(|change| &change["name"]).collect();
    assert_eq!(gone, ["often", "read", "greeting", "token", "echo"]);
    assert_eq!(host.get("/v1/config").body["items"], json!([]));
}

#[test]
fn a_mistake_anywhere_leaves_everything_as_it_was() {
    let (host, folder) = (TestHost::start(), folder());
    fs::copy(IMPORT_UNKNOWN, folder.path().join("echo.wasm")).expect("a component");
    let path = folder.path().to_str().expect("a path in Unicode");
    let refused = ask(&host, &["apply", "-f", path], &TOKEN);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(
        said.contains("1 refused, nothing is changed") && said.contains("innkeeper.toml:19:1: echo: `path`"),
        "{said}"
    );
    fs::copy(ECHO, folder.path().join("echo.wasm")).expect("a component");
    let wrong = DECLARED
        .replace("https://api.example.com", "api.example.com")
        .replace("fuel = 500000000", "feul = 1")
        .replace("*/15 * * * *", "99 * * * *");
    declare(&folder, &wrong);
    let refused = ask(&host, &["apply", "-f", path], &TOKEN);
    let said = stderr(&refused);
    for expected in ["innkeeper.toml:10:9: reader: `grants.http[0]`", "read: `limits.feul` is not a known"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    declare(&folder, &DECLARED.replace("*/15 * * * *", "99 * * * *"));
    let said = stderr(&ask(&host, &["apply", "-f", path], &TOKEN));
    assert!(said.contains("innkeeper.toml:3:1: @quarter-hourly: `cron`"), "{said}");
    let told: Value =
        serde_json::from_str(&stderr(&ask(&host, &["apply", "-f", path, "--json"], &TOKEN))).expect("JSON");
    let error = &told["errors"][0];
    assert_eq!(
        (&error["line"], &error["field"], &error["name"]),
        (&json!(3), &json!("cron"), &json!("@quarter-hourly"))
    );
    for list in ["plugins", "config", "tasks"] {
        assert_eq!(host.get(&format!("/v1/{list}")).body["items"], json!([]), "{list}");
    }
}
