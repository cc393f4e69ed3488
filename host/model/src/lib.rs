//! Vocabulary and pure decisions of the Innkeeper host.
//!
//! Every other crate speaks in these types. Nothing here knows a database, a clock that ticks, a socket or a
//! WebAssembly engine: a rule that needs one of them to be tested is in the wrong place. Decisions are functions of
//! `(now, state)`.

pub mod access;
pub mod alert;
pub mod clock;
pub mod egress;
pub mod event;
pub mod execution;
pub mod grants;
pub mod grants_config;
pub mod id;
pub mod key_value;
pub mod limits;
pub mod measure;
pub mod overlap;
pub mod precondition;
pub mod problem;
pub mod progress;
pub mod quarantine;
pub mod quota;
pub mod rate;
pub mod redact;
pub mod retry;
pub mod rollout;
pub mod run;
pub mod sandbox;
pub mod task;
pub mod task_config;
pub mod tenant;
pub mod time;
pub mod topic;
pub mod trace;
pub mod upload;

/// A boxed future, for traits that must stay object safe.
pub type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
