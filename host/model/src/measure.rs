//! Counting what happens: numbers that many threads add to without a lock and somebody reads now and then.
//!
//! A counter is one atomic, a histogram a handful of them, made once: adding to them allocates nothing and formats
//! nothing. How they are named and written is the business of whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// What was added so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the classes of durations, in microseconds: 100 µs to one minute.
pub const DURATION_BOUNDS_US: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// How values are spread: how many were at most each of some bounds, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One class for each bound, and one for what is above the last.
    classes: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these upper bounds, in ascending order.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let classes = (0..=bounds.len()).map(|_| AtomicU64::default()).collect();
        Self { bounds, classes, sum: AtomicU64::default() }
    }

    /// A histogram of durations, in microseconds.
    #[must_use]
    pub fn of_durations() -> Self {
        Self::new(DURATION_BOUNDS_US)
    }

    /// Adds a value.
    pub fn record(&self, value: u64) {
        let class = self.bounds.partition_point(|bound| *bound < value);
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds a duration, in microseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// What was added so far.
    #[must_use]
    pub fn spread(&self) -> Spread {
        let mut count = 0;
        let counts = self.classes.iter().map(|class| {
            count += class.load(Ordering::Relaxed);
            count
        });
        let cumulative: Vec<u64> = counts.collect();
        Spread {
            bounds: self.bounds,
            count: cumulative.last().copied().unwrap_or(0),
            cumulative,
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

/// What a histogram holds at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// Upper bounds, ascending.
    pub bounds: &'static [u64],
    /// How many values were at most each bound; then, how many there were.
    pub cumulative: Vec<u64>,
    /// The values' sum.
    pub sum: u64,
    /// How many values there were.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_class_that_holds_it() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11] {
            histogram.record(value);
        }
        let expected = Spread { bounds: &[1, 10], cumulative: vec![2, 4, 5], sum: 24, count: 5 };
        assert_eq!(histogram.spread(), expected);
    }

    #[test]
    fn durations_are_counted_in_microseconds() {
        let histogram = Histogram::of_durations();
        histogram.record_duration(Duration::from_millis(3));
        histogram.record_duration(Duration::from_hours(1));
        let spread = histogram.spread();
        assert_eq!((spread.count, spread.sum), (2, 3_600_003_000));
        assert_eq!(spread.cumulative.iter().filter(|count| **count == 0).count(), 5);
    }
}
