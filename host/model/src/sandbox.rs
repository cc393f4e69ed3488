//! The seam between the runner and whatever runs guest code.

use std::fmt;
use std::sync::Arc;

use crate::BoxFuture;
use crate::execution::{Failure, LogLine, Receipt};
use crate::grants::Grants;
use crate::id::{Digest, ExecutionId, PluginName, RunId, TaskId, TenantId};
use crate::limits::Limits;
use crate::measure::Spread;
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::upload::Upload;

/// Runs guest code. Two implementations: the WebAssembly engine, and a scripted one for tests of the runner.
pub trait Sandbox: Send + Sync + 'static {
    /// Checks an uploaded component and makes it ready to run: contract, imports, structure, compilation, one trial
    /// instantiation. Takes as long as a compilation does; nothing is kept of a refused one.
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>>;

    /// Runs one execution in a fresh sandbox. Ends soon after `stop` resolves, with the failure that it names.
    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report>;

    /// What it has done and holds at this moment. One that counts nothing answers with zeros.
    fn figures(&self) -> SandboxFigures {
        SandboxFigures::default()
    }
}

/// Figures of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SandboxFigures {
    /// Executions that the pool of instances has room for.
    pub slots: u64,
    /// Executions that have a place in it now.
    pub slots_used: u64,
    /// Plugin versions kept ready in memory.
    pub plugins_loaded: u64,
    /// Bytes of their machine code and data.
    pub plugins_loaded_bytes: u64,
    /// How long compilations took, in microseconds.
    pub compilations: Spread,
}

/// What the host found in an accepted component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The version's name.
    pub digest: Digest,
    /// How it is called, in short, such as `command`.
    pub handler: String,
    /// Interfaces it imports, by full name, sorted.
    pub imports: Vec<String>,
}

/// Why a component was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not a valid component.
    #[error("{0}")]
    Invalid(String),
    /// A core module, not a component, and none that can be made one.
    #[error(
        "this is a core WebAssembly module, not a component, and no program either (it exports no `_start`): build it for \
        the target wasm32-wasip2"
    )]
    CoreModule,
    /// The component exports no handler.
    #[error(
        "the component has no handler: it exports {}; a plugin exports one of {}",
        list(found),
        list(accepted)
    )]
    MissingExport {
        /// What would make it a plugin.
        accepted: Vec<String>,
        /// What the component exports instead.
        found: Vec<String>,
    },
    /// The component exports several handlers.
    #[error("the component has several handlers, and must have one for the host to know which to call: {}", list(.0))]
    SeveralHandlers(Vec<String>),
    /// The component needs something this host does not offer.
    #[error(
        "the component imports what this host does not offer: {}; build it without, or against the interfaces and releases \
        that the plugin guide lists",
        list(.0)
    )]
    MissingImports(Vec<String>),
    /// It breaks a limit on structure or size.
    #[error("{0}")]
    TooLarge(String),
    /// It could not be compiled or started.
    #[error("{0}")]
    DoesNotStart(String),
    /// Nothing is known about the component: the host could not look at it.
    #[error("{0}")]
    HostFault(String),
}

impl Refusal {
    /// A stable code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_component",
            Self::CoreModule => "core_module",
            Self::MissingExport { .. } => "missing_export",
            Self::SeveralHandlers(_) => "several_handlers",
            Self::MissingImports(_) => "missing_import",
            Self::TooLarge(_) => "component_too_large",
            Self::DoesNotStart(_) => "component_does_not_start",
            Self::HostFault(_) => "compiler_failed",
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Everything one execution needs.
#[derive(Clone)]
pub struct Invocation {
    /// Whose it is.
    pub tenant: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run: the same for every attempt.
    pub run_id: RunId,
    /// This attempt.
    pub execution_id: ExecutionId,
    /// The plugin's name.
    pub plugin: PluginName,
    /// The version to run.
    pub digest: Digest,
    /// This attempt's number, from 1.
    pub attempt: u32,
    /// How many attempts the run has.
    pub max_attempts: u32,
    /// The due time, for scheduled runs.
    pub scheduled_at: Option<Timestamp>,
    /// When the execution was claimed.
    pub started_at: Timestamp,
    /// The task's metadata as JSON text.
    pub metadata: Option<Arc<str>>,
    /// Where it stands in a trace: what follows from it stands below this.
    pub trace: TraceContext,
    /// The event's name; `None` for schedules.
    pub event: Option<String>,
    /// The event's data as JSON text.
    pub data: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// Bytes of the data of one event that it publishes, as JSON text: the same as for everybody who publishes.
    pub event_data_bytes_max: usize,
    /// What it may reach.
    pub grants: Arc<Grants>,
    /// Where stored state is read.
    pub state: Arc<dyn StateReader>,
    /// Who hears how far it is.
    pub progress: Arc<dyn ProgressSink>,
}

/// Hears how far executions say they are.
pub trait ProgressSink: Send + Sync + 'static {
    /// The execution of `from` says that so much of its work is done, as a fraction, and what it is doing. It may say so as
    /// often as it likes, and what it says may be any number and any text.
    fn report(self: Arc<Self>, from: &Invocation, fraction: f32, note: &str);
}

/// Nobody hears it.
#[derive(Debug, Clone, Copy)]
pub struct Unheard;

impl ProgressSink for Unheard {
    fn report(self: Arc<Self>, _: &Invocation, _: f32, _: &str) {}
}

/// Stored state as an execution may read it.
pub trait StateReader: Send + Sync + 'static {
    /// The bytes of a plugin version, or `None` if it is gone.
    fn component(
        &self,
        tenant: &TenantId,
        digest: &Digest,
    ) -> BoxFuture<Result<Option<Arc<[u8]>>, StateError>>;

    /// The value under `key` in the tenant's bucket.
    fn value(
        &self,
        tenant: &TenantId,
        bucket: &str,
        key: &str,
    ) -> BoxFuture<Result<Option<Vec<u8>>, StateError>>;

    /// Keys of the tenant's bucket after `after`, in order, at most `limit`.
    fn keys(
        &self,
        tenant: &TenantId,
        bucket: &str,
        after: Option<&str>,
        limit: u32,
    ) -> BoxFuture<Result<Vec<String>, StateError>>;

    /// The value under `key` in the tenant's configuration, a secret in plain text. Where there is no configuration, there
    /// is no value.
    fn configuration(
        &self,
        tenant: &TenantId,
        key: &str,
    ) -> BoxFuture<Result<Option<ConfigValue>, StateError>> {
        let _ = (tenant, key);
        Box::pin(async { Ok(None) })
    }
}

/// Stored state could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StateError(pub String);

/// Why a running execution is to end now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody cancelled it.
    Cancelled,
    /// The host is shutting down.
    Interrupted,
}

/// How an execution ended, with everything it leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The result.
    pub outcome: Outcome,
    /// What it asked for. Applied only on success.
    pub effects: Effects,
    /// What it logged, in order.
    pub logs: Vec<LogLine>,
    /// What it used.
    pub receipt: Receipt,
}

/// The result of an execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The handler returned; its output is JSON text.
    Success(Option<String>),
    /// It failed.
    Failure(Failure),
}

/// What a handler asked for, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// Events to publish.
    pub events: Vec<PublishedEvent>,
    /// Key-value writes.
    pub writes: Vec<KeyValueWrite>,
}

/// An event a handler published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvent {
    /// Its name.
    pub event: crate::topic::EventName,
    /// Its data as JSON text.
    pub data: Option<String>,
}

/// One write to the key-value store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValueWrite {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What it does.
    pub change: KeyValueChange,
    /// What it relies on.
    pub expected: Expected,
}

/// What a write does to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyValueChange {
    /// Sets the value.
    Set(Vec<u8>),
    /// Deletes the key, if it is there.
    Delete,
    /// Adds to the number that is there when the write is applied, whoever else has added to it meanwhile.
    Add(i64),
}

/// What a write relies on. If it does not hold when the write is to be applied, that is a conflict, and nothing of the
/// execution is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// The key has this value, or is not there.
    Value(Option<Vec<u8>>),
}

/// A value of the tenant's configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigValue {
    /// The text.
    pub text: String,
    /// Whether it is to be kept out of everything that people read.
    pub is_secret: bool,
}

/// A secret is not printed, by whatever mistake.
impl fmt::Debug for ConfigValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.is_secret { crate::redact::MARK } else { &self.text };
        out.debug_struct("ConfigValue").field("text", &text).field("is_secret", &self.is_secret).finish()
    }
}
