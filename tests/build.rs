//! Builds the components that the stories need: every guest and every plugin, for wasm32-wasip2, in a target directory
//! of their own, and the guests that are written as text. Adds the WebAssembly targets to the toolchain if they are missing.

#[path = "build/text.rs"]
mod text;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";
/// What makes core modules, which the host adapts, and the guest that is built for it as well.
const OLD_TARGET: &str = "wasm32-wasip1";
const OLD_PROGRAM: &str = "be_a_program";
const PROFILE: &str = "plugin";

fn main() {
    let tests = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("the tests have a workspace").to_owned();
    for watched in ["Cargo.lock", "Cargo.toml", "wit", "sdk", "plugins", "tests/guests"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    // Whether the tools of other languages are here is said by whoever starts the tests, so that leaving these stories out is a
    // decision.
    println!("cargo::rustc-check-cfg=cfg(languages)");
    println!("cargo::rerun-if-env-changed=INNKEEPER_TEST_LANGUAGES");
    if env::var_os("INNKEEPER_TEST_LANGUAGES").is_some() {
        println!("cargo::rustc-cfg=languages");
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    // OUT_DIR is <target>/<profile>/build/<package>/out. The outer build holds the lock of <target>/<profile>.
    let target = out.ancestors().nth(4).expect("OUT_DIR lies in a target directory").join("guests");
    add_wasm_target(TARGET);
    add_wasm_target(OLD_TARGET);
    let guests = names(&tests.join("guests/examples"), "rs");
    let mut plugins = names(&root.join("plugins"), "");
    plugins.retain(|plugin| root.join("plugins").join(plugin).join("Cargo.toml").is_file());
    build(&root, &target, TARGET, &["-p", "innkeeper-guests", "--examples"]);
    build(&root, &target, OLD_TARGET, &["-p", "innkeeper-guests", "--example", OLD_PROGRAM]);
    for plugin in &plugins {
        build(&root, &target, TARGET, &["-p", plugin]);
    }
    let built = target.join(TARGET).join(PROFILE);
    let mut source = String::new();
    for guest in &guests {
        let path = built.join("examples").join(format!("{guest}.wasm"));
        declare(&mut source, guest, &path);
        // For the benchmarks, which need few of them.
        println!("cargo::rustc-env=INNKEEPER_GUEST_{}={}", guest.to_uppercase(), path.display());
    }
    let old = target.join(OLD_TARGET).join(PROFILE).join("examples").join(format!("{OLD_PROGRAM}.wasm"));
    declare(&mut source, &format!("{OLD_PROGRAM}_for_wasip1"), &old);
    for plugin in &plugins {
        let file = format!("{}.wasm", plugin.replace('-', "_"));
        let path = built.join(file);
        declare(&mut source, plugin, &path);
        // For the benchmarks, which need no more than one.
        let variable = format!("INNKEEPER_{}", plugin.to_uppercase().replace('-', "_"));
        println!("cargo::rustc-env={variable}={}", path.display());
    }
    let folder = tests.join("guests/text");
    let wit = [
        root.join("wit"),
        folder.join("wit/io"),
        folder.join("wit/clocks"),
        folder.join("wit/random"),
        folder.join("wit/cli"),
    ];
    let wit: Vec<&Path> = wit.iter().map(PathBuf::as_path).collect();
    for guest in names(&folder, "wat") {
        let path = out.join(format!("{guest}.wasm"));
        let component = text::component(&folder.join(format!("{guest}.wat")), &wit);
        fs::write(&path, component).expect("OUT_DIR can be written");
        declare(&mut source, &guest, &path);
    }
    fs::write(out.join("components.rs"), source).expect("OUT_DIR can be written");
}

/// Names of the entries of `directory` with this extension, without it, sorted.
fn names(directory: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("the directory can be read");
    let paths = entries.map(|entry| entry.expect("the entry can be read").path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().unwrap_or_default() == extension)
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

/// A constant that holds a component's path. One that no story uses is a warning, which CI denies.
fn declare(source: &mut String, name: &str, path: &Path) {
    assert!(path.is_file(), "the build did not make {}", path.display());
    let constant = name.to_uppercase().replace('-', "_");
    writeln!(
        source,
        "/// The component `{name}`.\npub(crate) const {constant}: &str = {:?};",
        path.display().to_string()
    )
    .expect("a string takes text");
}

fn build(root: &Path, target: &Path, triple: &str, what: &[&str]) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--target", triple, "--profile", PROFILE]).args(what);
    cargo.arg("--target-dir").arg(target);
    // What the outer build was told is not meant for the inner one.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "cargo build {} failed: {status}", what.join(" "));
}

fn add_wasm_target(triple: &str) {
    let rustc = variable("RUSTC");
    let printed = Command::new(rustc).args(["--print", "target-libdir", "--target", triple]).output();
    let directory = printed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if directory.is_ok_and(|directory| Path::new(&directory).is_dir()) {
        return;
    }
    let added = Command::new("rustup").args(["target", "add", triple]).status();
    assert!(
        added.is_ok_and(|status| status.success()),
        "the guests need the target {triple}, and `rustup target add {triple}` failed: add it by hand"
    );
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
