//! Plugins in Python and JavaScript, from source to an execution on a host. Compiled in only where the environment variable
//! `INNKEEPER_TEST_LANGUAGES` is set at build time: they need componentize-py, componentize-js and rolldown on the PATH.

use std::path::Path;
use std::process::Command;

use innkeeper_tests::{TestHost, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Builds the project in `directory` and gives the component's path.
fn build(directory: &Path, folder: &TempDir) -> String {
    let file = folder.path().join("plugin.wasm").display().to_string();
    let built = Command::new(binary())
        .args(["plugin", "build", "--json", "--output", &file])
        .arg(directory)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let facts: Value = serde_json::from_slice(&built.stdout).expect("JSON");
    assert_eq!((&facts["handler"], &facts["grants"]), (&json!("plugin"), &json!([])), "{facts}");
    file
}

fn own(plugin: &str, folder: &TempDir) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    build(&root.join("plugins").join(plugin), folder)
}

fn new(lang: &str, folder: &TempDir) -> String {
    let made =
        Command::new(binary()).current_dir(folder).args(["plugin", "new", "guest", "--lang", lang]).output();
    assert!(made.expect("the binary starts").status.success());
    let project = folder.path().join("guest");
    let tests: &[&str] = if lang == "python" { &["python3", "-m", "unittest"] } else { &["node", "--test"] };
    let tested =
        Command::new(tests[0]).current_dir(&project).args(&tests[1..]).output().expect("the tests start");
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    build(&project, folder)
}

fn assert_failed(execution: &Value, kind: &str, error: &str) {
    assert_eq!(execution["kind"], kind, "{execution}");
    assert!(execution["error"].as_str().is_some_and(|message| message.contains(error)), "{execution}");
}

#[test]
fn a_python_plugin_computes() {
    let folder = TempDir::new().expect("a folder");
    let host = TestHost::start();
    host.push("statistics", &own("statistics", &folder));
    let task = |id: &str| json!({"id": id, "plugin": "statistics", "metadata": {"field": "value"}});
    let execution = host.run_once(&task("numbers"), &json!([{"value": 1}, {"value": 3}, {}]));
    assert_eq!(execution["status"], "success", "{execution}");
    let output = &execution["output"];
    assert_eq!((&output["count"], &output["missing"], &output["mean"]), (&json!(2), &json!(1), &json!(2.0)));
    assert_failed(&host.run_once(&task("nonsense"), &json!({"a": 1})), "permanent", "not dict");
}

#[test]
fn a_javascript_plugin_transforms_and_publishes() {
    let folder = TempDir::new().expect("a folder");
    let host = TestHost::start();
    host.push("reshape", &own("reshape", &folder));
    host.push("echo", crate::components::ECHO);
    host.create(&json!({"id": "listener", "type": "event", "onEvent": "order:summary", "plugin": "echo"}));
    let metadata = json!({"fields": {"customer.name": "user.name"}, "publish": "order:summary"});
    let task = json!({"id": "orders", "plugin": "reshape", "metadata": metadata});
    let execution = host.run_once(&task, &json!({"user": {"name": "Ada"}}));
    assert_eq!(execution["output"], json!({"customer": {"name": "Ada"}}), "{execution}");
    assert_eq!(host.ended("listener", 1)[0]["output"]["data"], json!({"customer": {"name": "Ada"}}));
    let bare = host.run_once(&json!({"id": "bare", "plugin": "reshape"}), &Value::Null);
    assert_failed(&bare, "permanent", "no `fields`");
}

#[test]
fn new_projects_build_and_run() {
    for lang in ["python", "javascript"] {
        let folder = TempDir::new().expect("a folder");
        let host = TestHost::start();
        host.push("guest", &new(lang, &folder));
        let greet = |id: &str, data: Value| host.run_once(&json!({"id": id, "plugin": "guest"}), &data);
        assert_eq!(greet("named", json!({"name": "Ada"}))["output"], "Hello, Ada!");
        assert_eq!(greet("world", Value::Null)["output"], "Hello, world!");
        assert_failed(&greet("nameless", json!({})), "permanent", "a guest has a name");
    }
}
