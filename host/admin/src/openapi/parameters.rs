//! What stands in paths and queries.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::task::TaskStatus;
use serde_json::{Value, json};

/// A parameter of a path.
pub(super) fn in_path(path: &str, name: &str) -> Value {
    let schema = match path.split('/').nth(2) {
        Some("tasks") => task_id(),
        Some("executions" | "tokens") => json!({"type": "string", "format": "uuid"}),
        Some("plugins") if name == "digest" => json!({"$ref": "#/components/schemas/Digest"}),
        Some("plugins") => plugin_name(),
        Some("tenants") => json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,63}$"}),
        _ => json!({"type": "string"}),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema})
}

/// A parameter of a query.
pub(super) fn in_query(path: &str, name: &str) -> Value {
    let (description, schema) = query(path, name);
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// Which tenant the operator speaks for.
pub(super) fn tenant() -> Value {
    json!({
        "name": "Innkeeper-Tenant", "in": "header", "schema": {"type": "string"},
        "description": "The tenant that the operator speaks for; `default` unless it is given. A token of a tenant needs none.",
    })
}

fn query(path: &str, name: &str) -> (&'static str, Value) {
    let is_tasks = path == "/v1/tasks";
    match name {
        "limit" => (
            "Items of the page at most.",
            json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
        ),
        "cursor" => ("The `nextCursor` of the page before.", json!({"type": "string"})),
        "count" => {
            ("How many due times.", json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}))
        }
        "status" if is_tasks => {
            ("Only those with this status.", one_of(&TaskStatus::ALL.map(TaskStatus::as_str)))
        }
        "status" => ("Only those with this status.", one_of(&["running", "success", "failed"])),
        "type" => ("Only those of this type.", one_of(&["schedule", "event"])),
        "task" => ("Only those of this task.", task_id()),
        "plugin" => ("Only those of this plugin.", plugin_name()),
        "run" => ("Only those of this run.", uuid()),
        "event" => ("Only those of runs that the event of this id started.", uuid()),
        "kind" => ("Only those that failed in this way.", one_of(&FailureKind::ALL.map(FailureKind::as_str))),
        "final" => {
            ("Only those with which a run ended as failed, or only others.", json!({"type": "boolean"}))
        }
        "replayed" => {
            ("Only those whose failed run has been repeated, or only others.", json!({"type": "boolean"}))
        }
        "since" => ("Only those that started then or later.", instant()),
        "until" if path == "/v1/next-runs" => {
            ("The end of the window; a day after `from` unless it is given.", instant())
        }
        "until" => ("Only those that started before then.", instant()),
        "from" => ("The beginning of the window; now, unless it is given.", instant()),
        "prefix" => ("Only keys that begin so.", json!({"type": "string"})),
        "dryRun" => ("Only say what would come of it.", json!({"type": "boolean"})),
        "assumePlugins" => {
            ("Plugins that need not exist in a dry run, with commas between them.", json!({"type": "string"}))
        }
        "activate" => (
            "Whether it becomes the active version; if not, it is only kept.",
            json!({"type": "boolean", "default": true}),
        ),
        "allow" => (
            "What the plugin is granted besides, with the activation: `http=https://HOST`, `kv=BUCKET` or `config=KEY`.",
            json!({"type": "string", "examples": ["http=https://api.example.com"]}),
        ),
        "withoutGrants" => (
            "Activate it although it asks for what is not granted; that is denied when it is used.",
            json!({"type": "boolean", "default": false}),
        ),
        "migrate" => (
            "Move the runs that wait to it; else they stay on the version that they were recorded with.",
            json!({"type": "boolean", "default": false}),
        ),
        "topic" => (
            "`event:<name>`, `task:<id>` or `execution:<task id>`; `*` stands for any characters.",
            json!({"type": "string", "pattern": "^(event|task|execution):\\S+$", "maxLength": 200, "examples": ["event:*"]}),
        ),
        _ => ("", json!({"type": "string"})),
    }
}

fn one_of(names: &[&str]) -> Value {
    json!({"type": "string", "enum": names})
}

fn instant() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn task_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^/\\s]+$"})
}

fn plugin_name() -> Value {
    json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_that_is_read_is_described() {
        let document = crate::openapi::document();
        for (path, operations) in document["paths"].as_object().expect("paths") {
            for operation in operations.as_object().expect("operations").values() {
                for parameter in operation["parameters"].as_array().into_iter().flatten() {
                    let is_described = parameter["in"] != "query" || parameter["description"] != "";
                    assert!(is_described, "{path}: {parameter}");
                }
            }
        }
        assert_eq!(in_query("/v1/tasks", "unknown")["description"], "");
    }
}
