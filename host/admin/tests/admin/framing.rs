//! Requests that two readers could understand differently: each gets one answer, and what hides behind it gets none.

use std::time::Duration;

use innkeeper_admin::AdminConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::sockets::{SHORT, Server, ask, rest};
use crate::support::PATIENCE;

/// A request that must not be answered.
const HIDDEN: &str = "GET /v1/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What the server answers to `input` until it closes the connection, which idles for a moment only.
async fn answers(server: &Server, input: &[u8]) -> String {
    let mut stream = server.connect().await;
    stream.write_all(input).await.expect("it is sent");
    let mut received = Vec::new();
    // A reset after an answer is an end too: the server does not read what it does not trust.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the server closes in time");
    String::from_utf8(received).expect("text")
}

#[tokio::test]
async fn what_is_ambiguous_is_refused_or_ends_the_connection() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    let json = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";
    for (what, request, expected) in [
        (
            "lengths that differ",
            format!("{json}Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]{HIDDEN}"),
            "400",
        ),
        ("a list of lengths", format!("{json}Content-Length: 2, 2\r\n\r\n[]{HIDDEN}"), "400"),
        ("a signed length", format!("{json}Content-Length: +2\r\n\r\n[]{HIDDEN}"), "400"),
        (
            "a length beyond numbers",
            format!("{json}Content-Length: 99999999999999999999\r\n\r\n[]{HIDDEN}"),
            "400",
        ),
        (
            "length and chunks",
            format!(
                "{json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n{HIDDEN}"
            ),
            "202",
        ),
        (
            "chunks and length",
            format!(
                "{json}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\n[]\r\n0\r\n\r\n{HIDDEN}"
            ),
            "202",
        ),
        ("an encoding that is not chunks", format!("{json}Transfer-Encoding: gzip\r\n\r\n{HIDDEN}"), "400"),
        (
            "chunks that are not last",
            format!("{json}Transfer-Encoding: chunked, gzip\r\n\r\n{HIDDEN}"),
            "400",
        ),
        (
            "an encoding of another spelling",
            format!("{json}Transfer-Encoding: xchunked\r\n\r\n{HIDDEN}"),
            "400",
        ),
        (
            "chunks in HTTP/1.0",
            format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}", json.replace("1.1", "1.0")),
            "400",
        ),
        (
            "a chunk size beyond numbers",
            format!("{json}Transfer-Encoding: chunked\r\n\r\n10000000000000002\r\n[]\r\n0\r\n\r\n{HIDDEN}"),
            "400",
        ),
        (
            "a chunk size that is none",
            format!("{json}Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n{HIDDEN}"),
            "400",
        ),
        (
            "a chunk without its end",
            format!("{json}Transfer-Encoding: chunked\r\n\r\n2\r\n[]0\r\n\r\n{HIDDEN}"),
            "400",
        ),
        ("a folded header", format!("{get}X: a\r\n b\r\n\r\n{HIDDEN}"), "400"),
        ("a space before the colon", format!("{get}Content-Length : 2\r\n\r\n{HIDDEN}"), "400"),
        (
            "a space before a name",
            format!("GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n{HIDDEN}"),
            "400",
        ),
        ("a name of two words", format!("{get}Two words: 2\r\n\r\n{HIDDEN}"), "400"),
        ("a NUL in a value", format!("{get}X: a\0b\r\n\r\n{HIDDEN}"), "400"),
        ("a CR in a value", format!("{get}X: a\rb\r\n\r\n{HIDDEN}"), "400"),
        ("another protocol", format!("GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n{HIDDEN}"), "400"),
    ] {
        let answer = answers(&server, request.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}"))
                || answer.starts_with(&format!("HTTP/1.0 {expected}")),
            "{what}: {answer}"
        );
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
        assert!(!answer.contains("hidden"), "{what}: {answer}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn what_is_unusual_but_clear_is_answered() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    for (what, request) in [
        ("lines that end with LF alone", "GET /healthz HTTP/1.1\nHost: localhost\n\n"),
        ("the absolute form", "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            "equal lengths",
            "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        ),
        ("HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n"),
    ] {
        let answer = answers(&server, request.as_bytes()).await;
        assert!(answer.contains(" 200 OK") && answer.ends_with("{\"status\":\"ok\"}"), "{what}: {answer}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn headers_are_bounded_in_number() {
    let server = Server::start(AdminConfig::default()).await;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: x\r\n".repeat(100));
    assert!(answers(&server, head.as_bytes()).await.starts_with("HTTP/1.1 431"));
    server.stopped().await;
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_given_up_all_the_same() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    let stream = server.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let dripping = tokio::spawn(async move {
        // It never stops by itself: the server has to hang up.
        let mut drip = tokio::time::interval(SHORT / 10);
        writer.write_all(b"GET /healthz HTTP/1.1\r\nX: ").await.expect("a beginning");
        while writer.write_all(b"x").await.is_ok() {
            drip.tick().await;
        }
    });
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut received)).await.expect("the server hangs up");
    assert!(!received.starts_with(b"HTTP/1.1 200"));
    timeout(PATIENCE, dripping).await.expect("the client notices").expect("no panic");
    server.stopped().await;
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_given_up_all_the_same() {
    let server = Server::start(AdminConfig { body_timeout: SHORT, ..AdminConfig::default() }).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        writer.write_all(head.as_bytes()).await.expect("a head");
        let mut drip = tokio::time::interval(SHORT / 10);
        while writer.write_all(b"1\r\n \r\n").await.is_ok() {
            drip.tick().await;
        }
    });
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut received)).await.expect("the server hangs up");
    let answer = String::from_utf8(received).expect("text");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    timeout(PATIENCE, dripping).await.expect("the client notices").expect("no panic");
    server.stopped().await;
}

#[tokio::test]
async fn who_does_not_read_its_stream_loses_the_connection_and_others_do_not_notice() {
    let config = AdminConfig {
        write_timeout: SHORT,
        stream_heartbeat: Duration::from_millis(1),
        ..AdminConfig::default()
    };
    let server = Server::start(AdminConfig { connections_max: 2, ..config }).await;
    let mut deaf = server.connect().await;
    let asked = "GET /v1/stream?topic=event:* HTTP/1.1\r\nHost: localhost\r\n\r\n";
    deaf.write_all(asked.as_bytes()).await.expect("a request");
    let mut other = server.connect().await;
    assert!(ask(&mut other, "/healthz").await.contains("200 OK"));
    // The stream is on its way before anything is published.
    let mut first = [0; 64];
    timeout(PATIENCE, deaf.read_exact(&mut first)).await.expect("a beginning").expect("no reset");
    let publish = async || {
        let publication = innkeeper_runner::Publication {
            event: "big".to_owned(),
            data: Some("x".repeat(200_000).into()),
            idempotency_key: None,
        };
        let tenant = innkeeper_model::id::TenantId::default_tenant();
        server.host.runner.publish_events(&tenant, vec![publication; 10]).await.expect("events");
    };
    // A third connection is accepted when the deaf one is gone.
    let mut third = server.connect().await;
    let answer = timeout(PATIENCE, async {
        let mut answer = std::pin::pin!(ask(&mut third, "/healthz"));
        loop {
            tokio::select! {
                answer = &mut answer => break answer,
                () = publish() => {}
            }
        }
    });
    assert!(answer.await.expect("the deaf one is let go").contains("200 OK"));
    drop(deaf);
    server.stopped().await;
}

#[tokio::test]
async fn a_stream_ends_in_order_when_the_server_stops() {
    let server = Server::start(AdminConfig::default()).await;
    let mut stream = server.connect().await;
    let asked = "GET /v1/stream?topic=event:* HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(asked.as_bytes()).await.expect("a request");
    let mut first = [0; 64];
    timeout(PATIENCE, stream.read_exact(&mut first)).await.expect("a beginning").expect("no reset");
    server.stopped().await;
    assert!(rest(stream).await.ends_with("\r\n0\r\n\r\n"), "the last chunk says that it is the last");
}
