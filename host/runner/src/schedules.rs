//! Parsed schedules, kept: a pattern takes some ten microseconds to parse and is asked for at every due time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use innkeeper_schedule::cron::Schedule;
use innkeeper_schedule::zone::{TimezoneData, Zone};

/// Schedules kept at most. When there are more, all are forgotten and parsed again as they are asked for.
const KEPT_MAX: usize = 10_000;

/// Reads zones from the chosen tables, and schedules in them.
#[derive(Debug)]
pub(crate) struct Schedules {
    tables: TimezoneData,
    kept: Mutex<HashMap<(String, String), Schedule>>,
}

impl Schedules {
    pub(crate) fn new(tables: TimezoneData) -> Self {
        Self { tables, kept: Mutex::default() }
    }

    pub(crate) fn tables(&self) -> &TimezoneData {
        &self.tables
    }

    /// The zone of a stored task; `None` if its name is no longer known.
    pub(crate) fn zone(&self, name: &str) -> Option<Zone> {
        self.tables.zone(name).ok()
    }

    /// The schedule of a stored task; `None` if it is no longer understood.
    pub(crate) fn schedule(&self, cron: &str, timezone: &str) -> Option<Schedule> {
        let key = (cron.to_owned(), timezone.to_owned());
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        kept.or_else(|| {
            let schedule = Schedule::parse(cron, &self.zone(timezone)?).ok()?;
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(key, schedule.clone());
            Some(schedule)
        })
    }
}
