//! From a target to a connection: resolve once, check every address, connect to a checked one.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use innkeeper_model::egress::{AddressRefusal, EgressPolicy};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wasmtime_wasi_http::Error;

use super::network::Connector;
use super::request::{Refusal, Target};

/// Addresses of one name that are tried, one after the other.
const ADDRESSES_MAX: usize = 4;

/// A connection, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the target, and speaks TLS if it wants that. `within` is the time that all addresses share.
pub(super) async fn connect(
    connector: &Connector,
    target: &Target,
    within: Duration,
) -> Result<Box<dyn Stream>, Refusal> {
    let addresses = resolve(target).await?;
    let addresses = permitted(&connector.policy, target, &addresses)?;
    let stream = reach(&addresses, within).await.map_err(|error| unreachable(target, &error))?;
    // Requests are written whole; what waits for more would only wait.
    let _not_vital = stream.set_nodelay(true);
    if target.is_tls { encrypt(connector, target, stream).await } else { Ok(Box::new(stream)) }
}

/// The addresses of the target, from the one look-up that there is.
async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    match lookup_host((host, target.port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => {
            let code =
                Error::DnsError { rcode: Some("the name could not be resolved".to_owned()), info_code: None };
            tracing::debug!(host, "egress.lookup_failed: {error}");
            Err(Refusal::new(code, target, "the name could not be resolved"))
        }
    }
}

/// Those of `addresses` that may be connected to.
fn permitted(
    policy: &EgressPolicy,
    target: &Target,
    addresses: &[SocketAddr],
) -> Result<Vec<SocketAddr>, Refusal> {
    let check = |address: &SocketAddr| policy.check(*address, is_local(policy, *address));
    let mut refused = None;
    let mut permitted = Vec::new();
    for address in addresses {
        match check(address) {
            Ok(()) => permitted.push(*address),
            Err(why) => refused = refused.or(Some((address.ip(), why))),
        }
    }
    permitted.truncate(ADDRESSES_MAX);
    match refused {
        Some((address, why)) if permitted.is_empty() => Err(prohibited(target, address, why)),
        _ => Ok(permitted),
    }
}

fn prohibited(target: &Target, address: IpAddr, why: AddressRefusal) -> Refusal {
    // Which address a name has inside the operator's network is for the operator to know.
    tracing::info!(%address, target = %target.origin(), "egress.address_refused");
    let message = match why {
        AddressRefusal::OwnListener => format!("it leads to {why}"),
        AddressRefusal::Special(_) => format!(
            "it leads to {why}; the operator of this host can allow that network with --egress-allow-network"
        ),
    };
    Refusal::new(Error::DestinationIpProhibited, target, &message)
}

/// Whether `address` is one of this machine's own. Asked only where it matters: if the host listens on all of them.
fn is_local(policy: &EgressPolicy, address: SocketAddr) -> bool {
    let matters = |listener: &SocketAddr| listener.ip().is_unspecified() && listener.port() == address.port();
    policy.listeners.iter().any(matters) && UdpSocket::bind((address.ip(), 0)).is_ok()
}

/// Tries one address after the other, each for its share of the time.
async fn reach(addresses: &[SocketAddr], within: Duration) -> io::Result<TcpStream> {
    let share = within / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match timeout(share, TcpStream::connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

fn unreachable(target: &Target, error: &io::Error) -> Refusal {
    let code = match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::AddrNotAvailable => Error::DestinationNotFound,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationUnavailable,
        _ => Error::ConnectionTerminated,
    };
    Refusal::new(code, target, &format!("there is no connection: {}", error.kind()))
}

async fn encrypt(
    connector: &Connector,
    target: &Target,
    stream: TcpStream,
) -> Result<Box<dyn Stream>, Refusal> {
    let untrusting = |why: String| Refusal::new(Error::TlsCertificateError, target, &why);
    let config = connector.tls().map_err(untrusting)?;
    let host = target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| Refusal::silent(Error::HttpRequestUriInvalid))?;
    let encrypted = TlsConnector::from(config).connect(name, stream).await;
    encrypted.map(|stream| Box::new(stream) as Box<dyn Stream>).map_err(|error| {
        let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
        let code = match cause {
            Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
            Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
                alert_id: Some(u8::from(*alert)),
                alert_message: Some(format!("{alert:?}")),
            },
            _ => Error::TlsProtocolError,
        };
        Refusal::new(code, target, &format!("no secure connection: {error}"))
    })
}
