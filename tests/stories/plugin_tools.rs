//! What a plugin's author does without a server: `plugin new`, `build`, `inspect` and `run`.

use std::path::Path;
use std::process::{Command, Output};

use innkeeper_tests::binary;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::{
    BE_A_PROGRAM_FOR_WASIP1, FAIL_UNTIL, FETCH, IMPORT_UNKNOWN, PUBLISH, READ_CONFIG, SERVE_A_REQUEST,
};

fn innkeeper(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(binary()).current_dir(folder).args(arguments).output().expect("the binary starts")
}

fn here(arguments: &[&str]) -> Output {
    innkeeper(Path::new("."), arguments)
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn inspect_says_what_a_component_is_and_needs() {
    for (component, handler, core, grants) in [
        (PUBLISH, "plugin", false, json!([])),
        (BE_A_PROGRAM_FOR_WASIP1, "command", true, json!([])),
        (SERVE_A_REQUEST, "http", false, json!([])),
        (FETCH, "plugin", false, json!(["http"])),
    ] {
        let found = json_of(&here(&["plugin", "inspect", component, "--json"]));
        assert_eq!((&found["handler"], &found["isCoreModule"]), (&json!(handler), &json!(core)), "{found}");
        assert_eq!(found["grants"], grants, "{found}");
        assert!(found["exports"].as_array().is_some_and(|exports| core || !exports.is_empty()), "{found}");
        let size = std::fs::metadata(component).expect("the guest is built").len();
        assert_eq!(found["sizeBytes"], size);
        assert!(
            found["compiledBytes"].as_u64() > Some(0) && found["compileTimeUs"].as_u64() > Some(0),
            "{found}"
        );
    }
    let told = text(&here(&["plugin", "inspect", SERVE_A_REQUEST]));
    assert!(told.contains("a POST to / with the data as JSON body"), "{told}");
    assert!(told.contains("wasi:http/incoming-handler@0.2."), "{told}");
    let refused = here(&["plugin", "inspect", IMPORT_UNKNOWN]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("example:missing/thing"), "{}", text(&refused));
}

#[test]
fn run_shows_everything_that_came_of_one_execution() {
    let data = r#"[{"event": "order:paid", "data": {"total": 7}}]"#;
    let output = here(&["plugin", "run", PUBLISH, "--event", "go", "--data", data, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let told = json_of(&output);
    assert_eq!((&told["status"], &told["output"]), (&json!("success"), &json!([null])), "{told}");
    assert_eq!(told["events"], json!([{"event": "order:paid", "data": {"total": 7}}]));
    assert!(told["receipt"]["fuel"].as_u64() > Some(0), "{told}");
    let shown = text(&here(&["plugin", "run", PUBLISH, "--event", "go", "--data", data]));
    assert!(shown.contains("order:paid {\"total\":7}") && shown.contains("fuel"), "{shown}");
}

#[test]
fn a_run_that_fails_has_exit_code_1() {
    let output = here(&["plugin", "run", FAIL_UNTIL, "--metadata", r#"{"succeedAt": 2}"#, "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told = json_of(&output);
    assert_eq!((&told["status"], &told["kind"]), (&json!("failed"), &json!("handler_error")), "{told}");
    let usage = here(&["plugin", "run", FAIL_UNTIL, "--data", "{"]);
    assert_eq!(usage.status.code(), Some(2), "{}", text(&usage));
}

#[test]
fn repeated_runs_are_measured() {
    let output = here(&["plugin", "run", PUBLISH, "--data", "[]", "--repeat", "20", "--json"]);
    let repeated = json_of(&output)["repeated"].take();
    assert_eq!((&repeated["times"], &repeated["failed"]), (&json!(20), &json!(0)), "{repeated}");
    let fuel = |name: &str| repeated["fuel"][name].as_u64().expect("a number");
    assert!(fuel("min") > 0 && fuel("min") <= fuel("median") && fuel("median") <= fuel("p99"), "{repeated}");
    for field in ["wallUs", "memoryBytes"] {
        let value = |name: &str| repeated[field][name].as_u64().expect("a number");
        assert!(value("min") > 0 && value("min") <= value("median"), "{field}: {repeated}");
        assert!(value("median") <= value("p99"), "{field}: {repeated}");
    }
    let suggested = &repeated["suggestedLimits"];
    assert!(suggested["fuel"].as_u64().expect("a number") >= fuel("p99"), "{repeated}");
    assert!(suggested["memory"].as_u64() >= repeated["memoryBytes"]["p99"].as_u64(), "{repeated}");
    assert!(suggested["timeout"].as_str().is_some_and(|time| time.ends_with('s')), "{repeated}");
}

#[test]
fn a_run_reads_the_configuration_that_it_is_given() {
    let data = r#"{"keys": ["greeting", "other"], "show": "output"}"#;
    let run =
        |more: &[&str]| here(&[&["plugin", "run", READ_CONFIG, "--data", data, "--json"], more].concat());
    let told = json_of(&run(&["--config", "greeting=Good day=yes"]));
    assert_eq!(told["output"], json!({"values": ["Good day=yes", null]}), "{told}");
    assert!(told["logs"][0]["message"].as_str().is_some_and(|line| line.contains("other")), "{told}");
    let usage = run(&["--config", "greeting"]);
    assert_eq!(usage.status.code(), Some(2), "{}", text(&usage));
    assert!(text(&usage).contains("write KEY=VALUE"), "{}", text(&usage));
}

#[test]
fn a_new_rust_project_builds_passes_its_tests_and_runs() {
    let folder = TempDir::new().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let sdk = root.join("sdk").display().to_string();
    let made = innkeeper(folder.path(), &["plugin", "new", "greeter-two", "--sdk-path", &sdk]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let project = folder.path().join("greeter-two");
    // The versions that are here already.
    std::fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).expect("a lock file");
    let tested = Command::new("cargo").current_dir(&project).args(["test", "--quiet", "--offline"]).output();
    let tested = tested.expect("cargo starts");
    assert!(tested.status.success(), "{}", text(&tested));
    let built = Command::new(binary())
        .current_dir(&project)
        .env("CARGO_NET_OFFLINE", "true")
        .args(["plugin", "build", "--json"])
        .output()
        .expect("the binary starts");
    assert_eq!(built.status.code(), Some(0), "{}", text(&built));
    let facts = json_of(&built);
    assert_eq!(facts["handler"], "plugin", "{facts}");
    assert!(facts["sizeBytes"].as_u64() < Some(100_000), "a small handler is small: {facts}");
    let run = [
        "plugin",
        "run",
        "greeter-two.wasm",
        "--event",
        "guest:arrived",
        "--data",
        r#"{"name":"Ada"}"#,
        "--json",
    ];
    assert_eq!(json_of(&innkeeper(&project, &run))["output"], "Hello, Ada!");
    let again = innkeeper(folder.path(), &["plugin", "new", "greeter-two", "--sdk-path", &sdk]);
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten: {}", text(&again));
}

#[test]
fn a_project_needs_a_language_and_a_place() {
    let folder = TempDir::new().expect("a folder");
    for (lang, file) in [("python", "app.py"), ("javascript", "index.js")] {
        let made = innkeeper(folder.path(), &["plugin", "new", lang, "--lang", lang]);
        assert_eq!(made.status.code(), Some(0), "{}", text(&made));
        assert!(folder.path().join(lang).join(file).is_file());
        assert!(folder.path().join(lang).join("innkeeper.toml").is_file());
    }
    let nowhere = innkeeper(folder.path(), &["plugin", "build"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere).contains("innkeeper plugin new"), "{}", text(&nowhere));
    let unsaid = Command::new(binary())
        .current_dir(folder.path())
        .env_remove("INNKEEPER_SDK_PATH")
        .args(["plugin", "new", "rusty"])
        .output()
        .expect("the binary starts");
    assert!(unsaid.status.code() == Some(2) && text(&unsaid).contains("--sdk-path"), "{}", text(&unsaid));
}
