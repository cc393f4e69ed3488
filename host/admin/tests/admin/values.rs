//! The key-value store and the configuration.

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::support::{Answer, Host, column, errors, request};

async fn put(host: &Host, path: &str, header: Option<(&str, &str)>, body: &str) -> Answer {
    let request = request("PUT", path);
    let request = match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    };
    host.send(request.body(body.to_owned().into()).expect("a request")).await
}

async fn put_json(host: &Host, path: &str, body: Value) -> Answer {
    put(host, path, Some((CONTENT_TYPE.as_str(), "application/json")), &body.to_string()).await
}

#[tokio::test]
async fn a_value_is_stored_as_it_is_and_compared_by_its_tag() {
    let host = Host::start().await;
    let path = "/v1/kv/state/a%2Fb%20c";
    let first = put(&host, path, None, "1").await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.headers["location"], "/v1/kv/state/a%2Fb%20c");
    let raw = Request::builder().uri(path).body(Body::empty()).expect("a request");
    let answer = host.router().oneshot(raw).await.expect("an answer");
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/octet-stream");
    assert_eq!(answer.headers()[ETAG], first.headers[ETAG]);
    assert_eq!(to_bytes(answer.into_body(), 9).await.expect("a body"), "1");
    let tag = first.headers[ETAG].to_str().expect("text").to_owned();
    let second = put(&host, path, Some((IF_MATCH.as_str(), &tag)), "2").await;
    assert_eq!(second.status, StatusCode::NO_CONTENT);
    let stale = put(&host, path, Some((IF_MATCH.as_str(), &tag)), "3").await;
    assert_eq!(
        (stale.status, &stale.body["code"]),
        (StatusCode::PRECONDITION_FAILED, &json!("precondition_failed"))
    );
    let taken = put(&host, path, Some((IF_NONE_MATCH.as_str(), "*")), "3").await;
    assert_eq!(taken.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(host.get(path).await.body, 2);
    assert_eq!(host.delete(path).await.status, StatusCode::NO_CONTENT);
    for missing in [host.delete(path).await, host.get(path).await] {
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn keys_are_listed_by_prefix_and_page() {
    let host = Host::start().await;
    for (bucket, key) in [("a", "x:1"), ("a", "x:2"), ("a", "x:3"), ("a", "y"), ("b", "z")] {
        put(&host, &format!("/v1/kv/{bucket}/{key}"), None, "value").await;
    }
    let page = host.get("/v1/kv/a?prefix=x:&limit=2").await;
    assert_eq!(page.body["items"], json!([{"key": "x:1", "size": 5}, {"key": "x:2", "size": 5}]));
    let rest = host.get("/v1/kv/a?prefix=x:&limit=2&cursor=x:2").await;
    assert_eq!((column(&rest, "key"), &rest.body["nextCursor"]), (vec![json!("x:3")], &Value::Null));
    assert_eq!(page.body["nextCursor"], "x:2");
    let buckets = host.get("/v1/kv").await;
    let expected = json!([{"bucket": "a", "keys": 4, "bytes": 30}, {"bucket": "b", "keys": 1, "bytes": 6}]);
    assert_eq!(buckets.body["items"], expected);
    assert_eq!(host.get("/v1/kv/nothing").await.body["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_with_every_problem() {
    let host = Host::start().await;
    let refused = put(&host, "/v1/kv/no%20bucket/a%0Ab", None, "x").await;
    assert_eq!(errors(&refused), [("bucket", "invalid_bucket"), ("key", "invalid_key")]);
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(errors(&put(&host, "/v1/kv/a/b", None, &large).await), [("value", "invalid_value")]);
    let wrong = put(&host, "/v1/kv/a/b", Some((IF_MATCH.as_str(), "x")), "x").await;
    assert_eq!(errors(&wrong), [("if-match", "invalid_condition")]);
    assert_eq!(host.get("/v1/kv").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    let host = Host::start().await;
    let plain = put_json(&host, "/v1/config/greeting", json!({"value": ""})).await;
    let expected = json!({
        "key": "greeting", "isSecret": false, "value": "", "updatedAt": "2025-06-01T12:00:00.000Z",
    });
    assert_eq!((plain.status, &plain.body), (StatusCode::CREATED, &expected));
    let secret = put_json(&host, "/v1/config/token", json!({"value": "s3cret", "secret": true})).await;
    assert_eq!((secret.status, &secret.body["value"]), (StatusCode::CREATED, &Value::Null));
    let again = put_json(&host, "/v1/config/token", json!({"value": "other", "secret": true})).await;
    assert_eq!((again.status, &again.body["isSecret"]), (StatusCode::OK, &json!(true)));
    let list = host.get("/v1/config").await;
    assert_eq!(column(&list, "value"), [json!(""), Value::Null]);
    assert_eq!(host.get("/v1/config/greeting").await.body, expected);
    assert_eq!(host.get("/v1/config/token").await.body["value"], Value::Null);
    assert_eq!(host.delete("/v1/config/token").await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.delete("/v1/config/token").await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.get("/v1/config/token").await.status, StatusCode::NOT_FOUND);
    assert_eq!(column(&host.get("/v1/config?limit=1").await, "key"), ["greeting"]);
}

#[tokio::test]
async fn a_configured_value_that_cannot_be_is_refused() {
    let host = Host::start().await;
    let refused = async |body| {
        let answer = put_json(&host, "/v1/config/a", body).await;
        errors(&answer).iter().map(|(field, code)| format!("{field} {code}")).collect::<Vec<_>>()
    };
    assert_eq!(refused(json!({})).await, ["value missing"]);
    assert_eq!(
        refused(json!({"value": 1, "secret": "yes"})).await,
        ["value wrong_type", "secret wrong_type"]
    );
    assert_eq!(refused(json!({"value": "", "secret": true})).await, ["value invalid_value"]);
    assert_eq!(refused(json!({"value": "x", "secrte": true})).await, ["secrte unknown_field"]);
    let wrong = put_json(&host, "/v1/config/a%20b", json!({"value": "x"})).await;
    assert_eq!(errors(&wrong), [("key", "invalid_key")]);
}
