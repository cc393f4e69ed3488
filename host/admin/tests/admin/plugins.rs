//! Uploading plugins.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER,
};
use innkeeper_admin::AdminConfig;
use innkeeper_model::id::Digest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{COMPONENT, Host, PATIENCE, column, errors, request};

#[tokio::test]
async fn an_upload_is_new_once() {
    let host = Host::start().await;
    let first = host.upload("greeter", COMPONENT).await;
    assert_eq!(
        (first.status, &first.headers[LOCATION]),
        (StatusCode::CREATED, &"/v1/plugins/greeter".parse().expect("a value"))
    );
    let expected = json!({
        "name": "greeter", "digest": Digest::of(COMPONENT).to_string(), "size": COMPONENT.len(),
        "imports": ["wasi:io/streams@0.2.0"], "createdAt": "2025-06-01T12:00:00.000Z",
        "updatedAt": "2025-06-01T12:00:00.000Z", "quarantine": null,
    });
    let has = |answer: &Value, expected: &Value| {
        let expected = expected.as_object().expect("an object");
        assert!(expected.iter().all(|(key, value)| answer[key] == *value), "{answer:#}");
    };
    has(&first.body, &expected);
    assert_eq!(host.get("/v1/plugins/greeter").await.body, expected);
    let again = host.upload("greeter", COMPONENT).await;
    assert_eq!(again.status, StatusCode::OK);
    has(&again.body, &expected);
    let other = host.upload("greeter", b"\0asm other").await;
    assert_eq!(other.status, StatusCode::CREATED);
    has(&other.body, &host.get("/v1/plugins/greeter").await.body);
    assert_eq!(column(&host.get("/v1/plugins").await, "digest"), [other.body["digest"].clone()]);
}

#[tokio::test]
async fn a_refused_component_says_why() {
    let host = Host::start().await;
    let refused = host.upload("greeter", b"#!/bin/sh").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.body["code"], "plugin_refused");
    assert_eq!(errors(&refused), [("component", "invalid_component")]);
    assert_eq!(host.get("/v1/plugins/greeter").await.status, StatusCode::NOT_FOUND);
    assert_eq!(errors(&host.upload("Greeter", COMPONENT).await), [("name", "invalid_name")]);
}

#[tokio::test]
async fn an_upload_over_the_cap_is_refused_whether_declared_or_not() {
    let host = Host::with(AdminConfig { upload_bytes_max: COMPONENT.len(), ..AdminConfig::default() }).await;
    assert_eq!(host.upload("fits", COMPONENT).await.status, StatusCode::CREATED);
    let large = [COMPONENT, b"!"].concat();
    let declared = host.upload("large", &large).await;
    assert_eq!(
        (declared.status, &declared.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("too_large"))
    );
    let streamed = request("PUT", "/v1/plugins/large")
        .header(CONTENT_TYPE, "application/wasm")
        .body(Body::new(Chunked(vec![b"!", COMPONENT])))
        .expect("a request");
    assert!(!streamed.headers().contains_key(CONTENT_LENGTH));
    assert_eq!(host.send(streamed).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(column(&host.get("/v1/plugins").await, "name"), ["fits"]);
}

#[tokio::test]
async fn only_webassembly_is_taken() {
    let host = Host::start().await;
    for content_type in ["application/octet-stream", "application/wasm-not", ""] {
        let request = request("PUT", "/v1/plugins/a").header(CONTENT_TYPE, content_type);
        let refused = host.send(request.body(COMPONENT.into()).expect("a request")).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(refused.body["code"], "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_compressed_upload_is_refused_by_name() {
    let host = Host::start().await;
    let upload = |encoding| {
        let request = request("PUT", "/v1/plugins/a").header(CONTENT_TYPE, "application/wasm");
        request.header(CONTENT_ENCODING, encoding).body(COMPONENT.into()).expect("a request")
    };
    for encoding in ["gzip", "br", "identity, zstd", "Deflate"] {
        let refused = host.send(upload(encoding)).await;
        assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(refused.body["code"], "unsupported_encoding");
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(&encoding.to_lowercase()), "{detail}");
        assert_eq!(refused.headers[ACCEPT_ENCODING], "identity");
    }
    assert_eq!(host.send(upload("identity")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn uploads_beyond_the_queue_are_told_to_come_back() {
    let config = AdminConfig { uploads_waiting_max: 3, ..AdminConfig::default() };
    let host = Arc::new(Host::with(config).await);
    let held = Arc::clone(&host.admissions).acquire_many_owned(1000).await.expect("never closed");
    let mut uploads = JoinSet::new();
    for number in 0..200 {
        let host = Arc::clone(&host);
        uploads.spawn(async move { host.upload(&format!("p{number}"), COMPONENT).await });
    }
    let mut next = async || {
        let ended = tokio::time::timeout(PATIENCE, uploads.join_next()).await.expect("an answer in time");
        ended.expect("an upload").expect("no panic")
    };
    // One goes on, and three wait.
    for _ in 0..196 {
        let answer = next().await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.body["code"], "too_many_uploads");
        assert!(answer.headers.contains_key(RETRY_AFTER));
    }
    drop(held);
    for _ in 0..4 {
        assert_eq!(next().await.status, StatusCode::CREATED);
    }
    assert_eq!(column(&host.get("/v1/plugins").await, "name").len(), 4);
}

#[tokio::test]
async fn a_plugin_in_use_stays() {
    let host = Host::with_plugin().await;
    host.create("a", json!({"type": "event", "onEvent": "x"})).await;
    let refused = host.delete("/v1/plugins/greeter").await;
    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("plugin_in_use")));
    host.delete("/v1/tasks/a").await;
    assert_eq!(host.delete("/v1/plugins/greeter").await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.delete("/v1/plugins/greeter").await.status, StatusCode::NOT_FOUND);
}

/// A body of several parts that does not say how long it is.
struct Chunked(Vec<&'static [u8]>);

impl hyper::body::Body for Chunked {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        let data = self.0.pop().map(axum::body::Bytes::from_static);
        std::task::Poll::Ready(data.map(|data| Ok(hyper::body::Frame::data(data))))
    }
}
