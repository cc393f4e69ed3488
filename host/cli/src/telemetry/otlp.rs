//! Spans on their way to a collector of traces, over OTLP/HTTP with JSON.
//!
//! They travel in batches, from a queue of bounded length. A collector that is away, or slow, makes the queue fill up, and
//! then spans are dropped and counted: nothing but spans ever waits for it.

mod json;

use std::time::Duration;

use anyhow::Context as _;
use innkeeper_runner::{Span, SpanQueue};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::TelemetryConfig;

/// Spans of one request.
const BATCH_MAX: usize = 512;
/// How long spans wait for others to travel with.
const GATHERING: Duration = Duration::from_millis(200);
/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a batch is sent at most.
const TRIES_MAX: u32 = 5;
/// The pause before a batch is sent again; it doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, whatever the collector asks for.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// How long the end of the host waits for the last spans.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Exports spans until it is told to stop.
pub(crate) struct Exporter {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Begins to export what comes into `queue`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub(crate) fn start(config: TelemetryConfig, queue: SpanQueue) -> anyhow::Result<Self> {
        // An error means that a provider was installed before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user_agent = concat!("innkeeper/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder().user_agent(user_agent).timeout(REQUEST_TIMEOUT);
        let client = client.default_headers(config.headers.clone()).build();
        let client = client.context("cannot set up the HTTP client for spans")?;
        let stop = CancellationToken::new();
        let courier = Courier { client, config, queue, stop: stop.clone(), is_failing: false };
        Ok(Self { stop, task: tokio::spawn(courier.run()) })
    }

    /// Sends what still waits, once and for five seconds at most, and ends.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if timeout(FLUSH_MAX, self.task).await.is_err() {
            abort.abort();
            tracing::warn!("telemetry.flush timed out: the last spans are lost");
        }
    }
}

struct Courier {
    client: Client,
    config: TelemetryConfig,
    queue: SpanQueue,
    stop: CancellationToken,
    /// Whether the last batch was not taken: the log says so once.
    is_failing: bool,
}

/// Why a batch was not taken.
struct NotTaken {
    why: String,
    /// Whether it may be later, and what the collector says about when.
    again: Option<Duration>,
}

impl Courier {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            self.pause_for(self.queue.clone().news()).await;
            self.pause_for(sleep(GATHERING)).await;
            while !self.queue.is_empty() {
                self.deliver().await;
            }
        }
        while !self.queue.is_empty() {
            self.deliver().await;
        }
    }

    /// Waits, unless the host stops.
    async fn pause_for(&self, something: impl Future<Output = ()>) {
        tokio::select! {
            () = something => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Sends the next batch until it is taken, or given up.
    async fn deliver(&mut self) {
        let spans = self.queue.take(BATCH_MAX);
        let body = json::request(&self.config.service_name, &spans).to_string();
        let mut pause = PAUSE;
        for number in 1..=TRIES_MAX {
            match self.send(&spans, &body).await {
                Ok(rejected) => {
                    self.queue.note(spans.len() - rejected, rejected);
                    self.is_failing = false;
                    return;
                }
                Err(refused) => {
                    self.complain(&refused.why);
                    let is_last = number == TRIES_MAX || self.stop.is_cancelled();
                    let Some(wish) = refused.again.filter(|_| !is_last) else { break };
                    self.pause_for(sleep(pause.max(wish).min(PAUSE_MAX))).await;
                    pause *= 2;
                }
            }
        }
        self.queue.note(0, spans.len());
    }

    /// Sends a batch once. Returns how many spans of it the collector rejects.
    async fn send(&self, spans: &[Span], body: &str) -> Result<usize, NotTaken> {
        let request = self.client.post(self.config.endpoint.clone());
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_owned());
        let lost = |error: reqwest::Error| {
            let error = anyhow::Error::new(error.without_url());
            NotTaken { why: error.root_cause().to_string(), again: Some(Duration::ZERO) }
        };
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status();
        if !status.is_success() {
            let wish = answer.headers().get(RETRY_AFTER).and_then(|wish| wish.to_str().ok()?.parse().ok());
            let again = may_be_taken_later(status).then(|| Duration::from_secs(wish.unwrap_or(0)));
            return Err(NotTaken { why: format!("the collector answers with {status}"), again });
        }
        let answer: Value = serde_json::from_slice(&answer.bytes().await.map_err(lost)?).unwrap_or_default();
        let rejected = &answer["partialSuccess"]["rejectedSpans"];
        let rejected = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok()).unwrap_or(0);
        Ok(usize::try_from(rejected).unwrap_or(usize::MAX).min(spans.len()))
    }

    fn complain(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let endpoint = self.config.endpoint.as_str();
            tracing::warn!(endpoint, why, "telemetry.export failed: spans are dropped while it does");
        }
    }
}

/// The answers after which OTLP lets a batch be sent again.
fn may_be_taken_later(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}
