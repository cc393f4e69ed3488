//! `schedule preview` and `stats`.

use serde_json::{Map, Value};

use crate::args::{Preview, ScheduleVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{Column, Output, json_text, table, time};

const COLUMNS: [Column; 2] = [("DUE (UTC)", |due| json_text(due)), ("DUE (HERE)", |due| time(due))];

/// The counts of `stats`, in the order they are shown in.
const STATS: [Column; 2] = [("COUNT", |row| json_text(&row[1])), ("WHAT", |row| json_text(&row[0]))];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: ScheduleVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        ScheduleVerb::Preview(preview) => {
            let answer = client.post(&["schedules", "preview"], Some(&question(preview))).await?;
            output.answer(&answer, |answer| {
                table(&COLUMNS, answer["next"].as_array().map(Vec::as_slice).unwrap_or_default())
            })?;
        }
    }
    Ok(())
}

/// Shows counts over the tasks.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn stats(client: &Client, output: Output) -> Result<(), Failure> {
    let stats = client.get(&["stats"], &[]).await?;
    output.answer(&stats, |stats| table(&STATS, &rows(stats)))?;
    Ok(())
}

/// One row for each count, named in words.
fn rows(stats: &Value) -> Vec<Value> {
    let numbers = stats.as_object().into_iter().flatten().filter(|(_, value)| value.is_number());
    numbers.map(|(name, value)| Value::from(vec![words(name).into(), value.clone()])).collect()
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
        let stats = json!({"queuedRuns": 2, "note": "x"});
        assert_eq!(rows(&stats), [json!(["queued runs", 2])]);
    }
}
