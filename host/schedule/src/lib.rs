//! When things are due: presets, cron patterns, one-off times, durations, time zones, and what to do about due times
//! that were missed.
//!
//! Everything here is a pure function of its arguments: no IO beyond reading time zone tables, no clock, no randomness,
//! and no knowledge of tasks, runs or storage. It is the only crate that does calendar arithmetic and the only one that
//! knows `croner` and `chrono-tz`.
//!
//! The invariant: a text that was accepted has one meaning, written down in the module that parses it, and every
//! question about an accepted schedule is answered in bounded time, whatever the pattern and the instant.

pub mod at;
pub mod cron;
pub mod duration;
pub mod misfire;
pub mod preset;
pub mod zone;

mod calendar;
mod occurrences;
mod offsets;
