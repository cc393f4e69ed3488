//! What a plugin may reach outside its sandbox. Everything that is not granted is denied.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an operator or a tenant's administrator has granted to a plugin, whatever its version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Grants {
    /// Where outgoing HTTP requests may go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// The buckets of the tenant's key-value store that may be opened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key_value: Vec<String>,
    /// The keys of the tenant's configuration, secrets included, that may be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<String>,
}

impl Grants {
    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what `more` grants and this does not.
    pub fn extend(&mut self, more: &Self) {
        add(&mut self.http, &more.http);
        add(&mut self.key_value, &more.key_value);
        add(&mut self.config, &more.config);
    }

    /// Takes back what is granted of `less`.
    pub fn deny(&mut self, less: &Self) {
        self.http.retain(|grant| !less.http.contains(grant));
        self.key_value.retain(|bucket| !less.key_value.contains(bucket));
        self.config.retain(|key| !less.config.contains(key));
    }
}

fn add<T: PartialEq + Clone>(entries: &mut Vec<T>, more: &[T]) {
    for entry in more {
        if !entries.contains(entry) {
            entries.push(entry.clone());
        }
    }
}

/// One destination of outgoing HTTP: `https://api.example.com`, `http://*.example.com:8080`. Without a port it is the
/// scheme's own; `*.` stands for one or more labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpGrant {
    is_tls: bool,
    /// Lower case; without the `*.` of a wildcard.
    host: String,
    is_wildcard: bool,
    port: u16,
}

/// The text names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no destination: write `https://HOST`, `https://HOST:PORT` or `https://*.DOMAIN`, or the same with `http`"
)]
pub struct InvalidHttpGrant(pub String);

impl HttpGrant {
    /// The grant that allows requests to exactly this origin.
    #[must_use]
    pub fn of(is_tls: bool, host: &str, port: u16) -> Self {
        Self { is_tls, host: canonical(host), is_wildcard: false, port }
    }

    /// Whether it allows requests to this origin. `host` is a name or an address literal, in any letter case.
    #[must_use]
    pub fn allows(&self, is_tls: bool, host: &str, port: u16) -> bool {
        let host = canonical(host);
        let is_host = if self.is_wildcard {
            host.strip_suffix(&self.host).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
        } else {
            host == self.host
        };
        self.is_tls == is_tls && self.port == port && is_host
    }

    /// The port of a destination that names none.
    #[must_use]
    pub fn default_port(is_tls: bool) -> u16 {
        if is_tls { 443 } else { 80 }
    }
}

impl FromStr for HttpGrant {
    type Err = InvalidHttpGrant;

    fn from_str(text: &str) -> Result<Self, InvalidHttpGrant> {
        parse(text).ok_or_else(|| InvalidHttpGrant(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<HttpGrant> {
    let (scheme, authority) = text.split_once("://")?;
    let is_tls = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (authority, HttpGrant::default_port(is_tls)),
    };
    let (is_wildcard, host) = host.strip_prefix("*.").map_or((false, host), |domain| (true, domain));
    // `*.0.0.1` would stand for addresses, which have no subdomains.
    let is_valid = is_host(host) && !(is_wildcard && (host.starts_with('[') || ends_in_number(host)));
    is_valid.then(|| HttpGrant { is_tls, host: canonical(host), is_wildcard, port })
}

/// Whether `host` is a name or an address as it may stand in a URL; an IPv6 address stands in brackets.
#[must_use]
pub fn is_host(host: &str) -> bool {
    if let Some(address) = bracketed(host) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && host.split('.').all(|label| (1..=63).contains(&label.len()))
        && host.len() <= 253
}

fn bracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

fn ends_in_number(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The one way in which a host is written: lower case, IPv6 addresses in their shortest form.
fn canonical(host: &str) -> String {
    match bracketed(host).and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        Some(address) => format!("[{address}]"),
        None => host.to_ascii_lowercase(),
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        let wildcard = if self.is_wildcard { "*." } else { "" };
        write!(out, "{scheme}://{wildcard}{}", self.host)?;
        if self.port != Self::default_port(self.is_tls) {
            write!(out, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl TryFrom<String> for HttpGrant {
    type Error = InvalidHttpGrant;

    fn try_from(text: String) -> Result<Self, InvalidHttpGrant> {
        text.parse()
    }
}

impl From<HttpGrant> for String {
    fn from(grant: HttpGrant) -> Self {
        grant.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> HttpGrant {
        text.parse().expect("a grant")
    }

    #[test]
    fn grants_are_added_once_and_taken_back() {
        let grants = |http: &[&str], buckets: &[&str]| Grants {
            http: http.iter().map(|text| text.parse().expect("a destination")).collect(),
            key_value: buckets.iter().map(|&bucket| bucket.to_owned()).collect(),
            config: Vec::new(),
        };
        let mut granted = grants(&["https://a.org"], &[]);
        granted.extend(&grants(&["https://a.org:443", "https://b.org"], &["x"]));
        assert_eq!(granted, grants(&["https://a.org", "https://b.org"], &["x"]));
        granted.deny(&grants(&["https://a.org"], &["y"]));
        assert_eq!(granted, grants(&["https://b.org"], &["x"]));
    }

    #[test]
    fn a_grant_is_written_in_one_way() {
        for (text, written) in [
            ("HTTPS://Api.Example.com", "https://api.example.com"),
            ("https://api.example.com:443/", "https://api.example.com"),
            ("http://api.example.com:8080", "http://api.example.com:8080"),
            ("https://*.example.com", "https://*.example.com"),
            ("http://10.0.0.1", "http://10.0.0.1"),
            ("http://[::1]:7070", "http://[::1]:7070"),
            ("http://[2001:DB8:0::0:1]", "http://[2001:db8::1]"),
        ] {
            assert_eq!(grant(text).to_string(), written);
            assert_eq!(grant(written).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_destination_is_refused() {
        for text in [
            "",
            "api.example.com",
            "ftp://a.b",
            "https://",
            "https://*",
            "https://*.",
            "https://a..b",
            "https://a:0",
            "https://a:x",
            "https://a/path",
            "https://user@a",
            "https://[::1",
            "https://[x]",
            "https://*.[::1]",
            "https://a.*.b",
            "https://*.0.0.1",
        ] {
            assert!(text.parse::<HttpGrant>().is_err(), "{text}");
        }
    }

    #[test]
    fn scheme_host_and_port_must_all_agree() {
        let exact = grant("https://api.example.com");
        assert!(exact.allows(true, "API.example.com", 443));
        for (is_tls, host, port) in [
            (false, "api.example.com", 443),
            (true, "api.example.com", 444),
            (true, "x.api.example.com", 443),
            (true, "example.com", 443),
            (true, "api.example.com.", 443),
        ] {
            assert!(!exact.allows(is_tls, host, port), "{host}");
        }
        assert!(grant("http://[::1]").allows(false, "[0:0::1]", 80));
        let wild = grant("https://*.example.com");
        assert!(wild.allows(true, "a.example.com", 443) && wild.allows(true, "b.a.example.com", 443));
        for host in ["example.com", ".example.com", "badexample.com", "a.example.com.evil.org"] {
            assert!(!wild.allows(true, host, 443), "{host}");
        }
    }
}
