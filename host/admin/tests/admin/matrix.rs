//! Every route with every kind of caller. A route without a row does not pass.

use axum::http::StatusCode;
use serde_json::json;

use crate::registered::registered;
use crate::support::{Host, OPERATOR};

/// Each route with the least role that may use it.
const ROWS: &[(&str, &str, &str)] = &[
    ("GET", "/healthz", "nobody"),
    ("GET", "/readyz", "nobody"),
    ("GET", "/openapi.json", "nobody"),
    ("POST", "/v1/events", "writer"),
    ("GET", "/v1/tasks", "reader"),
    ("POST", "/v1/tasks", "writer"),
    ("GET", "/v1/tasks/{id}", "reader"),
    ("PUT", "/v1/tasks/{id}", "writer"),
    ("DELETE", "/v1/tasks/{id}", "writer"),
    ("POST", "/v1/tasks/{id}/pause", "writer"),
    ("POST", "/v1/tasks/{id}/resume", "writer"),
    ("POST", "/v1/tasks/{id}/run", "writer"),
    ("GET", "/v1/tasks/{id}/next-runs", "reader"),
    ("GET", "/v1/tasks/{id}/skips", "reader"),
    ("GET", "/v1/tasks/{id}/executions", "reader"),
    ("GET", "/v1/executions", "reader"),
    ("POST", "/v1/executions/redrive", "writer"),
    ("GET", "/v1/executions/{id}", "reader"),
    ("POST", "/v1/executions/{id}/replay", "writer"),
    ("GET", "/v1/executions/{id}/logs", "reader"),
    ("POST", "/v1/executions/{id}/cancel", "writer"),
    ("GET", "/v1/next-runs", "reader"),
    ("GET", "/v1/stream", "reader"),
    ("POST", "/v1/schedules/preview", "reader"),
    ("GET", "/v1/plugins", "reader"),
    ("GET", "/v1/plugins/{name}", "reader"),
    ("PUT", "/v1/plugins/{name}", "admin"),
    ("DELETE", "/v1/plugins/{name}", "admin"),
    ("GET", "/v1/plugins/{name}/limits", "reader"),
    ("PUT", "/v1/plugins/{name}/limits", "admin"),
    ("POST", "/v1/plugins/{name}/release", "operator"),
    ("GET", "/v1/plugins/{name}/component", "reader"),
    ("GET", "/v1/plugins/{name}/versions", "reader"),
    ("GET", "/v1/plugins/{name}/versions/{digest}", "reader"),
    ("DELETE", "/v1/plugins/{name}/versions/{digest}", "admin"),
    ("POST", "/v1/plugins/{name}/activate", "admin"),
    ("POST", "/v1/plugins/{name}/rollback", "admin"),
    ("GET", "/v1/plugins/{name}/grants", "reader"),
    ("PUT", "/v1/plugins/{name}/grants", "admin"),
    ("PATCH", "/v1/plugins/{name}/grants", "admin"),
    ("POST", "/v1/components", "admin"),
    ("POST", "/v1/apply", "writer"),
    ("GET", "/v1/export", "reader"),
    ("GET", "/v1/kv", "reader"),
    ("GET", "/v1/kv/{bucket}", "reader"),
    ("GET", "/v1/kv/{bucket}/{key}", "reader"),
    ("PUT", "/v1/kv/{bucket}/{key}", "writer"),
    ("DELETE", "/v1/kv/{bucket}/{key}", "writer"),
    ("GET", "/v1/config", "reader"),
    ("GET", "/v1/config/{key}", "reader"),
    ("PUT", "/v1/config/{key}", "admin"),
    ("DELETE", "/v1/config/{key}", "admin"),
    ("GET", "/v1/presets", "reader"),
    ("PUT", "/v1/presets/{name}", "operator"),
    ("GET", "/v1/stats", "reader"),
    ("GET", "/metrics", "operator"),
    ("POST", "/v1/backup", "operator"),
    ("GET", "/v1/tenant", "reader"),
    ("GET", "/v1/tenants", "operator"),
    ("POST", "/v1/tenants", "operator"),
    ("GET", "/v1/tenants/{id}", "operator"),
    ("PATCH", "/v1/tenants/{id}", "operator"),
    ("DELETE", "/v1/tenants/{id}", "operator"),
    ("POST", "/v1/tenants/{id}/disable", "operator"),
    ("POST", "/v1/tenants/{id}/enable", "operator"),
    ("GET", "/v1/tokens", "admin"),
    ("POST", "/v1/tokens", "admin"),
    ("DELETE", "/v1/tokens/{id}", "admin"),
    ("POST", "/v1/tokens/{id}/rotate", "admin"),
    ("GET", "/v1/audit", "admin"),
];

/// From the least to the most.
const ROLES: [&str; 5] = ["nobody", "reader", "writer", "admin", "operator"];

fn rank(role: &str) -> usize {
    ROLES.iter().position(|known| *known == role).expect(role)
}

#[tokio::test]
async fn every_route_answers_each_kind_of_caller_as_it_should() {
    let host = Host::with_tenants().await;
    let (revoked, id) = host.token("one", "admin").await;
    let gone = host.ask_for("one", "DELETE", &format!("/v1/tokens/{id}"), OPERATOR, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let mut callers =
        vec![("nobody", String::new()), ("nobody", "no-such-token".to_owned()), ("nobody", revoked)];
    for role in ["reader", "writer", "admin"] {
        callers.push((role, host.token("one", role).await.0));
    }
    callers.push(("admin", host.token("other", "admin").await.0));
    callers.push(("operator", OPERATOR.to_owned()));
    for (method, pattern, least) in ROWS {
        // What it names does not exist, and the body says nothing: whoever is let in changes nothing.
        let path =
            pattern.replace("{id}", "0190a0a0-0000-7000-8000-000000000000").replace("{name}", "nothing");
        for (role, token) in &callers {
            let body = (*method != "GET").then(|| json!({}));
            let status = host.ask(method, &path, token, body).await.status;
            let what = format!("{method} {pattern} as {role} with `{token}`: {status}");
            if rank(role) >= rank(least) {
                let refused =
                    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED];
                assert!(!refused.contains(&status) && !status.is_server_error(), "{what}");
            } else if *role == "nobody" {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{what}");
            }
        }
    }
}

#[test]
fn every_route_has_its_row() {
    let mut rows: Vec<_> =
        ROWS.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    let mut routes = registered();
    rows.sort_unstable();
    routes.sort_unstable();
    assert_eq!(rows, routes);
}
