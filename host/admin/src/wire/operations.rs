//! What whoever operates a host is told.

use innkeeper_model::id::Digest;
use innkeeper_model::rollout;
use innkeeper_model::sandbox::Admission;
use innkeeper_runner::{Pruned, RunnerFigures};
use serde::Serialize;
use utoipa::ToSchema;

use super::versions::Changes;
use crate::openapi::values;

/// What the database takes, and what retention has taken out of it since the start.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    /// 0 if everything is in memory.
    bytes: u64,
    wal_bytes: u64,
    disk_free_bytes: Option<u64>,
    #[schema(value_type = values::Pruned)]
    pruned: Pruned,
}

impl Database {
    pub(crate) fn new(figures: &RunnerFigures, disk_free_bytes: Option<u64>) -> Self {
        let (bytes, wal_bytes) = (figures.store.database_bytes, figures.store.wal_bytes);
        Self { bytes, wal_bytes, disk_free_bytes, pruned: figures.pruned }
    }
}

/// A component that would be taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct Admitted {
    #[schema(value_type = values::Digest)]
    digest: Digest,
    /// How it would be called.
    handler: String,
    imports: Vec<String>,
    changes: Changes,
}

impl Admitted {
    pub(crate) fn new(admission: Admission, changes: rollout::Changes) -> Self {
        let Admission { digest, handler, imports } = admission;
        Self { digest, handler, imports, changes: changes.into() }
    }
}
