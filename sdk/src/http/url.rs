//! As much of URLs as a client needs.

/// An absolute URL of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) is_tls: bool,
    /// Host and port as they were written, in lower case.
    pub(super) authority: String,
    /// Path and query; begins with a slash.
    pub(super) path: String,
}

impl Url {
    /// Reads an absolute URL. A fragment is for browsers, and left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("a URL begins with `https://` or `http://`")?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("a URL begins with `https://` or `http://`"),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("spaces and other special characters in a URL must be percent-encoded");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() {
            return Err("the URL has no host");
        }
        if authority.contains('@') {
            return Err("credentials go into a header, not into the URL");
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_tls, authority: authority.to_ascii_lowercase(), path })
    }

    /// Where a link on this page leads.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub(super) fn join(&self, link: &str) -> Result<Self, &'static str> {
        let link = link.trim();
        if let Some(rest) = link.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        let has_scheme = link.split_once(':').is_some_and(|(scheme, _)| !scheme.contains(['/', '?', '#']));
        if has_scheme {
            return Self::parse(link);
        }
        let here = self.path.split('?').next().unwrap_or_default();
        let folder = here.rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = match link.chars().next() {
            None | Some('#') => self.path.clone(),
            Some('/') => link.to_owned(),
            Some('?') => format!("{here}{link}"),
            Some(_) => format!("{folder}/{link}"),
        };
        Self::parse(&format!("{}://{}{}", self.scheme(), self.authority, without_dots(&path)))
    }

    /// Whether both have the same scheme, host and port.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        let origin = |url: &Self| {
            let default = if url.is_tls { ":443" } else { ":80" };
            (url.is_tls, url.authority.strip_suffix(default).unwrap_or(&url.authority).to_owned())
        };
        origin(self) == origin(other)
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

/// The path with `.` and `..` taken out, as RFC 3986 says in section 5.2.4.
fn without_dots(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut segments: Vec<&str> = Vec::new();
    let mut pieces = path.split('/').skip(1).peekable();
    while let Some(piece) = pieces.next() {
        let is_last = pieces.peek().is_none();
        match piece {
            "." | ".." => {
                if piece == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            _ => segments.push(piece),
        }
    }
    format!("/{}{rest}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, written) in [
            ("https://Example.com", "https://example.com/"),
            ("HTTP://example.com:8080/A?b=C#d", "http://example.com:8080/A?b=C"),
            ("https://[::1]:1?x", "https://[::1]:1/?x"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Ok(written), "{text}");
        }
        for text in ["", "example.com", "ftp://x/", "https://", "https:///x", "https://a b/", "https://ä.de/"]
        {
            assert!(Url::parse(text).is_err(), "{text}");
        }
        assert!(Url::parse("https://user:word@example.com/").is_err_and(|why| why.contains("header")));
    }

    #[test]
    fn links_lead_where_a_browser_would_go() {
        let here = Url::parse("https://example.com/a/b/c?d=e").expect("a URL");
        for (link, there) in [
            ("http://other.org/x", "http://other.org/x"),
            ("//other.org/x", "https://other.org/x"),
            ("/x", "https://example.com/x"),
            ("x?y", "https://example.com/a/b/x?y"),
            ("../x", "https://example.com/a/x"),
            ("../../../x", "https://example.com/x"),
            ("./", "https://example.com/a/b/"),
            ("..", "https://example.com/a/"),
            ("?y=/../", "https://example.com/a/b/c?y=/../"),
            ("#f", "https://example.com/a/b/c?d=e"),
            ("x?u=http://z", "https://example.com/a/b/x?u=http://z"),
        ] {
            assert_eq!(here.join(link).map(|url| url.to_string()).as_deref(), Ok(there), "{link}");
        }
        assert!(here.join("mailto:x@y").is_err());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let url = |text| Url::parse(text).expect("a URL");
        assert!(url("https://a.org/x").is_same_origin(&url("https://A.org:443/y")));
        for other in ["http://a.org", "https://a.org:444", "https://b.a.org"] {
            assert!(!url("https://a.org").is_same_origin(&url(other)), "{other}");
        }
    }
}
