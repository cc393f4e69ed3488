//! `innkeeper dev` under test, from outside.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{binary, eventually};

/// How long a build may take on a slow machine, before a story fails.
const PATIENCE: Duration = Duration::from_mins(5);

/// A developer's host, and its screen. It is stopped when this is dropped.
pub struct Dev {
    process: Child,
    screen: Receiver<String>,
    shown: Vec<String>,
    url: String,
}

impl Dev {
    /// Starts it for the projects in these folders, with these variables in its environment, and waits until it is up.
    ///
    /// # Panics
    /// If it does not come up.
    #[must_use]
    pub fn start(projects: &[&Path], variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(binary())
            .args(["dev", "--port", "0"])
            .args(projects)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (sender, screen) = mpsc::channel();
        read(process.stdout.take().expect("standard output is piped"), sender.clone());
        read(process.stderr.take().expect("standard error is piped"), sender);
        let mut dev = Self { process, screen, shown: Vec::new(), url: String::new() };
        let line = dev.wait_for("innkeeper at http://");
        line.split_whitespace().last().expect("a URL").clone_into(&mut dev.url);
        dev.wait_for("Ctrl-C stops");
        dev
    }

    /// Waits for the next line with this text on the screen.
    ///
    /// # Panics
    /// If it does not come, with what came instead.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.screen.recv_timeout(PATIENCE) else {
                panic!("no line with {text:?} came:\n{}", self.shown.join("\n"));
            };
            self.shown.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Publishes an event, and gives the output of the execution that it starts of `task`.
    ///
    /// # Panics
    /// If the event is refused, or nothing comes of it.
    #[must_use]
    pub fn output_of(&self, task: &str, event: &str, data: &Value) -> Value {
        let count = self.executions(task).len();
        let body = json!({"event": event, "data": data});
        ureq::post(format!("{}/v1/events", self.url)).send_json(&body).expect("the event is accepted");
        eventually("an execution to end", || {
            let executions = self.executions(task);
            let newest = executions.first().filter(|_| executions.len() > count)?;
            (newest["status"] != "running").then(|| newest["output"].clone())
        })
    }

    fn executions(&self, task: &str) -> Vec<Value> {
        let url = format!("{}/v1/tasks/{task}/executions", self.url);
        let answer = ureq::get(url).call();
        let mut answer = answer.unwrap_or_else(|error| panic!("{task}: {error}\n{}", self.shown.join("\n")));
        let page: Value = answer.body_mut().read_json().expect("JSON");
        page["items"].as_array().expect("a list").clone()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn read(stream: impl Read + Send + 'static, screen: Sender<String>) {
    std::thread::spawn(move || {
        // Nobody looks any more once the story is over.
        BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| screen.send(line))
    });
}
