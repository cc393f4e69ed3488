//! Every command of the plugin guide works as it is shown.

use std::process::{Command, Stdio};

use innkeeper_tests::{TestHost, binary};
use tempfile::TempDir;

const GUIDE: &str = include_str!("../../docs/plugin-guide.md");

/// The commands of a section's console blocks, each with the lines that the guide shows after it.
fn commands(section: &str) -> Vec<(String, Vec<String>)> {
    let body = GUIDE.split(&format!("\n## {section}\n")).nth(1).expect("the guide has the section");
    let body = body.split("\n## ").next().unwrap_or_default();
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for block in body.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
                (None, Some((_, shown))) => shown.push(line.to_owned()),
                (None, None) => panic!("output before any command: {line}"),
            }
        }
    }
    commands
}

/// Runs a section in one shell, and checks that each command shows what the guide says.
fn walk(section: &str) -> TestHost {
    let host = TestHost::start();
    let folder = TempDir::new().expect("a folder");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut path = vec![binary().parent().expect("a folder").to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let commands = commands(section);
    assert!(commands.len() >= 6, "{section}: {commands:?}");
    let mark = "----next----";
    // The versions of what is here already, so that no test asks a registry.
    let lock = root.join("Cargo.lock").display().to_string();
    let lines: Vec<_> = commands
        .iter()
        .map(|(command, _)| {
            format!("{command} 2>&1 || exit 1\necho {mark}\n[ -f Cargo.toml ] && cp -n '{lock}' .\n")
        })
        .collect();
    let script = lines.concat();
    let ran = Command::new("bash")
        .current_dir(&folder)
        .args(["-c", &script])
        .env("PATH", std::env::join_paths(path).expect("a path"))
        .env("INNKEEPER_SDK_PATH", root.join("sdk"))
        .env("INNKEEPER_URL", host.url())
        .env("CARGO_NET_OFFLINE", "true")
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let parts: Vec<&str> = said.split(mark).collect();
    assert_eq!(parts.len(), commands.len() + 1, "{section} stopped early:\n{said}");
    for ((command, shown), part) in commands.iter().zip(parts) {
        for line in shown {
            assert!(part.contains(line.as_str()), "`{command}` shows no `{line}`:\n{part}");
        }
    }
    host
}

#[test]
fn the_way_in_rust_leads_to_an_execution() {
    let host = walk("Rust");
    assert_eq!(host.ended("hello", 1)[0]["output"], "Hello, Ada!");
}

#[cfg(languages)]
#[test]
fn the_ways_in_other_languages_lead_to_a_server() {
    for (section, plugin) in [("Python", "hello-python"), ("JavaScript", "hello-javascript")] {
        let host = walk(section);
        assert_eq!(host.get(&format!("/v1/plugins/{plugin}")).status, 200);
    }
}
