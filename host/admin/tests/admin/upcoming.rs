//! What is due when, over all tasks; and lists by the page.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Answer, Host, column, errors};

fn shown(answer: &Answer) -> Vec<String> {
    let items = answer.body["items"].as_array().expect("items").iter();
    let text = |item: &Value, key: &str| item[key].as_str().expect("text").to_owned();
    items.map(|item| format!("{} {}", &text(item, "at")[5..16], text(item, "taskId"))).collect()
}

#[tokio::test]
async fn the_next_day_is_shown_over_all_tasks() {
    let host = Host::with_plugin().await;
    for (id, fields) in [
        ("noon", json!({"cron": "0 12 * * *"})),
        ("quarters", json!({"cron": "0 */6 * * *"})),
        ("once", json!({"after": "90m"})),
        ("paused", json!({"cron": "* * * * *", "isPaused": true})),
    ] {
        let mut config = fields;
        config["type"] = "schedule".into();
        assert_eq!(host.create(id, config).await.status, StatusCode::CREATED);
    }
    host.create("listens", json!({"type": "event", "onEvent": "x"})).await;
    let day = host.get("/v1/next-runs").await;
    let expected =
        ["06-01T13:30 once", "06-01T18:00 quarters", "06-02T00:00 quarters", "06-02T06:00 quarters"];
    assert_eq!(shown(&day), expected);
    let bounds = json!(["2025-06-01T12:00:00.000Z", "2025-06-02T12:00:00.000Z", null, null]);
    assert_eq!(
        json!([day.body["from"], day.body["until"], day.body["completeUntil"], day.body["nextCursor"]]),
        bounds
    );
    let mut pages = Vec::new();
    let mut query = "until=2025-06-03T00:00:00Z&limit=3".to_owned();
    loop {
        let page = host.get(&format!("/v1/next-runs?{query}")).await;
        pages.extend(shown(&page));
        let Some(cursor) = page.body["nextCursor"].as_str() else { break };
        query = format!("until=2025-06-03T00:00:00Z&limit=3&cursor={cursor}");
    }
    assert_eq!(pages[4..], ["06-02T12:00 noon", "06-02T12:00 quarters", "06-02T18:00 quarters"]);
    let far = host.get("/v1/next-runs?from=2030-01-01T11:00:00Z&until=2030-01-01T13:00:00Z").await;
    assert_eq!(shown(&far), ["01-01T12:00 noon", "01-01T12:00 quarters"]);
}

#[tokio::test]
async fn a_window_must_be_one() {
    let host = Host::start().await;
    for (query, expected) in [
        ("until=2020-01-01T00:00:00Z", ("until", "out_of_range")),
        ("from=tomorrow", ("from", "invalid_timestamp")),
        ("cursor=x", ("cursor", "invalid_cursor")),
        ("limit=1001", ("limit", "out_of_range")),
        ("form=2020-01-01T00:00:00Z", ("form", "unknown_parameter")),
    ] {
        assert_eq!(errors(&host.get(&format!("/v1/next-runs?{query}")).await), [expected], "{query}");
    }
}

#[tokio::test]
async fn short_lists_have_pages_too() {
    let host = Host::with_plugin().await;
    host.upload("other", crate::support::COMPONENT).await;
    let mut names = Vec::new();
    for (path, key) in [("/v1/plugins", "name"), ("/v1/presets", "name")] {
        let mut cursor = String::new();
        loop {
            let page = host.get(&format!("{path}?limit=1{cursor}")).await;
            names.extend(column(&page, key));
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
    let expected = ["greeter", "other", "@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly"];
    assert_eq!(names, expected);
    host.create("a", json!({"type": "event", "onEvent": "x", "isPaused": true, "rateLimit": {"interval": "1m", "limit": 1}})).await;
    host.post_json("/v1/events", json!({"event": "x"})).await;
    let skips = host.get("/v1/tasks/a/skips?limit=1").await;
    assert_eq!((column(&skips, "count"), &skips.body["nextCursor"]), (vec![json!(1)], &Value::Null));
    assert_eq!(column(&host.get("/v1/tasks/a/skips?cursor=1").await, "count"), Vec::<Value>::new());
}
