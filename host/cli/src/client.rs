//! The HTTP client of the client verbs.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use reqwest::{Body, Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;

use crate::args::ServerArgs;
use crate::exit::Failure;
use crate::problem::Problem;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take. An upload is answered once it is compiled.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a download may take.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_hours(24);
/// How long a stream may take: longer than anybody watches.
const STREAM_TIMEOUT: Duration = Duration::from_hours(10_000);
/// Most components are compiled sooner, and then there is one answer.
const BACKGROUND_PREFERENCE: &str = "respond-async, wait=2";
/// Items of one page of a list at most.
const PAGE_MAX: usize = 100;

/// Asks one server.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
    tenant: Option<String>,
}

impl Client {
    /// A client of the server that the command line names.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the URL is none, or if no token has such characters.
    pub(crate) fn new(server: &ServerArgs) -> Result<Self, Failure> {
        let base = parse_base(&server.url)?;
        // An error means that a provider was installed before, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user_agent = concat!("innkeeper/", env!("CARGO_PKG_VERSION"));
        let mut builder = reqwest::Client::builder().user_agent(user_agent).connect_timeout(CONNECT_TIMEOUT);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.timeout(ANSWER_TIMEOUT).build().context("cannot set up the HTTP client")?;
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(place) =
            given(&server.token).and_then(|token| token.chars().position(|c| !c.is_ascii_graphic()))
        {
            return Err(Failure::usage(format!(
                "the token (--token or INNKEEPER_TOKEN) has a character that no token has, at place {}: is it a line end or a space?",
                place + 1
            )));
        }
        Ok(Self { http, base, token: given(&server.token), tenant: given(&server.tenant) })
    }

    /// Whether requests carry a token.
    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Reads what is at a path. Each segment is percent-encoded.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Failure> {
        self.send(self.request(Method::GET, path, query)).await
    }

    /// Posts JSON, or nothing.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn post(&self, path: &[&str], body: Option<&Value>) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path, &[]);
        self.send(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Puts bytes as they are. The answer is whether they made something new.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn put_bytes(&self, path: &[&str], bytes: Vec<u8>) -> Result<bool, Failure> {
        let request = self.request(Method::PUT, path, &[]);
        let request = request.header(CONTENT_TYPE, "application/octet-stream").body(bytes);
        Ok(self.exchange(request).await?.0 == StatusCode::CREATED)
    }

    /// Changes what is at a path.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(self.request(Method::PATCH, path, &[]).json(body)).await
    }

    /// Puts JSON at a path. The first part of the answer is whether it made something new.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn put(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        body: &Value,
    ) -> Result<(bool, Value), Failure> {
        let (status, answer) = self.exchange(self.request(Method::PUT, path, query).json(body)).await?;
        Ok((status == StatusCode::CREATED, answer))
    }

    /// Deletes what is at a path.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value, Failure> {
        self.send(self.request(Method::DELETE, path, &[])).await
    }

    /// Uploads a component for a declaration to come.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn stage(&self, component: Body) -> Result<Value, Failure> {
        let request =
            self.request(Method::POST, &["components"], &[]).header(CONTENT_TYPE, "application/wasm");
        self.send(request.body(component)).await
    }

    /// Declares what the tenant is to have. Without a tag it is only compared; with one the changes are made that the tag
    /// stands for. Gives the tag of the changes, and the answer.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn apply(&self, body: &Value, tag: Option<&str>) -> Result<(String, Value), Failure> {
        let request = match tag {
            None => self.request(Method::POST, &["apply"], &[("dryRun", "true".to_owned())]),
            Some(tag) => self.request(Method::POST, &["apply"], &[]).header(IF_MATCH, tag),
        };
        let answer = self.answer(request.json(body)).await?;
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or("*").to_owned();
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        let read = serde_json::from_slice(&bytes);
        Ok((tag, read.with_context(|| format!("{} does not answer as an Innkeeper server does", self.base))?))
    }

    /// Uploads a component that the server goes on with if it takes long: then the status is 202. Gives the status and the answer.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn upload_in_background(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        component: Body,
    ) -> Result<(u16, Value), Failure> {
        let request = self.request(Method::PUT, path, query).header(CONTENT_TYPE, "application/wasm");
        let request = request.header("Prefer", BACKGROUND_PREFERENCE);
        let (status, answer) = self.exchange(request.body(component)).await?;
        Ok((status.as_u16(), answer))
    }

    /// Posts nothing and gives the answer's head; its body comes as it is read, however long that takes.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn download(&self, path: &[&str]) -> Result<reqwest::Response, Failure> {
        self.answer(self.request(Method::POST, path, &[]).timeout(DOWNLOAD_TIMEOUT)).await
    }

    /// Reads bytes that are no JSON.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn bytes(&self, path: &[&str]) -> Result<Bytes, Failure> {
        let answer = self.answer(self.request(Method::GET, path, &[])).await?;
        answer.bytes().await.map_err(|error| self.unreachable(error))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<reqwest::Response, Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        Err(Failure::Refused(Problem::from_answer(status.as_u16(), &body)))
    }

    /// The items of a list, page after page, at most `limit`. The second part is whether there are more.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn list(
        &self,
        path: &[&str],
        filter: &[(&str, String)],
        limit: usize,
    ) -> Result<(Vec<Value>, bool), Failure> {
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let mut query = filter.to_vec();
            query.push(("limit", (limit - items.len()).clamp(1, PAGE_MAX).to_string()));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            if let Some(Value::Array(found)) = page.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || items.len() >= limit {
                let more = cursor.is_some() || items.len() > limit;
                items.truncate(limit);
                return Ok((items, more));
            }
        }
    }

    /// Begins an answer that goes on, after what `last` says was read of it before.
    ///
    /// # Errors
    /// As [`Failure`] tells them apart.
    pub(crate) async fn open(
        &self,
        path: &[&str],
        query: &[(&str, String)],
        last: Option<&str>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self.request(Method::GET, path, query).timeout(STREAM_TIMEOUT);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        Err(Failure::Refused(Problem::from_answer(status.as_u16(), &body)))
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        let mut request = self.http.request(method, address(&self.base, path, query));
        if let Some(tenant) = &self.tenant {
            request = request.header("Innkeeper-Tenant", tenant);
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, Failure> {
        Ok(self.exchange(request).await?.1)
    }

    async fn receive(&self, request: RequestBuilder) -> Result<(StatusCode, Bytes), Failure> {
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        if !status.is_success() {
            return Err(Failure::Refused(Problem::from_answer(status.as_u16(), &body)));
        }
        Ok((status, body))
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<(StatusCode, Value), Failure> {
        let (status, body) = self.receive(request).await?;
        if body.is_empty() {
            return Ok((status, Value::Null));
        }
        let read = serde_json::from_slice(&body);
        let answer =
            read.with_context(|| format!("{} does not answer as an Innkeeper server does", self.base))?;
        Ok((status, answer))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = anyhow::Error::new(error.without_url());
        // Only the innermost cause says something to a person, such as `Connection refused`.
        let mut cause = error.root_cause().to_string();
        // What TLS says to an answer in plain text, and HTTP to one in TLS.
        if self.base.scheme() == "https" && cause.contains("corrupt message") {
            cause.push_str("; does it speak plain http:// rather than https://?");
        } else if self.base.scheme() == "http" && cause.contains("invalid HTTP version") {
            cause.push_str("; does it speak https:// rather than http://?");
        }
        let cause = anyhow!(cause);
        Failure::Unreachable { url: self.base.as_str().trim_end_matches('/').to_owned(), cause }
    }
}

fn parse_base(text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Failure::usage(format!("`{text}` must be a URL such as http://127.0.0.1:7070")))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address of a path below the base, with every segment and every value percent-encoded.
fn address(base: &Url, path: &[&str], query: &[(&str, String)]) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("v1").extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_values_are_percent_encoded() {
        let base = parse_base("http://127.0.0.1:7070").expect("a URL");
        let url = address(&base, &["tasks", "a?b#c/d%e é:f", "run"], &[("status", "x&y".to_owned())]);
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:7070/v1/tasks/a%3Fb%23c%2Fd%25e%20%C3%A9:f/run?status=x%26y"
        );
    }

    #[test]
    fn a_server_may_live_below_a_path() {
        for base in ["https://example.org/inn", "https://example.org/inn/"] {
            let base = parse_base(base).expect("a URL");
            assert_eq!(address(&base, &["stats"], &[]).as_str(), "https://example.org/inn/v1/stats");
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused_as_usage() {
        for bad in ["", "127.0.0.1:7070", "ftp://x", "http://"] {
            assert_eq!(parse_base(bad).expect_err(bad).code(), 2, "{bad}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://x", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).expect("a URL")), expected, "{url}");
        }
    }
}
