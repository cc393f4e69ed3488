//! What many executions used, and the limits that would suit them.

use innkeeper_model::execution::Receipt;
use innkeeper_model::sandbox::{Outcome, Report};
use serde_json::{Value, json};

use crate::output::{bytes, fields, fuel, millis};

/// Limits are suggested this many times as high as the highest use: other data is other work.
const FUEL_HEADROOM: u64 = 3;
/// The same for memory, which varies less.
const MEMORY_HEADROOM: u64 = 2;
/// The same for time, which depends on the machine and on what else it does.
const TIME_HEADROOM: u64 = 10;
const MEBIBYTE: u64 = 1 << 20;

/// Least, middle and nearly highest of what the executions used, and limits that follow.
pub(super) fn summary(reports: &[Report]) -> Value {
    let spread = |value: fn(&Receipt) -> u64| {
        let mut values: Vec<u64> = reports.iter().map(|report| value(&report.receipt)).collect();
        values.sort_unstable();
        json!({"min": values[0], "median": rank(&values, 50), "p99": rank(&values, 99)})
    };
    let highest =
        |value: fn(&Receipt) -> u64| reports.iter().map(|report| value(&report.receipt)).max().unwrap_or(0);
    let failed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Failure(_))).count();
    json!({
        "times": reports.len(),
        "failed": failed,
        "fuel": spread(|receipt| receipt.fuel),
        "wallUs": spread(|receipt| receipt.wall_us),
        "memoryBytes": spread(|receipt| receipt.memory_bytes_peak),
        "suggestedLimits": {
            "fuel": round_up(highest(|receipt| receipt.fuel).saturating_mul(FUEL_HEADROOM)).max(100_000),
            "timeout": format!("{}s", seconds(highest(|receipt| receipt.wall_us).saturating_mul(TIME_HEADROOM))),
            "memory": highest(|receipt| receipt.memory_bytes_peak)
                .saturating_mul(MEMORY_HEADROOM)
                .div_ceil(MEBIBYTE)
                .max(1) * MEBIBYTE,
        },
    })
}

/// The value that `percent` of the sorted values do not exceed.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)]
}

/// `value` with one digit and zeroes, never less.
fn round_up(value: u64) -> u64 {
    let scale = 10u64.checked_pow(value.checked_ilog10().unwrap_or(0)).unwrap_or(1);
    value.div_ceil(scale).saturating_mul(scale)
}

fn seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000).max(1)
}

/// The summary as text.
pub(super) fn describe(summary: &Value) -> String {
    let row = |field: &str, show: fn(u64) -> String| {
        let value = |name: &str| show(summary[field][name].as_u64().unwrap_or(0));
        format!("{} least, {} median, {} p99", value("min"), value("median"), value("p99"))
    };
    fields(&[
        ("times", format!("{} ({} failed)", summary["times"], summary["failed"])),
        ("fuel", row("fuel", fuel)),
        ("time", row("wallUs", millis)),
        ("memory", row("memoryBytes", bytes)),
        ("limits that suit", summary["suggestedLimits"].to_string()),
    ])
}

#[cfg(test)]
mod tests {
    use innkeeper_model::sandbox::Effects;

    use super::*;

    fn report(fuel: u64) -> Report {
        let receipt =
            Receipt { fuel, wall_us: fuel * 1000, memory_bytes_peak: MEBIBYTE + 1, ..Receipt::default() };
        Report { outcome: Outcome::Success(None), effects: Effects::default(), logs: Vec::new(), receipt }
    }

    #[test]
    fn the_middle_and_the_highest_are_by_rank() {
        let reports: Vec<Report> = (1..=200).rev().map(report).collect();
        let summary = summary(&reports);
        assert_eq!(summary["fuel"], json!({"min": 1, "median": 100, "p99": 198}));
        assert_eq!(
            summary["suggestedLimits"],
            json!({"fuel": 100_000, "timeout": "2s", "memory": 3 * MEBIBYTE})
        );
        assert_eq!(rank(&[7], 99), 7);
    }

    #[test]
    fn suggestions_are_round_and_never_less() {
        for (value, rounded) in [(0, 0), (9, 9), (11, 20), (20, 20), (123_456, 200_000), (999, 1000)] {
            assert_eq!(round_up(value), rounded);
        }
        assert!(round_up(u64::MAX) >= u64::MAX / 2);
        assert_eq!((seconds(0), seconds(1_000_001)), (1, 2));
    }
}
