//! Every limit at every level: of what the host, the tenant, the plugin and the task say, the narrowest holds, and is shown.

use std::fs;

use innkeeper_tests::TestHost;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::components::ECHO;

/// Each limit by its name in JSON, with four values of it, the narrowest first.
fn limits() -> Vec<(&'static str, [Value; 4])> {
    let counts = |of: [u64; 4]| of.map(Value::from);
    vec![
        ("fuel", counts([10_000, 20_000, 30_000, 40_000])),
        ("timeout", ["1s", "2s", "3s", "4s"].map(Value::from)),
        ("memory", counts([8 << 20, 16 << 20, 24 << 20, 32 << 20])),
        ("output", counts([100, 200, 300, 400])),
        ("log", counts([100, 200, 300, 400])),
        ("hostCalls", counts([10, 20, 30, 40])),
        ("events", counts([1, 2, 3, 4])),
        ("keyValue", counts([100, 200, 300, 400])),
        ("egressRequests", counts([1, 2, 3, 4])),
        ("egressBytes", counts([100, 200, 300, 400])),
    ]
}

/// A host whose own limits are these, in the form of its configuration.
fn host_with(limits: &Map<String, Value>, concurrency: u64) -> (TestHost, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("innkeeper.toml");
    let lines: Vec<String> = limits.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let text = format!("[server]\nconcurrency = {concurrency}\n[limits]\n{}\n", lines.join("\n"));
    fs::write(&file, text).expect("a file");
    let host = TestHost::start_with(&["--config", file.to_str().expect("a path in Unicode")]);
    (host, folder)
}

/// What is set at each level, the host's first, when the narrowest is set at `narrowest`.
fn levels(values: &[Value; 4], narrowest: usize) -> [Value; 4] {
    let mut levels = values.clone();
    levels.swap(0, narrowest);
    levels
}

#[test]
fn the_narrowest_limit_holds_at_whichever_level_it_is_set() {
    for narrowest in 0..4 {
        let mut set = [(); 4].map(|()| Map::new());
        let mut expected = Map::new();
        for (name, values) in limits() {
            for (level, value) in set.iter_mut().zip(levels(&values, narrowest)) {
                level.insert(name.to_owned(), value);
            }
            expected.insert(name.to_owned(), values[0].clone());
        }
        let most = levels(&[2, 3, 4, 5].map(Value::from), narrowest);
        let (host, _folder) = host_with(&set[0], most[0].as_u64().expect("a count"));
        host.push("echo", ECHO);
        let tenant = json!({"limits": set[1], "quotas": {"concurrency": most[1]}});
        let changed = ureq::patch(format!("{}/v1/tenants/default", host.url())).send_json(&tenant);
        assert_eq!(changed.expect("an answer").status(), 200);
        let mut plugin = set[2].clone();
        plugin.insert("concurrency".to_owned(), most[2].clone());
        let answer = host.put_json("/v1/plugins/echo/limits", &plugin.into());
        assert_eq!(answer.status, 200, "{answer:?}");
        let task = host.create(&json!({
            "id": "task", "type": "event", "onEvent": "x", "plugin": "echo", "limits": set[3], "concurrency": most[3],
        }));
        assert_eq!(task["limits"], Value::Object(expected.clone()), "narrowest at level {narrowest}");
        assert_eq!(task["effectiveConcurrency"], 2, "narrowest at level {narrowest}");
        let shown = host.get("/v1/plugins/echo/limits").body;
        // Without the task's own: what is narrowest there is not asked for by the plugin.
        if narrowest < 3 {
            assert_eq!(shown["effectiveLimits"], Value::Object(expected), "narrowest at level {narrowest}");
            assert_eq!(shown["effectiveConcurrency"], 2, "narrowest at level {narrowest}");
        }
        assert_eq!(shown["limits"]["concurrency"], most[2]);
    }
}

#[test]
fn a_plugin_that_asks_for_no_executions_is_told_so() {
    let host = TestHost::start();
    host.push("echo", ECHO);
    let refused = host.put_json("/v1/plugins/echo/limits", &json!({"concurrency": 0, "fuel": 5}));
    assert_eq!(refused.status, 422);
    assert_eq!(refused.body["errors"][0]["field"], "concurrency", "{refused:?}");
    assert_eq!(host.get("/v1/plugins/echo/limits").body["limits"], json!({}), "nothing of it is kept");
}
