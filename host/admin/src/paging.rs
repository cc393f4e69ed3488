//! Pages of lists that are short enough to be read whole.

use crate::query::{FromQuery, Parameters};
use crate::wire::Page;

/// `limit` and `cursor` of a list whose items are in the order of a key.
pub(crate) struct PageQuery {
    limit: u32,
    after: Option<String>,
}

impl FromQuery for PageQuery {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.limit(), after: parameters.cursor() }
    }
}

impl PageQuery {
    /// The page of `items`, which are in the order of their keys.
    pub(crate) fn of<S: Into<T>, T>(self, items: Vec<S>, key: impl Fn(&S) -> &str) -> Page<T> {
        let after = self.after.unwrap_or_default();
        let rest = items.into_iter().filter(|item| key(item) > after.as_str()).collect();
        Page::first(rest, self.limit, |last| key(last).to_owned(), Into::into)
    }
}

/// `limit` and `cursor` of a list whose items are numbered.
pub(crate) struct NumberedQuery {
    limit: u32,
    start: usize,
}

impl FromQuery for NumberedQuery {
    const KEYS: &'static [&'static str] = &["limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self { limit: parameters.limit(), start: parameters.cursor().unwrap_or(0) }
    }
}

impl NumberedQuery {
    /// The page of `items`.
    pub(crate) fn of<S: Into<T>, T>(self, items: Vec<S>) -> Page<T> {
        let next = self.start.saturating_add(usize::try_from(self.limit).unwrap_or(usize::MAX));
        let next_cursor = (items.len() > next).then(|| next.to_string());
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        Page::part(items.into_iter().skip(self.start).take(limit).collect(), next_cursor)
    }
}
