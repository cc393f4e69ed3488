//! Publishing events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use innkeeper_model::problem::FieldError;
use innkeeper_runner::Publication;
use serde_json::Value;

use crate::auth::Tenant;
use crate::fields::Fields;
use crate::idempotency::{IdempotencyKey, agree};
use crate::json::JsonBody;
use crate::problem::Problem;
use crate::router::Api;
use crate::trace::Cause;
use crate::wire::Published;

/// Events that one request may publish: they become one transaction.
const EVENTS_MAX: usize = 10_000;

const KEYS: [&str; 3] = ["event", "data", "idempotencyKey"];

/// One event, or an array of them, all or none. The answer has the same form.
pub(crate) async fn publish(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    IdempotencyKey(key): IdempotencyKey,
    Cause(cause): Cause,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    let is_array = body.is_array();
    let mut publications = read(body).map_err(Problem::invalid)?;
    if let Some(key) = key {
        name(&mut publications, &key, is_array).map_err(Problem::invalid)?;
    }
    let receipts = api.runner.publish_events_in(&tenant, publications, cause).await?;
    let mut published = receipts.into_iter().map(Published::from);
    let answer = if is_array {
        Json(published.collect::<Vec<_>>()).into_response()
    } else {
        Json(published.next()).into_response()
    };
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

fn read(body: Value) -> Result<Vec<Publication>, Vec<FieldError>> {
    let events = match body {
        Value::Array(events) => events,
        event => vec![event],
    };
    if events.len() > EVENTS_MAX {
        let message = format!("holds {} events; at most {EVENTS_MAX} are taken at once", events.len());
        return Err(vec![FieldError::new("body", "too_many", message)]);
    }
    let mut problems = Vec::new();
    // Fields are named as the runner names them: by the event's index, unless there is only one.
    let publications: Vec<_> = match <[Value; 1]>::try_from(events) {
        Ok([event]) => vec![read_event("", event, &mut problems)],
        Err(events) => {
            let numbered = events.into_iter().enumerate();
            numbered.map(|(index, event)| read_event(&format!("{index}."), event, &mut problems)).collect()
        }
    };
    if problems.is_empty() { Ok(publications) } else { Err(problems) }
}

fn read_event(prefix: &str, event: Value, problems: &mut Vec<FieldError>) -> Publication {
    let mut fields = Fields::new(prefix, event, &KEYS, problems);
    Publication {
        event: fields.required_text("event"),
        data: fields.value("data"),
        idempotency_key: fields.text("idempotencyKey"),
    }
}

/// Gives each event the request's key; several get it with their number. What has a key of its own keeps it.
fn name(publications: &mut [Publication], key: &str, is_array: bool) -> Result<(), Vec<FieldError>> {
    for (index, publication) in publications.iter_mut().enumerate() {
        let own = publication.idempotency_key.take();
        publication.idempotency_key = match own {
            own @ Some(_) if is_array => own,
            None if is_array => Some(format!("{key}#{index}")),
            own => agree(Some(key.to_owned()), own).map_err(|problem| vec![problem])?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_and_several_are_read() {
        let one = json!({"event": "user:logged_in", "data": {"id": 1}, "idempotencyKey": "k"});
        let expected = Publication {
            event: "user:logged_in".to_owned(),
            data: Some(json!({"id": 1})),
            idempotency_key: Some("k".to_owned()),
        };
        assert_eq!(read(one.clone()), Ok(vec![expected.clone()]));
        assert_eq!(read(json!([one, one])), Ok(vec![expected.clone(), expected]));
        assert_eq!(read(json!([])), Ok(Vec::new()));
    }

    #[test]
    fn a_key_of_the_request_names_every_event() {
        let mut several =
            read(json!([{"event": "a"}, {"event": "b", "idempotencyKey": "own"}])).expect("events");
        assert_eq!(name(&mut several, "k", true), Ok(()));
        let keys: Vec<_> = several.iter().filter_map(|event| event.idempotency_key.as_deref()).collect();
        assert_eq!(keys, ["k#0", "own"]);
        let mut one = read(json!({"event": "a", "idempotencyKey": "own"})).expect("an event");
        assert_eq!(name(&mut one, "k", false).expect_err("they differ")[0].code, "key_mismatch");
    }

    #[test]
    fn every_problem_names_its_event() {
        let problems = read(json!([{"event": "a"}, {"evnt": "b"}, 3])).expect_err("two are wrong");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["1.evnt", "1.event", "2", "2.event"]);
        let too_many = read(vec![json!({"event": "a"}); EVENTS_MAX + 1].into()).expect_err("too many");
        assert_eq!(too_many[0].code, "too_many");
    }
}
