//! A command line that publishes an event, ready to be pasted into a shell.

use serde_json::Value;

use super::manifest::Example;

/// The `curl` command that publishes `example` on the server at `url`.
pub(super) fn curl(url: &str, example: &Example) -> String {
    let event = Value::from(example.event.as_str());
    let data = example.data.as_ref().map_or_else(String::new, |data| format!(",\"data\":{data}"));
    let body = quoted(&format!("{{\"event\":{event}{data}}}"));
    format!("curl -X POST {url}/v1/events -H 'content-type: application/json' -d {body}")
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_line_can_be_pasted_into_a_shell() {
        let example = Example {
            event: "user:logged_in".parse().expect("a name"),
            data: Some(json!({"userId": "it's"})),
        };
        assert_eq!(
            curl("http://127.0.0.1:7070", &example),
            r#"curl -X POST http://127.0.0.1:7070/v1/events -H 'content-type: application/json' -d '{"event":"user:logged_in","data":{"userId":"it'\''s"}}'"#
        );
        let example = Example { data: None, ..example };
        assert!(curl("http://x", &example).ends_with(r#"-d '{"event":"user:logged_in"}'"#));
    }
}
