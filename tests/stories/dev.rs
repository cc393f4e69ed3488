//! The loop of a plugin's author: `innkeeper dev` with several plugins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use innkeeper_tests::{Dev, binary};
use serde_json::json;
use tempfile::TempDir;

/// A new project whose task listens to an event of its own.
fn project(folder: &TempDir, name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let made = Command::new(binary())
        .current_dir(folder)
        .args(["plugin", "new", name, "--sdk-path"])
        .arg(root.join("sdk"))
        .status();
    assert!(made.expect("the binary starts").success());
    let project = folder.path().join(name);
    // The versions that are here already.
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).expect("a lock file");
    change(&project.join("innkeeper.toml"), "guest:", &format!("{name}:"));
    project
}

fn change(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).expect("a file");
    assert!(text.contains(old), "{} has no {old:?}", file.display());
    fs::write(file, text.replace(old, new)).expect("a file");
}

#[test]
fn several_plugins_are_swapped_as_they_are_saved_and_a_failing_build_is_survived() {
    let folder = TempDir::new().expect("a folder");
    let (first, second) = (project(&folder, "first"), project(&folder, "second"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dev").display().to_string();
    let variables = [("CARGO_NET_OFFLINE", "true"), ("CARGO_TARGET_DIR", target.as_str())];
    let mut dev = Dev::start(&[&first, &second], &variables);
    let ada = json!({"name": "Ada"});
    let greeting = |dev: &Dev, name: &str| {
        dev.output_of(name, &format!("{name}:arrived"), &ada).as_str().map(str::to_owned)
    };
    assert_eq!(greeting(&dev, "first").as_deref(), Some("Hello, Ada!"));
    assert_eq!(greeting(&dev, "second").as_deref(), Some("Hello, Ada!"));

    change(&second.join("src/lib.rs"), "Ok(format!(\"Hello, {name}!\"))", "Ok(format!(\"Welcome, {nam}!\"))");
    dev.wait_for("second changed: building");
    dev.wait_for("cannot find value `nam`");
    dev.wait_for("second does not build; version");
    assert_eq!(greeting(&dev, "second").as_deref(), Some("Hello, Ada!"), "what worked goes on");

    change(&second.join("src/lib.rs"), "{nam}", "{name}");
    dev.wait_for("second now runs version");
    assert_eq!(greeting(&dev, "second").as_deref(), Some("Welcome, Ada!"));
    assert_eq!(greeting(&dev, "first").as_deref(), Some("Hello, Ada!"), "nobody else is touched");
}
