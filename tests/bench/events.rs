//! Events per second, from an HTTP request to the end of the execution.

use std::sync::Arc;

use innkeeper_admin::AdminConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::probe::now;
use crate::table::{Table, per_second};
use crate::{Size, host};

/// Connections that publish at once.
const CONNECTIONS: usize = 128;
/// Events in an array.
const ARRAY: usize = 100;

pub(crate) async fn measure(table: &mut Table, size: Size) {
    let single = r#"{"event":"greet","data":{"userId":"7"}}"#;
    let rate = publish(size.count, 1, single.to_owned()).await;
    table.row("events end to end over HTTP, one by one", rate, "30,000/s");
    let array = format!("[{}]", vec![single; ARRAY].join(","));
    let rate = publish(size.count, ARRAY, array).await;
    table.row("events end to end over HTTP, in arrays of 100", rate, "100,000/s");
}

/// Publishes `count` events, `each` per request, and waits for the last execution.
async fn publish(count: usize, each: usize, body: String) -> String {
    let host = host().await;
    let task = serde_json::json!({"id": "greet", "type": "event", "onEvent": "greet", "plugin": "greeter"});
    host.create(task).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let config = AdminConfig::default();
    let server = tokio::spawn(innkeeper_admin::serve(listener, host.runner.clone(), config, stop.clone()));
    let request = Arc::new(format!(
        "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let requests = count.div_ceil(each);
    let begun = now();
    let clients = (0..CONNECTIONS).map(|client| {
        let share = requests / CONNECTIONS + usize::from(client < requests % CONNECTIONS);
        tokio::spawn(send(address, Arc::clone(&request), share))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("the client ends");
    }
    host.ended(requests * each).await;
    host.idle().await;
    let rate = per_second(requests * each, begun.elapsed().as_secs_f64());
    stop.cancel();
    server.await.expect("the server ends").expect("in order");
    host.runner.shutdown(std::future::pending()).await;
    rate
}

/// Sends the same request again and again on one connection, each after the answer to the one before.
async fn send(address: std::net::SocketAddr, request: Arc<String>, times: usize) {
    if times == 0 {
        return;
    }
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let mut answer = vec![0; 64 << 10];
    for _ in 0..times {
        stream.write_all(request.as_bytes()).await.expect("the request is sent");
        let mut read = 0;
        loop {
            let more = stream.read(&mut answer[read..]).await.expect("an answer");
            assert!(more > 0, "the server hung up");
            read += more;
            if is_whole(&answer[..read]) {
                break;
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
}

/// Whether an answer with a content length has arrived in full.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}
