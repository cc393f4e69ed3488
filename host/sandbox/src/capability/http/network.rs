//! The network as all executions share it: threads, the operator's policy, a bound on connections, trusted roots.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use innkeeper_model::egress::EgressPolicy;
use innkeeper_model::id::TenantId;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Threads that carry the traffic of all plugins.
const THREADS: usize = 2;
/// Connections at once, of all plugins together. One more waits, and that time is part of connecting. There is a thread for
/// each to look its name up on, made when it is needed: the system's resolver does not share one.
const CONNECTIONS_MAX: usize = 512;
/// Connections at once of one tenant, so that several are needed to take them all.
const TENANT_CONNECTIONS_MAX: usize = 128;

/// Owns the threads. Dropped without waiting for them.
pub(crate) struct Network {
    connector: Arc<Connector>,
    threads: Handle,
    runtime: Option<Runtime>,
}

/// What making a connection needs.
pub(super) struct Connector {
    pub(super) policy: EgressPolicy,
    connections: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Network {
    /// Starts the threads.
    pub(crate) fn start(policy: EgressPolicy) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(CONNECTIONS_MAX)
            .thread_name("innkeeper-egress")
            .enable_all()
            .build()?;
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let tenants = Mutex::default();
        let connector = Arc::new(Connector { policy, connections, tenants, tls: OnceLock::new() });
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

/// The right to one connection. The semaphores are never closed.
pub(super) type Permit = [Option<OwnedSemaphorePermit>; 2];

impl Connector {
    /// Waits until the tenant may have one more connection.
    pub(super) async fn permit(&self, tenant: Option<&TenantId>) -> Permit {
        let own = match tenant {
            Some(tenant) => self.share_of(tenant).acquire_owned().await.ok(),
            None => None,
        };
        [own, Arc::clone(&self.connections).acquire_owned().await.ok()]
    }

    /// What bounds the tenant's connections. It is forgotten with the last of them.
    fn share_of(&self, tenant: &TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = tenants.get(tenant).and_then(Weak::upgrade) {
            return share;
        }
        tenants.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(TENANT_CONNECTIONS_MAX));
        tenants.insert(tenant.clone(), Arc::downgrade(&share));
        share
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_cannot_take_every_connection() {
        let network = Network::start(EgressPolicy::default()).expect("threads");
        let connector = network.connector();
        let (greedy, modest) =
            ("greedy".parse::<TenantId>().expect("an id"), "modest".parse::<TenantId>().expect("an id"));
        network.threads().block_on(async {
            let mut held = Vec::new();
            for _ in 0..TENANT_CONNECTIONS_MAX {
                held.push(connector.permit(Some(&greedy)).await);
            }
            assert_eq!(connector.share_of(&greedy).available_permits(), 0);
            assert_eq!(connector.share_of(&modest).available_permits(), TENANT_CONNECTIONS_MAX);
            assert!(connector.permit(Some(&modest)).await.iter().all(Option::is_some));
            drop(held);
        });
        assert_eq!(connector.share_of(&greedy).available_permits(), TENANT_CONNECTIONS_MAX);
        assert_eq!(connector.connections.available_permits(), CONNECTIONS_MAX);
    }
}
