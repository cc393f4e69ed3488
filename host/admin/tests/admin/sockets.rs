//! What only shows on a connection: time limits, the end of the server, clients that hang up.

use std::net::SocketAddr;
use std::time::Duration;

use innkeeper_admin::{AdminConfig, serve};
use innkeeper_model::id::TenantId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{COMPONENT, Host, PATIENCE, arrival};

/// A time limit that a test waits for.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

pub(crate) struct Server {
    pub(crate) host: Host,
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(config: AdminConfig) -> Self {
        let host = Host::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, host.runner.clone(), config, stop.clone()));
        Self { host, address, stop, serving }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Stops the server and waits until it has returned.
    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        let served = timeout(PATIENCE, self.serving).await.expect("it returns in time");
        served.expect("no panic").expect("no error");
    }
}

/// Everything until the server closes the connection.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut received = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the server closes in time");
    read.expect("no reset");
    String::from_utf8(received).expect("text")
}

/// Asks for `path` and reads the answer's head and body; the connection stays open.
pub(crate) async fn ask(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a request is sent");
    let mut received = String::new();
    while !received.ends_with('}') {
        let mut buffer = [0; 1024];
        let length = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").expect("no reset");
        assert!(length > 0, "the server closed after {received:?}");
        received.push_str(std::str::from_utf8(&buffer[..length]).expect("text"));
    }
    received
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").await.expect("half a head");
    assert!(!rest(stream).await.contains("200"));
    // So is one that has not even begun, or an idle connection.
    assert_eq!(rest(server.connect().await).await, "");
    let mut idle = server.connect().await;
    assert!(ask(&mut idle, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(rest(idle).await, "");
    server.stopped().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::start(AdminConfig { header_bytes_max: 1024, ..AdminConfig::default() }).await;
    let mut stream = server.connect().await;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1024));
    stream.write_all(head.as_bytes()).await.expect("a head");
    assert!(rest(stream).await.starts_with("HTTP/1.1 431"));
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up() {
    let server = Server::start(AdminConfig { body_timeout: SHORT, ..AdminConfig::default() }).await;
    let mut stream = server.connect().await;
    let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("the beginning");
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn an_upload_that_stalls_is_given_up_long_before_its_time() {
    let server = Server::start(AdminConfig { body_timeout: SHORT, ..AdminConfig::default() }).await;
    let mut stream = server.connect().await;
    let upload = upload_request();
    stream.write_all(&upload[..upload.len() - 1]).await.expect("all but the end");
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    let mut next = server.connect().await;
    next.write_all(&upload).await.expect("a request");
    next.shutdown().await.expect("the end of the request");
    assert!(rest(next).await.starts_with("HTTP/1.1 201"), "its turn is free again");
    server.stopped().await;
}

#[tokio::test]
async fn a_client_gets_to_read_why_its_upload_is_refused() {
    let server = Server::start(AdminConfig { upload_bytes_max: 1 << 20, ..AdminConfig::default() }).await;
    let mut stream = server.connect().await;
    let length = (1 << 20) + (1 << 19);
    let head = format!(
        "PUT /v1/plugins/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("a head");
    // Would the server close without reading this, it could fail, and the answer would be lost.
    stream.write_all(&vec![0; length]).await.expect("the whole body");
    stream.shutdown().await.expect("the end of the request");
    assert!(rest(stream).await.starts_with("HTTP/1.1 413"));
    server.stopped().await;
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_refuses_new_ones() {
    let server = Server::start(AdminConfig::default()).await;
    let unused = server.connect().await;
    // It is answered, so the one before it was accepted too.
    let mut used = server.connect().await;
    assert!(ask(&mut used, "/readyz").await.contains("ready"));
    let address = server.address;
    server.stopped().await;
    assert_eq!(rest(used).await, "");
    assert_eq!(rest(unused).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_lets_a_request_in_progress_end() {
    let server = Server::start(AdminConfig::default()).await;
    let held = server.host.admissions.acquire_many(1000).await.expect("never closed");
    let mut stream = server.connect().await;
    stream.write_all(&upload_request()).await.expect("a request");
    arrival(&server.host.uploads).await;
    server.stop.cancel();
    drop(held);
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = Server::start(AdminConfig { drain_timeout: SHORT, ..AdminConfig::default() }).await;
    let _held = server.host.admissions.clone().acquire_many_owned(1000).await.expect("never closed");
    let mut stream = server.connect().await;
    stream.write_all(&upload_request()).await.expect("a request");
    arrival(&server.host.uploads).await;
    server.stopped().await;
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn what_was_asked_for_is_done_even_if_the_client_hangs_up() {
    let server = Server::start(AdminConfig { connections_max: 1, ..AdminConfig::default() }).await;
    let held = server.host.admissions.acquire_many(1000).await.expect("never closed");
    let mut stream = server.connect().await;
    stream.write_all(&upload_request()).await.expect("a request");
    arrival(&server.host.uploads).await;
    drop(stream);
    drop(held);
    // There is one slot: the next connection is served when the one before it has ended.
    let mut next = server.connect().await;
    let answer = ask(&mut next, "/v1/plugins/greeter").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let name = "greeter".parse().expect("a name");
    server.host.runner.plugin(&TenantId::default_tenant(), &name).await.expect("the plugin is there");
    drop(next);
    server.stopped().await;
}

fn upload_request() -> Vec<u8> {
    let length = COMPONENT.len();
    let head = format!(
        "PUT /v1/plugins/greeter HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/wasm\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), COMPONENT].concat()
}
