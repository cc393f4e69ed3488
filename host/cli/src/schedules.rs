//! `schedule preview` and `stats`.

use serde_json::{Map, Value, json};

use crate::args::{Preview, ScheduleVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, columns, json_text, table, time, time_in};

const COLUMNS: [Column; 2] =
    [Column::new("DUE (UTC)", |row| json_text(&row[0])), Column::new("DUE (HERE)", |row| time(&row[0]))];

const STATS_COLUMNS: [Column; 2] =
    [Column::new("COUNT", |row| json_text(&row[1])), Column::new("WHAT", |row| json_text(&row[0]))];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: ScheduleVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        ScheduleVerb::Preview(preview) => {
            let zone = preview.timezone.clone();
            let answer = client.post(&["schedules", "preview"], Some(&question(preview))).await?;
            output.answer(&answer, |answer| due_times(answer, zone.as_deref()))?;
        }
    }
    Ok(())
}

/// The due times: in UTC, in the schedule's own zone where that is known here, and in this machine's.
fn due_times(answer: &Value, zone: Option<&str>) -> String {
    let rows: Vec<_> = answer["next"].as_array().into_iter().flatten().collect();
    if rows.is_empty() {
        let last = answer["previous"].as_array().and_then(|times| times.first()).map(json_text);
        let last = last.map_or_else(String::new, |last| format!("; it was at {last}"));
        return format!("never due again{last}");
    }
    let zoned = |due: &Value| zone.and_then(|zone| time_in(due, zone));
    let rows: Vec<_> = rows.into_iter().map(|due| json!([due, zoned(due)])).collect();
    let [utc, here] = COLUMNS;
    let own = Column::new("DUE (SCHEDULE'S ZONE)", |row| json_text(&row[1]));
    let shown: &[Column] = if rows[0][1].is_null() { &[utc, here] } else { &[utc, own, here] };
    table(shown, &rows, columns())
}

/// Shows counts over the tasks.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn stats(client: &Client, output: Output) -> Result<(), Failure> {
    let stats = client.get(&["stats"], &[]).await?;
    output.answer(&stats, |stats| table(&STATS_COLUMNS, &rows(stats), columns()))?;
    Ok(())
}

/// Counts that come first, in this order; others follow.
const STATS_FIRST: [&str; 4] = ["total", "pending", "running", "paused"];

/// One row for each count, named in words.
fn rows(stats: &Value) -> Vec<Value> {
    let database = [
        ("databaseBytes", &stats["database"]["bytes"]),
        ("walBytes", &stats["database"]["walBytes"]),
        ("diskFreeBytes", &stats["database"]["diskFreeBytes"]),
        ("executionsPruned", &stats["database"]["pruned"]["executions"]),
        ("eventsPruned", &stats["database"]["pruned"]["events"]),
        ("skipsPruned", &stats["database"]["pruned"]["skips"]),
    ];
    let counts = stats.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value));
    let mut numbers: Vec<_> = counts.chain(database).filter(|(_, value)| value.is_number()).collect();
    let place = |name: &str| STATS_FIRST.iter().position(|first| *first == name).unwrap_or(STATS_FIRST.len());
    numbers.sort_by_key(|(name, _)| place(name));
    numbers.into_iter().map(|(name, value)| Value::from(vec![words(name).into(), value.clone()])).collect()
}

/// `queuedRuns` is `queued runs`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn question(preview: Preview) -> Value {
    let texts = [
        ("cron", preview.cron),
        ("preset", preview.preset),
        ("at", preview.at),
        ("after", preview.after),
        ("timezone", preview.timezone),
        ("from", preview.from),
    ];
    let written = texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), Value::from(text?))));
    let mut question: Map<_, _> = written.collect();
    question.insert("count".to_owned(), preview.count.into());
    Value::Object(question)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_named_in_words() {
        let stats = json!({"paused": 0, "queuedRuns": 2, "note": "x", "total": 3});
        assert_eq!(rows(&stats), [json!(["total", 3]), json!(["paused", 0]), json!(["queued runs", 2])]);
    }
}
