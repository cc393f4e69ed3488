//! What `dev` shows of an execution: one aligned line, then what it logged.

use std::fmt::Write as _;

use console::{measure_text_width, style};
use innkeeper_model::execution::{Execution, LogLevel, LogLine};
use innkeeper_model::run::TriggerKind;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::bus::ExecutionEnded;
use jiff::tz::TimeZone;

use crate::output::{bytes, fuel, millis, printable, shorten, wall};

/// Where the lines below an execution begin: after the time and two spaces.
const INDENT: &str = "              ";
/// With less room than this, an output goes to a line of its own.
const OUTPUT_COLUMNS_MIN: usize = 24;
/// An output is cut to this many columns where there is no terminal.
const OUTPUT_COLUMNS_DEFAULT: usize = 120;

/// Writes executions in columns, which become wider as need be and never narrower.
pub(super) struct Printer {
    zone: TimeZone,
    task: usize,
    trigger: usize,
    outcome: usize,
}

impl Printer {
    /// A printer for times in `zone` and for tasks whose ids are at most `task_columns` wide.
    pub(super) fn new(zone: TimeZone, task_columns: usize) -> Self {
        Self { zone, task: task_columns, trigger: "due 00:00:00".len(), outcome: "ok".len() }
    }

    /// A remark between executions.
    pub(super) fn note(&self, now: Timestamp, text: &str) -> String {
        format!("{}  {text}\n", self.clock(now))
    }

    /// An execution that ended, on a terminal of `columns` columns, or not on a terminal.
    pub(super) fn execution(&mut self, ended: &ExecutionEnded, columns: Option<usize>) -> String {
        let execution = &ended.execution;
        let mut text = self.line(execution, columns);
        if let Some(error) = &execution.error {
            let _ = writeln!(text, "{INDENT}{}", style(printable(error)).red());
        }
        for line in &ended.logs {
            let _ = writeln!(text, "{INDENT}{}", log_line(line));
        }
        let dropped = execution.receipt.as_ref().map_or(0, |receipt| receipt.log_bytes_dropped);
        if dropped > 0 {
            let note = format!("{} of the log were over the limit and are not kept", bytes(dropped));
            let _ = writeln!(text, "{INDENT}{}", style(note).yellow());
        }
        text
    }

    fn line(&mut self, execution: &Execution, columns: Option<usize>) -> String {
        let task = padded(printable(execution.task_id.as_str()), &mut self.task);
        let trigger = padded(self.trigger(execution), &mut self.trigger);
        let outcome = padded(outcome(execution), &mut self.outcome);
        let outcome =
            if execution.kind.is_some() { style(outcome).red().bold() } else { style(outcome).green() };
        let time = self.clock(execution.completed_at.unwrap_or(execution.started_at));
        let line =
            format!("{time}  {}  {trigger}  {outcome}  {}", style(task).bold(), style(used(execution)).dim());
        let Some(output) = execution.output.as_deref().map(printable) else { return line + "\n" };
        let room = match columns {
            Some(columns) => columns.saturating_sub(measure_text_width(&line) + 2),
            None => OUTPUT_COLUMNS_DEFAULT,
        };
        if room >= OUTPUT_COLUMNS_MIN || room >= measure_text_width(&output) {
            return format!("{line}  {}\n", shorten(&output, room));
        }
        let room = columns.map_or(OUTPUT_COLUMNS_DEFAULT, |columns| columns.saturating_sub(INDENT.len() + 7));
        format!(
            "{line}\n{INDENT}{}  {}\n",
            style("output").dim(),
            shorten(&output, room.max(OUTPUT_COLUMNS_MIN))
        )
    }

    fn clock(&self, at: Timestamp) -> impl std::fmt::Display {
        style(wall(at.as_millis(), &self.zone, true)).dim()
    }

    /// What made the run: the due time, the event's name, or somebody.
    fn trigger(&self, execution: &Execution) -> String {
        let due = execution.scheduled_at.map(|at| wall(at.as_millis(), &self.zone, false));
        match (execution.trigger, &execution.event) {
            (TriggerKind::Schedule, _) => format!("due {}", due.unwrap_or_default()),
            (TriggerKind::Event, event) => printable(event.as_deref().unwrap_or("event")),
            (TriggerKind::Manual, None) => "manual".to_owned(),
            (TriggerKind::Manual, Some(event)) => format!("manual {}", printable(event)),
        }
    }
}

/// `ok`, or the failure's name; with the attempt's number from the second one on.
fn outcome(execution: &Execution) -> String {
    let mut outcome = match execution.kind {
        None => "ok".to_owned(),
        Some(kind) => format!("failed {kind}"),
    };
    if execution.attempt > 1 {
        let _ = write!(outcome, " (attempt {})", execution.attempt);
    }
    outcome
}

/// The receipt in columns of their own: fuel, wall time, peak memory.
fn used(execution: &Execution) -> String {
    let Some(receipt) = &execution.receipt else { return String::new() };
    let (wall, memory) = (millis(receipt.wall_us), bytes(receipt.memory_bytes_peak));
    format!("{:>6} fuel  {wall:>8}  {memory:>8}", fuel(receipt.fuel))
}

fn log_line(line: &LogLine) -> String {
    let level = format!("{:5}", line.level.as_str());
    let level = match line.level {
        LogLevel::Error => style(level).red().bold(),
        LogLevel::Warn => style(level).yellow(),
        LogLevel::Info => style(level).cyan(),
        LogLevel::Debug | LogLevel::Trace => style(level).dim(),
    };
    format!("{level}  {}", printable(&line.message))
}

/// The text, padded to the column, which is widened first if it is too narrow.
fn padded(text: String, column: &mut usize) -> String {
    let width = measure_text_width(&text);
    *column = (*column).max(width);
    text + &" ".repeat(*column - width)
}

#[cfg(test)]
mod tests {
    use innkeeper_model::execution::{ExecutionStatus, FailureKind, Receipt};
    use innkeeper_model::id::{Digest, ExecutionId, RunId};

    use super::*;

    const DUE: Timestamp = Timestamp::MIN;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_735_117_200_000 + millis)
    }

    fn ended() -> ExecutionEnded {
        let execution = Execution {
            id: ExecutionId::new(DUE, [0; 10]),
            task_id: "greeter:every-5s".parse().expect("an id"),
            status: ExecutionStatus::Success,
            started_at: at(3),
            completed_at: Some(at(7)),
            error: None,
            attempt: 1,
            run_id: RunId::new(DUE, [0; 10]),
            kind: None,
            trigger: TriggerKind::Schedule,
            event: None,
            scheduled_at: Some(at(0)),
            output: Some("{\"message\":\"Good day, anybody out there!\"}".to_owned()),
            receipt: Some(Receipt {
                fuel: 82_100,
                wall_us: 420,
                memory_bytes_peak: 1_153_434,
                ..Receipt::default()
            }),
            plugin: "greeter".parse().expect("a name"),
            plugin_digest: Digest::of(b""),
        };
        let line = LogLine { at: at(5), level: LogLevel::Info, message: "Good day\u{1b}[2J".to_owned() };
        ExecutionEnded { execution, logs: vec![line] }
    }

    fn printer() -> Printer {
        console::set_colors_enabled(false);
        Printer::new(TimeZone::UTC, 16)
    }

    #[test]
    fn an_execution_is_one_line_and_its_log_below() {
        assert_eq!(
            printer().execution(&ended(), Some(120)),
            "09:00:00.007  greeter:every-5s  due 09:00:00  ok   82.1k fuel   0.42 ms   1.1 MiB  \
             {\"message\":\"Good day, anybody out th…\n              info   Good day\\u{1b}[2J\n"
        );
    }

    #[test]
    fn a_narrow_terminal_has_the_output_on_a_line_of_its_own() {
        assert_eq!(
            printer().execution(&ended(), Some(80)).lines().nth(1),
            Some("              output  {\"message\":\"Good day, anybody out there!\"}")
        );
    }

    #[test]
    fn a_failure_shows_its_name_its_attempt_and_its_reason() {
        let mut ended = ended();
        ended.logs.clear();
        let execution = &mut ended.execution;
        (execution.kind, execution.attempt) = (Some(FailureKind::Timeout), 2);
        (execution.output, execution.error) = (None, Some("took longer\nthan 5 s".to_owned()));
        (execution.trigger, execution.event) = (TriggerKind::Event, Some("user:logged_in".to_owned()));
        assert_eq!(
            printer().execution(&ended, None),
            "09:00:00.007  greeter:every-5s  user:logged_in  failed timeout (attempt 2)   82.1k fuel   0.42 ms   \
             1.1 MiB\n              took longer\\nthan 5 s\n"
        );
    }

    #[test]
    fn columns_stay_aligned_after_a_wide_one() {
        let mut printer = printer();
        let mut wide = ended();
        wide.execution.trigger = TriggerKind::Manual;
        wide.execution.event = Some("a:rather:long:name".to_owned());
        let column = |text: String| text.lines().next().and_then(|line| line.find(" fuel"));
        let (wide, plain) = (printer.execution(&wide, None), printer.execution(&ended(), None));
        assert!(wide.contains("manual a:rather:long:name"), "{wide}");
        assert_eq!(column(wide), column(plain));
    }

    #[test]
    fn what_was_not_kept_of_a_log_is_said() {
        let mut ended = ended();
        ended.execution.receipt = Some(Receipt { log_bytes_dropped: 2048, ..Receipt::default() });
        assert!(printer().execution(&ended, None).contains("2.0 KiB of the log were over the limit"));
    }
}
