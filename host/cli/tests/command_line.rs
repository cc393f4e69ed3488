//! The binary as a shell sees it: what it prints, and how it exits.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn innkeeper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_innkeeper"));
    // The settings of whoever runs the tests must not matter.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("INNKEEPER_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    innkeeper().args(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that runs until the test ends.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn in_memory() -> Self {
        Self::start(innkeeper().args(["serve", "--memory"]))
    }

    /// Starts `serve` on a free port.
    fn start(serve: &mut Command) -> Self {
        let mut child = serve
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let out = child.stdout.take().expect("an output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ").expect("the line with the URL").to_owned();
        Self { child, url }
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        innkeeper().env("INNKEEPER_URL", &self.url).args(arguments).output().expect("the binary runs")
    }

    /// Sends SIGTERM and waits for the end.
    #[cfg(unix)]
    fn terminate(mut self) -> Option<i32> {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill runs");
        assert!(killed.success());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where the test stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_and_version_are_answers() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    for verb in ["serve", "dev", "plugin", "task", "execution", "event", "schedule", "stats"] {
        assert!(stdout(&help).contains(verb), "{verb}: {}", stdout(&help));
    }
    let version = run(&["--version"]);
    let expected = concat!("innkeeper ", env!("CARGO_PKG_VERSION"), ", time zone tables 20");
    assert!(stdout(&version).starts_with(expected), "{}", stdout(&version));
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["task", "get", "has white space"],
        &["task", "create", "--id", "a", "--plugin", "p"],
        &["task", "create", "--id", "a", "--plugin", "p", "--cron", "* * * * *", "--after", "5m"],
        &["task", "create", "-f", "no/such/file.json"],
        &["task", "run", "a", "--data", "{not json"],
        &["event", "publish", "user:*"],
        &["plugin", "push", "p", "no/such/file.wasm"],
        &["--url", "nonsense", "stats"],
        &["dev"],
        &["dev", "no/such/folder"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_server_that_cannot_be_reached_exits_with_3() {
    let port = {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        free.local_addr().expect("an address").port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let output = run(&["--url", &url, "task", "list"]);
    assert_eq!(output.status.code(), Some(3));
    let text = stderr(&output);
    assert!(text.contains(&url) && text.contains("innkeeper serve"), "{text}");
}

#[test]
fn the_network_is_not_let_in_without_a_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let output = innkeeper()
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(&data)
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("INNKEEPER_TOKEN"), "{}", stderr(&output));
    assert!(!data.exists(), "nothing is made before the refusal");
}

#[test]
fn an_unknown_key_of_the_configuration_names_the_nearest() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("innkeeper.toml");
    std::fs::write(&file, "[server]\nlissten = '127.0.0.1:0'").expect("a file");
    let output = innkeeper().args(["serve", "--config"]).arg(&file).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `listen`?"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_server_answers_the_client_verbs_and_ends_on_a_signal() {
    let server = Server::in_memory();
    let list = server.ask(&["task", "list", "--json"]);
    assert_eq!((list.status.code(), stdout(&list).trim()), (Some(0), "[]"), "{}", stderr(&list));
    let stats = server.ask(&["stats"]);
    assert!(stdout(&stats).contains("queued runs"), "{}", stdout(&stats));
    let preview =
        server.ask(&["schedule", "preview", "--cron", "0 9 * * MON", "--from", "2025-01-01T00:00:00Z"]);
    assert!(
        stdout(&preview).contains("2025-01-06T09:00:00.000Z"),
        "{} {}",
        stdout(&preview),
        stderr(&preview)
    );
    let event = server.ask(&["event", "publish", "user:logged_in", "{\"userId\": \"123\"}"]);
    assert!(stdout(&event).contains("0 runs"), "{} {}", stdout(&event), stderr(&event));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn a_refusal_exits_with_1_and_names_every_field() {
    let server = Server::in_memory();
    let arguments = [
        "task",
        "create",
        "--id",
        "a",
        "--plugin",
        "greter",
        "--cron",
        "nonsense",
        "--timezone",
        "Europe/Roma",
    ];
    let output = server.ask(&arguments);
    assert_eq!(output.status.code(), Some(1));
    for expected in ["cron", "timezone", "Europe/Rome", "plugin"] {
        assert!(stderr(&output).contains(expected), "{expected}: {}", stderr(&output));
    }
    let missing = server.ask(&["task", "get", "no:such?task"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no:such?task"), "{}", stderr(&missing));
}

#[test]
fn a_data_directory_has_one_server_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("a path in Unicode");
    let _first = Server::start(innkeeper().env("INNKEEPER_DATA_DIR", data).arg("serve"));
    assert!(Path::new(data).join("innkeeper.db").exists());
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains(data), "{}", stderr(&second));
}

#[test]
fn a_server_with_a_token_lets_nobody_in_without_it() {
    let server = Server::start(innkeeper().env("INNKEEPER_TOKEN", "secret").args(["serve", "--memory"]));
    let refused = server.ask(&["task", "list"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("INNKEEPER_TOKEN"), "{}", stderr(&refused));
    let let_in = server.ask(&["--token", "secret", "task", "list"]);
    assert_eq!(let_in.status.code(), Some(0), "{}", stderr(&let_in));
}
