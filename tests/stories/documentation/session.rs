//! Somebody who follows a page: a folder, a shell that remembers, and the servers that the page has them start.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use innkeeper_tests::{TestHost, binary, eventually};
use tempfile::TempDir;

use super::compare::{Names, compare};
use super::page::{Placed, Step};
use super::root;
use crate::components;

/// Where a page says that a server is.
const URL: &str = "http://127.0.0.1:7070";

/// Components that lie in the folder: a page says how they are built.
const BUILT: [(&str, &str); 4] = [
    ("greeter.wasm", components::GREETER),
    ("digest.wasm", components::DIGEST),
    ("heartbeat.wasm", components::HEARTBEAT),
    ("http-request.wasm", components::HTTP_REQUEST),
];

/// Verbs that only look: what they print comes about a little later than what was done.
const LOOKS: [&str; 14] = [
    "execution get",
    "execution list",
    "execution logs",
    "kv buckets",
    "kv get",
    "kv list",
    "plugin list",
    "stats",
    "task executions",
    "task get",
    "task list",
    "task next-runs",
    "task skips",
    "task upcoming",
];

/// The shell's folder and variables, kept from command to command.
const STATE: &str = ".state";

pub(super) struct Session {
    page: &'static str,
    folder: TempDir,
    host: TestHost,
    /// Where the commands go: the host, or the server that the page started last.
    url: String,
    servers: Vec<Server>,
    names: Names,
    /// What the latest command printed, for whoever looks for the difference.
    printed: RefCell<String>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- printed ---\n{}", self.printed.borrow());
        }
    }
}

impl Session {
    pub(super) fn start(page: &'static str) -> Self {
        let (folder, host) = (TempDir::new().expect("a folder"), TestHost::start());
        for (name, component) in BUILT {
            std::fs::copy(component, folder.path().join(name)).expect("the component is there");
        }
        let url = host.url().to_owned();
        Self {
            page,
            folder,
            host,
            url,
            servers: Vec::new(),
            names: Names::new(),
            printed: RefCell::default(),
        }
    }

    /// The host that commands go to as long as the page starts no server.
    pub(super) fn host(&self) -> &TestHost {
        &self.host
    }

    pub(super) fn follow(&mut self, placed: &Placed) {
        let at = format!("{}:{}", self.page, placed.line);
        match &placed.step {
            Step::File { name, text } => {
                std::fs::write(self.directory().join(name), text).expect("a file can be written");
            }
            Step::Server { shown } => self.see(&at, shown),
            Step::Command { text, shown } => {
                let command = self.meant(text);
                if is_server(&command) {
                    self.serve(&at, &command);
                    if !shown.is_empty() {
                        self.see(&at, shown);
                    }
                } else {
                    self.type_in(&at, &command, shown);
                }
            }
        }
    }

    /// A command as it is to be typed here: with the names that things have here.
    fn meant(&self, text: &str) -> String {
        let mut text = text.replace(URL, &self.url);
        for (shown, name) in &self.names {
            text = text.replace(shown, name);
        }
        text
    }

    fn type_in(&mut self, at: &str, command: &str, shown: &[String]) {
        let is_refused = shown.iter().any(|line| line.starts_with("error: "));
        let attempt = || {
            let output = self.run(command);
            let printed = String::from_utf8_lossy(&output.stdout).into_owned();
            let has_ended = output.status.success() != is_refused;
            let names = if shown.is_empty() { Some(Names::new()) } else { compare(shown, &printed) };
            *self.printed.borrow_mut() = format!("{printed}({})", output.status);
            has_ended.then_some(names).flatten()
        };
        let names = if only_looks(command) && !shown.is_empty() {
            Some(eventually(&format!("{at}: `{command}` to print\n{}", shown.join("\n")), attempt))
        } else {
            let names = attempt();
            let printed = self.printed.borrow();
            assert!(
                names.is_some(),
                "{at}: `{command}` does not print\n{}\nbut\n{printed}",
                shown.join("\n")
            );
            names
        };
        self.names.extend(names.unwrap_or_default());
    }

    /// Runs a command as the next one of the session's shell.
    fn run(&self, command: &str) -> Output {
        // A project that was made here gets the versions of what is here already, so that nothing asks a registry.
        let lock = root().join("Cargo.lock").display().to_string();
        let script = format!(
            "set -a; set -o pipefail; . ./{STATE} 2>/dev/null\n{{ {command}\n}} 2>&1\nstatus=$?\n\
            [ -f Cargo.toml ] && [ ! -e Cargo.lock ] && cp '{lock}' .\n\
            {{ declare -px | grep -v '^declare -x SHLVL'; printf 'cd %q\\n' \"$PWD\"; }} > \"$STATE_FOLDER/{STATE}\"\nexit $status"
        );
        self.shell(&script).stdin(Stdio::null()).output().expect("bash starts")
    }

    fn shell(&self, script: &str) -> Command {
        let mut path = vec![binary().parent().expect("a folder").to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut shell = Command::new("bash");
        shell
            .current_dir(&self.folder)
            .args(["-c", script])
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("STATE_FOLDER", self.folder.path())
            .env("INNKEEPER_SDK_PATH", root().join("sdk"))
            .env("INNKEEPER_URL", &self.url)
            .env("INNKEEPER_LISTEN", "127.0.0.1:0")
            // The pages were written there.
            .env("TZ", "UTC")
            // Nothing asks a registry for newer versions than those of the lock file.
            .env("CARGO_NET_OFFLINE", "true");
        shell
    }

    /// The folder that the shell is in.
    fn directory(&self) -> PathBuf {
        let state = std::fs::read_to_string(self.folder.path().join(STATE)).unwrap_or_default();
        let folder = state.lines().last().and_then(|line| line.strip_prefix("cd "));
        folder.map_or_else(|| self.folder.path().to_owned(), PathBuf::from)
    }

    fn serve(&mut self, at: &str, command: &str) {
        if let Some(folder) = developed(command) {
            self.build(folder);
        }
        let script = format!("set -a; . ./{STATE} 2>/dev/null\n{}", in_place(command));
        let server = Server::start(at, &mut self.shell(&script));
        self.url.clone_from(&server.url);
        // Commands find it by the variable that the shell remembers, too.
        let told = self.run(&format!("INNKEEPER_URL={}", server.url));
        assert!(told.status.success(), "{at}: the shell remembers");
        self.servers.push(server);
    }

    /// Builds a plugin as `dev` does: a story waits for what is promised, not for a compiler.
    fn build(&self, folder: &str) {
        let output = self.folder.path().join("built.wasm");
        let mut command = Command::new(binary());
        command.current_dir(root()).args(["plugin", "build", folder, "--output"]).arg(output);
        let built = command.output().expect("the binary starts");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    }

    fn see(&mut self, at: &str, shown: &[String]) {
        let server = self.servers.last().unwrap_or_else(|| panic!("{at}: no server has been started"));
        let names = eventually(&format!("{at}: the server to print\n{}", shown.join("\n")), || {
            let printed = server.printed();
            let names = compare(shown, &printed);
            *self.printed.borrow_mut() = printed;
            names
        });
        self.names.extend(names);
    }
}

/// A command that does not end by itself.
fn is_server(command: &str) -> bool {
    let words = command.split_whitespace().collect::<Vec<_>>();
    matches!(words.as_slice(), ["innkeeper", "serve", ..] | ["cargo", "run", "--release", "--", "dev", ..])
}

/// The folder of the plugin that a command develops.
fn developed(command: &str) -> Option<&str> {
    command.strip_prefix("cargo run --release -- dev ")
}

/// The command that takes the shell's place. In a copy of the source the binary is built already.
fn in_place(command: &str) -> String {
    match command.strip_prefix("cargo run --release -- ") {
        Some(arguments) => format!("cd '{}'; exec innkeeper {arguments} --port 0", root().display()),
        None => format!("exec {command}"),
    }
}

fn only_looks(command: &str) -> bool {
    let is_change = |word| ["-X", "-d", "-T", "--data", "--data-binary", "--json"].contains(&word);
    match command.split_once(' ') {
        Some(("innkeeper", rest)) => LOOKS.iter().any(|verb| rest.starts_with(verb)),
        Some(("curl", rest)) => !rest.split_whitespace().any(is_change),
        _ => false,
    }
}

/// A server that a page started.
struct Server {
    process: Child,
    url: String,
    printed: Arc<Mutex<String>>,
}

impl Server {
    fn start(at: &str, shell: &mut Command) -> Self {
        let mut process = shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("bash starts");
        let stdout = process.stdout.take().expect("standard output is piped");
        let printed = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                copy.lock().unwrap_or_else(PoisonError::into_inner).push_str(&(line + "\n"));
            }
        });
        let mut server = Self { process, url: String::new(), printed };
        server.url = eventually(&format!("{at}: a server that names its URL"), || {
            let printed = server.printed();
            let line = printed.lines().find(|line| line.contains("http://"))?;
            Some(line.split_whitespace().find(|word| word.starts_with("http://"))?.to_owned())
        });
        server
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let number = self.process.id().to_string();
        let _sent = Command::new("kill").args(["-s", "TERM", &number]).status();
        let ended = self.process.wait();
        if !std::thread::panicking() {
            assert!(ended.is_ok_and(|status| status.success()), "an orderly stop is a success");
        }
    }
}
