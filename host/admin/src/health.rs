//! Whether the host is alive, and whether it is ready for work; and why not.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::router::Api;
use crate::wire;

/// How long the writer may take to answer a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether the process answers.
pub(crate) async fn alive() -> impl IntoResponse {
    Json(wire::Condition { status: "ok" })
}

/// One thing that readiness hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Check {
    name: &'static str,
    ok: bool,
    /// What is wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    status: &'static str,
    checks: Vec<Check>,
}

/// Whether the host takes work: it is not stopping, its store can write, and its disk has room.
pub(crate) async fn ready(State(api): State<Arc<Api>>) -> Result<impl IntoResponse, Problem> {
    let is_draining = api.stop.is_cancelled() || api.runner.is_stopping();
    let disk = Disk { is_full: api.runner.is_full(), free: api.runner.free_bytes(), min: api.disk_free_min };
    let probed = tokio::time::timeout(PROBE_TIMEOUT, api.runner.probe()).await;
    let written = match probed {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("the store has not answered for {} s", PROBE_TIMEOUT.as_secs())),
    };
    let draining = is_draining.then(|| "the host is shutting down".to_owned());
    let checks = vec![check("draining", draining), check("store", written), check("disk", disk.problem())];
    if checks.iter().all(|check| check.ok) {
        return Ok(Json(Readiness { status: "ready", checks }));
    }
    Err(Problem::not_ready(is_draining, checks))
}

fn check(name: &'static str, reason: Option<String>) -> Check {
    Check { name, ok: reason.is_none(), reason }
}

/// What is known of the disk.
struct Disk {
    is_full: bool,
    /// `None` if the host keeps everything in memory.
    free: Option<u64>,
    min: u64,
}

impl Disk {
    fn problem(&self) -> Option<String> {
        if self.is_full {
            return Some("the disk is full; deletions go on, new work is refused".to_owned());
        }
        let free = self.free.filter(|free| *free < self.min)?;
        Some(format!("{free} bytes of the disk are free, less than the mark of {} (diskFreeMin)", self.min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_fine_above_its_mark() {
        let disk = |is_full, free, min| Disk { is_full, free, min }.problem();
        assert_eq!(disk(false, None, 10), None);
        assert_eq!(disk(false, Some(10), 10), None);
        assert!(disk(false, Some(9), 10).is_some_and(|reason| reason.contains("9 bytes")));
        assert!(disk(true, Some(99), 10).is_some_and(|reason| reason.contains("full")));
    }
}
