//! The routes that there are, read from the source: a router does not tell.

/// Methods and paths of every route.
pub(crate) fn registered() -> Vec<(String, String)> {
    let source = include_str!("../../src/router.rs");
    let mut routes = Vec::new();
    for route in source.split(".route(").skip(1) {
        let Some((path, rest)) = route.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
        else {
            panic!("a route whose path is no text: {}", route.chars().take(60).collect::<String>());
        };
        let handlers = rest.split("\n        .").next().unwrap_or_default();
        for method in ["get", "post", "put", "patch", "delete"] {
            if handlers.contains(&format!(" {method}(")) || handlers.contains(&format!(".{method}(")) {
                routes.push((method.to_uppercase(), path.to_owned()));
            }
        }
    }
    assert!(routes.len() > 20, "only {} routes were found", routes.len());
    routes
}
