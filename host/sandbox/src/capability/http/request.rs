//! What a guest may ask for, and the request that is made of it.

use http::header::{CONNECTION, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use innkeeper_model::grants::{HttpGrant, is_host};
use innkeeper_model::id::PluginName;
use innkeeper_model::trace::TraceContext;
use wasmtime_wasi_http::Error;

/// Header fields of one request.
const FIELDS_MAX: usize = 100;
/// Bytes of all header fields of one request.
const FIELD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a path with its query.
const PATH_BYTES_MAX: usize = 8 << 10;
/// Bytes of a method's name.
const METHOD_BYTES_MAX: usize = 32;
/// Header fields that are about one connection, which is the host's business.
const HOP_BY_HOP: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    HOST,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
];

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Where a request goes, and how it is called in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) is_tls: bool,
    /// A name or an address; an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    method: Method,
}

impl Target {
    /// Its origin, as a grant would name it.
    pub(super) fn origin(&self) -> HttpGrant {
        HttpGrant::of(self.is_tls, &self.host, self.port)
    }
}

/// Why a request is not made, for the guest and for the log.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: Error,
    message: Option<String>,
}

impl Refusal {
    /// A refusal that the log explains.
    pub(super) fn new(error: Error, target: &Target, why: &str) -> Self {
        Self { error, message: Some(format!("refused: {} {}: {why}", target.method, target.origin())) }
    }

    /// A failure that the guest's code says enough of.
    pub(super) fn silent(error: Error) -> Self {
        Self { error, message: None }
    }

    /// The refusal of a request that no grant allows.
    pub(super) fn denied(target: &Target, plugin: Option<&PluginName>) -> Self {
        let origin = target.origin();
        let remedy = match plugin {
            Some(plugin) => format!("allow it with: innkeeper plugin allow {plugin} http={origin}"),
            None => "a plugin that is being started may make no requests".to_owned(),
        };
        let message = format!("denied: {} {origin}: {remedy}", target.method);
        Self { error: Error::HttpRequestDenied, message: Some(message) }
    }

    /// Hands the message for the log over, if there is one.
    pub(super) fn tell(&self, log: impl FnOnce(&str)) {
        if let Some(message) = &self.message {
            log(message);
        }
    }
}

/// Checks a guest's request, and makes the one that goes over the connection: in origin form, with our own `Host`, and
/// without what concerns connections.
pub(super) fn check<B>(request: Request<B>) -> Result<(Target, Request<B>), Refusal> {
    let (parts, body) = request.into_parts();
    let target = target(&parts.uri, &parts.method).map_err(Refusal::silent)?;
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let is_large = parts.headers.len() > FIELDS_MAX || size > FIELD_BYTES_MAX;
    if is_large {
        let why = format!(
            "{} header fields of {size} bytes; at most {FIELDS_MAX} of {FIELD_BYTES_MAX} are allowed",
            parts.headers.len()
        );
        let size = u32::try_from(size).ok();
        return Err(Refusal::new(Error::HttpRequestHeaderSectionSize(size), &target, &why));
    }
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if path.len() > PATH_BYTES_MAX {
        return Err(Refusal::silent(Error::HttpRequestUriTooLong));
    }
    let mut made = Request::new(body);
    *made.method_mut() = parts.method;
    *made.version_mut() = Version::HTTP_11;
    *made.uri_mut() = path.parse::<Uri>().map_err(|_| Refusal::silent(Error::HttpRequestUriInvalid))?;
    *made.headers_mut() = headers(parts.headers, &target);
    Ok((target, made))
}

/// Makes a request part of a trace, unless the guest has said of which.
pub(super) fn put_into(trace: &TraceContext, headers: &mut HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        return;
    }
    let state = trace.tracestate().map(str::to_owned).filter(|_| !headers.contains_key(TRACESTATE));
    for (name, value) in [(TRACEPARENT, Some(trace.traceparent())), (TRACESTATE, state)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
}

fn target(uri: &Uri, method: &Method) -> Result<Target, Error> {
    if *method == Method::CONNECT || method.as_str().len() > METHOD_BYTES_MAX {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let is_tls = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        Some(scheme) if *scheme == Scheme::HTTP => false,
        _ => return Err(Error::HttpProtocolError),
    };
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let host = authority.host();
    let port = match (authority.port(), authority.port_u16()) {
        (None, _) => HttpGrant::default_port(is_tls),
        (Some(_), Some(port)) if port > 0 => port,
        (Some(_), _) => return Err(Error::HttpRequestUriInvalid),
    };
    // Credentials in an authority are for people; a port that is not digits or a stray colon is for nobody.
    let is_plain = authority.as_str() == host || authority.as_str() == format!("{host}:{port}");
    if !is_plain || !is_host(host) {
        return Err(Error::HttpRequestUriInvalid);
    }
    Ok(Target { is_tls, host: host.to_ascii_lowercase(), port, method: method.clone() })
}

fn headers(guest: HeaderMap, target: &Target) -> HeaderMap {
    let named: Vec<HeaderName> = guest
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut made = HeaderMap::with_capacity(guest.len() + 2);
    let origin = target.origin().to_string();
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    if let Ok(host) = HeaderValue::from_str(host) {
        made.insert(HOST, host);
    }
    made.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut name = None;
    for (next, value) in guest {
        name = next.or(name);
        let Some(name) = &name else { continue };
        if !HOP_BY_HOP.contains(name) && !named.contains(name) {
            made.append(name, value);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Result<(Target, Request<()>), Refusal> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(request.body(()).expect("a request"))
    }

    fn error(method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        format!("{:?}", checked(method, uri, headers).expect_err("a refusal").error)
    }

    #[test]
    fn a_request_is_made_anew() {
        let guest = [
            ("host", "elsewhere.example"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("content-length", "3"),
            ("cookie", "a"),
            ("cookie", "b"),
        ];
        let (target, made) = checked("POST", "https://API.example.com/a?b=c", &guest).expect("a request");
        assert_eq!(target.origin().to_string(), "https://api.example.com");
        assert_eq!((made.method().as_str(), made.uri().to_string().as_str()), ("POST", "/a?b=c"));
        let headers: Vec<_> = made
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or("")))
            .collect();
        let expected =
            ["host: api.example.com", "connection: close", "content-length: 3", "cookie: a", "cookie: b"];
        assert_eq!(headers, expected);
        let (_, made) = checked("GET", "http://[2001:DB8::1]:8080", &[]).expect("a request");
        assert_eq!(made.headers()[HOST], "[2001:db8::1]:8080");
        assert_eq!(made.uri(), "/");
    }

    #[test]
    fn a_request_is_part_of_the_trace_unless_the_guest_says_otherwise() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let trace: TraceContext = format!("{text} a=1").parse().expect("a context");
        let mut headers = HeaderMap::new();
        put_into(&trace, &mut headers);
        assert_eq!(headers[TRACEPARENT], text);
        assert_eq!(headers[TRACESTATE], "a=1");
        let mut own = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static("own"))]);
        put_into(&trace, &mut own);
        assert_eq!(own.len(), 1);
        assert_eq!(own[TRACEPARENT], "own");
    }

    #[test]
    fn what_is_no_plain_request_is_refused() {
        for uri in ["http://user@a.org/", "http://user:word@a.org/", "http://a.org:0/", "http://a..org/"] {
            assert_eq!(error("GET", uri, &[]), "HttpRequestUriInvalid", "{uri}");
        }
        assert_eq!(error("GET", "ftp://a.org/", &[]), "HttpProtocolError");
        assert_eq!(error("CONNECT", "http://a.org/", &[]), "HttpRequestMethodInvalid");
        assert_eq!(error(&"X".repeat(33), "http://a.org/", &[]), "HttpRequestMethodInvalid");
        assert_eq!(error("GET", &format!("http://a.org/{}", "x".repeat(8192)), &[]), "HttpRequestUriTooLong");
        let long = "x".repeat(FIELD_BYTES_MAX);
        assert!(error("GET", "http://a.org/", &[("x", &long)]).starts_with("HttpRequestHeaderSectionSize"));
        assert!(error("GET", "http://a.org/", &[("x", ""); 101]).starts_with("HttpRequestHeaderSectionSize"));
    }

    #[test]
    fn a_denial_names_the_grant_that_would_allow_it() {
        let (target, _) = checked("GET", "http://Api.example.com:8080/x", &[]).expect("a request");
        let plugin = "shop".parse().expect("a name");
        let mut said = String::new();
        Refusal::denied(&target, Some(&plugin)).tell(|message| said.push_str(message));
        let expected = "denied: GET http://api.example.com:8080: allow it with: \
            innkeeper plugin allow shop http=http://api.example.com:8080";
        assert_eq!(said, expected);
    }
}
