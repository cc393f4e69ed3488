//! A server for plugins to talk to, which answers byte for byte as a story says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does about a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// It sends these bytes and ends the connection.
    Bytes(Vec<u8>),
    /// It sends these bytes, and then nothing for as long as the other side waits.
    Stall(Vec<u8>),
}

impl Reply {
    /// An answer with this status line, such as `200 OK`, these header lines and this body.
    #[must_use]
    pub fn answer(status: &str, headers: &[&str], body: &str) -> Self {
        let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes(),
        )
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

type Decide = dyn Fn(&str) -> Reply + Send + Sync;

/// A server on a port of its own. It ends with the story.
pub struct HttpServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server that does what `decide` says about each request, which is its text, head and body.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn start(decide: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_over(None, decide)
    }

    /// The same over TLS, with the certificate of `localhost` in [`CERTIFICATE`].
    ///
    /// # Panics
    /// If there is no port for it, or the certificate cannot be read.
    #[must_use]
    pub fn start_secure(decide: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_over(Some(Arc::new(tls())), decide)
    }

    fn start_over(
        tls: Option<Arc<ServerConfig>>,
        decide: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let decide: Arc<Decide> = Arc::new(decide);
        let (seen, over) = (Arc::clone(&requests), Arc::clone(&is_over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                let (decide, seen, tls) = (Arc::clone(&decide), Arc::clone(&seen), tls.clone());
                std::thread::spawn(move || serve(&stream, tls, &*decide, &seen));
            }
        });
        Self { address, requests, is_over, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests that came so far, each as its text.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // A last connection wakes the thread that waits for one.
        let _woken = TcpStream::connect(self.address);
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// The file with the certificate of `localhost`, which whoever is to trust the server is given. It was made with
/// `openssl req -x509`, for a hundred years, and its key opens nothing.
pub const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tls/localhost.pem");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tls/localhost.key");

fn tls() -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE).expect("the certificate can be read");
    let key = PrivateKeyDer::from_pem_file(KEY).expect("the key can be read");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.expect("ring knows them").with_no_client_auth();
    config.with_single_cert(vec![certificate], key).expect("the key is the certificate's")
}

/// One request on one connection. What cannot be read or written is the other side's end of it.
fn serve(socket: &TcpStream, tls: Option<Arc<ServerConfig>>, decide: &Decide, seen: &Mutex<Vec<String>>) {
    let mut stream: Box<dyn Stream + '_> = match tls {
        None => Box::new(socket),
        Some(config) => {
            let connection = ServerConnection::new(config).expect("the configuration is whole");
            Box::new(StreamOwned::new(connection, socket))
        }
    };
    let Some(request) = read(&mut stream) else { return };
    let reply = decide(&request);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    match reply {
        Reply::Bytes(bytes) => {
            let _sent = stream.write_all(&bytes);
            let _ended = stream.flush().and_then(|()| socket.shutdown(Shutdown::Write));
        }
        Reply::Stall(bytes) => {
            let _sent = stream.write_all(&bytes);
        }
    }
    // Until the other side goes: what it has not read yet must not be lost to a reset.
    let _rest = stream.read_to_end(&mut Vec::new());
}

/// The head, and as much of a body as it announces.
fn read(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lengths = head.lines().filter_map(|line| line.strip_prefix("content-length: "));
            let length = lengths.next_back().and_then(|length| length.parse().ok()).unwrap_or(0);
            let is_chunked = head.contains("transfer-encoding: chunked");
            if (!is_chunked && body.len() >= length) || (is_chunked && body.ends_with("0\r\n\r\n")) {
                return Some(text.into_owned());
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
