//! Rate limits at the moment of a claim: the window is read and moved in the transaction that starts the execution.

use innkeeper_model::rate::{RateDecision, RateState, decide};
use innkeeper_model::task::{RateLimit, RateOverflow, RateStrategy};
use innkeeper_model::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::figures::Tally;
use crate::run::{Claim, Claimed};
use crate::settle::refresh_task;
use crate::skip::{self, Skip, SkipReason};
use crate::value::Columns as _;

/// What the rate limit says to a claim.
pub(crate) enum Pass {
    /// The execution may start, and so many more after it.
    Through(u32),
    /// It may not.
    Refused(Claim),
}

/// Asks the limit, and moves the window on if the execution may start.
pub(crate) fn pass(
    connection: &Connection,
    claimed: &Claimed,
    limit: &RateLimit,
    mut state: RateState,
    now: Timestamp,
) -> Result<Pass, StoreError> {
    let mut in_window = 0;
    if limit.strategy == RateStrategy::Sliding {
        state.limiting = limiting(connection, claimed, limit)?;
        in_window = count_since(connection, claimed, limit, now.saturating_sub(limit.interval))?;
    }
    match decide(limit, &state, in_window, now) {
        RateDecision::Start { count, window } => {
            let sql = "UPDATE tasks SET rateCount = ?3, rateWindow = ?4 WHERE tenant = ?1 AND id = ?2";
            let (tenant, task) = (claimed.tenant.as_str(), claimed.task_id.as_str());
            connection.prepare_cached(sql)?.execute(params![tenant, task, count, window.to_string()])?;
            Ok(Pass::Through(limit.limit.saturating_sub(count)))
        }
        RateDecision::Hold(until) if limit.overflow == RateOverflow::Delay => {
            let sql = "UPDATE runs SET readyAt = ?3 WHERE tenant = ?1 AND id = ?2";
            let values = (claimed.tenant.as_str(), claimed.run_id.to_string(), until.to_string());
            connection.prepare_cached(sql)?.execute(values)?;
            Tally::defer();
            Ok(Pass::Refused(Claim::Held(until)))
        }
        RateDecision::Hold(_) => {
            drop_run(connection, claimed, now)?;
            Ok(Pass::Refused(Claim::Dropped))
        }
    }
}

/// When the `limit`-th latest execution of the task started. Identifiers are in the order of starting.
fn limiting(
    connection: &Connection,
    claimed: &Claimed,
    limit: &RateLimit,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT startedAt FROM task_executions INDEXED BY task_executions_by_task
        WHERE tenant = ?1 AND taskId = ?2
        ORDER BY id DESC LIMIT 1 OFFSET ?3";
    let values = params![claimed.tenant.as_str(), claimed.task_id.as_str(), limit.limit.saturating_sub(1)];
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(values, |row| row.parsed("startedAt")).optional()?)
}

/// How many of the latest executions, at most `limit`, started after `after`.
fn count_since(
    connection: &Connection,
    claimed: &Claimed,
    limit: &RateLimit,
    after: Timestamp,
) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT startedAt FROM task_executions INDEXED BY task_executions_by_task
            WHERE tenant = ?1 AND taskId = ?2 ORDER BY id DESC LIMIT ?3) WHERE startedAt > ?4";
    let (tenant, task) = (claimed.tenant.as_str(), claimed.task_id.as_str());
    let values = params![tenant, task, limit.limit, after.to_string()];
    Ok(connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
}

fn drop_run(connection: &Connection, claimed: &Claimed, now: Timestamp) -> Result<(), StoreError> {
    let key = (claimed.tenant.as_str(), claimed.run_id.to_string());
    connection.prepare_cached("DELETE FROM runs WHERE tenant = ?1 AND id = ?2")?.execute(key)?;
    let skip = Skip::one(SkipReason::RateLimited, claimed.scheduled_at.unwrap_or(now));
    skip::note(connection, &claimed.tenant, &claimed.task_id, &skip)?;
    refresh_task(connection, &claimed.tenant, &claimed.task_id)?;
    Ok(())
}
