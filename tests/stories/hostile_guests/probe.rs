//! Looks at a host all the time while something is done to it: how soon it answers, and how much memory it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use innkeeper_tests::TestHost;
use ureq::Agent;

/// A thread that asks one question after another, on one connection.
pub(crate) struct Probe {
    stop: Arc<AtomicBool>,
    looking: JoinHandle<Seen>,
}

/// What a probe has seen.
pub(crate) struct Seen {
    answers: Vec<Duration>,
    first_bytes: u64,
    most_bytes: u64,
}

impl Probe {
    /// Starts looking at `host`.
    pub(crate) fn start(host: &TestHost) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (url, process_id) = (format!("{}/healthz", host.url()), host.process_id());
        let looking = std::thread::spawn(move || look(&url, process_id, &stopped));
        Self { stop, looking }
    }

    /// Stops looking.
    pub(crate) fn stop(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.looking.join().expect("the host answered all the time")
    }
}

impl Seen {
    /// Memory that the host had at most beyond what it had at first.
    pub(crate) fn growth_bytes(&self) -> u64 {
        self.most_bytes.saturating_sub(self.first_bytes)
    }

    /// The time within which nine of ten answers came. Other stories and their compilers use the same processors, so that
    /// some answers wait for those and not for the guests: a single one proves nothing.
    pub(crate) fn answered_within(&self) -> Duration {
        let mut answers = self.answers.clone();
        answers.sort_unstable();
        answers[(answers.len() * 9 / 10).min(answers.len() - 1)]
    }
}

#[expect(clippy::disallowed_methods, reason = "how long the host takes to answer is what this is for")]
fn look(url: &str, process_id: u32, stop: &AtomicBool) -> Seen {
    let agent = Agent::new_with_defaults();
    let first_bytes = resident_bytes(process_id);
    let mut seen = Seen { answers: Vec::new(), first_bytes, most_bytes: first_bytes };
    while !stop.load(Ordering::Relaxed) || seen.answers.is_empty() {
        let asked = Instant::now();
        let mut answer = agent.get(url).call().expect("the host answers");
        // To its end, so that the connection serves the next question too.
        answer.body_mut().read_to_string().expect("the host answers in full");
        seen.answers.push(asked.elapsed());
        seen.most_bytes = seen.most_bytes.max(resident_bytes(process_id));
        // A question every millisecond leaves the processors to what is being looked at.
        std::thread::park_timeout(Duration::from_millis(1));
    }
    seen
}

/// Memory that a process has, where the system tells.
fn resident_bytes(process_id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes << 10)
}
