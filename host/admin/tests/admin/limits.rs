//! Limits of hosts, tenants, plugins and tasks: the narrowest wins, and what is shown is what holds.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Host, OPERATOR, errors};

#[tokio::test]
async fn the_narrowest_limit_wins_and_is_shown() {
    let host = Host::with_tenants().await;
    let admin = host.token("one", "admin").await.0;
    host.ask("PATCH", "/v1/tenants/one", OPERATOR, Some(json!({"limits": {"events": 5, "fuel": 900}}))).await;
    let set = host
        .ask("PUT", "/v1/plugins/greeter/limits", &admin, Some(json!({"events": 9, "hostCalls": 7})))
        .await;
    assert_eq!(set.status, StatusCode::OK, "{:?}", set.body);
    assert_eq!(set.body["limits"], json!({"hostCalls": 7, "events": 9}));
    assert_eq!(
        (&set.body["effectiveLimits"]["events"], &set.body["effectiveLimits"]["hostCalls"]),
        (&json!(5), &json!(7))
    );
    let task = json!({
        "id": "a", "type": "event", "onEvent": "x", "plugin": "greeter",
        "limits": {"fuel": 800, "hostCalls": 99, "output": 10, "log": 11, "keyValue": 12, "egressRequests": 0,
            "egressBytes": 13},
    });
    let created = host.ask("POST", "/v1/tasks", &admin, Some(task)).await;
    let expected = json!({
        "fuel": 800, "timeout": "30s", "memory": 67_108_864, "output": 10, "log": 11, "hostCalls": 7, "events": 5,
        "keyValue": 12, "egressRequests": 0, "egressBytes": 13,
    });
    assert_eq!(created.body["limits"], expected);
    let cleared = host.ask("PUT", "/v1/plugins/greeter/limits", &admin, Some(json!({}))).await;
    assert_eq!(cleared.body["limits"], json!({}));
    assert_eq!(host.ask("GET", "/v1/tasks/a", &admin, None).await.body["limits"]["hostCalls"], 99);
    let wrong = json!({"timeout": "0s", "memroy": 1});
    let refused = host.ask("PUT", "/v1/plugins/greeter/limits", &admin, Some(wrong)).await;
    assert_eq!(errors(&refused), [("memroy", "unknown_field")]);
    let refused = host.ask("PUT", "/v1/plugins/greeter/limits", &admin, Some(json!({"timeout": "0s"}))).await;
    assert_eq!(errors(&refused), [("timeout", "out_of_range")]);
}
