//! `/metrics`: valid, and telling what happened.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use serde_json::json;

use crate::support::{Host, ended, request};

/// What `/metrics` said: each sample's value by its name with labels, and each family's type.
struct Metrics {
    samples: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Metrics {
    async fn of(host: &Host) -> Self {
        let request = request("GET", "/metrics").body(Body::empty()).expect("a request");
        let response = host.raw(request).await;
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a whole body");
        Self::parse(std::str::from_utf8(&bytes).expect("UTF-8"))
    }

    /// Reads the text format strictly: every family once, with its help and then its type before its samples.
    fn parse(text: &str) -> Self {
        let (mut samples, mut types) = (BTreeMap::new(), BTreeMap::new());
        let mut helped = BTreeSet::new();
        let mut current = String::new();
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                assert!(is_name(name) && !help.trim().is_empty(), "{line}");
                assert!(helped.insert(name.to_owned()), "{name} is helped twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(helped.contains(name), "{name} has a type before its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} has two types");
                name.clone_into(&mut current);
            } else {
                let (key, value) = line.rsplit_once(' ').expect("a sample");
                let name = key.split('{').next().unwrap_or_default();
                let is_histogram = types.get(&current).is_some_and(|kind| kind == "histogram");
                let suffix = name.strip_prefix(current.as_str()).expect("a sample of the current family");
                let suffixes: &[&str] = if is_histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.contains(&suffix), "{line}");
                let value = value.parse::<f64>().unwrap_or_else(|_| panic!("a number: {line}"));
                assert!(samples.insert(key.to_owned(), value).is_none(), "{key} comes twice");
            }
        }
        Self { samples, types }
    }

    fn value(&self, key: &str) -> f64 {
        *self.samples.get(key).unwrap_or_else(|| panic!("{key} in {:?}", self.samples.keys()))
    }

    /// A number of things.
    fn count(&self, key: &str) -> u64 {
        let value = self.value(key);
        assert_eq!(value.fract().to_bits(), 0.0_f64.to_bits(), "{key} is {value}");
        format!("{value}").parse().expect("a whole number")
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with("innkeeper_") && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[tokio::test]
async fn metrics_are_valid_and_tell_what_happened() {
    let host = Host::with_plugin().await;
    let before = Metrics::of(&host).await;
    assert_eq!(before.count(r#"innkeeper_executions_total{status="success",kind=""}"#), 0);
    let mut executions = host.executions();
    host.create("hook", json!({"type": "event", "onEvent": "go"})).await;
    host.create("quiet", json!({"type": "event", "onEvent": "go", "isPaused": true})).await;
    host.post_json("/v1/events", json!([{"event": "go"}, {"event": "go"}])).await;
    for _ in 0..2 {
        ended(&mut executions).await;
    }
    let after = Metrics::of(&host).await;
    for (key, expected) in [
        (r#"innkeeper_executions_total{status="success",kind=""}"#, 2),
        (r#"innkeeper_executions_total{status="failed",kind="timeout"}"#, 0),
        ("innkeeper_execution_duration_seconds_count", 2),
        ("innkeeper_execution_start_latency_seconds_count", 2),
        ("innkeeper_events_total", 2),
        (r#"innkeeper_skipped_total{reason="paused"}"#, 2),
        ("innkeeper_runs_queued", 0),
        ("innkeeper_executions_running", 0),
        (r#"innkeeper_tenant_executions_total{tenant="default",status="success"}"#, 2),
        (r#"innkeeper_tenant_executions_total{tenant="_other",status="success"}"#, 0),
    ] {
        assert_eq!(after.count(key), expected, "{key}");
    }
    assert!(
        after.count("innkeeper_store_commit_seconds_count")
            > before.count("innkeeper_store_commit_seconds_count")
    );
    assert_eq!(before.types, after.types, "families do not come and go");
}

#[tokio::test]
async fn buckets_are_cumulative_and_end_with_all() {
    let host = Host::with_plugin().await;
    let metrics = Metrics::of(&host).await;
    for family in metrics.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
        let prefix = format!("{family}_bucket{{le=\"");
        let mut buckets: Vec<(f64, f64)> = metrics
            .samples
            .iter()
            .filter_map(|(key, value)| {
                let bound = key.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((bound.parse().expect("a bound"), *value))
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{family}: {buckets:?}");
        let (last, all) = buckets.last().copied().unwrap_or((f64::INFINITY, 0.0));
        assert!(last.is_infinite(), "{family}: {buckets:?}");
        assert_eq!(all.to_bits(), metrics.value(&format!("{family}_count")).to_bits(), "{family}");
    }
}
