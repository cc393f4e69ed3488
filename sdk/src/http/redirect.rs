//! Following redirects: each is a request of its own.

use std::time::Duration;

use super::url::Url;
use super::{Error, ErrorKind, Request, Response, client};

/// What another origin may know: headers that describe the content. Any other may be a credential.
const FOR_EVERYBODY: [&str; 5] =
    ["accept", "accept-language", "content-language", "content-type", "user-agent"];

/// Sends the request, and those that the answers ask for instead.
pub(super) fn follow(mut request: Request) -> Result<Response, Error> {
    let name = request.name();
    let mut url = Url::parse(&request.url).map_err(|why| Error::because(ErrorKind::Invalid, &name, why))?;
    let mut elapsed = Duration::ZERO;
    let mut left = request.redirects_max;
    loop {
        let timeout = request.timeout.map(|timeout| timeout.saturating_sub(elapsed));
        let mut answer = client::exchange(&request, &url, timeout)?;
        elapsed += answer.elapsed;
        answer.elapsed = elapsed;
        answer.request = request.name();
        let Some(next) = location(&answer, request.redirects_max) else { return Ok(answer) };
        let refuse = |why: &str| Err(Error::because(ErrorKind::Redirect, &request.name(), why));
        if left == 0 {
            return refuse("it was redirected too often");
        }
        left -= 1;
        let next = match url.join(next) {
            Ok(next) => next,
            Err(why) => return refuse(why),
        };
        if url.is_tls && !next.is_tls {
            return refuse("from a secure connection to one that is not");
        }
        change(&mut request, answer.status, &url, &next);
        url = next;
    }
}

/// Where the answer redirects to, if redirects are followed at all.
fn location(answer: &Response, redirects_max: u32) -> Option<&str> {
    let redirects = matches!(answer.status, 301 | 302 | 303 | 307 | 308) && redirects_max > 0;
    answer.header("location").filter(|_| redirects)
}

/// Makes the request that follows. As browsers do, 303 asks for something else to be read, and so do 301 and 302 after a
/// POST.
fn change(request: &mut Request, status: u16, from: &Url, to: &Url) {
    let reads = match status {
        303 => request.method != "HEAD",
        301 | 302 => request.method == "POST",
        _ => false,
    };
    if reads {
        "GET".clone_into(&mut request.method);
        request.body.clear();
        request.headers.retain(|(name, _)| !name.starts_with("content-"));
    }
    if !from.is_same_origin(to) {
        request.headers.retain(|(name, _)| FOR_EVERYBODY.contains(&name.as_str()));
    }
    request.url = to.to_string();
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::http::{get, post};
    use crate::testing::Scenario;

    fn to(status: u16, location: &str) -> Response {
        Response::new(status).with_header("location", location)
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let scenario = Scenario::new()
            .answer(to(307, "/b"))
            .answer(to(307, "https://other.org/c"))
            .answer(Response::new(200));
        let report = scenario.enter(|| {
            let request = post("https://a.org/a").header("Authorization", "Bearer x").header("x-key", "y");
            request.json(&1).send()
        });
        assert_eq!(report.result.map(|answer| answer.status), Ok(200));
        let [first, second, third] = report.requests.as_slice() else { panic!("{:?}", report.requests) };
        assert_eq!((first.header("authorization"), second.header("x-key")), (Some("Bearer x"), Some("y")));
        assert_eq!((second.url.as_str(), third.url.as_str()), ("https://a.org/b", "https://other.org/c"));
        assert_eq!((third.header("authorization"), third.header("x-key")), (None, None));
        assert_eq!((third.method.as_str(), third.body.as_slice()), ("POST", &b"1"[..]));
        assert_eq!(third.header("content-type"), Some("application/json"));
    }

    #[test]
    fn a_post_is_answered_by_a_page_to_read() {
        for status in [301, 302, 303] {
            let scenario = Scenario::new().answer(to(status, "/done")).answer(Response::new(200));
            let report = scenario.enter(|| post("https://a.org/").json(&1).send());
            let second = &report.requests[1];
            assert_eq!(
                (second.method.as_str(), second.body.len(), second.header("content-type")),
                ("GET", 0, None)
            );
        }
    }

    #[test]
    fn redirects_are_few_and_stay_secure() {
        let kind = |scenario: Scenario, request: Request| {
            scenario.enter(|| request.send()).result.map(|answer| answer.status).map_err(|error| error.kind())
        };
        let endless = (0..6).fold(Scenario::new(), |scenario, _| scenario.answer(to(302, "/")));
        assert_eq!(kind(endless, get("https://a.org")), Err(ErrorKind::Redirect));
        let down = Scenario::new().answer(to(302, "http://a.org"));
        assert_eq!(kind(down, get("https://a.org")), Err(ErrorKind::Redirect));
        let none = Scenario::new().answer(to(302, "/x"));
        assert_eq!(kind(none, get("https://a.org").redirects(0)), Ok(302));
        assert_eq!(kind(Scenario::new().answer(Response::new(304)), get("https://a.org")), Ok(304));
    }

    #[test]
    fn the_time_of_all_requests_counts() {
        let second = Duration::from_secs(1);
        let scenario =
            Scenario::new().answer(to(302, "/x").after(second)).answer(Response::new(200).after(second));
        let report = scenario.enter(|| get("https://a.org").timeout(3 * second).send());
        assert_eq!(report.result.map(|answer| answer.elapsed), Ok(2 * second));
        let timeouts: Vec<_> = report.requests.iter().map(|request| request.timeout).collect();
        assert_eq!(timeouts, [Some(3 * second), Some(2 * second)]);
    }
}
