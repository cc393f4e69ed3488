//! The real binary on a real data directory, spoken to over HTTP.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::{Agent, Body, http::Response};

use crate::wait::eventually;

/// A running host. When dropped it is stopped in order, and what it leaves is checked.
pub struct TestHost {
    process: Child,
    url: String,
    agent: Agent,
    directory: TempDir,
}

/// An answer: its status and its body as JSON (`null` if it is empty or not JSON).
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl TestHost {
    /// Starts a host on a new data directory.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(TempDir::new().expect("a temporary directory"))
    }

    /// Starts a host on a data directory that an earlier one left.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start_in(directory: TempDir) -> Self {
        Self::start_on(directory, &[], &[])
    }

    /// Starts a host on a new data directory, with these flags of `serve` besides.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start_with(flags: &[&str]) -> Self {
        Self::start_on(TempDir::new().expect("a temporary directory"), flags, &[])
    }

    /// As [`TestHost::start_with`], with these variables in its environment.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start_with_variables(flags: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_on(TempDir::new().expect("a temporary directory"), flags, variables)
    }

    fn start_on(directory: TempDir, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = File::options().create(true).append(true).open(directory.path().join("host.log"));
        let mut process = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(directory.path())
            .args(flags)
            .env("INNKEEPER_LOG", "info")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log file"))
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the host says something");
        let url = line.split_whitespace().find(|word| word.starts_with("http://"));
        let Some(url) = url.map(str::to_owned) else {
            let log = std::fs::read_to_string(directory.path().join("host.log")).unwrap_or_default();
            panic!("the host named no URL: {line:?}\n{log}");
        };
        let config =
            Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_mins(1)));
        Self { process, url, agent: config.build().into(), directory }
    }

    /// The host's base URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The operating system's number of the process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// GET.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.url)).call())
    }

    /// GET of what is no JSON.
    ///
    /// # Panics
    /// If the host does not answer with 200.
    #[must_use]
    pub fn text(&self, path: &str) -> String {
        let response = self.agent.get(format!("{}{path}", self.url)).call();
        let mut response = response.expect("the host answers");
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response.body_mut().read_to_string().expect("text")
    }

    /// DELETE.
    #[must_use]
    pub fn delete(&self, path: &str) -> Answer {
        answer(self.agent.delete(format!("{}{path}", self.url)).call())
    }

    /// POST with a JSON body.
    #[must_use]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.agent.post(format!("{}{path}", self.url)).send_json(body))
    }

    /// PUT with a JSON body.
    #[must_use]
    pub fn put_json(&self, path: &str, body: &Value) -> Answer {
        answer(self.agent.put(format!("{}{path}", self.url)).send_json(body))
    }

    /// Runs a client verb of the binary against this host; standard output, if it succeeds.
    ///
    /// # Panics
    /// If it fails; says how.
    #[must_use]
    pub fn client(&self, arguments: &[&str]) -> String {
        let ran = Command::new(binary()).args(arguments).env("INNKEEPER_URL", &self.url).output();
        let output = ran.expect("the binary starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The log of an execution: every message in order.
    #[must_use]
    pub fn log_of(&self, execution: &Value) -> Vec<String> {
        let id = execution["id"].as_str().expect("an id");
        let lines = self.get(&format!("/v1/executions/{id}/logs")).body["items"].take();
        let messages = lines.as_array().into_iter().flatten().filter_map(|line| line["message"].as_str());
        messages.map(str::to_owned).collect()
    }

    /// PUT of a body as it is.
    #[must_use]
    pub fn put(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let request = self.agent.put(format!("{}{path}", self.url));
        answer(request.header("content-type", content_type).send(body))
    }

    /// PUT of a component's bytes as a plugin.
    #[must_use]
    pub fn put_plugin(&self, name: &str, component: &[u8]) -> Answer {
        let request = self.agent.put(format!("{}/v1/plugins/{name}", self.url));
        // A runtime of a language takes its time to compile, more so beside other stories.
        let request = request.config().timeout_global(Some(Duration::from_mins(5))).build();
        answer(request.header("content-type", "application/wasm").send(component))
    }

    /// Pushes the component at `path` and expects that it is taken.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn push(&self, name: &str, path: &str) -> Value {
        let answer = self.put_plugin(name, &std::fs::read(path).expect("the component is there"));
        assert!(answer.status == 201 || answer.status == 200, "{answer:?}");
        answer.body
    }

    /// Creates a task and expects that it is taken.
    #[expect(clippy::must_use_candidate, reason = "it is called for what it does")]
    pub fn create(&self, config: &Value) -> Value {
        let answer = self.post("/v1/tasks", config);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    /// Publishes an event and expects that it makes this many runs.
    pub fn publish(&self, event: &str, data: &Value, runs: u32) {
        let answer = self.post("/v1/events", &json!({"event": event, "data": data}));
        assert_eq!((answer.status, &answer.body["runs"]), (202, &json!(runs)), "{answer:?}");
    }

    /// Creates an event task that listens to its own id, runs it once by publishing that, and gives the execution that
    /// came of it, when it has ended.
    #[must_use]
    pub fn run_once(&self, task: &Value, data: &Value) -> Value {
        let id = task["id"].as_str().expect("the task has an id");
        let mut config = task.clone();
        config["type"] = "event".into();
        config["onEvent"] = id.into();
        self.create(&config);
        self.publish(id, data, 1);
        self.ended(id, 1).remove(0)
    }

    /// Waits until a task has at least `count` executions that have ended, and gives them, the newest first.
    #[must_use]
    pub fn ended(&self, task: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} ended execution(s) of {task}"), || {
            let executions: Vec<Value> = self
                .executions(task)
                .into_iter()
                .filter(|execution| execution["status"] != "running")
                .collect();
            (executions.len() >= count).then_some(executions)
        })
    }

    /// The executions of a task, the newest first.
    #[must_use]
    pub fn executions(&self, task: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/tasks/{task}/executions"));
        answer.body["items"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until an execution of the task is in the sandbox, and gives it.
    #[must_use]
    pub fn running(&self, task: &str) -> Value {
        eventually(&format!("a running execution of {task}"), || {
            self.executions(task).into_iter().find(|execution| execution["status"] == "running")
        })
    }

    /// Kills the host as a power cut would, and gives back its data directory.
    #[must_use]
    pub fn kill(mut self) -> TempDir {
        self.process.kill().expect("the process can be killed");
        self.process.wait().expect("the process ends");
        let replacement = TempDir::new().expect("a temporary directory");
        std::mem::replace(&mut self.directory, replacement)
    }

    /// Sends the host a signal by name, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal {signal} can be sent");
    }

    /// Waits for the process to end; its exit code.
    #[must_use]
    pub fn exit_code(&mut self) -> Option<i32> {
        eventually("the host's end", || self.process.try_wait().expect("a child can be waited for")).code()
    }

    /// Stops the host in order, checks what it leaves, and gives back its data directory.
    #[must_use]
    pub fn stop(mut self) -> TempDir {
        self.stop_in_order();
        let replacement = TempDir::new().expect("a temporary directory");
        std::mem::replace(&mut self.directory, replacement)
    }

    /// Whether the host takes no more work: it says so, or no longer answers.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        let ready = self.agent.get(format!("{}/readyz", self.url)).call();
        ready.map_or(true, |answer| answer.status() == 503)
    }

    /// A read-only look into the database.
    #[must_use]
    pub fn database(&self) -> Connection {
        open(self.directory.path())
    }

    fn stop_in_order(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.signal("TERM");
        assert_eq!(self.exit_code(), Some(0), "an orderly stop is a success");
        check_invariants(&open(self.directory.path()));
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _already_gone = self.process.kill();
            let _reaped = self.process.wait();
            let mut log = String::new();
            let path = self.directory.path().join("host.log");
            let _read = File::open(path).and_then(|mut file| file.read_to_string(&mut log));
            eprintln!("--- the host's log ---\n{log}");
        } else {
            self.stop_in_order();
        }
    }
}

fn open(directory: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    Connection::open_with_flags(directory.join("innkeeper.db"), flags).expect("the database can be read")
}

/// What must hold of every database that a host has left in order.
fn check_invariants(database: &Connection) {
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).expect("a valid query");
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    for (what, sql) in [
        ("references that lead nowhere", "SELECT count(*) FROM pragma_foreign_key_check"),
        ("executions left running", "SELECT count(*) FROM task_executions WHERE status = 'running'"),
        ("runs left running", "SELECT count(*) FROM runs WHERE state = 'running'"),
        ("tasks left running", "SELECT count(*) FROM tasks WHERE status = 'running'"),
        ("tasks whose status is not their pause", "SELECT count(*) FROM tasks WHERE (status = 'paused') <> isPaused"),
        (
            "attempts of one run that overlap",
            "SELECT count(*) FROM task_executions a JOIN task_executions b
                ON a.tenant = b.tenant AND a.runId = b.runId AND a.id < b.id AND a.completedAt > b.startedAt",
        ),
        (
            "runs that succeeded more than once",
            "SELECT count(*) FROM (SELECT runId FROM task_executions WHERE status = 'success'
                GROUP BY tenant, runId HAVING count(*) > 1)",
        ),
        (
            "events that made more runs than they say",
            "SELECT count(*) FROM events e WHERE e.runs < (SELECT count(DISTINCT x.runId) FROM task_executions x
                WHERE x.tenant = e.tenant AND x.eventId = e.id)",
        ),
    ] {
        let count: i64 = database.query_row(sql, [], |row| row.get(0)).expect("a valid query");
        assert_eq!(count, 0, "{what}");
    }
}

fn answer(response: Result<Response<Body>, ureq::Error>) -> Answer {
    let mut response = response.expect("the host answers");
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().unwrap_or_default();
    Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
}

/// The `innkeeper` binary beside this test: built with it by `cargo test`, and by `cargo build` before a test of this
/// package alone. The variable `INNKEEPER_BINARY` names another one.
///
/// # Panics
/// If it is not built, or older than its source.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(binary) = std::env::var_os("INNKEEPER_BINARY") {
        return binary.into();
    }
    let test = std::env::current_exe().expect("a test knows its path");
    let directory = test.ancestors().find(|path| path.join("innkeeper").is_file());
    let binary = directory.map(|directory| directory.join("innkeeper"));
    let binary =
        binary.expect("the innkeeper binary is not built: run `cargo build` or `cargo test` at the root");
    let built = modified(&binary);
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("host");
    assert!(
        newest(&host) <= built,
        "the innkeeper binary is older than its source: run `cargo build` at the root"
    );
    binary
}

fn newest(path: &Path) -> SystemTime {
    if path.is_dir() {
        // A test's own source is not in the binary.
        if path.ends_with("tests") {
            return SystemTime::UNIX_EPOCH;
        }
        let entries = std::fs::read_dir(path).expect("a directory can be read");
        let times = entries.map(|entry| newest(&entry.expect("an entry").path()));
        return times.max().unwrap_or(SystemTime::UNIX_EPOCH);
    }
    let counts = path.extension().is_some_and(|extension| extension == "rs" || extension == "sql");
    if counts { modified(path) } else { SystemTime::UNIX_EPOCH }
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().and_then(|data| data.modified()).expect("a file has a time")
}
