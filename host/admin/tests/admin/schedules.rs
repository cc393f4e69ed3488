//! Previews of schedules. Their arithmetic is tested where it is done.

use axum::http::StatusCode;
use serde_json::json;

use crate::support::{Host, errors};

#[tokio::test]
async fn a_preview_starts_now() {
    let host = Host::start().await;
    let shown = host.post_json("/v1/schedules/preview", json!({"preset": "@midnight", "count": 1})).await;
    let expected = json!({"next": ["2025-06-02T00:00:00.000Z"], "previous": ["2025-06-01T00:00:00.000Z"]});
    assert_eq!((shown.status, shown.body), (StatusCode::OK, expected));
    let after = host.post_json("/v1/schedules/preview", json!({"after": "in 1 day"})).await;
    assert_eq!(after.body, json!({"next": ["2025-06-02T12:00:00.000Z"], "previous": []}));
}

#[tokio::test]
async fn a_clock_change_is_seen() {
    let host = Host::start().await;
    let body = json!({
        "cron": "30 2 * * *", "timezone": "America/New_York", "from": "2025-03-09T00:00:00", "count": 2,
    });
    let shown = host.post_json("/v1/schedules/preview", body).await;
    // 02:30 is in the gap of March 9: it fires at the first instant after it.
    assert_eq!(shown.body["next"], json!(["2025-03-09T07:00:00.000Z", "2025-03-10T06:30:00.000Z"]));
}

#[tokio::test]
async fn a_wrong_preview_names_its_fields() {
    let host = Host::start().await;
    let refused = host.post_json("/v1/schedules/preview", json!({"preset": "@midnite", "tz": "UTC"})).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(errors(&refused), [("tz", "unknown_field"), ("preset", "unknown_preset")]);
    assert_eq!(refused.body["errors"][1]["suggestion"], "@midnight");
}
