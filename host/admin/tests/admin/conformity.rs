//! Every answer that any test here gets is held against the description of the API; and so is every body that is taken.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::Host;

/// The document, with its schemas closed to what they do not name.
static DOCUMENT: OnceLock<Value> = OnceLock::new();

/// What was asked.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// JSON only.
    pub(crate) body: Option<Value>,
}

/// Keeps the document for the checks.
pub(crate) fn keep(mut document: Value) {
    DOCUMENT.get_or_init(|| {
        close(&mut document, false);
        document
    });
}

/// Fails if the description does not know of this answer.
pub(crate) fn check(asked: &Asked, status: StatusCode, headers: &HeaderMap, body: &Value) {
    let document = DOCUMENT.get().expect("the document was kept");
    let Some((path, operations)) = matching(document, &asked.path) else {
        // Who may not ask does not learn what there is.
        let is_refused =
            matches!(status, StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        assert!(is_refused, "{} {} is not described", asked.method, asked.path);
        return;
    };
    // What is answered to HEAD and to unknown methods stands in no description.
    let Some(operation) = operations.get(asked.method.to_lowercase()) else { return };
    let what = format!("{} {path} {}", asked.method, status.as_u16());
    let mut response = &operation["responses"][status.as_str()];
    assert!(!response.is_null(), "{what} is not described; the answer was {body}");
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).expect("a reference leads somewhere");
    }
    let Some(content) = response.get("content") else {
        assert!(body.is_null(), "{what}: {body}");
        return;
    };
    let media_type = headers[CONTENT_TYPE].to_str().expect("text").split(';').next().unwrap_or_default();
    let schema = &content[media_type]["schema"];
    assert!(!schema.is_null(), "{what}: {media_type} is not described");
    if asked.method != "HEAD" && media_type.ends_with("json") {
        validate(&format!("the answer of {what}"), schema, body);
    }
    let taken = &operation["requestBody"]["content"]["application/json"]["schema"];
    let is_taken = status.is_success() && !taken.is_null();
    if let Some(body) = asked.body.as_ref().filter(|body| is_taken && !body.is_null()) {
        validate(&format!("the body of {what}"), taken, body);
    }
}

/// The described path that `path` is one of.
fn matching<'a>(document: &'a Value, path: &str) -> Option<(&'a str, &'a Value)> {
    let path = path.split('?').next().unwrap_or_default();
    let is_like = |described: &str| {
        let (mut parts, mut given) = (described.split('/'), path.split('/'));
        let same = parts
            .by_ref()
            .zip(given.by_ref())
            .all(|(part, given)| part == given || part.starts_with('{') && !given.is_empty());
        same && parts.next().is_none()
            && given.next().is_none()
            && described.split('/').count() == path.split('/').count()
    };
    let paths = document["paths"].as_object().expect("paths");
    let exact = paths.get_key_value(path);
    let found = exact.or_else(|| paths.iter().find(|(described, _)| is_like(described)));
    found.map(|(described, operations)| (described.as_str(), operations))
}

fn validate(what: &str, schema: &Value, value: &Value) {
    static VALIDATORS: Mutex<Option<HashMap<String, &'static Validator>>> = Mutex::new(None);
    let components = &DOCUMENT.get().expect("the document was kept")["components"];
    let mut validators = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    let validator = *validators.get_or_insert_default().entry(schema.to_string()).or_insert_with(|| {
        let mut root =
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "components": components});
        root.as_object_mut().expect("an object").extend(schema.as_object().cloned().expect("a schema"));
        Box::leak(Box::new(jsonschema::validator_for(&root).expect("a valid schema")))
    });
    let errors: Vec<_> =
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path)).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}

/// Has schemas refuse what they do not name. A part of another schema cannot: it does not see the other parts.
fn close(schema: &mut Value, is_part: bool) {
    match schema {
        Value::Object(object) => {
            let is_open = |value: &Value| {
                value.as_str().is_some_and(|name| name.ends_with("/AnyJson") || name.ends_with("/Metadata"))
            };
            let refers =
                object.get("$ref").is_some_and(|value| !is_open(value)) || object.contains_key("allOf");
            for (key, value) in object.iter_mut() {
                close(value, key == "allOf" || key == "schemas");
            }
            if refers && !is_part {
                object.insert("unevaluatedProperties".to_owned(), false.into());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| close(value, is_part)),
        _ => {}
    }
}

#[tokio::test]
async fn the_description_is_served_and_is_what_it_says() {
    let host = Host::start().await;
    let described = host.get("/openapi.json").await;
    assert_eq!((described.status, &described.body["openapi"]), (StatusCode::OK, &json!("3.1.0")));
    for path in described.body["paths"].as_object().expect("paths").keys() {
        assert!(path.starts_with('/'));
    }
    let schemas = described.body["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        let root = json!({"components": described.body["components"], "$ref": format!("#/components/schemas/{name}")});
        let validator = jsonschema::validator_for(&root).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(example) = schema.get("example") {
            assert!(validator.is_valid(example), "the example of {name} is not one");
        }
    }
}

#[tokio::test]
#[should_panic(expected = "the answer of GET /v1/stats 200")]
async fn an_answer_that_is_not_described_is_noticed() {
    let host = Host::start().await;
    let mut stats = host.get("/v1/stats").await;
    stats.body["surprise"] = true.into();
    let asked = Asked { method: "GET".to_owned(), path: "/v1/stats".to_owned(), body: None };
    check(&asked, stats.status, &stats.headers, &stats.body);
}
