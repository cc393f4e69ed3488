//! Where spans are exported to.

use anyhow::{Context as _, anyhow, bail, ensure};
use innkeeper_runner::SpanQueue;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::settings::Settings;

/// The variable that holds header fields for the collector, as OpenTelemetry names it: `name=value,name=value`, the values
/// percent-encoded. It is no setting: what is in it is mostly secret.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// How spans are exported.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// Where a collector takes spans over OTLP/HTTP.
    pub endpoint: Url,
    /// What the host is called there.
    pub service_name: String,
    /// Header fields of every request, marked as sensitive.
    pub headers: HeaderMap,
}

/// How spans are exported, and where they wait for that; `None` if no collector is named.
///
/// # Errors
/// A value is not valid.
pub(super) fn resolve(settings: &Settings) -> anyhow::Result<Option<(TelemetryConfig, SpanQueue)>> {
    let waiting_max = settings.count("telemetry.queue", 1, 1 << 20)?;
    let service_name = settings.read("telemetry.serviceName", |text| {
        ensure!(!text.trim().is_empty(), "is empty: it must be a name, such as `innkeeper`");
        Ok(text.to_owned())
    })?;
    if settings.get("telemetry.otlpEndpoint").text.is_empty() {
        return Ok(None);
    }
    let endpoint = settings.read("telemetry.otlpEndpoint", parse_endpoint)?;
    let headers = parse_headers(&std::env::var(HEADERS).unwrap_or_default()).context(HEADERS)?;
    let queue = SpanQueue::new(usize::try_from(waiting_max)?);
    Ok(Some((TelemetryConfig { endpoint, service_name, headers }, queue)))
}

/// The address for spans below that of a collector.
fn parse_endpoint(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url =
        url.ok_or_else(|| anyhow!("`{text}` must be the URL of a collector, such as http://127.0.0.1:4318"))?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(["v1", "traces"]);
    }
    Ok(url)
}

/// Header fields; an error shows no value.
fn parse_headers(text: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for field in text.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let Some((name, value)) = field.split_once('=') else {
            bail!("a header field must be written as `name=value`");
        };
        let name: HeaderName =
            name.trim().parse().with_context(|| format!("`{name}` is no name of a header field"))?;
        let decoded = decode(value.trim()).with_context(|| format!("the value of `{name}`"))?;
        let mut value =
            HeaderValue::from_bytes(&decoded).with_context(|| format!("the value of `{name}`"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// The bytes of a text in which some are percent-encoded.
fn decode(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| digit.map(char::from)?.to_digit(16));
        let [Some(high), Some(low)] = digits else { bail!("`%` must be followed by two hexadecimal digits") };
        decoded.push(u8::try_from(high << 4 | low)?);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(values: &'static [(&str, &str)]) -> Settings {
        let variable = |name: &str| {
            values.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::gather(Vec::new(), variable, None).expect("settings")
    }

    #[test]
    fn nothing_is_exported_unless_a_collector_is_named() {
        assert!(resolve(&settings(&[])).expect("valid").is_none());
        let endpoint = "INNKEEPER_TELEMETRY_OTLP_ENDPOINT";
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(parse_endpoint(text).expect(text).as_str(), expected);
        }
        let (config, _) = resolve(&settings(&[("INNKEEPER_TELEMETRY_OTLP_ENDPOINT", "http://c:4318")]))
            .expect("valid")
            .expect("one");
        assert_eq!(
            (config.endpoint.as_str(), config.service_name.as_str()),
            ("http://c:4318/v1/traces", "innkeeper")
        );
        let wrong = resolve(&settings(&[("INNKEEPER_TELEMETRY_OTLP_ENDPOINT", "collector:4318")]));
        let wrong = format!("{:#}", wrong.expect_err("no URL"));
        assert!(wrong.contains(endpoint) && wrong.contains("such as http://127.0.0.1:4318"), "{wrong}");
    }

    #[test]
    fn header_fields_are_read_and_not_shown() {
        let headers = parse_headers("authorization=Bearer%20s3cret, x-tenant=a=b").expect("two fields");
        assert_eq!(
            (&headers["authorization"], &headers["x-tenant"]),
            (&"Bearer s3cret".parse().expect("a value"), &"a=b".parse().expect("a value"))
        );
        assert!(!format!("{headers:?}").contains("s3cret"));
        for bad in ["s3cret", "two words=s3cret", "a=s3cret%2", "a=s3cret%0a"] {
            let error = format!("{:#}", parse_headers(bad).expect_err(bad));
            assert!(!error.contains("s3cret") || bad == "s3cret" && !error.contains(bad), "{error}");
        }
    }
}
