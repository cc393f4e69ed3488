//! Uploads of one tenant beside those of another.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use tokio::task::JoinSet;

use crate::support::{Answer, COMPONENT, Host, OPERATOR, PATIENCE, request};

async fn upload(host: Arc<Host>, tenant: &'static str, name: String) -> (&'static str, Answer) {
    let upload = request("PUT", &format!("/v1/plugins/{name}"))
        .header(CONTENT_TYPE, "application/wasm")
        .header("innkeeper-tenant", tenant)
        .header(AUTHORIZATION, format!("Bearer {OPERATOR}"));
    (tenant, host.send(upload.body(COMPONENT.into()).expect("a request")).await)
}

#[tokio::test]
async fn however_many_uploads_a_tenant_has_those_of_another_go_beside_its_one() {
    let host = Arc::new(Host::with_tenants().await);
    let arrived = Arc::clone(&host.uploads);
    arrived.acquire_many(1).await.expect("never closed").forget();
    let mut held = Arc::clone(&host.admissions).acquire_many_owned(1000).await.expect("never closed");
    let mut uploads = JoinSet::new();
    for number in 0..200 {
        uploads.spawn(upload(Arc::clone(&host), "one", format!("p{number}")));
    }
    let mut refused = 0;
    while refused < 200 - 33 {
        let ended = tokio::time::timeout(PATIENCE, uploads.join_next()).await.expect("an answer in time");
        let (_, answer) = ended.expect("an upload").expect("no panic");
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        refused += 1;
    }
    arrived.acquire_many(1).await.expect("never closed").forget();
    assert_eq!(arrived.available_permits(), 0, "of those that wait, one has reached the sandbox");
    uploads.spawn(upload(Arc::clone(&host), "other", "p".to_owned()));
    let second = tokio::time::timeout(PATIENCE, arrived.acquire_many(1)).await;
    second.expect("it waits for nobody").expect("never closed").forget();
    // One admission for each of the two that are there.
    drop(held.split(2).expect("there are a thousand"));
    loop {
        let ended = tokio::time::timeout(PATIENCE, uploads.join_next()).await.expect("an answer in time");
        let (tenant, answer) = ended.expect("an upload").expect("no panic");
        assert_eq!(answer.status, StatusCode::CREATED);
        if tenant == "other" {
            break;
        }
    }
    drop(held);
    while let Some(ended) = uploads.join_next().await {
        assert_eq!(ended.expect("no panic").1.status, StatusCode::CREATED);
    }
}
