//! The table `events`: an accepted event becomes one run per matching task, all in one transaction.

use std::sync::Arc;
use std::vec;

use innkeeper_model::id::{EventId, ExecutionId, RunId, TaskId, TenantId};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use innkeeper_model::topic::EventName;
use innkeeper_model::trace::TraceContext;
use rusqlite::{Connection, OptionalExtension as _, named_params};

use crate::record::Consequences;
use crate::run::{claim_at_once, show_running};
use crate::skip::{self, Skip, SkipReason};
use crate::target::{Origin, Target};
use crate::value::Columns as _;
use crate::{Store, StoreError, overlap};

/// An event to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its identifier.
    pub id: EventId,
    /// Its name.
    pub event: EventName,
    /// Its data as JSON text.
    pub data: Option<String>,
    /// How many events led to it.
    pub hops: u32,
    /// The run whose handler published it.
    pub source: Option<RunId>,
    /// Names the publication: a second one with the same key answers as the first did.
    pub idempotency_key: Option<String>,
    /// What led to it.
    pub trace: Option<TraceContext>,
    /// The tasks that listen to it, each with the id of the run it gets.
    pub listeners: Vec<(TaskId, RunId)>,
    /// Whether its tenant has no room for the runs: then each listener is noted as skipped.
    pub over_quota: bool,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventReceipt {
    /// Its identifier: that of the first publication, if this one repeated it.
    pub id: EventId,
    /// How many runs it made.
    pub runs: u32,
    /// Whether this publication repeated one with the same idempotency key, and did nothing.
    pub is_repeated: bool,
    /// What follows from it now.
    pub then: Consequences,
}

impl Store {
    /// Records events and their runs, all or none, in one transaction. As many of the runs as there are `executions` are
    /// claimed at once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn record_events(
        &self,
        tenant: &TenantId,
        events: Arc<[NewEvent]>,
        executions: Vec<ExecutionId>,
        now: Timestamp,
    ) -> Result<Vec<EventReceipt>, StoreError> {
        let tenant = tenant.clone();
        self.write_urgently(executions.len(), move |connection| {
            let mut executions = executions.into_iter();
            let mut receipts = Vec::with_capacity(events.len());
            for event in events.iter() {
                let mut receipt = record(connection, &tenant, event, &mut executions, now)?;
                claim_at_once(connection, &mut receipt.then, &mut executions, now)?;
                receipts.push(receipt);
            }
            show_running(connection, receipts.iter().flat_map(|receipt| &receipt.then.started))?;
            Ok(receipts)
        })
        .await
    }
}

/// Records one event.
pub(crate) fn record(
    connection: &Connection,
    tenant: &TenantId,
    event: &NewEvent,
    executions: &mut vec::IntoIter<ExecutionId>,
    now: Timestamp,
) -> Result<EventReceipt, StoreError> {
    if let Some(key) = &event.idempotency_key
        && let Some(first) = find_by_key(connection, tenant, key)?
    {
        return Ok(first);
    }
    let id = event.id.to_string();
    let sql =
        "INSERT INTO events (tenant, id, event, data, publishedAt, hops, runs, sourceRunId, idempotencyKey,
            trace)
        VALUES (:tenant, :id, :event, :data, :now, :hops, :runs, :source, :key, :trace)";
    connection.prepare_cached(sql)?.execute(named_params! {
        ":tenant": tenant.as_str(),
        ":id": id,
        ":event": event.event.as_str(),
        ":data": event.data,
        ":now": now.to_string(),
        ":hops": event.hops,
        ":runs": event.listeners.len(),
        ":source": event.source.map(|run| run.to_string()),
        ":key": event.idempotency_key,
        ":trace": event.trace.as_ref().map(ToString::to_string),
    })?;
    let then = fan_out(connection, tenant, event, executions, now)?;
    let made = then.queued.len() + then.started.len();
    let runs = u32::try_from(made).unwrap_or(u32::MAX);
    // A listener may be gone, paused or busy.
    if made != event.listeners.len() {
        let sql = "UPDATE events SET runs = ?3 WHERE tenant = ?1 AND id = ?2";
        connection.prepare_cached(sql)?.execute((tenant.as_str(), id, runs))?;
    }
    Ok(EventReceipt { id: event.id, runs, is_repeated: false, then })
}

fn fan_out(
    connection: &Connection,
    tenant: &TenantId,
    event: &NewEvent,
    executions: &mut vec::IntoIter<ExecutionId>,
    now: Timestamp,
) -> Result<Consequences, StoreError> {
    let origin = Origin {
        event_id: Some(event.id.to_string()),
        event: Some(event.event.to_string()),
        data: event.data.clone(),
        hops: event.hops,
        trace: event.trace.clone(),
        ..Origin::new(TriggerKind::Event)
    };
    let mut then = Consequences::default();
    for (task, run) in &event.listeners {
        // Whoever named the listeners may have looked before the task was changed or deleted.
        let Some(mut target) = Target::find(connection, tenant, task)? else { continue };
        if !target.on_event.as_ref().is_some_and(|pattern| pattern.matches(event.event.as_str())) {
            continue;
        }
        if event.over_quota {
            skip::note(connection, tenant, task, &Skip::one(SkipReason::Quota, now))?;
        } else if target.is_paused {
            skip::note(connection, tenant, task, &Skip::one(SkipReason::Paused, now))?;
        } else if overlap::make_room(connection, &target, now, &mut then)? {
            let execution = if target.starts_freely() { executions.next() } else { None };
            match execution {
                Some(execution) => {
                    then.started.extend(target.start_run(connection, (*run, execution), &origin, now)?);
                }
                None => then.queued.extend(target.insert_run(connection, *run, &origin, now)?),
            }
        }
    }
    Ok(then)
}

fn find_by_key(
    connection: &Connection,
    tenant: &TenantId,
    key: &str,
) -> Result<Option<EventReceipt>, StoreError> {
    let sql = "SELECT id, runs FROM events WHERE tenant = ?1 AND idempotencyKey = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_row([tenant.as_str(), key], |row| {
        let (id, runs) = (row.parsed("id")?, row.plain("runs")?);
        Ok(EventReceipt { id, runs, is_repeated: true, then: Consequences::default() })
    });
    Ok(found.optional()?)
}
