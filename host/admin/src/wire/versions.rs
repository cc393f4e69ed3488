//! What answers about versions of plugins look like.

use innkeeper_model::event::raw_json;
use innkeeper_model::execution::{FailureKind, LogLine, Receipt};
use innkeeper_model::id::Digest;
use innkeeper_model::rollout::{self, Capability};
use innkeeper_model::sandbox::{KeyValueChange, KeyValueWrite, Outcome, PublishedEvent, Report};
use innkeeper_model::time::Timestamp;
use innkeeper_runner as runner;
use innkeeper_store as store;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::Plugin;
use crate::openapi::values;

/// A version of a plugin.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    #[schema(value_type = values::Digest)]
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    /// How it is called: `plugin`, `command`, `http`, `cron` or `messaging`; `null` if an older host did not note it.
    handler: Option<String>,
    #[schema(value_type = values::Instant)]
    created_at: Timestamp,
    /// Who uploaded it first; `null` if that was not noted.
    uploaded_by: Option<String>,
    is_active: bool,
    /// Runs that were recorded with it and have not ended.
    runs: u64,
    /// Tasks that name it.
    tasks: u64,
}

impl From<store::StoredVersion> for Version {
    fn from(version: store::StoredVersion) -> Self {
        Self {
            digest: version.digest,
            size: version.size,
            imports: version.imports,
            handler: version.handler,
            created_at: version.created_at,
            uploaded_by: version.uploaded_by,
            is_active: version.is_active,
            runs: version.runs,
            tasks: version.tasks,
        }
    }
}

/// The version that another one is compared with.
#[derive(Serialize, ToSchema)]
struct Former {
    #[schema(value_type = values::Digest)]
    digest: Digest,
    size: u64,
    /// How it is called; `null` if that was not noted.
    handler: Option<String>,
}

/// What is different about a version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Changes {
    /// The version that was active; `null` if there was none.
    before: Option<Former>,
    imports_added: Vec<String>,
    imports_removed: Vec<String>,
    /// Kinds of grants that it asks for and the one before did not.
    #[schema(value_type = Vec<values::CapabilityName>)]
    newly_needed: Vec<Capability>,
    /// Kinds of grants that it asks for and of which the plugin has none.
    #[schema(value_type = Vec<values::CapabilityName>)]
    missing: Vec<Capability>,
}

impl From<rollout::Changes> for Changes {
    fn from(changes: rollout::Changes) -> Self {
        let former = |facts: rollout::VersionFacts| Former {
            digest: facts.digest,
            size: facts.size,
            handler: facts.handler,
        };
        Self {
            before: changes.before.map(former),
            imports_added: changes.imports_added,
            imports_removed: changes.imports_removed,
            newly_needed: changes.newly_needed,
            missing: changes.missing,
        }
    }
}

/// A plugin after one of its versions was stored or activated.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolledOut {
    #[serde(flatten)]
    plugin: Plugin,
    version: Version,
    changes: Changes,
    /// Runs that moved to the version.
    migrated_runs: u64,
    /// How it did with the sample event, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<Trial>,
}

impl From<runner::RolledOut> for RolledOut {
    fn from(done: runner::RolledOut) -> Self {
        Self {
            plugin: done.plugin.into(),
            version: done.version.into(),
            changes: done.deployed.changes.into(),
            migrated_runs: done.deployed.migrated,
            trial: done.trial.map(Into::into),
        }
    }
}

/// An execution that was only tried: nothing that it asked for was done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trial {
    /// The kind of its failure; `null` if it succeeded.
    #[schema(value_type = Option<values::FailureName>)]
    kind: Option<FailureKind>,
    error: Option<String>,
    #[serde(serialize_with = "raw_json")]
    #[schema(value_type = values::AnyJson)]
    output: Option<String>,
    #[schema(value_type = Vec<values::LogLine>)]
    logs: Vec<LogLine>,
    /// What it would have published.
    events: Vec<TrialEvent>,
    /// What it would have written.
    writes: Vec<TrialWrite>,
    #[schema(value_type = values::Receipt)]
    receipt: Receipt,
}

/// An event that was not published.
#[derive(Debug, Serialize, ToSchema)]
struct TrialEvent {
    event: String,
    #[serde(serialize_with = "raw_json")]
    #[schema(value_type = values::AnyJson)]
    data: Option<String>,
}

/// A key-value write that was not made.
#[derive(Debug, Serialize, ToSchema)]
struct TrialWrite {
    bucket: String,
    key: String,
    /// `set`, `delete` or `add`.
    change: &'static str,
    /// What would have been set, as text as far as it is, or added.
    value: Option<String>,
}

impl From<Report> for Trial {
    fn from(report: Report) -> Self {
        let (kind, error, output) = match report.outcome {
            Outcome::Success(output) => (None, None, output),
            Outcome::Failure(failure) => (Some(failure.kind), Some(failure.message), None),
        };
        Self {
            kind,
            error,
            output,
            logs: report.logs,
            events: report.effects.events.into_iter().map(Into::into).collect(),
            writes: report.effects.writes.into_iter().map(Into::into).collect(),
            receipt: report.receipt,
        }
    }
}

impl From<PublishedEvent> for TrialEvent {
    fn from(event: PublishedEvent) -> Self {
        Self { event: event.event.to_string(), data: event.data }
    }
}

impl From<KeyValueWrite> for TrialWrite {
    fn from(write: KeyValueWrite) -> Self {
        let (change, value) = match write.change {
            KeyValueChange::Set(value) => ("set", Some(String::from_utf8_lossy(&value).into_owned())),
            KeyValueChange::Delete => ("delete", None),
            KeyValueChange::Add(amount) => ("add", Some(amount.to_string())),
        };
        Self { bucket: write.bucket, key: write.key, change, value }
    }
}

/// How far a version has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionState {
    #[schema(value_type = values::Digest)]
    digest: Digest,
    /// `compiling`; `ready`: it is stored; `refused`: `answer` says why; `interrupted`: the host stopped meanwhile, upload it
    /// again.
    state: &'static str,
    /// When the upload was received; `null` if it was answered when it was done.
    #[schema(value_type = Option<values::Instant>)]
    started_at: Option<Timestamp>,
    /// How long it has taken, or took.
    elapsed_ms: Option<u64>,
    /// The version, if it is stored.
    version: Option<Version>,
    /// The status that the upload would have been answered with, once it is done.
    status: Option<u16>,
    /// What it would have been answered with.
    #[schema(value_type = values::AnyJson)]
    answer: Option<Box<RawValue>>,
}

impl VersionState {
    /// The state of a version that is stored, or of which an upload is known.
    pub(crate) fn new(
        digest: Digest,
        version: Option<store::StoredVersion>,
        upload: Option<store::UploadRecord>,
        now: Timestamp,
    ) -> Self {
        let Some(upload) = upload else {
            let version = version.map(Into::into);
            let (started_at, elapsed_ms, status, answer) = (None, None, None, None);
            return Self { digest, state: "ready", started_at, elapsed_ms, version, status, answer };
        };
        let end = upload.ended_at.unwrap_or(now);
        let (status, answer) = upload.answer.unzip();
        let state = match (upload.ended_at, status) {
            (None, _) => "compiling",
            (Some(_), None) => "interrupted",
            (Some(_), Some(status)) if status < 300 => "ready",
            (Some(_), Some(_)) => "refused",
        };
        Self {
            digest,
            state,
            started_at: Some(upload.started_at),
            elapsed_ms: u64::try_from(end.since(upload.started_at).as_millis()).ok(),
            version: version.map(Into::into),
            status,
            answer: answer.and_then(|text| RawValue::from_string(text).ok()),
        }
    }
}
