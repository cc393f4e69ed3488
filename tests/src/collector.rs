//! A collector of traces, as a host exports them to: it takes spans over OTLP/HTTP in JSON, and keeps them.

use serde_json::Value;

use crate::server::{HttpServer, Reply};
use crate::wait::eventually;

/// A collector on a port of its own.
pub struct Collector(HttpServer);

impl Collector {
    /// Starts a collector that takes everything.
    ///
    /// # Panics
    /// If there is no port for it.
    #[must_use]
    pub fn start() -> Self {
        Self(HttpServer::start(|request| {
            let is_export = request.starts_with("POST /v1/traces HTTP/1.1\r\n")
                && request.contains("\r\ncontent-type: application/json\r\n");
            let status = if is_export { "200 OK" } else { "400 Bad Request" };
            Reply::answer(status, &["content-type: application/json"], "{}")
        }))
    }

    /// What a host is to export to.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Every span that came so far.
    ///
    /// # Panics
    /// If something came that is no export.
    #[must_use]
    pub fn spans(&self) -> Vec<Value> {
        let exports = self.0.requests();
        let exports = exports.iter().map(|request| {
            let body = request.split_once("\r\n\r\n").map(|(_, body)| body);
            serde_json::from_str::<Value>(body.unwrap_or_default()).expect("an export is JSON")
        });
        let lists = exports.flat_map(|mut export| {
            let resources = export["resourceSpans"].take();
            let scopes = resources.as_array().cloned().unwrap_or_default().into_iter();
            scopes.flat_map(|resource| resource["scopeSpans"].as_array().cloned().unwrap_or_default())
        });
        lists.flat_map(|scope| scope["spans"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Waits until so many spans of a trace have come.
    ///
    /// # Panics
    /// If they do not.
    #[must_use]
    pub fn trace(&self, id: &str, count: usize) -> Vec<Value> {
        eventually(&format!("{count} spans of the trace {id}"), || {
            let mut spans = self.spans();
            spans.retain(|span| span["traceId"] == id);
            (spans.len() >= count).then_some(spans)
        })
    }
}

/// The attribute of a span, a number as its text; empty if it has none of that name.
#[must_use]
pub fn attribute(span: &Value, key: &str) -> String {
    let mut attributes = span["attributes"].as_array().into_iter().flatten();
    let found = attributes.find(|attribute| attribute["key"] == key);
    let value = found.map(|attribute| &attribute["value"]);
    let text = value.and_then(|value| value["stringValue"].as_str().or_else(|| value["intValue"].as_str()));
    text.unwrap_or_default().to_owned()
}
