//! Who may ask.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, ORIGIN, WWW_AUTHENTICATE};
use innkeeper_admin::{AdminConfig, Token};
use serde_json::json;

use crate::support::{Answer, Host, request};

async fn ask(host: &Host, path: &str, header: HeaderName, value: &str) -> Answer {
    host.send(request("GET", path).header(header, value).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn a_host_with_a_token_wants_it() {
    let token = Some(Token::new("s3cret").expect("a token"));
    let host = Host::with(AdminConfig { token, ..AdminConfig::default() }).await;
    for right in ["Bearer s3cret", "bearer s3cret"] {
        assert_eq!(ask(&host, "/v1/tasks", AUTHORIZATION, right).await.status, StatusCode::OK, "{right}");
    }
    for wrong in ["Bearer s3cret2", "Bearer s3cre", "Bearer ", "Basic s3cret", "s3cret", "Bearer S3CRET"] {
        let refused = ask(&host, "/v1/tasks", AUTHORIZATION, wrong).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(refused.headers[WWW_AUTHENTICATE], "Bearer realm=\"innkeeper\"");
        assert_eq!(refused.body["code"], "unauthorized");
    }
    // What does not exist is not told apart from what does.
    for path in ["/v1/tasks", "/v1/tasks/a/run", "/v1/nothing", "/"] {
        assert_eq!(host.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for open in ["/healthz", "/readyz"] {
        assert_eq!(host.get(open).await.status, StatusCode::OK, "{open}");
    }
}

#[tokio::test]
async fn a_host_without_a_token_is_closed_to_foreign_pages() {
    let host = Host::start().await;
    let site = HeaderName::from_static("sec-fetch-site");
    for (header, value) in
        [(site.clone(), "cross-site"), (site.clone(), "same-site"), (HOST, "evil.example:7070")]
    {
        let refused = ask(&host, "/v1/tasks", header, value).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (StatusCode::FORBIDDEN, &json!("foreign_request")),
            "{value}"
        );
    }
    for (header, value) in
        [(site.clone(), "none"), (site, "same-origin"), (HOST, "localhost:7070"), (HOST, "[::1]:1")]
    {
        assert_eq!(ask(&host, "/v1/tasks", header, value).await.status, StatusCode::OK, "{value}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_foreign_even_if_its_browser_says_nothing_of_its_site() {
    let host = Host::start().await;
    for (origin, status) in [
        ("http://127.0.0.1:7070", StatusCode::OK),
        ("http://127.0.0.1:3000", StatusCode::FORBIDDEN),
        ("https://evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let request = request("GET", "/v1/tasks").header(HOST, "127.0.0.1:7070").header(ORIGIN, origin);
        let answer = host.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_token_admits_under_any_host_name() {
    let token = Some(Token::new("s3cret").expect("a token"));
    let host = Host::with(AdminConfig { token, ..AdminConfig::default() }).await;
    let request =
        request("GET", "/v1/stats").header(HOST, "inn.example").header(AUTHORIZATION, "Bearer s3cret");
    assert_eq!(host.send(request.body(Body::empty()).expect("a request")).await.status, StatusCode::OK);
}
