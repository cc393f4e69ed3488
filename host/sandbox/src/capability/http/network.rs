//! The network as all executions share it: threads, the operator's policy, a bound on connections, trusted roots.

use std::io;
use std::sync::{Arc, OnceLock};

use innkeeper_model::egress::EgressPolicy;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;

/// Threads that carry the traffic of all plugins.
const THREADS: usize = 2;
/// Names that may be looked up at once: the system's resolver takes a thread for each.
const LOOKUPS_MAX: usize = 64;
/// Connections at once, of all plugins together. One more waits, and that time is part of connecting.
const CONNECTIONS_MAX: usize = 512;

/// Owns the threads. Dropped without waiting for them.
pub(crate) struct Network {
    connector: Arc<Connector>,
    threads: Handle,
    runtime: Option<Runtime>,
}

/// What making a connection needs.
pub(super) struct Connector {
    pub(super) policy: EgressPolicy,
    pub(super) connections: Arc<Semaphore>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Network {
    /// Starts the threads.
    pub(crate) fn start(policy: EgressPolicy) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(LOOKUPS_MAX)
            .thread_name("innkeeper-egress")
            .enable_all()
            .build()?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let connector = Arc::new(Connector { policy, connections, tls: OnceLock::new() });
        Ok(Self { connector, threads: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) fn threads(&self) -> &Handle {
        &self.threads
    }

    pub(super) fn connector(&self) -> Arc<Connector> {
        Arc::clone(&self.connector)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Connector {
    /// How TLS is spoken: with the roots that this machine trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    /// They are read when they are first needed, and from then on those hold.
    ///
    /// # Errors
    /// The machine trusts nobody.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let cause = found.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
            return Err(format!(
                "this host trusts no certificates{cause}: install the system's ca-certificates or set SSL_CERT_FILE"
            ));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config =
            versions.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Nothing of one connection must help to recognise the next one's owner.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::clone(self.tls.get_or_init(|| Arc::new(config))))
    }
}
