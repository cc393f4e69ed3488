//! The reference cases in `tests/vectors`, each one run.

use std::fmt::Debug;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use innkeeper_model::time::Timestamp;
use innkeeper_schedule::at::resolve_at;
use innkeeper_schedule::cron::{CronError, Schedule};
use innkeeper_schedule::zone::Zone;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// More than an unoptimised build on a busy machine needs, and far less than a search that runs away.
const REFUSAL_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
struct CronCase {
    id: String,
    pattern: String,
    timezone: String,
    from: Timestamp,
    next: Vec<Timestamp>,
    previous: Vec<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct AtCase {
    id: String,
    at: String,
    timezone: String,
    utc: Timestamp,
}

fn cases<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<T> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!cases.is_empty(), "{file} has no cases");
    cases
}

fn zone(name: &str) -> Zone {
    name.parse().expect(name)
}

#[expect(clippy::disallowed_methods, reason = "that a refusal is quick is what is tested")]
fn assert_refused_quickly<T, E: Debug>(value: &str, check: impl Fn(&str) -> Result<T, E>) {
    let started = Instant::now();
    assert!(check(value).is_err(), "`{value}` was accepted");
    assert!(started.elapsed() < REFUSAL_MAX, "`{value}` took {:?}", started.elapsed());
}

#[test]
fn cron_patterns_fire_like_the_reference() {
    for case in cases::<CronCase>("cron.json") {
        let schedule = match Schedule::parse(&case.pattern, &zone(&case.timezone)) {
            Ok(schedule) => schedule,
            Err(CronError::NeverFires { .. }) if case.next.is_empty() && case.previous.is_empty() => continue,
            Err(error) => panic!("{}: {error}", case.id),
        };
        // A file lists at most ten and three; fewer mean that there are no more.
        assert_eq!(schedule.next_n(case.from, 10), case.next, "{case:?}");
        assert_eq!(schedule.previous_n(case.from, 3), case.previous, "{case:?}");
    }
}

#[test]
fn one_off_times_resolve_like_the_reference() {
    for case in cases::<AtCase>("at.json") {
        assert_eq!(resolve_at(&case.at, &zone(&case.timezone)), Ok(case.utc), "{}", case.id);
    }
}

#[test]
fn invalid_patterns_are_refused() {
    for pattern in cases::<String>("invalid_cron.json") {
        assert_refused_quickly(&pattern, |pattern| Schedule::parse(pattern, &Zone::utc()));
    }
}

#[test]
fn invalid_zones_are_refused() {
    for name in cases::<String>("invalid_timezones.json") {
        assert_refused_quickly(&name, str::parse::<Zone>);
    }
}
