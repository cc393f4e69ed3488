//! Declarations: what a tenant is to have.

use serde_json::json;

use super::super::declaration::DeclarationConfig;
use super::Draft;
use crate::apply::{self, OnlyDry};
use crate::components::Component;
use crate::export::{self, TaskPage};

const DECLARATIONS: &str = "declarations";
const WASM: &str = "application/wasm";

pub(super) fn add(draft: &mut Draft) {
    draft
        .operation(
            DECLARATIONS,
            ("post", "/v1/components"),
            "stageComponent",
            "Uploads a component for a declaration to come.",
        )
        .more("It is checked, and kept for a quarter of an hour. `POST /v1/apply` names it by its digest.")
        .content(WASM, json!({"type": "string", "contentMediaType": WASM}), true)
        .query::<()>()
        .answers::<Component>(201, "It waits.")
        .problems(&[400, 415])
        .done();
    draft
        .operation(
            DECLARATIONS,
            ("post", "/v1/apply"),
            "apply",
            "Changes what differs from what is declared, all of it or nothing.",
        )
        .more(
            "Presets, plugins, values and tasks change in one transaction, at most 5000 of them. The `ETag` of the answer \
             stands for the changes: send it as `If-Match` to make no others than a dry run has shown. Tasks take a writer, \
             plugins and values an administrator, presets the operator.",
        )
        .body::<DeclarationConfig>(true)
        .query::<OnlyDry>()
        .conditional(true)
        .answers::<apply::Answer>(200, "What differed, or in a dry run what differs.")
        .tagged()
        .done();
    draft
        .operation(
            DECLARATIONS,
            ("get", "/v1/export"),
            "export",
            "Shows what a tenant has, in the form in which it is declared.",
        )
        .query::<TaskPage>()
        .answers::<export::Answer>(
            200,
            "A page of it. Components are to be had at `/v1/plugins/{name}/component`.",
        )
        .done();
}
