//! Versions of a plugin are kept; any of them can be made the active one.

use innkeeper_tests::TestHost;
use serde_json::{Value, json};

use crate::components::{BE_A_PROGRAM, ECHO, PRINT};

fn digests(host: &TestHost) -> Vec<(String, bool)> {
    let answer = host.get("/v1/plugins/shop/versions");
    assert_eq!(answer.status, 200, "{answer:?}");
    let versions = answer.body["items"].as_array().cloned().unwrap_or_default();
    versions
        .iter()
        .map(|version| {
            let digest = version["digest"].as_str().expect("a digest").to_owned();
            (digest, version["isActive"] == true)
        })
        .collect()
}

fn push(host: &TestHost, component: &str) -> String {
    host.push("shop", component)["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_version_can_be_rolled_back_and_activated() {
    let host = TestHost::start();
    let (first, second, third) = (push(&host, ECHO), push(&host, PRINT), push(&host, BE_A_PROGRAM));
    let all =
        |active: &str| [&third, &second, &first].map(|digest| (digest.clone(), digest == active)).to_vec();
    assert_eq!(digests(&host), all(&third));
    let back = || host.post("/v1/plugins/shop/rollback", &Value::Null);
    assert_eq!(back().body["digest"], second);
    assert_eq!(back().body["digest"], first);
    assert_eq!(digests(&host), all(&first));
    let answer = back();
    assert_eq!(answer.status, 404, "there is none before the first: {answer:?}");
    assert_eq!(digests(&host), all(&first), "and nothing has changed");
    let answer = host.post("/v1/plugins/shop/activate", &json!({"digest": third}));
    assert_eq!((answer.status, &answer.body["digest"]), (200, &json!(third)), "{answer:?}");
    let answer = host.post("/v1/plugins/shop/rollback", &json!({"digest": first}));
    assert_eq!((answer.status, &answer.body["digest"]), (200, &json!(first)), "{answer:?}");
    let execution = host.run_once(&json!({"id": "now", "plugin": "shop"}), &json!(1));
    assert_eq!(
        (&execution["output"]["data"], &execution["pluginDigest"]),
        (&json!(1), &json!(first)),
        "{execution}"
    );
}

#[test]
fn what_is_not_there_cannot_be_activated() {
    let host = TestHost::start();
    push(&host, ECHO);
    let activate = |body: Value| host.post("/v1/plugins/shop/activate", &body);
    for (body, field) in
        [(json!({}), "digest"), (json!({"digest": "x"}), "digest"), (json!({"digits": 1}), "digits")]
    {
        let answer = activate(body);
        assert_eq!((answer.status, &answer.body["errors"][0]["field"]), (422, &json!(field)), "{answer:?}");
    }
    assert_eq!(activate(json!({"digest": "0".repeat(64)})).status, 404);
    assert_eq!(host.get("/v1/plugins/none/versions").status, 404);
    assert_eq!(host.post("/v1/plugins/none/rollback", &Value::Null).status, 404);
}
