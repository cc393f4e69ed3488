//! What all of a tenant may use together: pure decisions about counts and rates.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quota {
    /// Executions at once. What is over it waits.
    Concurrency,
    /// Runs that wait, for a slot or for a retry.
    QueuedRuns,
    /// Bytes of components, key-value data, data of events and of runs, configured values and metadata of tasks.
    StoredBytes,
    /// Plugins.
    Plugins,
    /// Tasks.
    Tasks,
    /// Events published by clients, in a second.
    EventsPerSecond,
    /// Uploads of components, in an hour.
    UploadsPerHour,
}

impl Quota {
    /// Every quota, in declaration order.
    pub const ALL: [Self; 7] = [
        Self::Concurrency,
        Self::QueuedRuns,
        Self::StoredBytes,
        Self::Plugins,
        Self::Tasks,
        Self::EventsPerSecond,
        Self::UploadsPerHour,
    ];

    /// The quota's name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Concurrency => "concurrency",
            Self::QueuedRuns => "queuedRuns",
            Self::StoredBytes => "storedBytes",
            Self::Plugins => "plugins",
            Self::Tasks => "tasks",
            Self::EventsPerSecond => "eventsPerSecond",
            Self::UploadsPerHour => "uploadsPerHour",
        }
    }

    /// What somebody who has reached it can do.
    fn remedy(self) -> &'static str {
        match self {
            Self::Concurrency | Self::QueuedRuns => "wait until runs have ended",
            Self::StoredBytes => "delete plugins, keys or events",
            Self::Plugins => "delete plugins that no task names",
            Self::Tasks => "delete tasks",
            Self::EventsPerSecond => "publish more slowly",
            Self::UploadsPerHour => "upload less often",
        }
    }
}

/// The quotas of one tenant, as they are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// Executions at once; `None` means all slots but a reserve for others.
    pub concurrency: Option<u32>,
    /// Runs that wait.
    pub queued_runs: u64,
    /// Bytes of components, key-value data, data of events and of runs, configured values and metadata of tasks.
    pub stored_bytes: u64,
    /// Plugins.
    pub plugins: u64,
    /// Tasks.
    pub tasks: u64,
    /// Events that clients publish in a second, on the average of ten.
    pub events_per_second: u64,
    /// Uploads in an hour.
    pub uploads_per_hour: u64,
}

impl Quotas {
    /// The quotas a host starts with.
    pub const DEFAULT: Self = Self {
        concurrency: None,
        queued_runs: 1_000_000,
        stored_bytes: 10 << 30,
        plugins: 1_000,
        tasks: 1_000_000,
        events_per_second: 20_000,
        uploads_per_hour: 1_000,
    };

    /// These quotas, with those that are set for one tenant in their place.
    #[must_use]
    pub fn overridden(self, set: &QuotaWishes) -> Self {
        Self {
            concurrency: set.concurrency.or(self.concurrency),
            queued_runs: set.queued_runs.unwrap_or(self.queued_runs),
            stored_bytes: set.stored_bytes.unwrap_or(self.stored_bytes),
            plugins: set.plugins.unwrap_or(self.plugins),
            tasks: set.tasks.unwrap_or(self.tasks),
            events_per_second: set.events_per_second.unwrap_or(self.events_per_second),
            uploads_per_hour: set.uploads_per_hour.unwrap_or(self.uploads_per_hour),
        }
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The quotas that are set for one tenant, or for all by the host's configuration; `None` means the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaWishes {
    /// Executions at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Runs that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_runs: Option<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    /// Plugins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugins: Option<u64>,
    /// Tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
    /// Events in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_per_second: Option<u64>,
    /// Uploads in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads_per_hour: Option<u64>,
}

/// A request that would go over a quota. Nothing of it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// The quota.
    pub quota: Quota,
    /// Its value.
    pub value: u64,
    /// When it is worth trying again; `None` if only a change helps.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { quota, value, .. } = self;
        write!(
            out,
            "this would exceed the tenant's quota `{}` of {value}: {}",
            quota.as_str(),
            quota.remedy()
        )?;
        out.write_str(", or have the operator raise it")
    }
}

impl std::error::Error for Exceeded {}

/// Whether `more` may be added to `used` under a quota of `value`.
///
/// # Errors
/// [`Exceeded`] if not; `retry_after` is what it says about trying again.
pub fn check(
    quota: Quota,
    value: u64,
    used: u64,
    more: u64,
    retry_after: Option<Duration>,
) -> Result<(), Exceeded> {
    if more == 0 || used.saturating_add(more) <= value {
        return Ok(());
    }
    Err(Exceeded { quota, value, retry_after })
}

/// A token bucket: fills at a steady rate up to its capacity, and is drawn from. It may be overdrawn by one draw that is
/// larger than the capacity, if it is full: such a draw is paid off before the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    level: f64,
    filled_at: Timestamp,
}

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Units in each `per`.
    pub amount: u64,
    /// The time in which `amount` flows in.
    pub per: Duration,
    /// Units that it holds at most.
    pub capacity: u64,
}

impl Rate {
    /// So many in a second, on the average of ten.
    #[must_use]
    pub fn per_second(amount: u64) -> Self {
        Self { amount, per: Duration::from_secs(1), capacity: amount.saturating_mul(10) }
    }

    /// So many in an hour.
    #[must_use]
    pub fn per_hour(amount: u64) -> Self {
        Self { amount, per: Duration::from_hours(1), capacity: amount }
    }
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn full(rate: Rate, now: Timestamp) -> Self {
        Self { level: to_float(rate.capacity), filled_at: now }
    }

    /// Draws `amount`, or says after what time it is worth trying again; then nothing was drawn. A clock that went back
    /// neither fills nor empties it.
    ///
    /// # Errors
    /// The time until there is enough.
    pub fn draw(&mut self, rate: Rate, amount: u64, now: Timestamp) -> Result<(), Duration> {
        let capacity = to_float(rate.capacity);
        let per_second = to_float(rate.amount) / rate.per.as_secs_f64();
        self.level = (self.level + now.since(self.filled_at).as_secs_f64() * per_second).min(capacity);
        self.filled_at = now;
        let needed = to_float(amount).min(capacity);
        // A rate of nothing never lets anything through.
        if rate.amount == 0 && amount > 0 {
            return Err(Duration::from_hours(1));
        }
        if self.level < needed {
            return Err(Duration::from_secs_f64((needed - self.level) / per_second));
        }
        self.level -= to_float(amount);
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of events are far below 2^52")]
fn to_float(amount: u64) -> f64 {
    amount as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_count_may_reach_its_quota_and_not_pass_it() {
        assert_eq!(check(Quota::Tasks, 10, 9, 1, None), Ok(()));
        assert_eq!(check(Quota::Tasks, 10, 12, 0, None), Ok(()), "nothing more is always allowed");
        let refused = check(Quota::Tasks, 10, 9, 2, None).expect_err("one too many");
        assert_eq!(
            refused.to_string(),
            "this would exceed the tenant's quota `tasks` of 10: delete tasks, or have the operator raise it"
        );
        assert!(check(Quota::Tasks, u64::MAX, u64::MAX, 5, None).is_ok());
    }

    #[test]
    fn what_is_set_for_a_tenant_takes_the_place_of_the_default() {
        let set = QuotaWishes { tasks: Some(5), concurrency: Some(2), ..QuotaWishes::default() };
        let quotas = Quotas::DEFAULT.overridden(&set);
        assert_eq!((quotas.tasks, quotas.concurrency), (5, Some(2)));
        assert_eq!(quotas, Quotas { tasks: 5, concurrency: Some(2), ..Quotas::DEFAULT });
    }

    #[test]
    fn a_bucket_is_drawn_empty_and_says_when_there_is_more() {
        let rate = Rate::per_second(10);
        let mut bucket = Bucket::full(rate, at(0));
        assert_eq!(bucket.draw(rate, 100, at(0)), Ok(()));
        assert_eq!(bucket.draw(rate, 1, at(0)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.draw(rate, 1, at(100)), Ok(()));
        assert_eq!(bucket.draw(rate, 1, at(0)), Err(Duration::from_millis(100)), "a clock that went back");
    }

    #[test]
    fn more_than_it_holds_is_drawn_from_a_full_bucket_and_paid_off() {
        let rate = Rate { amount: 10, per: Duration::from_secs(1), capacity: 10 };
        let mut bucket = Bucket::full(rate, at(0));
        assert_eq!(bucket.draw(rate, 30, at(0)), Ok(()));
        assert_eq!(bucket.draw(rate, 1, at(2000)), Err(Duration::from_millis(100)));
        assert_eq!(bucket.draw(rate, 1, at(2100)), Ok(()));
    }

    #[test]
    fn a_rate_of_nothing_lets_nothing_through() {
        let rate = Rate::per_second(0);
        assert!(Bucket::full(rate, at(0)).draw(rate, 1, at(1_000_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_more_flows_out_than_was_in_it_and_flowed_in(
            amount in 1_u64..50, draws in prop::collection::vec((0_i64..500, 1_u64..20), 1..80),
        ) {
            let rate = Rate::per_second(amount);
            let mut bucket = Bucket::full(rate, at(0));
            let (mut now, mut drawn) = (0, 0);
            for (gap, wanted) in draws {
                now += gap;
                match bucket.draw(rate, wanted, at(now)) {
                    Ok(()) => drawn += wanted,
                    Err(wait) => {
                        let mut later = bucket;
                        let then = at(now).saturating_add(wait + Duration::from_millis(1));
                        prop_assert!(later.draw(rate, wanted, then).is_ok(), "it keeps its word");
                    }
                }
                let inflow = amount * u64::try_from(now).expect("positive") / 1000;
                let overdraft = 20_u64.saturating_sub(rate.capacity);
                prop_assert!(drawn <= rate.capacity + inflow + overdraft + 1);
            }
        }
    }
}
