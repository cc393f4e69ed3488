//! `event publish --file`: events of a file, in parts that are each published whole or not at all.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Failure;
use crate::input;
use crate::output::{Output, count};
use crate::progress::Steps;

/// Events of one request at most.
const EVENTS_MAX: usize = 500;

/// Bytes of one request at most, beside what a single event may take.
const BYTES_MAX: usize = 1 << 20;

/// An event, with its line.
type Line = (usize, Value);

/// Publishes the events of a file. With a key those that were published before are not published again.
///
/// # Errors
/// [`Failure::Usage`] if a line is no event; then none is published. [`Failure::Failed`] if the server refuses some: those
/// of the parts before are published, which is told.
pub(crate) async fn publish(
    path: &Path,
    key: Option<&str>,
    client: &Client,
    output: Output,
) -> Result<(), Failure> {
    let bytes = if path.as_os_str() == "-" {
        input::bytes()?
    } else {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        bytes.map_err(Failure::Usage)?
    };
    let text = String::from_utf8(bytes).map_err(|_| Failure::usage("the file is not UTF-8"))?;
    let events =
        read(&text, key).map_err(|error| Failure::Usage(error.context(path.display().to_string())))?;
    let total = events.len();
    let steps = Steps::start("publishing", total, output.is_quiet());
    let (mut published, mut runs) = (0, 0);
    for part in parts(events) {
        let (lines, events): (Vec<_>, Vec<_>) = part.into_iter().unzip();
        let answer = client.post(&["events"], Some(&Value::Array(events))).await;
        let answer = answer.map_err(|failure| {
            steps.finish();
            explain(failure, &lines, published)
        })?;
        runs += answer.as_array().into_iter().flatten().filter_map(|one| one["runs"].as_u64()).sum::<u64>();
        published += lines.len();
        steps.advance(lines.len());
    }
    steps.finish();
    let answer = json!({"events": published, "runs": runs});
    let runs = usize::try_from(runs).unwrap_or(usize::MAX);
    Ok(output
        .done(&answer, |_| format!("published {}: {}", count(published, "event"), count(runs, "run")))?)
}

/// Every event with its line; lines that are empty are none.
fn read(text: &str, key: Option<&str>) -> anyhow::Result<Vec<Line>> {
    let mut events = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let mut event: Value =
            serde_json::from_str(line).with_context(|| format!("line {number} is not JSON"))?;
        let Some(fields) = event.as_object_mut() else {
            return Err(anyhow!(
                "line {number} must be an object such as {{\"event\": \"NAME\", \"data\": …}}"
            ));
        };
        if let Some(key) = key {
            fields.entry("idempotencyKey").or_insert_with(|| format!("{key}:{number}").into());
        }
        events.push((number, event));
    }
    Ok(events)
}

/// The events in parts that are not too large.
fn parts(events: Vec<Line>) -> Vec<Vec<Line>> {
    let mut parts: Vec<Vec<Line>> = Vec::new();
    let mut bytes = 0;
    for (line, event) in events {
        let size = event.to_string().len();
        let last = parts.last_mut();
        if let Some(part) = last.filter(|part| part.len() < EVENTS_MAX && bytes + size <= BYTES_MAX) {
            part.push((line, event));
        } else {
            bytes = 0;
            parts.push(vec![(line, event)]);
        }
        bytes += size;
    }
    parts
}

/// What the server refused, by line, and what was published before.
fn explain(failure: Failure, lines: &[usize], published: usize) -> Failure {
    let before = format!("{} published before that", count(published, "event"));
    match failure {
        Failure::Refused(problem) if !problem.errors.is_empty() => {
            let located = problem.errors.iter().map(|error| {
                let (index, field) = error.field.split_once('.').unwrap_or((&error.field, ""));
                let line = index.parse::<usize>().ok().and_then(|index| lines.get(index));
                let place =
                    line.map_or_else(|| error.field.clone(), |line| format!("line {line}: `{field}`"));
                format!("{place} {}", error.message)
            });
            let located: Vec<_> = located.collect();
            Failure::Failed(anyhow!("{}\n{before}", located.join("\n")))
        }
        Failure::Refused(problem) => Failure::Failed(anyhow!("{}\n{before}", problem.describe())),
        other => {
            eprintln!("{before}");
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn each_line_is_an_event_with_a_key_of_its_own() {
        let events = read("{\"event\": \"a\"}\n\n{\"event\": \"b\", \"idempotencyKey\": \"x\"}", Some("k"));
        let events = events.expect("events");
        assert_eq!(
            events,
            [
                (1, json!({"event": "a", "idempotencyKey": "k:1"})),
                (3, json!({"event": "b", "idempotencyKey": "x"}))
            ]
        );
        for (text, expected) in [("{}\n[]", "line 2 must be an object"), ("{", "line 1 is not JSON")] {
            let error = format!("{:#}", read(text, None).expect_err("no events"));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn parts_are_bounded_in_number_and_size() {
        let small = (0..1100).map(|line| (line, json!({"event": "a"}))).collect();
        assert_eq!(parts(small).iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 100]);
        let large = (0..4).map(|line| (line, json!({"data": "x".repeat(BYTES_MAX / 2 - 20)}))).collect();
        assert_eq!(parts(large).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    }

    #[test]
    fn a_refusal_names_the_line() {
        let body = br#"{"errors": [{"field": "1.event", "code": "x", "message": "is required"}]}"#;
        let failure = explain(Failure::Refused(Problem::from_answer(422, body)), &[7, 9], 500);
        assert_eq!(failure.message(), "line 9: `event` is required\n500 events published before that");
    }
}
