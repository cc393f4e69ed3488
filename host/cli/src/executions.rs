//! `execution`: what one execution did.

use serde_json::{Value, json};

use crate::args::ExecutionVerb;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, bytes, fields, fuel, json_text, millis, printable, short_time, time};
use crate::{follow, replays};

/// How executions are listed.
pub(crate) const COLUMNS: [Column; 6] = [
    Column::new("ID", |execution| json_text(&execution["id"])),
    Column::wanted("STARTED", |execution| short_time(&execution["startedAt"])),
    Column::optional("TRIGGER", trigger),
    Column::optional("ATTEMPT", |execution| json_text(&execution["attempt"])),
    Column::new("OUTCOME", outcome),
    Column::new("RESULT", result),
];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: ExecutionVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        ExecutionVerb::Get { id } => {
            let execution = client.get(&["executions", &id.to_string()], &[]).await?;
            output.answer(&execution, describe)?;
        }
        ExecutionVerb::Cancel { id } => {
            let execution = client.post(&["executions", &id.to_string(), "cancel"], None).await?;
            output.done(&execution, |_| format!("{id} is told to stop"))?;
        }
        ExecutionVerb::List(filter) => replays::list(filter, client, output).await?,
        ExecutionVerb::Redrive(wish) => replays::redrive(wish, client, output).await?,
        ExecutionVerb::Replay { id } => {
            let answer = client.post(&["executions", &id.to_string(), "replay"], None).await?;
            output.done(&answer, |answer| format!("it runs again: run {}", json_text(&answer["runId"])))?;
        }
        ExecutionVerb::Logs { id, follow } => {
            if follow {
                follow::wait_for_end(&id, client).await?;
            }
            logs(&id.to_string(), client, output).await?;
        }
    }
    Ok(())
}

/// Prints all that is kept of a log, and says what is not.
async fn logs(id: &str, client: &Client, output: Output) -> Result<(), Failure> {
    let (items, _) = client.list(&["executions", id, "logs"], &[], usize::MAX).await?;
    let execution = client.get(&["executions", id], &[]).await?;
    let is_running = execution["status"] == "running";
    if items.is_empty() && !output.is_json() {
        let hint = if is_running {
            " yet: it is kept when the execution ends, and --follow waits for that"
        } else {
            ""
        };
        eprintln!("no log{hint}");
        return Ok(());
    }
    output.answer(&json!({"items": items, "nextCursor": null}), lines)?;
    if let Some(dropped) = execution["receipt"]["logBytesDropped"].as_u64().filter(|dropped| *dropped > 0) {
        eprintln!("{} more were logged and not kept: they were beyond the limit `log`", bytes(dropped));
    }
    Ok(())
}

/// Every line of a log: when, how severe, what.
fn lines(logs: &Value) -> String {
    let items = logs["items"].as_array().or(logs.as_array());
    let lines = items.into_iter().flatten().map(|line| {
        let message = printable(&json_text(&line["message"]));
        format!("{}  {:5}  {message}\n", json_text(&line["at"]), json_text(&line["level"]))
    });
    lines.collect()
}

fn trigger(execution: &Value) -> String {
    match json_text(&execution["event"]) {
        event if event.is_empty() => json_text(&execution["trigger"]),
        event => event,
    }
}

/// `success`, `running`, or the failure's name.
fn outcome(execution: &Value) -> String {
    match json_text(&execution["kind"]) {
        kind if kind.is_empty() => json_text(&execution["status"]),
        kind => kind,
    }
}

/// The output, or what went wrong.
fn result(execution: &Value) -> String {
    match json_text(&execution["error"]) {
        error if error.is_empty() => json_text(&execution["output"]),
        error => error,
    }
}

fn describe(execution: &Value) -> String {
    let text = |key: &str| json_text(&execution[key]);
    let digest = text("pluginDigest");
    fields(&[
        ("id", text("id")),
        ("task", text("taskId")),
        ("run", text("runId")),
        ("trace", text("traceId")),
        ("status", text("status")),
        ("failure", text("kind")),
        ("error", text("error")),
        ("ended its run", if execution["final"] == true { "yes".to_owned() } else { String::new() }),
        ("repeats", text("replayOf")),
        ("repeated by", text("replayedBy")),
        ("attempt", text("attempt")),
        ("trigger", text("trigger")),
        ("event", text("event")),
        ("due", time(&execution["scheduledAt"])),
        ("started", time(&execution["startedAt"])),
        ("progress", progress(&execution["progress"])),
        ("completed", time(&execution["completedAt"])),
        ("output", text("output")),
        ("used", receipt(&execution["receipt"])),
        ("plugin", format!("{}@{digest}", text("plugin"))),
    ])
}

/// How far a running execution says it is, such as `42 %  sending to Ada`.
pub(crate) fn progress(progress: &Value) -> String {
    let Some(fraction) = progress["fraction"].as_f64() else { return String::new() };
    let note = printable(&json_text(&progress["note"]));
    format!("{:.0} %  {note}", fraction * 100.0).trim_end().to_owned()
}

/// What an execution used, on one line.
fn receipt(receipt: &Value) -> String {
    let number = |key: &str| receipt[key].as_u64().unwrap_or(0);
    if receipt.is_null() {
        return String::new();
    }
    let mut parts = vec![
        format!("{} fuel", fuel(number("fuel"))),
        millis(number("wallUs")),
        format!("{} memory", bytes(number("memoryBytesPeak"))),
        format!("{} host calls", number("hostCalls")),
    ];
    if number("logBytesDropped") > 0 {
        parts.push(format!("{} of log dropped", bytes(number("logBytesDropped"))));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_shows_its_name_and_its_reason() {
        let execution = json!({"status": "failed", "kind": "timeout", "error": "took too long", "output": null,
            "trigger": "event", "event": "user:logged_in"});
        assert_eq!(
            [outcome(&execution), result(&execution), trigger(&execution)],
            ["timeout", "took too long", "user:logged_in"]
        );
        let execution = json!({"status": "success", "output": {"a": 1}, "trigger": "schedule"});
        assert_eq!(
            [outcome(&execution), result(&execution), trigger(&execution)],
            ["success", "{\"a\":1}", "schedule"]
        );
    }

    #[test]
    fn a_receipt_is_one_line() {
        let used = json!({"fuel": 82_100, "wallUs": 420, "memoryBytesPeak": 1_153_434, "hostCalls": 2,
            "logBytesDropped": 1024});
        assert_eq!(
            receipt(&used),
            "82.1k fuel, 0.42 ms, 1.1 MiB memory, 2 host calls, 1.0 KiB of log dropped"
        );
        assert_eq!(receipt(&Value::Null), "");
    }

    #[test]
    fn log_lines_cannot_act_on_the_terminal() {
        let logs =
            json!({"items": [{"at": "2025-09-01T15:00:00.000Z", "level": "info", "message": "a\u{1b}b"}]});
        assert_eq!(lines(&logs), "2025-09-01T15:00:00.000Z  info   a\\u{1b}b\n");
    }
}
