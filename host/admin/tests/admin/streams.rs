//! Server-sent events: what is told to whom, going on after a break, and the ends of a stream.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{Response, StatusCode};
use futures_util::StreamExt as _;
use innkeeper_admin::{AdminConfig, Token};
use innkeeper_model::id::TenantId;
use innkeeper_model::topic::TopicPattern;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{COMPONENT, Host, OPERATOR, PATIENCE, errors, request};

/// The reader's end of a stream.
struct Reader {
    parts: BodyDataStream,
    text: String,
}

/// One event.
#[derive(Debug, Default)]
struct Told {
    id: String,
    name: String,
    data: Value,
}

impl Reader {
    async fn open(host: &Host, topics: &str, last: Option<&str>) -> Self {
        let response = Self::ask(host, topics, last).await;
        assert_eq!(
            (response.status(), &response.headers()[CONTENT_TYPE]),
            (StatusCode::OK, &"text/event-stream".parse().expect("a value"))
        );
        Self { parts: response.into_body().into_data_stream(), text: String::new() }
    }

    async fn ask(host: &Host, topics: &str, last: Option<&str>) -> Response<Body> {
        let mut asked = request("GET", &format!("/v1/stream?{topics}"));
        if let Some(last) = last {
            asked = asked.header("Last-Event-ID", last);
        }
        host.raw(asked.body(Body::empty()).expect("a request")).await
    }

    /// The next block of lines; `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let part = timeout(PATIENCE, self.parts.next()).await.expect("a part in time")?;
            self.text.push_str(std::str::from_utf8(&part.expect("no error")).expect("text"));
        }
    }

    /// The next event; heartbeats and settings are none.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let mut told = Told::default();
            let mut data = String::new();
            for line in self.block().await?.lines() {
                match line.split_once(": ") {
                    Some(("id", id)) => id.clone_into(&mut told.id),
                    Some(("event", name)) => name.clone_into(&mut told.name),
                    Some(("data", json)) => data.push_str(json),
                    _ => {}
                }
            }
            if !told.name.is_empty() {
                told.data = serde_json::from_str(&data).expect("JSON");
                return Some(told);
            }
        }
    }

    async fn expect(&mut self, name: &str) -> Told {
        let told = self.next().await.expect("the stream goes on");
        assert_eq!(told.name, name, "{told:?}");
        told
    }
}

#[tokio::test]
async fn topics_are_told_in_the_shapes_of_the_api() {
    let host = Host::with_plugin().await;
    let mut reader = Reader::open(&host, "topic=event:user:*&topic=task:*&topic=execution:a", None).await;
    let ready = reader.expect("ready").await;
    assert_eq!(ready.data["topics"], json!(["event:user:*", "task:*", "execution:a"]));
    host.create("a", json!({"type": "event", "onEvent": "user:*"})).await;
    host.post_json("/v1/events", json!([{"event": "other"}, {"event": "user:in", "data": {"id": 5}}])).await;
    assert_eq!(reader.expect("task").await.data, json!({"taskId": "a", "change": "created"}));
    let event = reader.expect("event").await.data;
    assert_eq!((&event["event"], &event["data"]), (&json!("user:in"), &json!({"id": 5})));
    let execution = reader.expect("execution").await.data;
    assert_eq!(
        (&execution["taskId"], &execution["status"], &execution["logs"][0]["message"]),
        (&json!("a"), &json!("success"), &json!("hello"))
    );
    let shown = host.get(&format!("/v1/executions/{}", execution["id"].as_str().expect("an id"))).await;
    for key in ["runId", "receipt", "output", "pluginDigest"] {
        assert_eq!(execution[key], shown.body[key], "{key}");
    }
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was() {
    let host = Host::start().await;
    let mut reader = Reader::open(&host, "topic=event:*", None).await;
    reader.expect("ready").await;
    host.post_json("/v1/events", json!([{"event": "a"}, {"event": "b"}])).await;
    let first = reader.expect("event").await;
    drop(reader);
    host.post_json("/v1/events", json!({"event": "c"})).await;
    let mut back = Reader::open(&host, "topic=event:*", Some(&first.id)).await;
    assert_eq!(back.expect("ready").await.id, first.id);
    assert_eq!(
        [back.expect("event").await, back.expect("event").await].map(|told| told.data["event"].clone()),
        ["b", "c"]
    );
    for lost in ["1-7", "abc", ""] {
        let mut lost = Reader::open(&host, "topic=event:*", Some(lost)).await;
        lost.expect("ready").await;
        lost.expect("reset").await;
        assert_eq!(lost.expect("event").await.data["event"], "a", "everything that is kept");
    }
}

#[tokio::test]
async fn tenants_hear_nothing_of_each_other() {
    let host = Host::start().await;
    let mut reader = Reader::open(&host, "topic=event:*", None).await;
    reader.expect("ready").await;
    let other: TenantId = "other".parse().expect("a tenant");
    let mut theirs = host.runner.follow(&other, vec!["*".parse::<TopicPattern>().expect("a pattern")], None);
    host.post_json("/v1/events", json!({"event": "ours"})).await;
    assert_eq!(reader.expect("event").await.data["event"], "ours");
    let waiting = std::pin::pin!(theirs.next());
    assert!(futures_util::poll!(waiting).is_pending());
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_is_there_and_how_far_it_is() {
    let config = AdminConfig { stream_heartbeat: Duration::from_millis(5), ..AdminConfig::default() };
    let host = Host::with(config).await;
    let mut reader = Reader::open(&host, "topic=event:user", None).await;
    let ready = reader.expect("ready").await;
    host.post_json("/v1/events", json!({"event": "other"})).await;
    let still = format!(": heartbeat\nid: {}", ready.id);
    loop {
        let beat = reader.block().await.expect("the stream goes on");
        assert!(beat.starts_with(": heartbeat\nid: "), "{beat}");
        if beat != still {
            break;
        }
    }
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_and_let_go() {
    let host = Host::start().await;
    let mut slow = Reader::open(&host, "topic=event:*", None).await;
    slow.expect("ready").await;
    let batch: Vec<_> = (0..5000).map(|_| json!({"event": "x"})).collect();
    assert_eq!(host.post_json("/v1/events", batch.into()).await.status, StatusCode::ACCEPTED);
    assert_eq!(slow.expect("dropped").await.data, json!({"missed": 904}));
    assert!(slow.next().await.is_none());
}

#[tokio::test]
async fn streams_end_with_the_host() {
    let host = Host::start().await;
    let mut reader = Reader::open(&host, "topic=task:*", None).await;
    reader.expect("ready").await;
    host.runner.shutdown(std::future::pending()).await;
    assert!(reader.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let host = Host::with_tenants().await;
    let (secret, id) = host.token("one", "reader").await;
    let asked =
        request("GET", "/v1/stream?topic=event:*").header("Authorization", format!("Bearer {secret}"));
    let response = host.raw(asked.body(Body::empty()).expect("a request")).await;
    let mut reader = Reader { parts: response.into_body().into_data_stream(), text: String::new() };
    reader.expect("ready").await;
    let publish = async |tenant: &str| {
        host.ask_for(tenant, "POST", "/v1/events", OPERATOR, Some(json!({"event": tenant}))).await
    };
    publish("other").await;
    publish("one").await;
    assert_eq!(reader.expect("event").await.data["event"], "one", "another tenant's is not told");
    let gone = host.ask_for("one", "DELETE", &format!("/v1/tokens/{id}"), OPERATOR, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    publish("one").await;
    assert!(reader.next().await.is_none(), "nothing is told to a token that is revoked");
}

#[tokio::test]
async fn streams_are_bounded() {
    let host = Host::with(AdminConfig { streams_per_tenant_max: 1, ..AdminConfig::default() }).await;
    let first = Reader::open(&host, "topic=task:*", None).await;
    let refused = host.get("/v1/stream?topic=task:*").await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_streams"))
    );
    assert!(refused.headers.contains_key(RETRY_AFTER));
    drop(first);
    Reader::open(&host, "topic=task:*", None).await;
}

#[tokio::test]
async fn what_is_no_topic_is_refused() {
    let host =
        Host::with(AdminConfig { token: Some(Token::new("t").expect("a token")), ..AdminConfig::default() })
            .await;
    assert_eq!(Reader::ask(&host, "topic=task:*", None).await.status(), StatusCode::UNAUTHORIZED);
    let host = Host::start().await;
    assert_eq!(host.upload("greeter", COMPONENT).await.status, StatusCode::CREATED);
    for (query, expected) in [
        ("", [("topic", "out_of_range")]),
        ("topic=user:in", [("topic", "invalid_topic")]),
        ("topic=event:a%20b", [("topic", "invalid_topic")]),
        ("topics=event:*&topic=event:*", [("topics", "unknown_parameter")]),
    ] {
        assert_eq!(errors(&host.get(&format!("/v1/stream?{query}")).await), expected, "{query}");
    }
    let many = vec!["topic=event:*"; 33].join("&");
    assert_eq!(errors(&host.get(&format!("/v1/stream?{many}")).await), [("topic", "out_of_range")]);
}
