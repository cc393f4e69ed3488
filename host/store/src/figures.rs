//! What the store counts of its own work, and what its files measure.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use innkeeper_model::measure::{Counter, Histogram, Spread};

use crate::skip::SkipReason;
use crate::{Location, Store};

/// Upper bounds of the classes of group sizes.
const GROUP_BOUNDS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

thread_local! {
    /// What the transaction in progress would add. A database has one writing thread, and each thread its own.
    static TALLY: Cell<Tally> = const { Cell::new(Tally::NONE) };
}

/// What one transaction adds to the counts of what did not run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    skipped: [u64; SkipReason::ALL.len()],
    deferred: u64,
}

impl Tally {
    const NONE: Self = Self { skipped: [0; SkipReason::ALL.len()], deferred: 0 };

    /// Counts due times or events that did not become runs.
    pub(crate) fn skip(reason: SkipReason, count: u64) {
        Self::change(|tally| tally.skipped[reason as usize] += count);
    }

    /// Counts a start that a rate limit put off.
    pub(crate) fn defer() {
        Self::change(|tally| tally.deferred += 1);
    }

    /// What the transaction in progress has counted so far.
    pub(crate) fn current() -> Self {
        TALLY.get()
    }

    /// Goes back to an earlier count: what came after it was taken back.
    pub(crate) fn restore(self) {
        TALLY.set(self);
    }

    /// Begins anew.
    pub(crate) fn take() -> Self {
        TALLY.replace(Self::NONE)
    }

    fn change(change: impl FnOnce(&mut Self)) {
        let mut tally = TALLY.get();
        change(&mut tally);
        TALLY.set(tally);
    }
}

/// What the writer counts.
#[derive(Debug)]
pub(crate) struct Measures {
    pub(crate) group_sizes: Histogram,
    pub(crate) commits: Histogram,
    pub(crate) failures: Counter,
    skipped: [Counter; SkipReason::ALL.len()],
    deferred: Counter,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            group_sizes: Histogram::new(GROUP_BOUNDS),
            commits: Histogram::of_durations(),
            failures: Counter::default(),
            skipped: Default::default(),
            deferred: Counter::default(),
        }
    }
}

impl Measures {
    /// Adds what a committed transaction has counted.
    pub(crate) fn add(&self, tally: Tally) {
        for (counter, count) in self.skipped.iter().zip(tally.skipped) {
            counter.add(count);
        }
        self.deferred.add(tally.deferred);
    }
}

/// Figures of a store since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreFigures {
    /// How many commands a transaction held.
    pub group_sizes: Spread,
    /// How long transactions took, from their begin to the end of their commit, in microseconds.
    pub commits: Spread,
    /// Transactions that failed as a whole.
    pub failures: u64,
    /// Whether the disk was full and has had no room since.
    pub is_full: bool,
    /// Due times and events that did not become runs, by reason.
    pub skipped: Vec<(SkipReason, u64)>,
    /// Starts that a rate limit put off.
    pub deferred: u64,
    /// Bytes of the database file; 0 in memory.
    pub database_bytes: u64,
    /// Bytes of the write-ahead log; 0 in memory.
    pub wal_bytes: u64,
}

impl Store {
    /// What it counted and what its files measure now.
    #[must_use]
    pub fn figures(&self) -> StoreFigures {
        let measures = self.measures();
        let counts = SkipReason::ALL.into_iter().zip(&measures.skipped);
        let (database_bytes, wal_bytes) = match self.location() {
            Location::Memory => (0, 0),
            Location::File(path) => (size(path), size(&beside(path, "-wal"))),
        };
        StoreFigures {
            group_sizes: measures.group_sizes.spread(),
            commits: measures.commits.spread(),
            failures: measures.failures.get(),
            is_full: self.is_full(),
            skipped: counts.map(|(reason, count)| (reason, count.get())).collect(),
            deferred: measures.deferred.get(),
            database_bytes,
            wal_bytes,
        }
    }
}

/// A file that SQLite keeps beside the database.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |data| data.len())
}

#[cfg(test)]
mod tests {
    use innkeeper_model::id::TenantId;

    use super::*;
    use crate::skip::{self, Skip};
    use crate::{Durability, StoreError};

    #[tokio::test]
    async fn what_is_taken_back_is_not_counted() {
        let store = Store::open(&Location::Memory, Durability::Full).expect("a store");
        let note = |fails: bool| {
            store.write(move |transaction| {
                let (tenant, task) = (TenantId::default_tenant(), "task".parse().expect("an id"));
                let at = innkeeper_model::time::Timestamp::from_millis(0);
                skip::note(transaction, &tenant, &task, &Skip::one(SkipReason::Paused, at))?;
                if fails { Err(StoreError::Full) } else { Ok(()) }
            })
        };
        note(true).await.expect_err("it fails");
        note(false).await.expect("it is stored");
        let figures = store.figures();
        let skipped: u64 = figures.skipped.iter().map(|(_, count)| count).sum();
        assert_eq!(skipped, 1);
        assert!(figures.skipped.contains(&(SkipReason::Paused, 1)));
        assert_eq!(figures.group_sizes.count, figures.commits.count);
        assert!(figures.commits.count >= 1);
    }
}
