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

const JSON: &str = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
const GET: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n";

/// Expects that each of the inputs gets one answer, with this status, and then the end of the connection.
async fn get_one_answer(status: &str, inputs: &[(&str, String)]) {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    for (what, input) in inputs {
        let answer = answers(&server, format!("{input}{HIDDEN}").as_bytes()).await;
        let begins =
            ["1.0", "1.1"].iter().any(|version| answer.starts_with(&format!("HTTP/{version} {status}")));
        assert!(begins, "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: {answer}");
        assert!(!answer.contains("hidden"), "{what}: {answer}");
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_length_that_is_not_clear_is_refused() {
    let with = |lengths: &str| format!("{JSON}{lengths}\r\n\r\n[]");
    let inputs = [
        ("lengths that differ", with("Content-Length: 2\r\nContent-Length: 3")),
        ("a list of lengths", with("Content-Length: 2, 2")),
        ("a signed length", with("Content-Length: +2")),
        ("a length beyond numbers", with("Content-Length: 99999999999999999999")),
        ("a length that is no number", with("Content-Length: two")),
        ("a length of many digits", with(&format!("Content-Length: {}2", "0".repeat(64)))),
    ];
    get_one_answer("400", &inputs).await;
}

#[tokio::test]
async fn a_length_beside_chunks_is_refused() {
    let with = |headers: &str| format!("{JSON}{headers}\r\n\r\n2\r\n[]\r\n0\r\n\r\n");
    let inputs = [
        ("length and chunks", with("Content-Length: 4\r\nTransfer-Encoding: chunked")),
        ("chunks and length", with("Transfer-Encoding: chunked\r\nContent-Length: 4")),
        ("chunks and no length", with("transfer-encoding:chunked\r\ncontent-length:0")),
        ("a length in small letters", with("Transfer-Encoding: chunked\r\nX: y\r\ncontent-length: 12")),
    ];
    get_one_answer("400", &inputs).await;
}

#[tokio::test]
async fn after_chunks_the_connection_ends() {
    let input = format!("{JSON}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n");
    get_one_answer("202", &[("chunks", input)]).await;
}

#[tokio::test]
async fn chunks_that_are_not_clear_are_refused() {
    let with = |encoding: &str, body: &str| format!("{JSON}Transfer-Encoding: {encoding}\r\n\r\n{body}");
    let inputs = [
        ("an encoding that is not chunks", with("gzip", "")),
        ("chunks that are not last", with("chunked, gzip", "")),
        ("an encoding of another spelling", with("xchunked", "")),
        ("chunks in HTTP/1.0", with("chunked", "0\r\n\r\n").replace("1.1", "1.0")),
        ("a chunk size beyond numbers", with("chunked", "10000000000000002\r\n[]\r\n0\r\n\r\n")),
        ("a chunk size that is none", with("chunked", "-2\r\n[]\r\n0\r\n\r\n")),
        ("a chunk without its end", with("chunked", "2\r\n[]0\r\n\r\n")),
    ];
    get_one_answer("400", &inputs).await;
}

#[tokio::test]
async fn a_head_that_is_not_clear_is_refused() {
    let inputs = [
        ("lines that end with LF alone", "GET /healthz HTTP/1.1\nHost: localhost\n\n".to_owned()),
        ("a first line that does", "GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n".to_owned()),
        ("a header that does", format!("{GET}X: a\nY: b\r\n\r\n")),
        ("an empty line that does", format!("{GET}\n")),
        ("an empty line before that does", format!("\n{GET}\r\n")),
        ("a folded header", format!("{GET}X: a\r\n b\r\n\r\n")),
        ("a header folded by a tab", format!("{GET}X: a\r\n\tb\r\n\r\n")),
        ("a space before the colon", format!("{GET}Content-Length : 2\r\n\r\n")),
        ("a space before a name", "GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n".to_owned()),
        ("a name of two words", format!("{GET}Two words: 2\r\n\r\n")),
        ("a NUL in a value", format!("{GET}X: a\0b\r\n\r\n")),
        ("a CR in a value", format!("{GET}X: a\rb\r\n\r\n")),
        ("another protocol", "GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n".to_owned()),
    ];
    get_one_answer("400", &inputs).await;
}

#[tokio::test]
async fn a_head_is_looked_at_wherever_it_stands() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    // Line feeds in a body are no business of anybody.
    let first = format!("{JSON}Content-Length: 4\r\n\r\n[\n\n]");
    let clear = format!("{first}{GET}\r\n");
    let answer = answers(&server, clear.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("HTTP/1.1 200 OK"), "{answer}");
    let second = format!("{first}GET /v1/hidden HTTP/1.1\nHost: localhost\n\n");
    let answer = answers(&server, second.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 202") && answer.contains("HTTP/1.1 400"), "{answer}");
    assert!(!answer.contains("hidden"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn what_is_unusual_but_clear_is_answered() {
    let server = Server::start(AdminConfig { header_timeout: SHORT, ..AdminConfig::default() }).await;
    for (what, request) in [
        ("empty lines before", "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
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
