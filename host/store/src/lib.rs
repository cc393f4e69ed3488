//! The SQLite store: migrations, one writer with group commit, many readers.
//!
//! The only crate that knows SQL. What others ask of it are domain verbs (record, claim, settle, recover), each one
//! transaction; nothing of SQLite shows in a type. It decides nothing that depends on a clock or on chance: instants
//! and identifiers come in as arguments. An answer is given after the commit.

mod alert;
mod audit;
mod backup;
mod check;
mod config;
mod connection;
mod control;
mod due;
mod error;
mod event;
mod execution;
mod figures;
mod key_value;
mod overlap;
mod plugin;
mod plugin_policy;
mod plugin_version;
mod preset;
mod queued;
mod rate;
mod readers;
mod record;
mod recover;
mod retention;
mod room;
mod run;
mod settle;
mod skip;
mod stats;
mod store;
mod suspect;
mod target;
mod task;
mod tenant;
mod tenant_delete;
mod token;
mod value;
mod writer;

pub use alert::{Doomed, Expected, Watched};
pub use audit::AuditEntry;
pub use backup::restore;
pub use check::{Check, check};
pub use config::{ConfigEntry, StoredConfig, StoredSecret};
pub use connection::{Durability, Location};
pub use control::Deleted;
pub use due::{DueDecision, DueTask};
pub use error::StoreError;
pub use event::{EventReceipt, NewEvent};
pub use execution::ExecutionFilter;
pub use figures::StoreFigures;
pub use key_value::{BucketSize, Condition, KeySize, Written};
pub use plugin::{Plugin, PluginPut, PluginVersion};
pub use plugin_policy::PluginPolicy;
pub use plugin_version::{StoredVersion, VersionChoice};
pub use preset::Preset;
pub use queued::{QueuedRun, Subscriber, WaitingRun};
pub use record::{Consequences, ManualRun};
pub use recover::Recovered;
pub use retention::Step;
pub use room::free_bytes;
pub use run::{Claim, ClaimRequest, Claimed};
pub use settle::{RunEnding, Settled, Settlement, Verdict};
pub use skip::{Skip, SkipReason};
pub use stats::StoredStats;
pub use store::Store;
pub use suspect::Suspect;
pub use task::{NewTask, Replaced, TaskFilter};
pub use tenant::TenantUsage;
pub use token::Token;
