//! What happens, as it happens: server-sent events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use innkeeper_model::id::TenantId;
use innkeeper_model::topic::TopicPattern;
use innkeeper_runner::bus::Message;
use innkeeper_runner::{Follower, Heard, Position};
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::auth::{self, Scope, Tenant};
use crate::problem::Problem;
use crate::query::{FromQuery, Parameters, Query};
use crate::router::Api;
use crate::{sse, wire};

/// Topics of one stream at most.
const TOPICS_MAX: usize = 32;

/// What topics begin with.
const KINDS: [&str; 3] = ["event:", "task:", "execution:"];

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Begins a stream of the topics that were asked for. It ends when the host stops, when its token is no longer good, and
/// when its client reads too slowly.
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Query(Topics(patterns)): Query<Topics>,
) -> Result<Response, Problem> {
    let seat = api.streams.take(&tenant)?;
    let after = headers.get(LAST_EVENT_ID).map(|id| {
        // An id that is not ours, or no longer, is answered with `reset`.
        id.to_str().ok().and_then(|id| id.parse().ok()).unwrap_or(Position::UNKNOWN)
    });
    let topics: Vec<_> = patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect();
    let follower = api.runner.follow(&tenant, patterns, after);
    let start = start(&follower, &topics);
    let heartbeat = heartbeat(api.heartbeat);
    let stream = Stream { api, tenant, follower, headers, heartbeat, next: Next::Say(start), _seat: seat };
    let parts = stream::unfold(stream, |mut stream| async move {
        let part = stream.part().await?;
        Some((Ok::<_, std::convert::Infallible>(part), stream))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// What a stream begins with.
fn start(follower: &Follower, topics: &[String]) -> String {
    let mut out = format!("retry: {}\n\n", sse::RETRY_MS);
    let position = follower.position();
    sse::event(&mut out, "ready", position, &json!({"topics": topics}));
    if follower.is_reset() {
        sse::event(
            &mut out,
            "reset",
            position,
            &json!({"reason": "the id is too old, or of another process"}),
        );
    }
    out
}

fn heartbeat(period: Duration) -> Interval {
    let mut heartbeat = interval_at(Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}

/// A stream that is open.
struct Stream {
    api: Arc<Api>,
    tenant: TenantId,
    follower: Follower,
    /// Those of the request: they hold its token.
    headers: HeaderMap,
    heartbeat: Interval,
    next: Next,
    _seat: Seat,
}

enum Next {
    Say(String),
    Listen,
    End,
}

impl Stream {
    /// What is sent next; `None` at the end.
    async fn part(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.next, Next::Listen) {
            Next::Say(text) => return Some(text),
            Next::End => return None,
            Next::Listen => {}
        }
        let heard = tokio::select! {
            heard = self.follower.next() => Some(heard),
            _ = self.heartbeat.tick() => None,
            () = self.api.stop.cancelled() => return None,
            () = self.api.runner.stopping() => return None,
        };
        if !self.is_allowed() {
            return None;
        }
        let mut out = String::new();
        match heard {
            None => sse::heartbeat(&mut out, self.follower.position()),
            Some(Heard::Messages(messages)) => {
                for (id, message) in messages {
                    say(&mut out, id, message);
                }
            }
            Some(Heard::Missed(missed)) => {
                sse::event(&mut out, "dropped", self.follower.position(), &json!({"missed": missed}));
                self.next = Next::End;
            }
        }
        Some(out)
    }

    /// Whether the request would still be let in.
    fn is_allowed(&self) -> bool {
        let (runner, headers) = (&self.api.runner, &self.headers);
        let identity = auth::identify(self.api.token.as_ref(), runner, headers);
        let scope = identity.and_then(|identity| auth::scope(&identity, runner, headers));
        let is_same = matches!(scope, Ok(Scope::Tenant(tenant)) if tenant == self.tenant);
        is_same && self.follower.is_connected()
    }
}

fn say(out: &mut String, id: Position, message: Message) {
    match message {
        Message::Event(event) => sse::event(out, "event", id, &*event),
        Message::Task(change) => sse::event(out, "task", id, &change),
        Message::Execution(ended) => {
            sse::event(out, "execution", id, &wire::ExecutionEnded::from(&*ended));
        }
        Message::Progress(said) => sse::event(out, "progress", id, &*said),
    }
}

/// `topic`, which may be repeated.
pub(crate) struct Topics(Vec<TopicPattern>);

impl FromQuery for Topics {
    const KEYS: &'static [&'static str] = &["topic"];
    const REPEATABLE: &'static [&'static str] = &["topic"];

    fn read(parameters: &mut Parameters) -> Self {
        let topics = parameters.all("topic");
        if !(1..=TOPICS_MAX).contains(&topics.len()) {
            let message = format!(
                "is given {} times; a stream has 1 to {TOPICS_MAX} topics, such as `event:*`",
                topics.len()
            );
            parameters.problem("topic", "out_of_range", message);
        }
        Self(topics.iter().filter_map(|topic| read_topic(parameters, topic)).collect())
    }
}

fn read_topic(parameters: &mut Parameters, topic: &str) -> Option<TopicPattern> {
    if !KINDS.iter().any(|kind| topic.starts_with(kind)) {
        let message = format!(
            "`{topic}` must be `event:<name>`, `task:<id>` or `execution:<task id>`; each may have `*`"
        );
        parameters.problem("topic", "invalid_topic", message);
        return None;
    }
    topic.parse().map_err(|error| parameters.problem("topic", "invalid_topic", format!("{error}"))).ok()
}

/// How many streams may be open, in all and of each tenant.
pub(crate) struct Seats {
    taken: Mutex<HashMap<TenantId, usize>>,
    total_max: usize,
    tenant_max: usize,
}

/// The right to have a stream open, until it is dropped.
struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

impl Seats {
    pub(crate) fn new(total_max: usize, tenant_max: usize) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), total_max, tenant_max })
    }

    fn take(self: &Arc<Self>, tenant: &TenantId) -> Result<Seat, Problem> {
        let mut taken = self.lock();
        let (total, own) = (taken.values().sum::<usize>(), taken.get(tenant).copied().unwrap_or(0));
        if own >= self.tenant_max {
            let detail = format!("{own} streams are open; a tenant has {} at most", self.tenant_max);
            return Err(Problem::too_many_streams(detail));
        }
        if total >= self.total_max {
            return Err(Problem::too_many_streams("the host has no stream left; try again later".to_owned()));
        }
        *taken.entry(tenant.clone()).or_default() += 1;
        Ok(Seat { seats: Arc::clone(self), tenant: tenant.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock();
        let left = taken.get(&self.tenant).map_or(0, |own| own - 1);
        if left == 0 {
            taken.remove(&self.tenant);
        } else {
            taken.insert(self.tenant.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_and_seats_come_back() {
        let seats = Seats::new(3, 2);
        let tenant = |name: &str| name.parse::<TenantId>().expect("a tenant");
        let first = seats.take(&tenant("a")).expect("a seat");
        let _second = seats.take(&tenant("a")).expect("a seat");
        assert!(seats.take(&tenant("a")).is_err(), "the tenant has its share");
        let _third = seats.take(&tenant("b")).expect("a seat");
        assert!(seats.take(&tenant("c")).is_err(), "there is none left");
        drop(first);
        assert!(seats.take(&tenant("c")).is_ok());
    }
}
