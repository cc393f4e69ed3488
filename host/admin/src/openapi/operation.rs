//! One route with one method, in the words of OpenAPI.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Draft, parameters, problems};
use crate::query::FromQuery;

/// An operation while it is described.
pub(super) struct Operation<'a> {
    draft: &'a mut Draft,
    path: &'static str,
    method: &'static str,
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    responses: Map<String, Value>,
    problems: BTreeSet<u16>,
}

impl Draft {
    /// Begins to describe an operation of a tenant.
    pub(super) fn operation(
        &mut self,
        tag: &'static str,
        (method, path): (&'static str, &'static str),
        name: &'static str,
        summary: &str,
    ) -> Operation<'_> {
        let mut operation = self.open(tag, (method, path), name, summary);
        operation.fields.remove("security");
        operation.parameters.push(json!({"$ref": "#/components/parameters/Tenant"}));
        operation.problems.extend([401, 403, 404, 500, 503]);
        if method != "get" {
            // Quotas, a tenant that is disabled, a disk that is full.
            operation.problems.extend([409, 429, 507]);
        }
        operation
    }

    /// Begins to describe an operation that needs no token.
    pub(super) fn open(
        &mut self,
        tag: &'static str,
        (method, path): (&'static str, &'static str),
        name: &'static str,
        summary: &str,
    ) -> Operation<'_> {
        let mut fields = Map::new();
        fields.insert("tags".to_owned(), json!([tag]));
        fields.insert("operationId".to_owned(), name.into());
        fields.insert("summary".to_owned(), summary.into());
        fields.insert("security".to_owned(), json!([]));
        let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
        let parameters = names.map(|name| parameters::in_path(path, name)).collect();
        let (responses, problems) = (Map::new(), BTreeSet::new());
        Operation { draft: self, path, method, fields, parameters, responses, problems }
    }
}

impl Operation<'_> {
    /// More than the summary says.
    pub(super) fn more(mut self, description: &str) -> Self {
        self.fields.insert("description".to_owned(), description.into());
        self
    }

    /// It reads these parameters.
    pub(super) fn query<Q: FromQuery>(mut self) -> Self {
        for key in Q::KEYS {
            let mut parameter = parameters::in_query(self.path, key);
            if Q::REPEATABLE.contains(key) {
                parameter["schema"] =
                    json!({"type": "array", "items": parameter["schema"], "minItems": 1, "maxItems": 32});
                // Of a stream there must be one; other lists may be empty.
                parameter["required"] = (*key == "topic").into();
            }
            self.parameters.push(parameter);
        }
        self.problems.insert(422);
        self
    }

    /// It reads this header.
    pub(super) fn header(mut self, name: &'static str, description: &str) -> Self {
        let schema = json!({"type": "string"});
        self.parameters
            .push(json!({"name": name, "in": "header", "description": description, "schema": schema}));
        self
    }

    /// It is done only if nothing has changed meanwhile.
    pub(super) fn conditional(self, may_create: bool) -> Self {
        let tags = "Do it only if the `ETag` is one of these, or with `*` only if it exists.";
        let conditional = self.header("If-Match", tags).problems(&[412, 422]);
        if may_create {
            conditional.header("If-None-Match", "With `*`: create it, and do not replace it.")
        } else {
            conditional
        }
    }

    /// Its body is JSON.
    pub(super) fn body<T: ToSchema>(self, is_required: bool) -> Self {
        let schema = self.draft.schema::<T>();
        // What may be left out may be `null` too.
        let schema = if is_required { schema } else { json!({"oneOf": [{"type": "null"}, schema]}) };
        self.content("application/json", schema, is_required).problems(&[400, 408, 413, 415, 422])
    }

    /// Its body is anything of this type.
    pub(super) fn content(mut self, media_type: &str, schema: Value, is_required: bool) -> Self {
        let content = content(media_type, schema);
        self.fields.insert("requestBody".to_owned(), json!({"required": is_required, "content": content}));
        self.problems(&[408, 413])
    }

    /// It answers with JSON.
    pub(super) fn answers<T: ToSchema>(self, status: u16, description: &str) -> Self {
        let schema = self.draft.schema::<T>();
        self.answers_with(status, description, "application/json", schema)
    }

    /// It answers with a page of a list.
    pub(super) fn lists<T: ToSchema>(self, description: &str) -> Self {
        let schema = self.draft.page::<T>();
        self.answers_with(200, description, "application/json", schema)
    }

    /// It answers with something of this type.
    pub(super) fn answers_with(
        mut self,
        status: u16,
        description: &str,
        media_type: &str,
        schema: Value,
    ) -> Self {
        let content = content(media_type, schema);
        let response = json!({"description": description, "content": content});
        self.responses.insert(status.to_string(), response);
        self
    }

    /// It answers with nothing.
    pub(super) fn answers_nothing(mut self, status: u16, description: &str) -> Self {
        self.responses.insert(status.to_string(), json!({"description": description}));
        self
    }

    /// What it answers with so far says its `ETag`.
    pub(super) fn tagged(mut self) -> Self {
        for response in self.responses.values_mut() {
            let description = "Names the state that is shown, for `If-Match`.";
            response["headers"]["ETag"] = json!({"description": description, "schema": {"type": "string"}});
        }
        self
    }

    /// Where what was created is.
    pub(super) fn located(mut self) -> Self {
        for status in ["201", "202"] {
            let Some(created) = self.responses.get_mut(status) else { continue };
            created["headers"]["Location"] =
                json!({"description": "Its path.", "schema": {"type": "string"}});
        }
        self
    }

    /// Errors that it answers with, beside those that all have.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// Keeps the description.
    pub(super) fn done(mut self) {
        for status in self.problems {
            let reference = format!("#/components/responses/{}", problems::name(status));
            self.responses.entry(status.to_string()).or_insert_with(|| json!({"$ref": reference}));
        }
        if !self.parameters.is_empty() {
            self.fields.insert("parameters".to_owned(), self.parameters.into());
        }
        self.fields.insert("responses".to_owned(), self.responses.into());
        self.draft.paths.entry(self.path).or_default().insert(self.method.to_owned(), self.fields.into());
    }
}

fn content(media_type: &str, schema: Value) -> Value {
    let described = Map::from_iter([("schema".to_owned(), schema)]);
    Map::from_iter([(media_type.to_owned(), described.into())]).into()
}
