//! Spans in the JSON encoding of OTLP 1.x: identifiers in hexadecimal digits, 64-bit numbers as text.

use innkeeper_runner::{Attribute, Span};
use serde_json::{Map, Value, json};

/// Numbers of the kinds of spans and of an error's status.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;
/// Characters of an error's message.
const MESSAGE_CHARS_MAX: usize = 1000;

/// A request that exports spans.
pub(super) fn request(service_name: &str, spans: &[Span]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let resource = [("service.name", service_name), ("service.version", version)]
        .map(|(key, value)| attribute(key, &Attribute::Text(value.to_owned())));
    let scope = json!({"name": "innkeeper", "version": version});
    let spans: Vec<Value> = spans.iter().map(span).collect();
    json!({
        "resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }],
    })
}

fn span(span: &Span) -> Value {
    let attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    let mut written = Map::new();
    let mut write = |key: &str, value: Value| drop(written.insert(key.to_owned(), value));
    write("traceId", span.context.trace_id.to_string().into());
    write("spanId", span.context.span_id.to_string().into());
    if let Some(parent) = span.parent {
        write("parentSpanId", parent.to_string().into());
    }
    if let Some(state) = span.context.tracestate() {
        write("traceState", state.into());
    }
    write("name", span.name.into());
    write("kind", if span.is_server { SERVER } else { INTERNAL }.into());
    write("startTimeUnixNano", span.start_ns.to_string().into());
    // A clock that went back must not make it end before it began.
    write("endTimeUnixNano", span.end_ns.max(span.start_ns).to_string().into());
    write("attributes", attributes.into());
    if let Some(error) = &span.error {
        let message: String = error.chars().take(MESSAGE_CHARS_MAX).collect();
        write("status", json!({"code": STATUS_ERROR, "message": message}));
    }
    written.into()
}

fn attribute(key: &str, value: &Attribute) -> Value {
    let value = match value {
        Attribute::Text(text) => json!({"stringValue": text}),
        Attribute::Number(number) => json!({"intValue": number.to_string()}),
    };
    json!({"key": key, "value": value})
}

#[cfg(test)]
mod tests {
    use innkeeper_model::trace::TraceContext;

    use super::*;

    #[test]
    fn a_span_is_written_as_the_standard_has_it() {
        let parent: TraceContext =
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1".parse().expect("a context");
        let told = Span {
            context: parent.child(parent.span_id.part(1)),
            parent: Some(parent.span_id),
            name: "run.execute",
            is_server: false,
            start_ns: 1_735_117_200_000_000_007,
            end_ns: 1_735_117_200_000_000_001,
            attributes: vec![("a", Attribute::Text("b".to_owned())), ("c", Attribute::Number(-5))],
            error: Some("é".repeat(2000)),
        };
        let written = request("mine", &[told]);
        let written = &written["resourceSpans"][0];
        let name = json!({"key": "service.name", "value": {"stringValue": "mine"}});
        assert_eq!(written["resource"]["attributes"][0], name);
        let span = &written["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!((&span["parentSpanId"], &span["traceState"]), (&json!("b7ad6b7169203331"), &json!("a=1")));
        assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
        assert_eq!((&span["name"], &span["kind"]), (&json!("run.execute"), &json!(1)));
        assert_eq!(span["startTimeUnixNano"], "1735117200000000007");
        assert_eq!(span["endTimeUnixNano"], span["startTimeUnixNano"]);
        let attributes = json!([
            {"key": "a", "value": {"stringValue": "b"}},
            {"key": "c", "value": {"intValue": "-5"}},
        ]);
        assert_eq!(span["attributes"], attributes);
        assert_eq!(span["status"]["code"], 2);
        assert_eq!(span["status"]["message"].as_str().map(|text| text.chars().count()), Some(1000));
    }
}
