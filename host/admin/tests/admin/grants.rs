//! What a plugin may reach, changed by several at once.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{Host, errors};

const GRANTS: &str = "/v1/plugins/greeter/grants";

#[tokio::test]
async fn none_of_many_changes_at_once_is_lost() {
    let host = Arc::new(Host::with_plugin().await);
    let mut changes = JoinSet::new();
    for number in 0..20 {
        let host = Arc::clone(&host);
        changes.spawn(async move {
            let change = json!({"allow": {"keyValue": [format!("bucket-{number:02}"), "all"]}});
            host.ask("PATCH", GRANTS, "", Some(change)).await.status
        });
    }
    let limits = json!({"fuel": 5, "concurrency": 3});
    let limits = host.ask("PUT", "/v1/plugins/greeter/limits", "", Some(limits)).await;
    assert_eq!(limits.status, StatusCode::OK);
    while let Some(changed) = changes.join_next().await {
        assert_eq!(changed.expect("no panic"), StatusCode::OK);
    }
    let granted = host.get(GRANTS).await.body["keyValue"].take();
    let mut granted: Vec<_> =
        granted.as_array().expect("a list").iter().filter_map(|name| name.as_str()).collect();
    granted.sort_unstable();
    assert_eq!(granted.len(), 21, "{granted:?}");
    let shown = host.get("/v1/plugins/greeter/limits").await.body;
    assert_eq!(shown["limits"], json!({"fuel": 5, "concurrency": 3}), "nor is what else was changed");
    let denial = json!({"deny": {"keyValue": granted[..20], "http": ["https://x.org"]}});
    let denied = host.ask("PATCH", GRANTS, "", Some(denial)).await;
    assert_eq!(denied.body, json!({"http": [], "keyValue": [granted[20]], "config": []}));
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused_by_field() {
    let host = Host::with_plugin().await;
    let refused =
        host.ask("PATCH", GRANTS, "", Some(json!({"allow": {"http": ["ftp://x"]}, "grant": {}}))).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut fields: Vec<_> = errors(&refused).into_iter().map(|(field, _)| field.to_owned()).collect();
    fields.sort();
    assert_eq!(fields, ["allow.http[0]", "grant"]);
    assert_eq!(host.get(GRANTS).await.body["http"], json!([]), "nothing of it is kept");
    let missing = host.ask("PATCH", "/v1/plugins/nobody/grants", "", Some(json!({}))).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}
