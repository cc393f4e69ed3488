//! The description of this API in OpenAPI 3.1, made from the types that answers are written from, the keys that queries
//! are read by, and one line per route.
//!
//! It takes no part in answering anything else. Tests hold it against the router and against real answers.

pub(crate) mod bodies;
pub(crate) mod declaration;
mod operation;
mod parameters;
mod problems;
mod routes;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Json;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::problem::Problem;
use crate::query::Query;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The document.
pub(crate) async fn show(Query(()): Query<()>) -> Result<impl IntoResponse, Problem> {
    Ok(Json(&*DOCUMENT))
}

/// Paths and schemas while they are gathered.
#[derive(Default)]
struct Draft {
    paths: BTreeMap<&'static str, Map<String, Value>>,
    schemas: BTreeMap<String, Value>,
}

impl Draft {
    /// Keeps the schema of `T` and all that it refers to; how to refer to it.
    fn schema<T: ToSchema>(&mut self) -> Value {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        for (name, schema) in found {
            self.schemas.entry(name.clone()).or_insert_with(|| written(&name, &schema));
        }
        json!({"$ref": format!("#/components/schemas/{}", T::name())})
    }
}

impl Draft {
    /// Keeps the schema of a page of `T`.
    fn page<T: ToSchema>(&mut self) -> Value {
        let item = self.schema::<T>();
        let name = format!("{}Page", T::name());
        let page = json!({
            "type": "object",
            "required": ["items", "nextCursor"],
            "properties": {
                "items": {"type": "array", "items": item},
                "nextCursor": {
                    "type": ["string", "null"],
                    "description": "What to send as `cursor` for the next page; `null` on the last one.",
                },
            },
        });
        self.schemas.insert(name.clone(), page);
        json!({"$ref": format!("#/components/schemas/{name}")})
    }
}

fn written(name: &str, schema: &RefOr<Schema>) -> Value {
    let mut schema = serde_json::to_value(schema).unwrap_or_default();
    require_all(name, &mut schema);
    schema
}

/// Properties that an answer may leave out.
const OPTIONAL: [(&str, &str); 11] = [
    ("Check", "reason"),
    ("FieldError", "suggestion"),
    ("Problem", "checks"),
    ("Problem", "errors"),
    ("Problem", "trial"),
    ("Published", "repeated"),
    ("RetryPolicy", "maxDelay"),
    ("RetryPolicy", "maxRetryDuration"),
    ("RolledOut", "trial"),
    ("Stats", "database"),
    ("Tenant", "usage"),
];

/// What is written is written whole: where a property has no value it is `null`. The schemas of requests, which may leave
/// things out, are closed to unknown properties, and keep what they say.
fn require_all(name: &str, schema: &mut Value) {
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        require_all(name, part);
    }
    if schema["additionalProperties"] == false {
        return;
    }
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let names = properties.keys().filter(|property| !OPTIONAL.contains(&(name, property.as_str())));
    schema["required"] = names.cloned().collect();
}

fn document() -> Value {
    let mut draft = Draft::default();
    routes::add(&mut draft);
    draft.schema::<problems::ProblemDocument>();
    let mut schemas = draft.schemas;
    for (name, schema) in &mut schemas {
        // The items of a page that is a part of something are written out, without their names.
        if let Some(item) = name.strip_prefix("Page_") {
            schema["properties"]["items"]["items"] = json!({"$ref": format!("#/components/schemas/{item}")});
        }
    }
    for (name, schema) in values::values() {
        // Only what something refers to.
        schemas.entry(name.to_owned()).and_modify(|kept| *kept = schema);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Innkeeper",
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": routes::tags(),
        "paths": draft.paths,
        "components": {
            "schemas": schemas,
            "responses": problems::responses(),
            "parameters": {"Tenant": parameters::tenant()},
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "A token of a tenant, or the operator's. A host that has none lets everybody in who is on its machine.",
            }},
        },
    })
}

const INTRODUCTION: &str = "Runs other people's code on a schedule or on an event. Errors are `application/problem+json` (RFC 9457) with a \
    stable `code` and all wrong fields at once. Lists are pages: send `nextCursor` as `cursor` for the next one. An \
    answer that something was done comes after it was stored.";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every `$ref` in the document.
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_nothing_is_there_for_nobody() {
        let mut found = BTreeSet::new();
        references(&DOCUMENT, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
        }
        for kind in ["schemas", "responses", "parameters"] {
            for name in DOCUMENT["components"][kind].as_object().expect("an object").keys() {
                assert!(found.contains(format!("#/components/{kind}/{name}").as_str()), "{name}");
            }
        }
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let registered = crate::access::registered::registered().into_iter();
        let routes: BTreeSet<_> = registered.map(|(method, path)| (path, method.to_lowercase())).collect();
        let paths = DOCUMENT["paths"].as_object().expect("paths").iter();
        let described = paths.flat_map(|(path, operations)| {
            operations.as_object().into_iter().flatten().map(|(method, _)| (path.clone(), method.clone()))
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), routes);
    }

    #[test]
    fn operations_have_names_of_their_own_and_say_what_they_do() {
        let mut names = BTreeSet::new();
        for (path, operations) in DOCUMENT["paths"].as_object().expect("paths") {
            for (method, operation) in operations.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name), "{name} is there twice");
                assert!(
                    operation["summary"].as_str().is_some_and(|text| text.ends_with('.')),
                    "{method} {path}"
                );
                assert!(
                    operation["responses"].as_object().is_some_and(|all| all.len() > 1),
                    "{method} {path}"
                );
            }
        }
    }
}
