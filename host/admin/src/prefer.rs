//! Whether a client wants to wait (RFC 7240).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

/// The header's name.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Says that the preference was heeded.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a client waits that asks with `respond-async` to be let go: as it says with `wait`, or else not at all. `None` if
/// it does not ask. What is not understood of the header is passed over, as the standard wants it.
pub(crate) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let preferences: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    if !preferences.iter().any(|preference| preference.eq_ignore_ascii_case("respond-async")) {
        return None;
    }
    let seconds = preferences.iter().find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        value.trim().parse::<u32>().ok().filter(|_| is_wait)
    });
    Some(Duration::from_secs(seconds.unwrap_or(0).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_to_be_let_go_waits_as_long_as_it_says() {
        let patience = |text: &str| {
            let headers = HeaderMap::from_iter([(PREFER, text.parse().expect("a header value"))]);
            patience(&headers).map(|patience| patience.as_secs())
        };
        assert_eq!(patience("respond-async"), Some(0));
        assert_eq!(patience("Respond-Async, wait=2"), Some(2));
        assert_eq!(patience("wait = 3 , respond-async, x=y"), Some(3));
        assert_eq!(patience("respond-async, wait=soon"), Some(0));
        for other in ["wait=2", "return=minimal", ""] {
            assert_eq!(patience(other), None, "{other}");
        }
    }
}
