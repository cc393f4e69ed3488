//! Publishing events.

use std::collections::BTreeMap;
use std::sync::Arc;

use innkeeper_model::event::Event;
use innkeeper_model::id::{EventId, TenantId};
use innkeeper_model::problem::FieldError;
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::{EventName, TopicPattern};
use innkeeper_model::trace::TraceContext;
use innkeeper_store::{EventReceipt, NewEvent, TenantUsage};
use serde_json::Value;

use crate::bus::{Message, Subscription};
use crate::error::RunnerError;
use crate::feed::{Follower, Position};
use crate::quotas::Room;
use crate::spans::Recording;
use crate::state::Shared;
use crate::task_runner::TaskRunner;

/// An event that a client publishes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Publication {
    /// Its name.
    pub event: String,
    /// Its data.
    pub data: Option<Value>,
    /// Names the publication: a second one with the same key answers as the first did and does nothing.
    pub idempotency_key: Option<String>,
}

impl TaskRunner {
    /// Publishes events, all or none: each becomes a run of every task that listens to it. The answers come after the
    /// commit, in order.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with every problem of every event.
    pub async fn publish_events(
        &self,
        tenant: &TenantId,
        publications: Vec<Publication>,
    ) -> Result<Vec<EventReceipt>, RunnerError> {
        self.publish_events_in(tenant, publications, None).await
    }

    /// As [`TaskRunner::publish_events`], as part of a trace: the runs follow from `cause`.
    ///
    /// # Errors
    /// [`RunnerError::Invalid`] with every problem of every event.
    pub async fn publish_events_in(
        &self,
        tenant: &TenantId,
        publications: Vec<Publication>,
        cause: Option<TraceContext>,
    ) -> Result<Vec<EventReceipt>, RunnerError> {
        self.refuse_when_stopping()?;
        let (shared, tenant) = (Arc::clone(&self.0), tenant.clone());
        self.0.finish(async move { publish(&shared, &tenant, publications, cause).await }).await
    }

    /// Subscribes to live topics: `event:<name>`, `task:<task id>`, `execution:<task id>`.
    #[must_use]
    pub fn subscribe(&self, tenant: &TenantId, pattern: &TopicPattern) -> Subscription {
        self.0.bus.subscribe(tenant, pattern)
    }

    /// Reads the live topics that match one of `patterns`, from a window of the latest messages that its readers share:
    /// those after `after` if they are still there, only new ones if that is `None`.
    #[must_use]
    pub fn follow(
        &self,
        tenant: &TenantId,
        patterns: Vec<TopicPattern>,
        after: Option<Position>,
    ) -> Follower {
        let unique = |at: Timestamp, random: [u8; 10]| {
            let millis = u64::try_from(at.as_millis()).unwrap_or(0);
            millis << 16 | u64::from(u16::from_be_bytes([random[0], random[1]]))
        };
        self.0.bus.follow(tenant, patterns, after, self.0.ids.next(unique))
    }
}

/// Checks and records events, all or none, and hands their runs to the dispatch loop. The answers are in their order.
async fn publish(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    publications: Vec<Publication>,
    cause: Option<TraceContext>,
) -> Result<Vec<EventReceipt>, RunnerError> {
    let single = publications.len() == 1;
    let mut problems = Vec::new();
    let mut events = Vec::with_capacity(publications.len());
    for (index, publication) in publications.into_iter().enumerate() {
        let prefix = if single { String::new() } else { format!("{index}.") };
        events.extend(check(shared, publication, &prefix, &mut problems));
    }
    if !problems.is_empty() {
        return Err(RunnerError::Invalid(problems));
    }
    let now = shared.clock.now();
    let recording = Recording::begin(shared, cause);
    for event in &mut events {
        event.trace.clone_from(&recording.trace);
    }
    let _room = admit(shared, tenant, &mut events).await?;
    let heard = events.iter().map(|event| event.listeners.len()).sum::<usize>();
    let tasks = events.iter().flat_map(|event| &event.listeners).map(|(task, _)| (tenant, task));
    let wanted = BTreeMap::from([(tenant, u32::try_from(heard).unwrap_or(u32::MAX))]);
    let mut at_once = shared.slots_at_once(&wanted, tasks);
    let events: Arc<[NewEvent]> = events.into();
    let executions = at_once.executions.clone();
    let recorded = shared.store.record_events(tenant, Arc::clone(&events), executions, now).await;
    shared.keep_started(&at_once, recorded.iter().flatten().map(|receipt| &receipt.then));
    let mut recorded = recorded?;
    recording.end(shared, Some(tenant), recorded.iter().flat_map(|receipt| receipt.then.recorded()));
    for (event, receipt) in events.iter().zip(&recorded) {
        // A repeated publication is not news.
        if event.id == receipt.id {
            shared.metrics.events.increment();
            let (name, event_id, runs) = (&event.event, event.id, receipt.runs);
            let trace_id = event.trace.as_ref().map(|trace| tracing::field::display(trace.trace_id));
            tracing::info!(%tenant, event = %name, %event_id, trace_id, runs, "event.published");
            tell(shared, tenant, event, now);
        }
    }
    for receipt in &mut recorded {
        shared.follow(std::mem::take(&mut receipt.then), &mut at_once.slots);
    }
    Ok(recorded)
}

/// Whether the tenant may publish these events, all or none, to all that listen, who are found out here: whoever may not is
/// refused before that takes memory. The room for their runs lasts until they are queued.
async fn admit(shared: &Shared, tenant: &TenantId, events: &mut [NewEvent]) -> Result<Room, RunnerError> {
    let kept = shared.open_tenant(tenant)?;
    shared.admit_events(&kept, u64::try_from(events.len()).unwrap_or(u64::MAX))?;
    let bytes = events.iter().filter_map(|event| event.data.as_ref()).map(String::len).sum::<usize>();
    let more =
        TenantUsage { stored_bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..TenantUsage::default() };
    shared.admit_stored(&kept, more).await?;
    let heard = find_listeners(shared, tenant, events, shared.room_left(&kept));
    let room = shared.room(&kept, heard.unwrap_or(usize::MAX))?;
    kept.meters.add(more);
    Ok(room)
}

/// Fills in who listens to each event, and says how many there are together; `None` if they are more than `most`.
pub(crate) fn find_listeners(
    shared: &Shared,
    tenant: &TenantId,
    events: &mut [NewEvent],
    most: u64,
) -> Option<usize> {
    let mut heard = 0_usize;
    for event in events {
        event.listeners = shared.listeners(tenant, event.event.as_str());
        heard = heard.saturating_add(event.listeners.len());
        if u64::try_from(heard).is_ok_and(|heard| heard > most) {
            return None;
        }
    }
    Some(heard)
}

fn check(
    shared: &Shared,
    publication: Publication,
    prefix: &str,
    problems: &mut Vec<FieldError>,
) -> Option<NewEvent> {
    let before = problems.len();
    let mut problem = |field: &str, code, message| {
        problems.push(FieldError::new(format!("{prefix}{field}"), code, message));
    };
    let event = publication.event.parse::<EventName>();
    if let Err(error) = &event {
        problem("event", "invalid_event_name", error.to_string());
    }
    let data = publication.data.map(|data| data.to_string());
    let max = shared.config.event_data_bytes_max;
    if let Some(bytes) = data.as_ref().map(String::len).filter(|bytes| *bytes > max) {
        problem("data", "too_large", format!("is {bytes} bytes; at most {max} are taken"));
    }
    let key = publication.idempotency_key;
    if let Some(wrong) = key.as_deref().and_then(wrong_key) {
        problem(&wrong.field, "invalid_key", wrong.message);
    }
    let event = event.ok().filter(|_| problems.len() == before)?;
    Some(NewEvent {
        id: shared.ids.next(EventId::new),
        listeners: Vec::new(),
        event,
        data,
        hops: 0,
        source: None,
        idempotency_key: key,
        over_quota: false,
        trace: None,
    })
}

/// What is wrong with an idempotency key.
pub(crate) fn wrong_key(key: &str) -> Option<FieldError> {
    let is_valid = (1..=200).contains(&key.len());
    (!is_valid).then(|| FieldError::new("idempotencyKey", "invalid_key", "must be 1 to 200 bytes"))
}

/// Tells live subscribers of a recorded event.
pub(crate) fn tell(shared: &Shared, tenant: &TenantId, event: &NewEvent, published_at: Timestamp) {
    shared.bus.publish(tenant, &format!("event:{}", event.event), || {
        let (id, name, data) = (event.id, event.event.clone(), event.data.clone());
        let trace_id = event.trace.as_ref().map(|trace| trace.trace_id);
        Message::Event(Arc::new(Event { id, event: name, data, published_at, trace_id }))
    });
}
