//! `wasi:cli/run`: a program that was built for WASI, with a `main` and nothing of ours.

use innkeeper_model::execution::{LogLevel, LogLine};
use wasmtime::Store;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandPre;

use super::{Done, Input, facts};
use crate::bindings::exports::innkeeper::plugin::handler::Failure;
use crate::capability::wasi::{Capture, Program};
use crate::classify::Ended;
use crate::json;
use crate::state::State;

/// Exit codes by which a program says that another attempt cannot help, as `sysexits.h` has them: it was called wrongly
/// (64), its data is wrong (65), its configuration is wrong (78).
const PERMANENT: [i32; 3] = [64, 65, 78];

pub(super) async fn call(pre: &CommandPre<State>, store: &mut Store<State>, input: &Input) -> Done {
    let state = store.data_mut();
    let output = Capture::new(state.limits.output_bytes);
    let environment = facts::environment(state, input);
    let data = input.data.clone().unwrap_or_default();
    state.wasi.run_program(Program { environment, input: data.into(), output: Some(output.clone()) });
    let instance = pre.instantiate_async(&mut *store).await.map_err(Ended::NotStarted)?;
    let code = match instance.wasi_cli_run().call_run(&mut *store).await {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => *code,
            None => return Err(Ended::Broken(error)),
        },
    };
    let state = store.data();
    if code == 0 {
        return Ok(Ok(json_output(&output, state)));
    }
    let now = state.now();
    let mut logs = state.logs.lock();
    logs.close(now);
    Ok(Err(failure(code, logs.lines())))
}

/// Standard output, if it is one JSON value that fits.
fn json_output(output: &Capture, state: &State) -> Option<String> {
    match output.text() {
        Ok(text) => Some(text.trim()).filter(|text| json::check(text).is_ok()).map(str::to_owned),
        Err(bytes) => {
            let max = state.limits.output_bytes;
            let message = format!(
                "standard output has {bytes} bytes, more than the {max} that an output may have: there is no output, and \
                what the log has room for is here"
            );
            state.logs.lock().log(LogLevel::Warn, &message, state.now());
            None
        }
    }
}

fn failure(code: i32, lines: &[LogLine]) -> Failure {
    let last_words =
        lines.iter().rev().find(|line| line.level == LogLevel::Warn && !line.message.trim().is_empty());
    let message = match last_words {
        Some(line) => format!("the program ended with exit code {code}: {}", line.message),
        None => format!("the program ended with exit code {code}"),
    };
    if PERMANENT.contains(&code) { Failure::Permanent(message) } else { Failure::Retry(message) }
}

#[cfg(test)]
mod tests {
    use innkeeper_model::time::Timestamp;

    use super::*;

    #[test]
    fn an_exit_code_says_whether_to_try_again() {
        let line = |level, message: &str| LogLine { at: Timestamp::MIN, level, message: message.to_owned() };
        let lines = [
            line(LogLevel::Warn, "first"),
            line(LogLevel::Warn, "last"),
            line(LogLevel::Info, "out"),
            line(LogLevel::Warn, " "),
        ];
        for (code, is_permanent) in
            [(1, false), (64, true), (65, true), (75, false), (78, true), (255, false)]
        {
            let (message, found) = match failure(code, &lines) {
                Failure::Permanent(message) => (message, true),
                Failure::Retry(message) | Failure::RetryAfter((_, message)) => (message, false),
            };
            assert_eq!(found, is_permanent, "{code}");
            assert_eq!(message, format!("the program ended with exit code {code}: last"));
        }
        assert!(matches!(failure(1, &[]), Failure::Retry(message) if message.ends_with("code 1")));
    }
}
