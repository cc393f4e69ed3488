//! The rules of the house that a compiler does not check.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

/// Who may depend on what is heavy: the same list as in deny.toml.
const OWNERS: [(&str, &[&str]); 10] = [
    ("wasmtime", &["innkeeper-sandbox"]),
    ("wasmtime-wasi", &["innkeeper-sandbox"]),
    ("wasmtime-wasi-http", &["innkeeper-sandbox"]),
    ("rusqlite", &["innkeeper-store", "innkeeper-tests"]),
    ("rusqlite_migration", &["innkeeper-store"]),
    ("croner", &["innkeeper-schedule"]),
    ("chrono-tz", &["innkeeper-schedule"]),
    ("axum", &["innkeeper-admin"]),
    ("clap", &["innkeeper"]),
    ("wit-bindgen", &["innkeeper-sdk", "innkeeper-guests"]),
];

/// Which of our crates a crate of the host may depend on: dependencies point one way.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("innkeeper-model", &[]),
    ("innkeeper-schedule", &["innkeeper-model"]),
    ("innkeeper-store", &["innkeeper-model"]),
    ("innkeeper-sandbox", &["innkeeper-model"]),
    ("innkeeper-runner", &["innkeeper-model", "innkeeper-schedule", "innkeeper-store"]),
    ("innkeeper-admin", &["innkeeper-model", "innkeeper-schedule", "innkeeper-store", "innkeeper-runner"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests have a workspace").to_owned()
}

/// Our crates, each with the names of what it depends on, other than for its own tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata =
        MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo knows the workspace");
    let shipped = |dependency: &&cargo_metadata::Dependency| {
        dependency.kind != cargo_metadata::DependencyKind::Development
    };
    let names = |package: &cargo_metadata::Package| {
        package.dependencies.iter().filter(shipped).map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), names(package))).collect()
}

#[test]
fn cargo_run_means_the_host() {
    let metadata =
        MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo knows the workspace");
    let meant: Vec<_> =
        metadata.packages.iter().filter_map(|package| package.default_run.as_deref()).collect();
    assert_eq!(meant, ["innkeeper"], "the README's first command names no program");
}

#[test]
fn each_heavy_dependency_has_its_owners_only() {
    let dependencies = dependencies();
    let deny = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    for (heavy, owners) in OWNERS {
        for (package, names) in &dependencies {
            let owned = !names.iter().any(|name| name == heavy) || owners.contains(&package.as_str());
            assert!(owned, "{package} depends on {heavy}; only {owners:?} may");
        }
        let rule = deny.lines().find(|line| line.contains(&format!("\"{heavy}\"")));
        let rule = rule.unwrap_or_else(|| panic!("deny.toml has a rule for {heavy}"));
        assert!(owners.iter().all(|owner| rule.contains(&format!("\"{owner}\""))), "{rule} names {owners:?}");
    }
}

#[test]
fn dependencies_of_the_host_point_one_way() {
    let dependencies = dependencies();
    for (package, may_know) in MAY_KNOW {
        let names = dependencies.get(package).unwrap_or_else(|| panic!("{package} is part of the workspace"));
        for name in names.iter().filter(|name| name.starts_with("innkeeper")) {
            assert!(may_know.contains(&name.as_str()), "{package} must not know {name}");
        }
    }
}

#[test]
fn every_crate_follows_the_one_lint_table_and_the_one_dependency_table() {
    let metadata =
        MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo knows the workspace");
    for package in &metadata.packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest can be read");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has its own lints", package.name);
        let versions = manifest.lines().find(|line| line.contains(" = \"") && line.contains("version = \""));
        assert_eq!(versions, None, "{} names a version of its own", package.name);
    }
}

#[test]
fn source_files_stay_small() {
    let mut long = Vec::new();
    for folder in ["host", "sdk", "plugins", "tests"] {
        visit(&root().join(folder), &mut |path| {
            let lines = std::fs::read_to_string(path).expect("source is text").lines().count();
            if lines > 400 {
                long.push(format!("{} ({lines} lines)", path.display()));
            }
        });
    }
    assert!(long.is_empty(), "split these: {long:?}");
}

fn visit(directory: &Path, look: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).expect("a directory can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            visit(&path, look);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            look(&path);
        }
    }
}
