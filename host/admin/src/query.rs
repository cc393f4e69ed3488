//! Query parameters, checked into the same form as the fields of a body.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use innkeeper_model::problem::{FieldError, nearest};
use innkeeper_model::time::Timestamp;

use crate::fields::unknown;
use crate::problem::Problem;

/// Items of one page at most.
const LIMIT_MAX: u32 = 1000;

/// Items of one page unless the client asks for another number.
const LIMIT_DEFAULT: u32 = 100;

/// The query of a request, read as `T`.
pub(crate) struct Query<T>(pub(crate) T);

/// What can be read from a query.
pub(crate) trait FromQuery: Sized {
    /// Every key there is.
    const KEYS: &'static [&'static str];

    /// The keys that may be given more than once.
    const REPEATABLE: &'static [&'static str] = &[];

    /// Takes the values out of `parameters`, which notes what is wrong with them.
    fn read(parameters: &mut Parameters) -> Self;
}

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut parameters = Parameters::new(&parts.uri, T::KEYS, T::REPEATABLE);
        let read = T::read(&mut parameters);
        if parameters.problems.is_empty() {
            Ok(Self(read))
        } else {
            Err(Problem::invalid(parameters.problems))
        }
    }
}

/// No parameters at all.
impl FromQuery for () {
    const KEYS: &'static [&'static str] = &[];

    fn read(_: &mut Parameters) {}
}

/// The parameters of a query while they are read.
pub(crate) struct Parameters {
    values: Vec<(String, String)>,
    problems: Vec<FieldError>,
}

impl Parameters {
    fn new(uri: &Uri, keys: &[&str], repeatable: &[&str]) -> Self {
        let mut parameters = Self { values: Vec::new(), problems: Vec::new() };
        // Any text is a list of pairs, so there is no other error.
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        for (key, value) in pairs.map(|query| query.0).unwrap_or_default() {
            if !keys.contains(&key.as_str()) {
                parameters.problems.push(unknown(key.clone(), "parameter", &key, keys));
            } else if !repeatable.contains(&key.as_str()) && parameters.has(&key) {
                parameters.problem(&key, "repeated", "is given more than once".to_owned());
            } else {
                parameters.values.push((key, value));
            }
        }
        parameters
    }

    fn has(&self, key: &str) -> bool {
        self.values.iter().any(|(known, _)| known == key)
    }

    /// Every value of a key that may be repeated.
    pub(crate) fn all(&mut self, key: &str) -> Vec<String> {
        let (taken, left) = std::mem::take(&mut self.values).into_iter().partition(|(known, _)| known == key);
        self.values = left;
        let taken: Vec<(String, String)> = taken;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// Whatever can be read as `T`, which says why it cannot.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str, code: &str) -> Option<T> {
        let text = self.take(key)?;
        text.parse().map_err(|error: T::Err| self.problem(key, code, error.to_string())).ok()
    }

    /// A point in time.
    pub(crate) fn instant(&mut self, key: &str) -> Option<Timestamp> {
        self.parsed(key, "invalid_timestamp")
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &str) -> Option<bool> {
        self.choice(key, &["true", "false"])
    }

    /// The page's size.
    pub(crate) fn limit(&mut self) -> u32 {
        self.count("limit", LIMIT_DEFAULT, LIMIT_MAX)
    }

    /// A whole number from 1 to `max`.
    pub(crate) fn count(&mut self, key: &str, default: u32, max: u32) -> u32 {
        let Some(text) = self.take(key) else { return default };
        let count = text.parse().ok().filter(|count| (1..=max).contains(count));
        if count.is_none() {
            self.problem(key, "out_of_range", format!("is `{text}`; must be a whole number from 1 to {max}"));
        }
        count.unwrap_or(default)
    }

    /// One of `names`, each of which `T` can be read from.
    pub(crate) fn choice<T: FromStr>(&mut self, key: &str, names: &[&str]) -> Option<T> {
        let text = self.take(key)?;
        let chosen = text.parse().ok();
        if chosen.is_none() {
            let message = format!("`{text}` is none of `{}`", names.join("`, `"));
            let error = FieldError::new(key, "unknown_value", message);
            self.problems.push(error.suggesting(nearest(&text, names.iter().copied())));
        }
        chosen
    }

    /// Where the page before ended.
    pub(crate) fn cursor<T: FromStr<Err: Display>>(&mut self) -> Option<T> {
        let text = self.take("cursor")?;
        let read = text.parse();
        read.map_err(|error| {
            let message = format!("is not what a `nextCursor` said: {error}");
            self.problem("cursor", "invalid_cursor", message);
        })
        .ok()
    }

    /// Any text.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        self.take(key)
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let index = self.values.iter().position(|(known, _)| known == key)?;
        Some(self.values.swap_remove(index).1)
    }

    pub(crate) fn problem(&mut self, key: &str, code: &str, message: String) {
        self.problems.push(FieldError::new(key, code, message));
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::execution::ExecutionStatus;

    use super::*;

    fn parameters(query: &str) -> Parameters {
        let uri = format!("/?{query}").parse().expect("a URI");
        Parameters::new(&uri, &["status", "limit", "cursor", "topic"], &["topic"])
    }

    #[test]
    fn values_are_decoded_and_checked() {
        let mut query = parameters("status=failed&limit=5&cursor=a%20b");
        assert_eq!(query.choice("status", &["failed"]), Some(ExecutionStatus::Failed));
        assert_eq!(query.limit(), 5);
        assert_eq!(query.cursor::<String>().as_deref(), Some("a b"));
        assert!(query.problems.is_empty());
        assert_eq!(parameters("").limit(), LIMIT_DEFAULT);
    }

    #[test]
    fn every_problem_is_noted() {
        let mut query = parameters("state=x&status=faild&limit=1001&limit=1&cursor=zz");
        assert_eq!(query.choice::<ExecutionStatus>("status", &["running", "success", "failed"]), None);
        query.limit();
        assert_eq!(query.cursor::<u32>(), None);
        let named: Vec<_> =
            query.problems.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        let expected = [
            ("state", "unknown_parameter"),
            ("limit", "repeated"),
            ("status", "unknown_value"),
            ("limit", "out_of_range"),
            ("cursor", "invalid_cursor"),
        ];
        assert_eq!(named, expected);
        assert_eq!(query.problems[0].suggestion.as_deref(), Some("status"));
        assert_eq!(query.problems[2].suggestion.as_deref(), Some("failed"));
    }

    #[test]
    fn some_keys_may_be_repeated() {
        let mut query = parameters("topic=a&limit=5&topic=b");
        assert_eq!(query.all("topic"), ["a", "b"]);
        assert_eq!(query.limit(), 5);
        assert!(query.problems.is_empty() && query.all("topic").is_empty());
    }

    #[test]
    fn a_limit_of_none_is_no_limit() {
        for bad in ["0", "-1", "1.5", "", "many"] {
            let mut query = parameters(&format!("limit={bad}"));
            query.limit();
            assert_eq!(query.problems.len(), 1, "{bad}");
        }
    }
}
