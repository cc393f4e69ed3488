//! Tokens: made, used, renewed, revoked.

use std::time::Duration;

use axum::http::StatusCode;
use innkeeper_model::clock::Clock as _;
use serde_json::json;

use crate::support::{Host, OPERATOR, column, errors, text};

async fn status(host: &Host, token: &str) -> StatusCode {
    host.ask("GET", "/v1/tasks", token, None).await.status
}

#[tokio::test]
async fn a_secret_is_shown_once_and_good_until_it_is_revoked() {
    let host = Host::with_tenants().await;
    let (secret, id) = host.token("one", "reader").await;
    assert!(secret.starts_with("ink_") && secret.len() == 76, "{secret}");
    assert_eq!(status(&host, &secret).await, StatusCode::OK);
    let listed = host.ask_for("one", "GET", "/v1/tokens", OPERATOR, None).await;
    assert_eq!(column(&listed, "id"), [json!(id)]);
    assert_eq!(column(&listed, "lastUsedAt"), [json!("2025-06-01T12:00:00.000Z")]);
    assert!(!listed.body.to_string().contains(&secret[4..20]), "the secret is nowhere");
    let path = format!("/v1/tokens/{id}");
    assert_eq!(host.ask_for("other", "DELETE", &path, OPERATOR, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(status(&host, &secret).await, StatusCode::OK, "it is not the other tenant's to revoke");
    assert_eq!(host.ask_for("one", "DELETE", &path, OPERATOR, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status(&host, &secret).await, StatusCode::UNAUTHORIZED);
    assert_eq!(host.ask_for("one", "DELETE", &path, OPERATOR, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_renewed_token_has_another_secret_and_the_same_id() {
    let host = Host::with_tenants().await;
    let (secret, id) = host.token("one", "admin").await;
    let renewed = host.ask("POST", &format!("/v1/tokens/{id}/rotate"), &secret, None).await;
    assert_eq!((renewed.status, text(&renewed.body, "id")), (StatusCode::OK, id.as_str()));
    assert_eq!(status(&host, &secret).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&host, text(&renewed.body, "secret")).await, StatusCode::OK);
}

#[tokio::test]
async fn a_token_may_have_an_end() {
    let host = Host::with_tenants().await;
    let body = json!({"name": "ci", "role": "reader", "expiresIn": "1h"});
    let made = host.ask_for("one", "POST", "/v1/tokens", OPERATOR, Some(body)).await;
    assert_eq!(made.body["expiresAt"], "2025-06-01T13:00:00.000Z");
    let secret = text(&made.body, "secret").to_owned();
    host.clock.set(host.clock.now().saturating_add(Duration::from_secs(3599)));
    assert_eq!(status(&host, &secret).await, StatusCode::OK);
    host.clock.set(host.clock.now().saturating_add(Duration::from_secs(1)));
    assert_eq!(status(&host, &secret).await, StatusCode::UNAUTHORIZED);
    let past = json!({"name": "ci", "role": "reader", "expiresAt": "2025-06-01T12:00:00Z"});
    let refused = host.ask_for("one", "POST", "/v1/tokens", OPERATOR, Some(past)).await;
    assert_eq!(errors(&refused), [("expiresAt", "past")]);
}

#[tokio::test]
async fn a_tenants_admin_makes_tokens_of_its_tenant_only() {
    let host = Host::with_tenants().await;
    let admin = host.token("one", "admin").await.0;
    let made = host.ask("POST", "/v1/tokens", &admin, Some(json!({"name": "w", "role": "writer"}))).await;
    assert_eq!((made.status, text(&made.body, "tenant")), (StatusCode::CREATED, "one"));
    let more = host.ask("POST", "/v1/tokens", &admin, Some(json!({"name": "o", "role": "operator"}))).await;
    assert_eq!((more.status, text(&more.body, "code")), (StatusCode::FORBIDDEN, "forbidden"));
}

#[tokio::test]
async fn the_operator_may_have_further_tokens_and_the_first_one_shuts_the_door() {
    let host = Host::start().await;
    assert_eq!(
        status(&host, "").await,
        StatusCode::OK,
        "without any token whoever sits here is the operator"
    );
    assert_eq!(status(&host, "whatever").await, StatusCode::OK, "and may show what nobody asks for");
    let reader = host.ask("POST", "/v1/tokens", "", Some(json!({"name": "r", "role": "reader"}))).await;
    let secret = text(&reader.body, "secret").to_owned();
    assert_eq!(status(&host, &secret).await, StatusCode::OK);
    assert_eq!(host.ask("GET", "/v1/tenants", &secret, None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        status(&host, "whatever").await,
        StatusCode::UNAUTHORIZED,
        "a wrong token is not taken for none"
    );
    let made = host.ask("POST", "/v1/tokens", "", Some(json!({"name": "o", "role": "operator"}))).await;
    assert_eq!((made.status, &made.body["tenant"]), (StatusCode::CREATED, &json!(null)));
    let operator = text(&made.body, "secret").to_owned();
    assert_eq!(status(&host, "").await, StatusCode::UNAUTHORIZED);
    assert_eq!(host.ask("GET", "/v1/tenants", &operator, None).await.status, StatusCode::OK);
    let path = format!("/v1/tokens/{}", text(&made.body, "id"));
    assert_eq!(host.ask("DELETE", &path, &operator, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status(&host, "").await, StatusCode::OK);
}
