//! Plugins in Python and JavaScript, from source to an execution on a host. Compiled in only where the environment variable
//! `INNKEEPER_TEST_LANGUAGES` is set at build time: they need componentize-py, componentize-js and rolldown on the PATH.

use std::path::Path;
use std::process::Command;

use innkeeper_tests::{Dev, HttpServer, Reply, TestHost, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Builds the project in `directory`, which is to need these grants, and gives the component's path.
fn build(directory: &Path, folder: &TempDir, grants: &[&str]) -> String {
    let file = folder.path().join("plugin.wasm").display().to_string();
    let built = Command::new(binary())
        .args(["plugin", "build", "--json", "--output", &file])
        .arg(directory)
        .output()
        .expect("the binary starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}");
    let facts: Value = serde_json::from_slice(&built.stdout).expect("JSON");
    assert_eq!((&facts["handler"], &facts["grants"]), (&json!("plugin"), &json!(grants)), "{facts}");
    file
}

fn own(plugin: &str, folder: &TempDir) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    build(&root.join("plugins").join(plugin), folder, &[])
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
    build(&project, folder, &[])
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

/// A host with a project that uses every capability, and what the only execution of it gives.
fn use_everything(files: &[(&str, &str)]) -> (TestHost, HttpServer, Value) {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let server = HttpServer::start(|request| match request.split_whitespace().nth(1) {
        Some("/answer") => Reply::answer("200 OK", &["x-two: 2"], "{\"sum\": 3}"),
        Some("/moved") => Reply::answer("302 Found", &["location: /there"], ""),
        Some("/there") => Reply::answer("200 OK", &[], "here"),
        _ => Reply::answer("503 Service Unavailable", &["retry-after: 7"], "busy"),
    });
    let host = TestHost::start_with(&crate::egress::ALLOW_LOOPBACK);
    let file = build(folder.path(), &folder, &["http", "keyValue", "config"]);
    let http = format!("http={}", server.url());
    let granted =
        ["--allow", "kv=state", "--allow", "config=url", "--allow", "config=other", "--allow", &http];
    let pushed = host.client(&[&["plugin", "push", "everything", &file], &granted[..]].concat());
    assert!(pushed.contains("pushed"), "{pushed}");
    let set = host.client(&["config", "set", "url", &server.url()]);
    assert!(set.contains("url is set"), "{set}");
    let execution = host.run_once(&json!({"id": "everything", "plugin": "everything"}), &Value::Null);
    assert_eq!(execution["status"], "success", "{execution}");
    let output = execution["output"].clone();
    (host, server, output)
}

/// Checks what both languages give, and what is left of it.
fn assert_everything_was_used(host: &TestHost, server: &HttpServer, output: &Value) {
    for (field, expected) in [
        ("sums", json!([1, 5])),
        ("swapped", json!([true, false])),
        ("sizes", json!([1, 2, 3])),
        ("lock", json!("ada")),
        ("keys", json!(["lock", "sizes", "visits"])),
        ("some", json!(["lock"])),
        ("has", json!([false, true])),
        ("none", json!([null, "default"])),
        ("answer", json!([200, {"sum": 3}, "2"])),
    ] {
        assert_eq!(output[field], expected, "{field}: {output}");
    }
    let text = |place: &Value| place.as_str().unwrap_or_default().to_owned();
    assert!(text(&output["refused"][0][1]).contains("plugin allow NAME kv=theirs"), "{output}");
    assert!(text(&output["refused"][1][1]).contains("names no event"), "{output}");
    assert_eq!(output["refused"][1][0], "PublishError", "{output}");
    assert_eq!((&output["busy"][0], &output["busy"][2]), (&json!("Retry"), &json!(7)), "{output}");
    assert!(text(&output["busy"][1]).contains("/busy answered 503: busy"), "{output}");
    assert_eq!(host.client(&["kv", "get", "state", "visits"]), "5");
    let request = server.requests().first().cloned().unwrap_or_default();
    assert!(request.starts_with("POST /answer ") && request.contains("x-one: 1"), "{request}");
    assert!(request.ends_with("1}"), "{request}");
}

#[test]
fn a_python_plugin_uses_every_capability() {
    let (host, server, output) = use_everything(&[("app.py", include_str!("languages/capabilities.py"))]);
    assert_everything_was_used(&host, &server, &output);
    assert_eq!(output["moved"], "here");
    assert_eq!(output["refused"][0][0], "AccessDenied");
    assert_eq!(output["denied"][0], "Refused");
    assert!(output["denied"][1].as_str().is_some_and(|said| said.contains("no grant allows it")), "{output}");
}

#[test]
fn a_javascript_plugin_uses_every_capability() {
    let (host, server, output) = use_everything(&[
        ("package.json", r#"{"type": "module", "main": "index.js"}"#),
        ("index.js", include_str!("languages/capabilities.js")),
    ]);
    assert_everything_was_used(&host, &server, &output);
    assert_eq!((&output["refused"][0][0], &output["denied"][0]), (&json!("Permanent"), &json!("TypeError")));
}

#[test]
fn dev_builds_and_swaps_what_is_written_in_scripts() {
    let folder = TempDir::new().expect("a folder");
    let project = |name: &str, lang: &str| {
        let made = Command::new(binary())
            .current_dir(&folder)
            .args(["plugin", "new", name, "--lang", lang])
            .status();
        assert!(made.expect("the binary starts").success());
        let project = folder.path().join(name);
        change(&project.join("innkeeper.toml"), "guest:", &format!("{name}:"));
        project
    };
    let (snake, cup) = (project("snake", "python"), project("cup", "javascript"));
    let mut dev = Dev::start(&[&snake, &cup], &[]);
    let ada = json!({"name": "Ada"});
    assert_eq!(dev.output_of("snake", "snake:arrived", &ada), "Hello, Ada!");
    assert_eq!(dev.output_of("cup", "cup:arrived", &ada), "Hello, Ada!");

    change(&snake.join("app.py"), "return f\"Hello, {name}!\"", "return f\"Hello, {name!\"");
    dev.wait_for("snake changed: building");
    dev.wait_for("SyntaxError");
    dev.wait_for("snake does not build; version");
    assert_eq!(dev.output_of("snake", "snake:arrived", &ada), "Hello, Ada!", "what worked goes on");
    change(&snake.join("app.py"), "Hello, {name!", "Welcome, {name}!");
    dev.wait_for("snake now runs version");
    assert_eq!(dev.output_of("snake", "snake:arrived", &ada), "Welcome, Ada!");

    change(&cup.join("greet.js"), "Hello, ${name}!", "Welcome, ${name}!");
    dev.wait_for("cup now runs version");
    assert_eq!(dev.output_of("cup", "cup:arrived", &ada), "Welcome, Ada!");
}

fn change(file: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.contains(old), "{} has no {old:?}", file.display());
    std::fs::write(file, text.replace(old, new)).expect("a file");
}
