//! Taking in an uploaded component: everything that can be refused is refused here.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::Digest;
use innkeeper_model::limits::Limits;
use innkeeper_model::sandbox::{Admission, Refusal};
use innkeeper_model::upload::Upload;

use crate::classify;
use crate::compile::Plugin;
use crate::sandbox::Core;
use crate::state::{self, State};

/// What a component may use to get started, without being called.
const TRIAL: Limits =
    Limits { timeout: Duration::from_secs(5), host_calls: 10_000, events: 0, ..Limits::DEFAULT };

impl Core {
    /// Checks, compiles, links and tries a component, and keeps it ready.
    ///
    /// # Errors
    /// The component is refused, and nothing is kept of it.
    pub(crate) async fn admit(&self, upload: Upload) -> Result<Admission, Refusal> {
        let (digest, plugin) = self.take_in(upload).await?;
        Ok(Admission { digest, handler: plugin.kind.to_string(), imports: plugin.imports.clone() })
    }

    /// Does the same and gives the plugin itself.
    ///
    /// # Errors
    /// As [`Core::admit`].
    pub(crate) async fn take_in(&self, upload: Upload) -> Result<(Digest, Arc<Plugin>), Refusal> {
        let size = upload.size();
        if size > self.config.upload_bytes_max {
            let max = self.config.upload_bytes_max;
            return Err(Refusal::TooLarge(format!(
                "the component has {size} bytes; at most {max} are allowed"
            )));
        }
        let digest = upload.digest();
        let cell = self.plugins.cell(&digest);
        let admitted = cell.get_or_try_init(|| self.try_out(upload)).await;
        match admitted {
            Ok(plugin) => {
                self.plugins.shrink();
                Ok((digest, Arc::clone(plugin)))
            }
            Err(refusal) => {
                self.plugins.forget_empty(&digest);
                Err(refusal)
            }
        }
    }

    async fn try_out(&self, upload: Upload) -> Result<Arc<Plugin>, Refusal> {
        let digest = upload.digest();
        let compiled = self.compiler.compile(upload).await?;
        let plugin = self.compiler.link(&compiled.component)?;
        self.start_once(&plugin).await?;
        drop(compiled.turn);
        self.compiler.keep(digest, compiled.artifact).await;
        Ok(Arc::new(plugin))
    }

    /// Instantiates the plugin once, so that one that cannot start is refused now and not at its first execution.
    async fn start_once(&self, plugin: &Plugin) -> Result<(), Refusal> {
        let state = State::new(Arc::clone(&self.shared), None, TRIAL, self.config.memory_bytes_max);
        let _activity = self.ticker.activity();
        let mut store = state::store(state).map_err(|error| Refusal::DoesNotStart(format!("{error:#}")))?;
        let started = tokio::select! {
            biased;
            started = plugin.handler.instance().instantiate_async(&mut store) => started,
            () = self.ticker.sleep(TRIAL.timeout) => {
                let limit = TRIAL.timeout.as_millis();
                return Err(Refusal::DoesNotStart(format!("the component did not start within {limit} ms")));
            }
        };
        match started {
            Ok(_) => Ok(()),
            Err(error) => {
                let failure = classify::not_started(&error, store.data());
                Err(Refusal::DoesNotStart(format!("the component does not start: {}", failure.message)))
            }
        }
    }
}
