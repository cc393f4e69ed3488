//! Which route wants which role: one table, and nothing else decides it.

use axum::http::Method;
use innkeeper_model::access::Role;

use Role::{Admin, Operator, Reader, Writer};

/// Routes that answer anybody who can connect.
pub(crate) const OPEN: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// Every other route with the least role that may use it.
const ROUTES: &[(&str, &str, Role)] = &[
    ("POST", "/v1/events", Writer),
    ("GET", "/v1/tasks", Reader),
    ("POST", "/v1/tasks", Writer),
    ("GET", "/v1/tasks/{id}", Reader),
    ("PUT", "/v1/tasks/{id}", Writer),
    ("DELETE", "/v1/tasks/{id}", Writer),
    ("POST", "/v1/tasks/{id}/pause", Writer),
    ("POST", "/v1/tasks/{id}/resume", Writer),
    ("POST", "/v1/tasks/{id}/run", Writer),
    ("GET", "/v1/tasks/{id}/next-runs", Reader),
    ("GET", "/v1/tasks/{id}/skips", Reader),
    ("GET", "/v1/tasks/{id}/executions", Reader),
    ("GET", "/v1/executions", Reader),
    ("POST", "/v1/executions/redrive", Writer),
    ("GET", "/v1/executions/{id}", Reader),
    ("POST", "/v1/executions/{id}/replay", Writer),
    ("GET", "/v1/executions/{id}/logs", Reader),
    ("POST", "/v1/executions/{id}/cancel", Writer),
    ("GET", "/v1/next-runs", Reader),
    ("GET", "/v1/stream", Reader),
    ("POST", "/v1/schedules/preview", Reader),
    ("GET", "/v1/plugins", Reader),
    ("GET", "/v1/plugins/{name}", Reader),
    ("PUT", "/v1/plugins/{name}", Admin),
    ("DELETE", "/v1/plugins/{name}", Admin),
    ("GET", "/v1/plugins/{name}/limits", Reader),
    ("PUT", "/v1/plugins/{name}/limits", Admin),
    ("POST", "/v1/plugins/{name}/release", Operator),
    ("GET", "/v1/plugins/{name}/component", Reader),
    ("GET", "/v1/plugins/{name}/versions", Reader),
    ("GET", "/v1/plugins/{name}/versions/{digest}", Reader),
    ("DELETE", "/v1/plugins/{name}/versions/{digest}", Admin),
    ("POST", "/v1/plugins/{name}/activate", Admin),
    ("POST", "/v1/plugins/{name}/rollback", Admin),
    ("GET", "/v1/plugins/{name}/grants", Reader),
    ("PUT", "/v1/plugins/{name}/grants", Admin),
    ("PATCH", "/v1/plugins/{name}/grants", Admin),
    ("POST", "/v1/components", Admin),
    // What a declaration changes may need more.
    ("POST", "/v1/apply", Writer),
    ("GET", "/v1/export", Reader),
    ("GET", "/v1/kv", Reader),
    ("GET", "/v1/kv/{bucket}", Reader),
    ("GET", "/v1/kv/{bucket}/{key}", Reader),
    ("PUT", "/v1/kv/{bucket}/{key}", Writer),
    ("DELETE", "/v1/kv/{bucket}/{key}", Writer),
    ("GET", "/v1/config", Reader),
    ("GET", "/v1/config/{key}", Reader),
    ("PUT", "/v1/config/{key}", Admin),
    ("DELETE", "/v1/config/{key}", Admin),
    ("GET", "/v1/presets", Reader),
    ("PUT", "/v1/presets/{name}", Operator),
    ("GET", "/v1/stats", Reader),
    ("GET", "/metrics", Operator),
    ("POST", "/v1/backup", Operator),
    ("GET", "/v1/tenant", Reader),
    ("GET", "/v1/tenants", Operator),
    ("POST", "/v1/tenants", Operator),
    ("GET", "/v1/tenants/{id}", Operator),
    ("PATCH", "/v1/tenants/{id}", Operator),
    ("DELETE", "/v1/tenants/{id}", Operator),
    ("POST", "/v1/tenants/{id}/disable", Operator),
    ("POST", "/v1/tenants/{id}/enable", Operator),
    ("GET", "/v1/tokens", Admin),
    ("POST", "/v1/tokens", Admin),
    ("DELETE", "/v1/tokens/{id}", Admin),
    ("POST", "/v1/tokens/{id}/rotate", Admin),
    ("GET", "/v1/audit", Admin),
];

/// The least role that may use a route. Of what is not in the table only the operator learns whether it exists.
pub(crate) fn least_role(method: &Method, pattern: &str) -> Role {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    let row = ROUTES.iter().find(|(known, path, _)| *known == method && *path == pattern);
    row.map_or(Operator, |(_, _, role)| *role)
}

/// Whether a request is noted in the record of changes. Events are rows of their own, and a preview changes nothing.
pub(crate) fn is_noted(method: &Method, pattern: &str) -> bool {
    let is_change = !matches!(*method, Method::GET | Method::HEAD);
    is_change && !matches!(pattern, "/v1/events" | "/v1/schedules/preview" | "unknown")
}

#[cfg(test)]
#[path = "../tests/admin/registered.rs"]
pub(crate) mod registered;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_table_and_the_table_has_nothing_else() {
        let mut routes = registered::registered();
        routes.retain(|(_, path)| !OPEN.contains(&path.as_str()));
        let mut table: Vec<_> =
            ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        routes.sort_unstable();
        table.sort_unstable();
        assert_eq!(routes, table);
    }

    #[test]
    fn looking_needs_less_than_changing() {
        for (method, path, role) in ROUTES {
            assert!(
                *method == "GET" || *path == "/v1/schedules/preview" || *role >= Writer,
                "{method} {path}"
            );
        }
        assert_eq!(least_role(&Method::HEAD, "/v1/tasks"), Reader);
        assert_eq!(least_role(&Method::DELETE, "/v1/tasks"), Operator);
    }

    #[test]
    fn changes_are_noted() {
        assert!(is_noted(&Method::PUT, "/v1/plugins/{name}"));
        assert!(!is_noted(&Method::GET, "/v1/plugins/{name}") && !is_noted(&Method::POST, "/v1/events"));
    }
}
