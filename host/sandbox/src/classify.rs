//! Names for the ways in which an execution ends.

use std::time::Duration;

use innkeeper_model::execution::{Failure, FailureKind, LogLevel, LogLine};
use innkeeper_model::redact::Redactor;
use innkeeper_model::sandbox::{Outcome, StopReason};
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::FieldMapError;

use crate::bindings::exports::innkeeper::plugin::handler;
use crate::json;
use crate::state::{HOSTCALL_BYTES_MAX, HostCallsExceeded, State};

/// Bytes of a failure's message. What is longer is cut, and says so.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
/// Functions named in the message of a trap, innermost first.
const FRAMES_MAX: usize = 5;
/// How the engine says that one call handed over too much, or that too many handles are held or lent. The types are private
/// to the engine.
const TOO_MUCH_MESSAGES: [&str; 2] =
    ["fuel allocated for hostcalls has been exhausted", "store handle limit exceeded"];

/// What the call of a handler came to.
pub(crate) enum Ended {
    /// The handler returned.
    Returned(Result<Option<String>, handler::Failure>),
    /// The handler was done, and its output has so many bytes, which is more than it may have. It was not kept.
    OutputTooLarge(u64),
    /// There was no instance to call.
    NotStarted(Error),
    /// The call was ended by a trap or a limit.
    Broken(Error),
    /// It ran longer than it may.
    TimedOut,
    /// Somebody wanted it to end.
    Stopped(StopReason),
}

/// The outcome of an execution that left `state` behind.
pub(crate) fn outcome(ended: Ended, state: &State) -> Outcome {
    let failure = match ended {
        // No message or output of a guest that broke the limit counts: the call that broke it did not happen in time.
        Ended::Returned(_) | Ended::OutputTooLarge(_) if state.host_calls_exceeded() => {
            host_call_limit(state)
        }
        Ended::Returned(Ok(output)) => match check_output(output, state.limits.output_bytes) {
            Ok(output) => return Outcome::Success(output),
            Err(failure) => failure,
        },
        Ended::Returned(Err(failure)) => name_breach(handler_failure(failure), state),
        Ended::OutputTooLarge(bytes) => output_too_large(bytes, state.limits.output_bytes),
        Ended::NotStarted(error) => not_started(&error, state),
        Ended::Broken(error) => broken(&error, state),
        Ended::TimedOut => timeout(state.limits.timeout),
        Ended::Stopped(reason) => stopped(reason),
    };
    Outcome::Failure(failure)
}

/// The outcome without the secrets that the guest has read.
pub(crate) fn redacted(outcome: Outcome, redactor: &Redactor) -> Outcome {
    if redactor.is_empty() {
        return outcome;
    }
    match outcome {
        Outcome::Success(output) => Outcome::Success(output.map(|text| redactor.json(&text).unwrap_or(text))),
        Outcome::Failure(failure) => {
            let message = redactor.cut_text(&failure.message).into_owned();
            Outcome::Failure(Failure { message, ..failure })
        }
    }
}

/// The failure of an execution that was stopped from outside.
pub(crate) fn stopped(reason: StopReason) -> Failure {
    match reason {
        StopReason::Cancelled => Failure::new(FailureKind::Cancelled, "the execution was cancelled"),
        StopReason::Interrupted => {
            Failure::new(FailureKind::Interrupted, "the host stopped while the execution ran")
        }
    }
}

/// The failure of a plugin that could not be instantiated.
pub(crate) fn not_started(error: &Error, state: &State) -> Failure {
    let guest = error.is::<Trap>() || error.is::<I32Exit>() || error.is::<HostCallsExceeded>();
    if guest || state.memory.denied_bytes().is_some() {
        return broken(error, state);
    }
    unavailable(&format!("the plugin could not be started: {error:#}"))
}

/// The failure of a plugin version that cannot be had.
pub(crate) fn unavailable(message: &str) -> Failure {
    Failure::new(FailureKind::Unavailable, shorten(message))
}

fn broken(error: &Error, state: &State) -> Failure {
    if state.host_calls_exceeded() {
        return host_call_limit(state);
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::OutOfFuel) {
        let message = format!("the handler used up its {} units of fuel", state.limits.fuel);
        return Failure::new(FailureKind::FuelExhausted, message);
    }
    if trap == Some(&Trap::StackOverflow) {
        let message = format!("the handler's call stack overflowed{}", place(error));
        return Failure::new(FailureKind::StackOverflow, shorten(&message));
    }
    if handed_too_much(error) {
        return too_much(error);
    }
    if let Some(asked) = state.memory.denied_bytes() {
        let limit = state.memory.limit_bytes();
        let mut message =
            format!("the handler asked for {asked} bytes of memory in total; its limit is {limit}");
        // What the guest made of the denial may be another story.
        if let Some(panic) = panic_message(state.logs.lock().lines()) {
            message = format!("{message}; then it {panic}");
        }
        return Failure::new(FailureKind::MemoryExceeded, shorten(&message));
    }
    let trap = Failure::new(FailureKind::Trap, shorten(&trap_message(error, state.logs.lock().lines())));
    name_breach(trap, state)
}

/// A failure after something was refused is a failure for that reason, unless the handler has decided that it is final.
fn name_breach(failure: Failure, state: &State) -> Failure {
    match state.usage.breach() {
        Some(breach) if failure.kind != FailureKind::Permanent => Failure {
            kind: breach.kind,
            message: shorten(&format!("{}; then: {}", breach.message, failure.message)),
            ..failure
        },
        _ => failure,
    }
}

fn handed_too_much(error: &Error) -> bool {
    matches!(error.downcast_ref::<ResourceTableError>(), Some(ResourceTableError::Full))
        || matches!(
            error.downcast_ref::<FieldMapError>(),
            Some(FieldMapError::TooManyFields | FieldMapError::TotalSizeTooBig)
        )
        || TOO_MUCH_MESSAGES.iter().any(|message| error.root_cause().to_string().contains(message))
}

/// More than the host takes in at once: in a call, in which case guest code is on the stack, else as the result.
fn too_much(error: &Error) -> Failure {
    if error.is::<WasmBacktrace>() {
        let message = format!("the handler handed the host too much at once: {}", error.root_cause());
        return Failure::new(FailureKind::HostCallLimit, shorten(&message));
    }
    let message =
        format!("the handler's result is larger than the {HOSTCALL_BYTES_MAX} bytes that the host takes in");
    Failure::new(FailureKind::OutputExceeded, message)
}

fn host_call_limit(state: &State) -> Failure {
    let message = format!("the handler called the host more than {} times", state.limits.host_calls);
    Failure::new(FailureKind::HostCallLimit, message)
}

fn timeout(limit: Duration) -> Failure {
    Failure::new(FailureKind::Timeout, format!("the handler ran longer than {} ms", limit.as_millis()))
}

fn handler_failure(failure: handler::Failure) -> Failure {
    match failure {
        handler::Failure::Retry(message) => Failure::new(FailureKind::HandlerError, shorten(&message)),
        handler::Failure::RetryAfter((millis, message)) => Failure {
            kind: FailureKind::HandlerError,
            message: shorten(&message),
            retry_after: Some(Duration::from_millis(millis)),
        },
        handler::Failure::Permanent(message) => Failure::new(FailureKind::Permanent, shorten(&message)),
    }
}

/// An output that is not JSON is a fault of the handler like any error it returns, so it is named like one.
fn check_output(output: Option<String>, bytes_max: u64) -> Result<Option<String>, Failure> {
    let Some(text) = output else { return Ok(None) };
    if text.len() as u64 > bytes_max {
        return Err(output_too_large(text.len() as u64, bytes_max));
    }
    match json::check(&text) {
        Ok(()) => Ok(Some(text)),
        Err(why) => Err(Failure::new(FailureKind::HandlerError, format!("the handler's output is {why}"))),
    }
}

fn output_too_large(bytes: u64, bytes_max: u64) -> Failure {
    let message = format!("the handler's output has {bytes} bytes; at most {bytes_max} are kept");
    Failure::new(FailureKind::OutputExceeded, message)
}

/// What went wrong, what the guest said about it, and where it was.
fn trap_message(error: &Error, lines: &[LogLine]) -> String {
    let cause = match (error.downcast_ref::<I32Exit>(), error.downcast_ref::<Trap>()) {
        (Some(I32Exit(code)), _) => {
            format!("the handler ended its program with exit code {code} instead of returning")
        }
        (None, Some(trap)) => trap.to_string(),
        (None, None) => error.root_cause().to_string(),
    };
    match panic_message(lines) {
        Some(panic) => format!("{panic} ({cause}{})", place(error)),
        None => format!("{cause}{}", place(error)),
    }
}

/// The innermost functions that were running, if the component names them.
fn place(error: &Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let readable = |name| format!("{:#}", rustc_demangle::demangle(name));
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(FRAMES_MAX);
    let names: Vec<String> = names.map(readable).collect();
    if names.is_empty() { String::new() } else { format!("; in {}", names.join(" < ")) }
}

/// What the guest's last panic said, printed or logged: `… panicked at FILE:LINE:COLUMN:` and its message, which may be on
/// the lines after it.
fn panic_message(lines: &[LogLine]) -> Option<String> {
    let loud = |line: &LogLine| matches!(line.level, LogLevel::Warn | LogLevel::Error);
    let start = lines.iter().rposition(|line| loud(line) && line.message.contains("panicked at "))?;
    let (first, rest) = (&lines[start], &lines[start + 1..]);
    let (_, at) = first.message.split_once("panicked at ")?;
    let more = rest.iter().filter(|line| line.level == first.level).map(|line| line.message.as_str());
    let message: Vec<&str> = more.take_while(|line| !line.starts_with("note: ")).take(10).collect();
    Some(format!("panicked at {at} {}", message.join(" ")).trim_end().to_owned())
}

/// `text`, or its beginning and how long it was.
fn shorten(text: &str) -> String {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)];
    format!("{kept}… (cut: it had {} bytes)", text.len())
}

#[cfg(test)]
mod tests {
    use innkeeper_model::time::Timestamp;

    use super::*;

    fn line(level: LogLevel, message: &str) -> LogLine {
        LogLine { at: Timestamp::MIN, level, message: message.to_owned() }
    }

    #[test]
    fn output_is_json_of_a_bounded_size() {
        assert_eq!(check_output(None, 0), Ok(None));
        assert_eq!(check_output(Some("[1]".to_owned()), 3), Ok(Some("[1]".to_owned())));
        let kind = |text: &str, max| check_output(Some(text.to_owned()), max).map_err(|failure| failure.kind);
        assert_eq!(kind("[1]", 2), Err(FailureKind::OutputExceeded));
        for text in ["", "hello", "[1] [2]"] {
            assert_eq!(kind(text, 100), Err(FailureKind::HandlerError), "{text}");
        }
    }

    #[test]
    fn the_wish_for_a_later_attempt_is_kept() {
        let failure = handler_failure(handler::Failure::RetryAfter((1500, "busy".to_owned())));
        assert_eq!(failure.kind, FailureKind::HandlerError);
        assert_eq!(failure.retry_after, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn the_last_panic_is_quoted() {
        let lines = [
            line(LogLevel::Warn, "thread '<unnamed>' panicked at src/lib.rs:1:1:"),
            line(LogLevel::Warn, "first"),
            line(LogLevel::Warn, "thread '<unnamed>' panicked at src/lib.rs:9:5:"),
            line(LogLevel::Info, "something else"),
            line(LogLevel::Warn, "index out of bounds"),
            line(LogLevel::Warn, "note: run with `RUST_BACKTRACE=1`"),
        ];
        assert_eq!(panic_message(&lines).as_deref(), Some("panicked at src/lib.rs:9:5: index out of bounds"));
        assert_eq!(panic_message(&lines[3..]), None);
        let logged =
            [line(LogLevel::Error, "panic: panicked at src/lib.rs:9:5: oh"), line(LogLevel::Warn, "more")];
        assert_eq!(panic_message(&logged).as_deref(), Some("panicked at src/lib.rs:9:5: oh"));
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let long = "é".repeat(MESSAGE_BYTES_MAX);
        let short = shorten(&long);
        assert!(short.len() < MESSAGE_BYTES_MAX + 64);
        assert!(short.ends_with(&format!("(cut: it had {} bytes)", long.len())), "{short}");
        assert_eq!(shorten("ok"), "ok");
    }
}
