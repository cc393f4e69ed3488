//! Settings, metrics, routes: each that there is has its row, and each row is of one that there is.

use std::collections::BTreeSet;

use innkeeper_tests::TestHost;
use serde_json::Value;

use super::{quoted, read, rows};

fn names(page: &str, heading: &[&str]) -> BTreeSet<String> {
    rows(&read(page), heading).iter().flat_map(|row| quoted(&row[0])).collect()
}

#[test]
fn every_metric_has_a_row() {
    let host = TestHost::start();
    let exposed = host.text("/metrics");
    let exposed = exposed.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let exposed: BTreeSet<String> =
        exposed.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(names("docs/operations.md", &["metric", "type", "meaning"]), exposed);
}

#[test]
fn every_setting_has_a_row_with_its_default() {
    let host = TestHost::start();
    let shown = host.client(&["config", "check", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let settings = shown.as_array().expect("settings");
    let told = rows(&read("docs/operations.md"), &["setting", "default", "meaning"]);
    let keys: Vec<_> = told.iter().flat_map(|row| quoted(&row[0])).collect();
    let known: Vec<_> = settings.iter().filter_map(|setting| setting["key"].as_str()).collect();
    assert_eq!(keys, known);
    for (setting, row) in settings.iter().zip(&told) {
        let default = setting["value"].as_str().unwrap_or_default();
        let written = quoted(&row[1]).pop().unwrap_or_default();
        assert_eq!(written, default, "{}", row[0]);
    }
}

#[test]
fn every_route_is_on_the_page_of_the_api() {
    let host = TestHost::start();
    let description = host.get("/openapi.json").body;
    let mut described = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().expect("paths") {
        let methods = methods.as_object().expect("methods").keys();
        let methods =
            methods.filter(|name| ["get", "put", "post", "patch", "delete"].contains(&name.as_str()));
        described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let told: BTreeSet<String> = rows(&read("docs/http.md"), &["route", "role", "does"])
        .iter()
        .map(|row| quoted(&row[0]).remove(0))
        .collect();
    assert_eq!(told, described);
}
