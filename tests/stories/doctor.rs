//! `innkeeper doctor` finds what would keep a data directory from being used.

use std::fs;
use std::path::Path;
use std::process::Command;

use innkeeper_tests::TestHost;
use innkeeper_tests::host::binary;
use serde_json::{Value, json};

/// What the doctor says of secrets and of their key: grades and texts.
fn diagnosis(directory: &Path, variables: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut command = Command::new(binary());
    command.args(["doctor", "--json", "--data-dir"]).arg(directory).envs(variables.iter().copied());
    let output = command.output().expect("it runs");
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("findings in JSON");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let found = findings.iter().map(|finding| (text(finding, "grade"), text(finding, "text")));
    found.filter(|(_, text)| text.contains("secret")).collect()
}

#[test]
fn secrets_that_nobody_can_read_are_found() {
    let host = TestHost::start();
    let set = host.put_json("/v1/config/token", &json!({"value": "s3cret", "secret": true}));
    assert_eq!(set.status, 201, "{set:?}");
    let directory = host.stop();
    let key = directory.path().join("secret.key");
    let one = |variables: &[(&str, &str)]| {
        let mut found = diagnosis(directory.path(), variables);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    };
    let (grade, text) = one(&[]);
    assert!(grade == "ok" && text.starts_with("1 secret(s) can be read"), "{grade}: {text}");
    let elsewhere = directory.path().join("elsewhere.key");
    fs::rename(&key, &elsewhere).expect("the key is there");
    let (grade, text) = one(&[]);
    assert!(grade == "bad" && text.contains("their key is missing") && text.contains("secret.key"), "{text}");
    assert!(!key.exists(), "none is made");
    let (grade, _) = one(&[("INNKEEPER_SECRET_KEY_FILE", elsewhere.to_str().expect("text"))]);
    assert_eq!(grade, "ok");
    let right = fs::read_to_string(&elsewhere).expect("the key");
    assert_eq!(one(&[("INNKEEPER_SECRET_KEY", right.trim())]).0, "ok");
    let (grade, text) = one(&[("INNKEEPER_SECRET_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]);
    assert!(grade == "bad" && text.contains("another key than that of INNKEEPER_SECRET_KEY"), "{text}");
    fs::write(&key, "no key").expect("a file");
    // It is one that everybody can read, too.
    let (grade, text) = diagnosis(directory.path(), &[]).remove(0);
    assert!(grade == "bad" && text.contains("cannot be used"), "{text}");
    fs::rename(&elsewhere, &key).expect("back");
    open_to_all(&key);
    let found = diagnosis(directory.path(), &[]);
    let open = found.iter().find(|(_, text)| text.contains("chmod go=")).expect("an open key");
    assert!(open.0 == "bad" && open.1.contains("secret.key"), "{open:?}");
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("rights can be changed");
}

#[test]
fn without_secrets_no_key_is_missed() {
    let host = TestHost::start();
    assert_eq!(host.get("/v1/config").body["items"], json!([]));
    let directory = host.stop();
    fs::remove_file(directory.path().join("secret.key")).expect("the key is there");
    assert_eq!(diagnosis(directory.path(), &[]), []);
}
