//! A host in memory with other settings than a story's usual one.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use innkeeper_tests::host::binary;
use serde_json::Value;

/// A server that keeps nothing.
pub(super) struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts `serve --memory` with these arguments, on a machine that is in the time zone `machine`.
    pub(super) fn start(arguments: &[&str], machine: &str) -> Self {
        let mut process = Command::new(binary())
            .args(["serve", "--memory", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env("TZ", machine)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("standard output is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the host says something");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned);
        Self { process, url: url.unwrap_or_else(|| panic!("the host named no URL: {line:?}")) }
    }

    /// The next due times of a schedule, as `POST /v1/schedules/preview` tells them.
    pub(super) fn next(&self, schedule: &Value) -> Value {
        let mut answer = ureq::post(format!("{}/v1/schedules/preview", self.url))
            .send_json(schedule)
            .expect("the host answers");
        let text = answer.body_mut().read_to_string().expect("a body");
        let preview: Value = serde_json::from_str(&text).expect("JSON");
        preview["next"].clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
