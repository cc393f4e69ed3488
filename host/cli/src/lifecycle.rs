//! How a host ends: the signals it obeys and the order in which its parts stop.

mod signals;

use anyhow::anyhow;
use innkeeper_runner::TaskRunner;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::signals::Signals;

use crate::serve::Host;

impl Host {
    /// Serves until a signal comes, then ends in order: first no more connections and no more work, then what runs. A
    /// second signal interrupts what runs, a third one waits for nothing.
    ///
    /// # Errors
    /// The host stopped without being told to, or was not let stop in order.
    pub(crate) async fn run(self, signals: &mut Signals) -> anyhow::Result<()> {
        let stop = CancellationToken::new();
        let serve = innkeeper_admin::serve(self.listener, self.runner.clone(), self.admin, stop.clone());
        let mut serving = tokio::spawn(serve);
        let ending = tokio::select! {
            () = signals.next() => Ok(()),
            () = self.runner.failed() => Err(anyhow!("the store has stopped: nothing can be kept; see the log")),
            served = &mut serving => Err(match served {
                Ok(Err(error)) => anyhow::Error::new(error).context("the server has stopped"),
                _ => anyhow!("the server has stopped"),
            }),
        };
        tracing::info!("host.stopping");
        stop.cancel();
        end(&self.runner, serving, signals).await?;
        if let Err(error) = self.runner.checkpoint().await {
            // What is in the log is read at the next start.
            tracing::warn!(%error, "host.checkpoint failed");
        }
        if let Some(exporter) = self.exporter {
            exporter.finish().await;
        }
        ending
    }
}

/// Waits for what is in progress, less patiently with each signal.
async fn end(
    runner: &TaskRunner,
    serving: JoinHandle<std::io::Result<()>>,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let hurry = CancellationToken::new();
    let drained = async {
        if !serving.is_finished() {
            // How it ended does not matter any more.
            let _ = serving.await;
        }
    };
    let impatience = async {
        signals.next().await;
        hurry.cancel();
        signals.next().await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(runner.shutdown(hurry.cancelled()), drained) } => Ok(()),
        () = impatience => Err(anyhow!("stopped before everything had ended")),
    }
}
