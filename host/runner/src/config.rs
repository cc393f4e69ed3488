//! Settings of a runner.

use std::time::Duration;

use crate::retention::Retention;
use innkeeper_model::limits::Limits;
use innkeeper_model::quota::Quotas;
use innkeeper_schedule::zone::{TimezoneData, Zone};

use crate::feed::FeedLimits;
use crate::secret_key::SecretKey;
use crate::spans::SpanQueue;

/// Settings of a runner.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The tables that say when clocks change: those compiled in, or those of the system.
    pub timezone_data: TimezoneData,
    /// The time zone of tasks that name none.
    pub timezone: Zone,
    /// Executions at once.
    pub concurrency: u32,
    /// What one execution may use at most.
    pub limits: Limits,
    /// What all of one tenant may use, unless the operator sets something else for it.
    pub quotas: Quotas,
    /// Bytes of one event's data, as JSON text.
    pub event_data_bytes_max: usize,
    /// What secrets are encrypted with; without one, none can be stored.
    pub secret_key: Option<SecretKey>,
    /// How long what has happened is kept.
    pub retention: Retention,
    /// Tenants that metrics tell apart, the first that are seen; the others are counted together.
    pub metric_tenants_max: usize,
    /// What is kept of the latest messages of each tenant for the readers of streams.
    pub feeds: FeedLimits,
    /// Where spans wait to be exported; `None` makes none.
    pub spans: Option<SpanQueue>,
    /// How long a shutdown waits for running executions before it interrupts them.
    pub shutdown_grace: Duration,
}

impl Default for RunnerConfig {
    fn default() -> Self {
        Self {
            timezone_data: TimezoneData::Bundled,
            timezone: Zone::utc(),
            concurrency: 256,
            limits: Limits::DEFAULT,
            quotas: Quotas::DEFAULT,
            event_data_bytes_max: 256 << 10,
            secret_key: None,
            retention: Retention::default(),
            metric_tenants_max: 100,
            feeds: FeedLimits::default(),
            spans: None,
            shutdown_grace: Duration::from_secs(25),
        }
    }
}
