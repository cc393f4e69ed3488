//! `serve`, and what a host is made of.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use innkeeper_admin::AdminConfig;
use innkeeper_model::clock::{Clock, SystemClock};
use innkeeper_runner::{RunnerConfig, SecretKey, TaskRunner};
use innkeeper_sandbox::{CompilerProgram, SandboxConfig, WasmSandbox};
use innkeeper_store::{Location, Store};
use tokio::net::TcpListener;

use crate::args::{COMPILE_VERB, ServeArgs};
use crate::config::{ServerConfig, Storage};
use crate::data_directory::DataDirectory;
use crate::exit::Failure;
use crate::lifecycle::Signals;
use crate::telemetry::Exporter;
use crate::{output, telemetry};

/// Runs a host. Once it listens, one line with its URL goes to standard output.
///
/// # Errors
/// [`Failure::Usage`] for a configuration that is refused; [`Failure::Failed`] if the host does not start or stops by
/// itself.
pub(crate) async fn serve(args: ServeArgs, token: Option<&str>) -> Result<(), Failure> {
    let config = ServerConfig::load(&args, token).map_err(Failure::Usage)?;
    telemetry::start("info,rusqlite_migration=warn", config.log_format).map_err(Failure::Usage)?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let bound = TcpListener::bind(config.listen).await;
    let listener = bound.with_context(|| {
        format!("cannot listen on {}; name another address with --listen, such as 127.0.0.1:0", config.listen)
    })?;
    let host = Host::start(config, listener).await?;
    tracing::info!(url = host.url(), version = env!("CARGO_PKG_VERSION"), "host.listening");
    output::print(&format!("listening on {}\n", host.url()))?;
    Ok(host.run(&mut signals).await?)
}

/// A host that runs and is ready to serve.
pub(crate) struct Host {
    pub(crate) runner: TaskRunner,
    pub(crate) admin: AdminConfig,
    pub(crate) listener: TcpListener,
    /// Takes the runner's spans to their collector, if there is one.
    pub(crate) exporter: Option<Exporter>,
    address: SocketAddr,
    /// Held until the host is gone.
    _directory: Option<DataDirectory>,
}

impl Host {
    /// Puts a host together, in the order in which its parts need one another, and starts its runner.
    ///
    /// # Errors
    /// The data directory is in use or cannot be used, or a part does not start.
    pub(crate) async fn start(config: ServerConfig, listener: TcpListener) -> anyhow::Result<Self> {
        let address = listener.local_addr().context("the listener has no address")?;
        let directory = match &config.storage {
            Storage::Memory => None,
            Storage::Directory(path) => Some(DataDirectory::lock(path)?),
        };
        let location = directory.as_ref().map_or(Location::Memory, |owned| Location::File(owned.database()));
        let store = Store::open(&location, config.durability)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        if let Err(error) = store.keep_ballast(config.ballast_bytes) {
            tracing::warn!(%error, "host.ballast is not kept: nothing can be deleted once the disk is full");
        }
        let cache_dir = directory.as_ref().map(DataDirectory::cache);
        let compiler = CompilerProgram::this_one([COMPILE_VERB]).context("this program is not found")?;
        let mut settings = SandboxConfig { cache_dir, compiler: Some(compiler), ..config.sandbox };
        settings.egress.listeners.push(address);
        let sandbox = Arc::new(WasmSandbox::new(settings, Arc::clone(&clock))?);
        let secret_key = match (config.runner.secret_key.clone(), &directory) {
            (Some(key), _) => key,
            (None, Some(directory)) => {
                // A key that is made now opens none of the secrets that are there.
                let has_key = directory.secret_key_file().exists();
                ensure!(has_key || store.some_secret().await?.is_none(), no_key(directory));
                directory.secret_key()?
            }
            (None, None) => SecretKey::generate(),
        };
        let exporter = config.telemetry.zip(config.runner.spans.clone());
        let exporter = exporter.map(|(telemetry, spans)| Exporter::start(telemetry, spans)).transpose()?;
        let settings = RunnerConfig { secret_key: Some(secret_key), ..config.runner };
        let runner = TaskRunner::start(settings, store, sandbox, clock).await?;
        let uploads_dir = directory.as_ref().map(DataDirectory::uploads);
        let admin = AdminConfig { uploads_dir, ..config.admin };
        Ok(Self { runner, admin, listener, exporter, address, _directory: directory })
    }

    /// Where a client on this machine finds the host.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Why a server does not start that could not read the secrets it has.
fn no_key(directory: &DataDirectory) -> String {
    format!(
        "the database holds secrets, and their key is missing; no backup has it: put it into {}, or name it with \
         --secret-key-file or INNKEEPER_SECRET_KEY",
        directory.secret_key_file().display()
    )
}
