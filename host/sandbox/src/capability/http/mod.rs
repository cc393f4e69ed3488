//! `wasi:http/outgoing-handler`: requests to where a grant says, over addresses that the operator's policy lets pass.
//!
//! A request is checked when it is made ([`request`]), its name is resolved once and what is connected to is an address
//! that was checked ([`connect`]), and every byte of its connection is counted ([`meter`]). Redirects are the guest's
//! business: each is a new request.

mod body;
mod connect;
mod exchange;
mod meter;
mod network;
mod request;

use std::sync::Arc;

use http::Request;
use innkeeper_model::execution::{FailureKind, LogLevel};
use innkeeper_model::grants::Grants;
use innkeeper_model::id::{PluginName, TenantId};
use innkeeper_model::limits::Limits;
use innkeeper_model::sandbox::Invocation;
use innkeeper_model::trace::TraceContext;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, IoError};
use wasmtime_wasi_http::p2::bindings::{LinkOptions, http as interfaces};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use self::exchange::{Answer, Exchange, Timeouts};
use self::meter::Meter;
pub(crate) use self::network::Network;
use self::request::Refusal;
use crate::capability::wasi::is_preview_2;
use crate::logs::Logs;
use crate::state::{Shared, State};
use crate::usage::Usage;

/// The interfaces that are offered, without their version.
const INTERFACES: [&str; 2] = ["wasi:http/outgoing-handler", "wasi:http/types"];
/// The name under which the library links the second.
const TYPES: &str = "wasi:http/types@0.2.12";
/// Bytes that a guest may write to a request's body in one call.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Whether `name` is one of the interfaces in a 0.2 version.
pub(crate) fn is_offered(name: &str) -> bool {
    name.split_once('@').is_some_and(|(name, version)| INTERFACES.contains(&name) && is_preview_2(version))
}

/// Links the interfaces.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let options = LinkOptions::default();
    interfaces::outgoing_handler::add_to_linker::<State, WasiHttp>(linker, view)?;
    interfaces::types::add_to_linker::<State, WasiHttp>(linker, &(&options).into(), view)?;
    // The library's own function does not know the errors that its bodies end with.
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("http-error-code", |mut store, (error,): (Resource<IoError>,)| {
        let state: &mut State = store.data_mut().enter();
        let error = state.table.get(&error)?;
        let known = error.downcast_ref::<Error>().and_then(body::code);
        Ok((known.or_else(|| error.downcast_ref::<ErrorCode>().cloned()),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Borrows what HTTP needs for one call, and counts that.
pub(crate) fn view(state: &mut State) -> WasiHttpCtxView<'_> {
    let state = state.enter();
    if let Some(client) = &state.http.0 {
        client.meter.report(&mut state.usage);
    }
    let client = state.http.0.get_or_insert_with(|| {
        Box::new(Client::new(&state.shared, &state.logs, state.invocation.as_ref(), &state.limits))
    });
    let Client { context, hooks, .. } = &mut **client;
    WasiHttpCtxView { ctx: context, table: &mut state.table, hooks }
}

/// Outgoing HTTP of one execution. Made when it is first needed: most handlers never need it.
#[derive(Default)]
pub(crate) struct Http(Option<Box<Client>>);

impl Http {
    /// Adds what was used, and the first breach of a limit, to the execution's usage.
    pub(crate) fn report(&self, usage: &mut Usage) {
        if let Some(client) = &self.0 {
            client.meter.report(usage);
        }
    }
}

struct Client {
    context: WasiHttpCtx,
    hooks: Hooks,
    meter: Arc<Meter>,
}

impl Client {
    fn new(shared: &Arc<Shared>, logs: &Logs, invocation: Option<&Invocation>, limits: &Limits) -> Self {
        let meter = Arc::new(Meter::new(limits.egress_requests, limits.egress_bytes));
        let hooks = Hooks {
            grants: invocation.map(|invocation| Arc::clone(&invocation.grants)).unwrap_or_default(),
            plugin: invocation.map(|invocation| invocation.plugin.clone()),
            tenant: invocation.map(|invocation| invocation.tenant.clone()),
            trace: invocation.map(|invocation| invocation.trace.clone()),
            limits: *limits,
            meter: Arc::clone(&meter),
            log: Log { logs: logs.clone(), shared: Arc::clone(shared) },
        };
        Self { context: WasiHttpCtx::new(), hooks, meter }
    }
}

/// Tells the owner of the execution what a guest sees only as a code.
#[derive(Clone)]
struct Log {
    logs: Logs,
    shared: Arc<Shared>,
}

impl Log {
    fn warn(&self, message: &str) {
        self.logs.lock().log(LogLevel::Warn, message, self.shared.clock.now());
    }
}

/// What happens to a request of the guest.
struct Hooks {
    grants: Arc<Grants>,
    /// `None` while a component is tried: nothing is granted then.
    plugin: Option<PluginName>,
    tenant: Option<TenantId>,
    trace: Option<TraceContext>,
    limits: Limits,
    meter: Arc<Meter>,
    log: Log,
}

type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Worker), Error>> + Send>;

impl Hooks {
    fn admit(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Exchange, Refusal> {
        let (target, mut request) = request::check(request)?;
        if !self.grants.http.iter().any(|grant| grant.allows(target.is_tls, &target.host, target.port)) {
            return Err(Refusal::denied(&target, self.plugin.as_ref()));
        }
        if !self.meter.admit_request() {
            let message = format!("an execution may make {} requests", self.limits.egress_requests);
            return Err(Refusal::new(Error::ConnectionLimitReached, &target, &message));
        }
        if let Some(trace) = &self.trace {
            request::put_into(trace, request.headers_mut());
        }
        let timeouts = Timeouts::within(options, self.limits.timeout);
        let (meter, tenant) = (Arc::clone(&self.meter), self.tenant.clone());
        Ok(Exchange { request, target, timeouts, meter, tenant })
    }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sent {
        let exchange = match self.admit(request, options) {
            Ok(exchange) => exchange,
            Err(refusal) => {
                refusal.tell(|message| self.log.warn(message));
                return Box::new(async move { Err(refusal.error) });
            }
        };
        let log = self.log.clone();
        let network = &self.log.shared.network;
        // On threads of its own: a busy guest must not delay the network, nor a slow handshake a guest.
        let sending = AbortOnDropHandle::new(network.threads().spawn(exchange.run(network.connector())));
        Box::new(async move {
            let sent = sending.await.map_err(|error| Error::InternalError(Some(error.to_string())))?;
            match sent {
                Ok(Answer { response, connection }) => {
                    let worker: Worker = Box::new(async move {
                        // What went wrong in it is told to whoever reads the body.
                        let _ended = connection.await;
                        Ok(())
                    });
                    Ok((response, worker))
                }
                Err(refusal) => {
                    refusal.tell(|message| log.warn(message));
                    Err(refusal.error)
                }
            }
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        WRITE_BYTES_MAX
    }
}

/// The name of a breach of the limits here.
const BREACH: FailureKind = FailureKind::EgressLimit;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outgoing_side_is_offered_in_every_0_2_release() {
        for name in ["wasi:http/outgoing-handler@0.2.0", "wasi:http/types@0.2.12"] {
            assert!(is_offered(name), "{name}");
        }
        for name in ["wasi:http/incoming-handler@0.2.0", "wasi:http/types@0.3.0", "wasi:http/types"] {
            assert!(!is_offered(name), "{name}");
        }
    }
}
