//! The task runner: fire, dispatch, execute, settle, recover; publish and subscribe.
//!
//! An embeddable library: it knows neither HTTP nor WebAssembly. Guest code runs behind
//! [`innkeeper_model::sandbox::Sandbox`], stored state lives behind [`innkeeper_store::Store`], instants come from a
//! [`innkeeper_model::clock::Clock`]. The loops here only load, ask, apply and report; what they ask are pure functions
//! of the model, of the schedule, and of the files `plan`, `verdict`, `queue` and `define`.
//!
//! The invariant it keeps: a run reaches exactly one end, and its attempts never overlap.

mod task_runner;

mod alerts;
mod apply;
mod audit;
mod config_values;
mod declaration;
mod define;
mod dispatch;
mod dry_run;
mod execute;
mod feed;
mod fire;
mod manual;
mod metrics;
mod near;
mod operations;
mod plan;
mod plugin_lines;
mod plugins;
mod policies;
mod presets;
mod publish;
mod quarantine;
mod query;
mod queue;
mod quotas;
mod replace;
mod replay;
mod retention;
mod running;
mod schedules;
mod slots;
mod spans;
mod staged;
mod state;
mod tasks;
mod tenant_status;
mod tenants;
mod tokens;
mod trial;
mod upcoming;
mod values;
mod verdict;
mod versions;
mod why;

pub mod bus;
pub mod config;
pub mod error;
pub mod ids;
pub mod library;
pub mod secret_key;

pub use config::RunnerConfig;
pub use declaration::{
    ApplyPlan, Declaration, DeclaredPlugin, DeclaredTask, DeclaredValue, PlannedPlugin, PlannedTask,
    PlannedValue, PlannedVersion,
};
pub use define::define_limits;
pub use error::RunnerError;
pub use feed::{FeedLimits, Follower, Heard, InvalidPosition, Position};
pub use library::{EmbeddedRunner, EventSubscription, TaskRunnerConfig, create_task_runner};
pub use manual::ManualRequest;
pub use metrics::{RunnerFigures, TenantFigures};
pub use publish::Publication;
pub use query::TaskStats;
pub use replay::{RedriveReport, Repeated};
pub use retention::{Pruned, Retention};
pub use secret_key::SecretKey;
pub use spans::{Attribute, RequestSpan, Span, SpanFigures, SpanQueue};
pub use staged::StagedComponent;
pub use task_runner::TaskRunner;
pub use tenants::TenantView;
pub use tokens::Caller;
pub use trial::Sample;
pub use upcoming::{DueTime, DueWindow, Upcoming};
pub use versions::{Deployment, RolledOut};
