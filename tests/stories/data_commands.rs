//! The verbs for what plugins keep and are configured with, typed as people type them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use innkeeper_tests::TestHost;
use innkeeper_tests::host::binary;
use serde_json::{Value, json};

/// The exit code, standard output and standard error of a command, with this standard input.
fn type_in(host: &TestHost, input: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command.args(arguments).env("INNKEEPER_URL", host.url());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A command that does not read it may be gone already.
    let _written = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Standard output of a command that succeeds.
fn done(host: &TestHost, input: &str, arguments: &[&str]) -> String {
    let (code, out, error) = type_in(host, input, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {error}");
    out
}

#[test]
fn values_are_set_read_listed_and_deleted() {
    let host = TestHost::start();
    assert_eq!(done(&host, "", &["kv", "set", "state", "count", "-5"]), "count is set in state (2 B, new)\n");
    done(&host, "raw\n", &["kv", "set", "state", "a b/c"]);
    assert_eq!(done(&host, "", &["kv", "get", "state", "a b/c"]), "raw\n");
    let read = done(&host, "", &["kv", "get", "state", "count", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&read).expect("JSON")["value"], "-5");
    let listed = done(&host, "", &["kv", "list", "state", "--prefix", "a"]);
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["SIZE  KEY", "4 B   a b/c"]);
    let buckets = done(&host, "", &["kv", "buckets", "--json"]);
    let expected = json!([{"bucket": "state", "keys": 2, "bytes": 16}]);
    assert_eq!(serde_json::from_str::<Value>(&buckets).expect("JSON"), expected);
    done(&host, "", &["kv", "delete", "state", "count"]);
    let (code, _, error) = type_in(&host, "", &["kv", "get", "state", "count"]);
    assert!(
        code == Some(1) && error.contains("the key `count` in the bucket `state` does not exist"),
        "{error}"
    );
}

#[test]
fn a_secret_comes_from_standard_input_and_is_never_shown() {
    let host = TestHost::start();
    done(&host, "", &["config", "set", "greeting", "Good day"]);
    let set = done(&host, "s3cret-value\n", &["config", "set", "token", "--secret"]);
    assert!(set.contains("innkeeper plugin allow NAME config=token"), "{set}");
    let listed = done(&host, "", &["config", "list"]);
    assert!(listed.contains("Good day") && listed.contains("(secret)"), "{listed}");
    let read = done(&host, "", &["config", "get", "token", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&read).expect("JSON")["value"], Value::Null);
    assert!(![set, listed, read].concat().contains("s3cret"));
    let (code, out, error) = type_in(&host, "", &["config", "get", "token"]);
    assert!(code == Some(1) && out.is_empty() && error.contains("token is a secret"), "{out}{error}");
    let (code, _, error) = type_in(&host, "", &["config", "set", "greeting"]);
    assert!(code == Some(2) && error.contains("no value was given"), "{error}");
    let (code, _, error) = type_in(&host, "", &["config", "set", "token", "--secret", "on-the-command-line"]);
    assert!(code == Some(2) && error.contains("--secret"), "{error}");
    done(&host, "", &["config", "delete", "token"]);
    assert_eq!(done(&host, "", &["config", "get", "greeting"]), "Good day\n");
}
