//! Key-value data and configuration.

use serde_json::{Value, json};

use super::super::bodies::ConfigValue;
use super::super::values::{BucketSize, KeySize};
use super::Draft;
use crate::configuration::{self, Entry};
use crate::paging::PageQuery;
use crate::values;

const DATA: &str = "data";
const BYTES: &str = "application/octet-stream";

pub(super) fn add(draft: &mut Draft) {
    key_value(draft);
    configuration(draft);
}

fn bytes() -> Value {
    json!({"type": "string", "contentMediaType": BYTES})
}

fn key_value(draft: &mut Draft) {
    draft
        .operation(DATA, ("get", "/v1/kv"), "listBuckets", "Lists buckets, by name.")
        .query::<PageQuery>()
        .lists::<BucketSize>("A page of buckets.")
        .done();
    draft
        .operation(DATA, ("get", "/v1/kv/{bucket}"), "listKeys", "Lists the keys of a bucket, in order.")
        .query::<values::Keys>()
        .lists::<KeySize>("A page of keys.")
        .done();
    let path = "/v1/kv/{bucket}/{key}";
    draft
        .operation(DATA, ("get", path), "getValue", "Gives a value as it is.")
        .query::<()>()
        .answers_with(200, "The value.", BYTES, bytes())
        .tagged()
        .done();
    draft
        .operation(DATA, ("put", path), "setValue", "Sets a value to the bytes of the body.")
        .content(BYTES, bytes(), false)
        .conditional(true)
        .answers_nothing(201, "It is new.")
        .answers_nothing(204, "It was there.")
        .tagged()
        .located()
        .problems(&[400, 415])
        .done();
    draft
        .operation(DATA, ("delete", path), "deleteValue", "Deletes a key.")
        .conditional(false)
        .answers_nothing(204, "It is gone.")
        .done();
}

fn configuration(draft: &mut Draft) {
    draft
        .operation(DATA, ("get", "/v1/config"), "listConfig", "Lists configured values, without the secrets.")
        .query::<configuration::Keys>()
        .lists::<Entry>("A page of values, by key.")
        .done();
    draft
        .operation(
            DATA,
            ("get", "/v1/config/{key}"),
            "getConfig",
            "Shows a configured value, unless it is secret.",
        )
        .query::<()>()
        .answers::<Entry>(200, "The value.")
        .done();
    draft
        .operation(DATA, ("put", "/v1/config/{key}"), "setConfig", "Configures a value.")
        .body::<ConfigValue>(true)
        .answers::<Entry>(201, "It is new.")
        .answers::<Entry>(200, "It was there.")
        .located()
        .done();
    draft
        .operation(DATA, ("delete", "/v1/config/{key}"), "deleteConfig", "Deletes a configured value.")
        .answers_nothing(204, "It is gone.")
        .done();
}
