//! Serving connections: accepting them, bounding them, and ending them in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use innkeeper_runner::TaskRunner;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::config::AdminConfig;
use crate::heads::StrictHeads;
use crate::router::{Api, routes};
use crate::write_timeout::WriteTimeout;

/// The pause after a connection could not be accepted because the machine is out of something.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin API until `stop` is cancelled: then it accepts no more connections, closes the idle ones, lets
/// requests in progress end, for at most [`AdminConfig::drain_timeout`], and returns. It does not stop the runner.
///
/// # Errors
/// The listener is no longer one that listens.
pub async fn serve(
    listener: TcpListener,
    runner: TaskRunner,
    config: AdminConfig,
    stop: CancellationToken,
) -> io::Result<()> {
    let server = Server {
        http: http(&config),
        routes: routes(Api::new(runner, &config, stop.clone())),
        write_timeout: config.write_timeout,
        ended: CancellationToken::new(),
    };
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(config.connections_max.max(1)));
    let accepted = loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            next = next => next,
            () = stop.cancelled() => break Ok(()),
        };
        match (slot, accepted) {
            (Ok(slot), Ok((stream, _))) => server.spawn(stream, graceful.watcher(), slot),
            (_, Err(error)) if error.kind() == io::ErrorKind::InvalidInput => break Err(error),
            (_, Err(error)) => recover(&error).await,
            (Err(_), _) => break Ok(()),
        }
    };
    drop(listener);
    drain(graceful, config.drain_timeout).await;
    server.ended.cancel();
    accepted
}

/// What every connection needs.
struct Server {
    http: http1::Builder,
    routes: Router,
    write_timeout: Duration,
    /// Ends the connections that did not end in time.
    ended: CancellationToken,
}

impl Server {
    fn spawn(&self, stream: TcpStream, watcher: Watcher, slot: OwnedSemaphorePermit) {
        // Answers are small and complete: waiting to fill a segment only delays them. A failure shows at the first read.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(WriteTimeout::new(StrictHeads::new(stream), self.write_timeout));
        let service = TowerToHyperService::new(self.routes.clone());
        let connection = watcher.watch(self.http.serve_connection(io, service));
        let ended = self.ended.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = connection => if let Err(error) = served {
                    tracing::debug!(%error, "http.connection_failed");
                },
                () = ended.cancelled() => tracing::warn!("http.connection_cut"),
            }
            drop(slot);
        });
    }
}

fn http(config: &AdminConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Without a timer the timeout has no effect. The number of headers is bounded by hyper's default.
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.header_bytes_max)
        // A client that hangs up after its request must not make hyper drop the handler between two of its steps, such
        // as storing a run and queueing it.
        .half_close(true);
    http
}

/// Waits for the watched connections, with a bound.
async fn drain(graceful: GracefulShutdown, timeout: Duration) {
    let open = graceful.count();
    tracing::debug!(open, "http.draining");
    if tokio::time::timeout(timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(timeout_ms = timeout.as_millis(), "http.drain_timed_out");
    }
}

/// A connection that failed while it was being accepted is its client's problem. Anything else means that the machine
/// is out of something, and trying again at once would spin.
async fn recover(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "http.accept_failed");
    tokio::time::sleep(EXHAUSTED_PAUSE).await;
}
