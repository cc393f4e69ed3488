//! The host itself: presets, figures, probes, and this description.

use serde_json::json;

use super::super::bodies::PresetConfig;
use super::Draft;
use crate::health::Readiness;
use crate::paging::PageQuery;
use crate::wire::{Condition, Preset, Stats};

const HOST: &str = "host";
const SQLITE: &str = "application/vnd.sqlite3";

pub(super) fn add(draft: &mut Draft) {
    draft
        .operation(HOST, ("get", "/v1/presets"), "listPresets", "Lists the named schedules.")
        .query::<PageQuery>()
        .lists::<Preset>("A page of presets, by name.")
        .done();
    draft
        .operation(HOST, ("put", "/v1/presets/{name}"), "putPreset", "Creates or replaces a named schedule.")
        .body::<PresetConfig>(true)
        .answers::<Preset>(201, "It is new.")
        .answers::<Preset>(200, "It was there.")
        .done();
    draft
        .operation(
            HOST,
            ("get", "/v1/stats"),
            "getStats",
            "Counts tasks and runs, and says what host this is.",
        )
        .query::<()>()
        .answers::<Stats>(200, "The counts.")
        .done();
    probes(draft);
    draft
        .operation(
            HOST,
            ("post", "/v1/backup"),
            "backUp",
            "Gives a copy of the database, taken while the host works.",
        )
        .answers_with(200, "A SQLite file.", SQLITE, json!({"type": "string", "contentMediaType": SQLITE}))
        .done();
    draft
        .operation(HOST, ("get", "/metrics"), "getMetrics", "Says what the host has counted, for Prometheus.")
        .query::<()>()
        .answers_with(200, "The text format, version 0.0.4.", "text/plain", json!({"type": "string"}))
        .done();
    draft
        .open(HOST, ("get", "/openapi.json"), "getDescription", "Describes this API.")
        .query::<()>()
        .answers_with(200, "The description, in OpenAPI 3.1.", "application/json", json!({"type": "object"}))
        .problems(&[500])
        .done();
}

fn probes(draft: &mut Draft) {
    draft
        .open(HOST, ("get", "/healthz"), "getHealth", "Says whether the process answers.")
        .answers::<Condition>(200, "It does.")
        .problems(&[500])
        .done();
    draft
        .open(
            HOST,
            ("get", "/readyz"),
            "getReadiness",
            "Says whether the host takes work, and what that hangs on.",
        )
        .answers::<Readiness>(200, "It does.")
        .problems(&[500, 503])
        .done();
}
