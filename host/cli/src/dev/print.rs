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
/// An output is cut to this many columns however wide the terminal is, and where there is none.
const OUTPUT_COLUMNS_MAX: usize = 120;

/// How wide columns are to be from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    /// The widest task id.
    pub(super) task: usize,
    /// The widest event name.
    pub(super) trigger: usize,
}

/// Writes executions in columns, which become wider as need be and never narrower.
pub(super) struct Printer {
    zone: TimeZone,
    task: usize,
    trigger: usize,
    outcome: usize,
}

impl Printer {
    /// A printer for times in `zone`, with the columns that are known to be needed.
    pub(super) fn new(zone: TimeZone, widths: Widths) -> Self {
        let Widths { task, trigger } = widths;
        Self { zone, task, trigger: trigger.max("due 00:00:00".len()), outcome: "ok".len() }
    }

    /// A remark between executions.
    pub(super) fn note(&self, now: Timestamp, text: &str) -> String {
        format!("{}  {}\n", self.clock(now), text.trim_end().replace('\n', &format!("\n{INDENT}")))
    }

    /// An execution that ended, on a terminal of `columns` columns, or not on a terminal.
    pub(super) fn execution(&mut self, ended: &ExecutionEnded, columns: Option<usize>) -> String {
        let execution = &ended.execution;
        let mut text = self.line(execution, columns);
        if let Some(kind) = execution.kind {
            let error = printable(execution.error.as_deref().unwrap_or_default());
            let _ = writeln!(text, "{INDENT}{}  {error}", style(kind).red().bold());
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

    /// The columns, and the output after them. What does not fit goes to a line of its own.
    fn line(&mut self, execution: &Execution, columns: Option<usize>) -> String {
        let task = padded(printable(execution.task_id.as_str()), &mut self.task);
        let trigger = padded(self.trigger(execution), &mut self.trigger);
        let outcome = padded(outcome(execution), &mut self.outcome);
        let outcome =
            if execution.kind.is_some() { style(outcome).red().bold() } else { style(outcome).green() };
        let time = self.clock(execution.completed_at.unwrap_or(execution.started_at));
        let line = format!("{time}  {}  {trigger}  {outcome}", style(task).bold());
        let columns = columns.unwrap_or(usize::MAX);
        let text = match used(execution) {
            used if measure_text_width(&line) + 2 + used.len() <= columns => {
                format!("{line}  {}", style(used).dim())
            }
            used => format!("{line}\n{INDENT}{}", style(used.trim_start()).dim()),
        };
        match execution.output.as_deref().map(printable) {
            Some(output) => format!("{text}{}\n", place(&output, last_line_width(&text), columns)),
            None => text + "\n",
        }
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

/// An output where `taken` columns are taken: after them if enough are left, else below them. It is cut to what fits.
fn place(output: &str, taken: usize, columns: usize) -> String {
    let room = columns.saturating_sub(taken + 2);
    if room >= OUTPUT_COLUMNS_MIN || room >= measure_text_width(output) {
        return format!("  {}", shorten(output, room.min(OUTPUT_COLUMNS_MAX)));
    }
    let room = columns.saturating_sub(INDENT.len() + "output  ".len()).max(OUTPUT_COLUMNS_MIN);
    format!("\n{INDENT}{}  {}", style("output").dim(), shorten(output, room))
}

fn last_line_width(text: &str) -> usize {
    text.lines().last().map_or(0, measure_text_width)
}

/// `ok` or `failed`, with the attempt's number from the second one on.
fn outcome(execution: &Execution) -> String {
    let mut outcome = match execution.kind {
        None => "ok".to_owned(),
        Some(_) => "failed".to_owned(),
    };
    if execution.attempt > 1 {
        let _ = write!(outcome, ", attempt {}", execution.attempt);
    }
    outcome
}

/// The receipt in columns of their own: fuel, wall time, peak memory.
fn used(execution: &Execution) -> String {
    let Some(receipt) = &execution.receipt else { return String::new() };
    let (wall, memory) = (millis(receipt.wall_us), bytes(receipt.memory_bytes_peak));
    format!("{:>6} fuel {wall:>7} {memory:>7}", fuel(receipt.fuel))
}

fn log_line(line: &LogLine) -> String {
    let level = format!("{:6}", line.level.as_str());
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
    use innkeeper_model::trace::TraceId;

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
            trace_id: TraceId::of_run(RunId::new(DUE, [0; 10])),
        };
        let line = LogLine { at: at(5), level: LogLevel::Info, message: "Good day\u{1b}[2J".to_owned() };
        ExecutionEnded { execution, ends_run: false, replay_of: None, logs: vec![line] }
    }

    fn printer() -> Printer {
        console::set_colors_enabled(false);
        Printer::new(TimeZone::UTC, Widths { task: 16, trigger: 0 })
    }

    #[test]
    fn an_execution_is_one_line_and_its_log_below() {
        assert_eq!(
            printer().execution(&ended(), Some(120)),
            "09:00:00.007  greeter:every-5s  due 09:00:00  ok   82.1k fuel 0.42 ms 1.1 MiB  \
             {\"message\":\"Good day, anybody out there!…\n              info    Good day\\u{1b}[2J\n"
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
    fn no_line_is_wider_than_the_terminal() {
        for columns in [60, 79, 80, 100, 120, 300] {
            let text = printer().execution(&ended(), Some(columns));
            assert!(text.lines().all(|line| measure_text_width(line) <= columns), "{columns}: {text}");
            assert!(text.contains("82.1k fuel"), "{columns}: {text}");
        }
    }

    #[test]
    fn a_remark_of_several_lines_is_indented() {
        assert_eq!(printer().note(at(7), "one\ntwo\n"), "09:00:00.007  one\n              two\n");
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
            "09:00:00.007  greeter:every-5s  user:logged_in  failed, attempt 2   82.1k fuel 0.42 ms 1.1 MiB\n              \
             timeout  took longer\\nthan 5 s\n"
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
