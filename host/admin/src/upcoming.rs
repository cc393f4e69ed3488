//! What is due when, over all tasks.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use innkeeper_model::id::TaskId;
use innkeeper_model::problem::FieldError;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::DueWindow;

use crate::auth::Tenant;
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::wire;

/// How far a window reaches unless the client says so.
const REACH_DEFAULT: Duration = Duration::from_hours(24);

/// The due times of all tasks in a window, the earliest first.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(query): Query<WindowQuery>,
) -> Result<impl IntoResponse, Problem> {
    let from = query.from.unwrap_or_else(|| api.runner.now());
    let until = query.until.unwrap_or_else(|| from.saturating_add(REACH_DEFAULT));
    if until <= from {
        let message = format!("must be later than `from`, which is {from}");
        return Err(Problem::invalid(vec![FieldError::new("until", "out_of_range", message)]));
    }
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let after = query.after.map(|Cursor(at, task)| (at, task));
    let upcoming = api.runner.upcoming(&tenant, DueWindow { from, until, after, limit }).await?;
    let last = upcoming.due.last().map(|due| Cursor(due.at, due.task_id.clone()).to_string());
    let next_cursor = last.filter(|_| upcoming.is_more);
    let (items, complete_until) = (upcoming.due, upcoming.complete_until);
    let page = wire::Page::<wire::DueTime>::part(items, next_cursor);
    Ok(Json(wire::Upcoming { page, from, until, complete_until }))
}

/// `from`, `until`, `limit`, `cursor`.
pub(crate) struct WindowQuery {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    after: Option<Cursor>,
    limit: u32,
}

impl FromQuery for WindowQuery {
    const KEYS: &'static [&'static str] = &["from", "until", "limit", "cursor"];

    fn read(parameters: &mut Parameters) -> Self {
        Self {
            from: parameters.instant("from"),
            until: parameters.instant("until"),
            after: parameters.cursor(),
            limit: parameters.limit(),
        }
    }
}

/// The last due time of a page.
#[derive(Debug, PartialEq)]
struct Cursor(Timestamp, TaskId);

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.0, self.1)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, task) = text.split_once('/').ok_or("it has no `/`")?;
        let at = at.parse().map_err(|error| format!("{error}"))?;
        Ok(Self(at, task.parse().map_err(|error| format!("{error}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor =
            Cursor("2025-06-01T12:00:00Z".parse().expect("an instant"), "a:b".parse().expect("an id"));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in ["", "a:b", "now/a", "2025-06-01T12:00:00Z/a b"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
