//! Configuration and secrets: granted plugins read them, and a secret shows nowhere.

use std::path::Path;
use std::process::{Command, Output};

use innkeeper_tests::TestHost;
use innkeeper_tests::host::binary;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::READ_CONFIG;
use crate::granted::{host_with, log_of};

const SECRET: &str = "s3cret \"key\"/42";

fn host_with_secret() -> TestHost {
    let host = host_with(&[("reader", READ_CONFIG, json!({"config": ["token", "greeting"]}))]);
    configure(&host, "token", &json!({"value": SECRET, "secret": true}));
    configure(&host, "greeting", &json!({"value": "Hello"}));
    host
}

fn configure(host: &TestHost, key: &str, body: &Value) {
    let answer = host.put(&format!("/v1/config/{key}"), "application/json", body.to_string().as_bytes());
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

fn read(host: &TestHost, show: &str) -> Value {
    let data = json!({"keys": ["token", "greeting"], "show": show});
    host.run_once(&json!({"id": show, "plugin": "reader"}), &data)
}

/// Whether any file in the directory has these bytes.
fn holds(directory: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries.map(|entry| entry.expect("an entry").path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let content = std::fs::read(&path).expect("a file");
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn a_secret_is_in_no_log_output_or_error_of_whoever_reads_it() {
    let host = host_with_secret();
    assert_eq!(read(&host, "output")["output"], json!({"values": ["[redacted]", "Hello"]}));
    for show in ["log", "print"] {
        let execution = read(&host, show);
        assert_eq!(execution["output"], 2, "{execution}");
        let lines = log_of(&host, &execution);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("values: [Some(\"[redacted]\"), Some(\"Hello\")]"), "{lines:?}");
    }
    for show in ["fail", "panic"] {
        let execution = read(&host, show);
        let error = execution["error"].as_str().expect("an error");
        assert!(error.contains("[redacted]") && error.contains("Hello"), "{error}");
    }
}

#[test]
fn nothing_on_the_disk_holds_a_secret_in_plain_text() {
    let host = host_with_secret();
    for show in ["output", "log", "print", "fail", "panic"] {
        assert!(read(&host, show)["completedAt"].is_string());
    }
    let listed = host.get("/v1/config");
    assert_eq!(listed.body["items"][1]["key"], "token");
    assert_eq!(
        (&listed.body["items"][1]["isSecret"], &listed.body["items"][1]["value"]),
        (&json!(true), &Value::Null)
    );
    let directory = host.stop();
    assert!(holds(directory.path(), b"Hello"));
    for form in [SECRET.as_bytes(), b"s3cret", b"czNjcmV0"] {
        assert!(!holds(directory.path(), form), "{}", String::from_utf8_lossy(form));
    }
}

#[test]
fn a_plugin_reads_what_is_configured_now() {
    let host = host_with_secret();
    let task = json!({"id": "now", "type": "event", "onEvent": "now", "plugin": "reader"});
    host.create(&task);
    let data = json!({"keys": ["greeting"], "show": "output"});
    host.publish("now", &data, 1);
    assert_eq!(host.ended("now", 1)[0]["output"], json!({"values": ["Hello"]}));
    configure(&host, "greeting", &json!({"value": "Good day"}));
    host.publish("now", &data, 1);
    assert_eq!(host.ended("now", 2)[0]["output"], json!({"values": ["Good day"]}));
    assert_eq!(host.delete("/v1/config/greeting").status, 204);
    host.publish("now", &data, 1);
    assert_eq!(host.ended("now", 3)[0]["output"], json!({"values": [null]}));
}

/// What a server says that does not start.
fn refused(directory: &TempDir, variable: &str, value: &str) -> String {
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(directory.path());
    let Output { status, stderr, .. } = command.env(variable, value).output().expect("the binary starts");
    assert!(!status.success());
    String::from_utf8_lossy(&stderr).into_owned()
}

#[test]
fn a_wrong_key_is_refused_at_the_start_and_loses_nothing() {
    let directory = host_with_secret().stop();
    let other = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let said = refused(&directory, "INNKEEPER_SECRET_KEY", other);
    assert!(said.contains("encrypted with another key") && said.contains("secret.key"), "{said}");
    let said = refused(&directory, "INNKEEPER_SECRET_KEY", "short");
    assert!(said.contains("INNKEEPER_SECRET_KEY") && said.contains("32 bytes in Base64"), "{said}");
    let said = refused(&directory, "INNKEEPER_SECRET_KEY_FILE", "no/such/file");
    assert!(said.contains("cannot read the secret key file no/such/file"), "{said}");
    let host = TestHost::start_in(directory);
    assert_eq!(read(&host, "output")["output"], json!({"values": ["[redacted]", "Hello"]}));
}
