//! `task`: creating, listing and controlling tasks.

mod definition;

use serde_json::{Value, json};

use crate::args::{ListExecutions, ListTasks, Run, TaskVerb};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::{
    Column, Output, bytes, columns, count, fields, fuel, json_text, short_time, table, time,
};
use crate::{executions, replays};

/// How tasks are listed.
pub(crate) const COLUMNS: [Column; 7] = [
    Column::new("ID", |task| json_text(&task["id"])),
    Column::optional("TYPE", |task| json_text(&task["type"])),
    Column::new("TRIGGER", trigger),
    Column::new("PLUGIN", |task| json_text(&task["plugin"])),
    Column::new("STATUS", |task| json_text(&task["status"])),
    Column::new("NEXT RUN", |task| short_time(&task["nextRunAt"])),
    Column::optional("LAST RUN", |task| short_time(&task["lastRunAt"])),
];

const SKIP_COLUMNS: [Column; 4] = [
    Column::new("REASON", |skip| json_text(&skip["reason"])),
    Column::new("COUNT", |skip| json_text(&skip["count"])),
    Column::new("FROM", |skip| time(&skip["from"])),
    Column::new("TO", |skip| time(&skip["to"])),
];

const DUE_COLUMNS: [Column; 2] = [Column::new("DUE (UTC)", json_text), Column::new("DUE (HERE)", time)];

/// Does what the verb says.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn run(verb: TaskVerb, client: &Client, output: Output) -> Result<(), Failure> {
    match verb {
        TaskVerb::Create(create) => {
            let body = definition::definition(*create).map_err(Failure::Usage)?;
            let task = client.post(&["tasks"], Some(&body)).await?;
            output.done(&task, |task| format!("created\n{}", describe(task)))?;
        }
        TaskVerb::Replace(create) => {
            let body = definition::definition(*create).map_err(Failure::Usage)?;
            let id = definition::id_of(&body).map_err(Failure::Usage)?;
            let (is_new, task) = client.put(&["tasks", &id], &[], &body).await?;
            let done = if is_new { "created" } else { "replaced" };
            output.done(&task, |task| format!("{done}\n{}", describe(task)))?;
        }
        TaskVerb::NextRuns { id, count } => {
            let query = [("count", count.to_string())];
            let answer = client.get(&["tasks", id.as_str(), "next-runs"], &query).await?;
            output.answer(&answer, |answer| next_runs(id.as_str(), answer))?;
        }
        TaskVerb::Skips { id, limit } => {
            let query = [("limit", limit.to_string())];
            let mut answer = client.get(&["tasks", id.as_str(), "skips"], &query).await?;
            let skips = match answer["items"].take() {
                Value::Array(skips) => skips,
                _ => Vec::new(),
            };
            output.list((skips, false), &SKIP_COLUMNS, "nothing was skipped")?;
        }
        TaskVerb::Upcoming(window) => replays::upcoming(window, client, output).await?,
        TaskVerb::List(filter) => list(filter, client, output).await?,
        TaskVerb::Get { id } => {
            let task = client.get(&["tasks", id.as_str()], &[]).await?;
            output.answer(&task, describe)?;
        }
        TaskVerb::Pause { id } => {
            let task = client.post(&["tasks", id.as_str(), "pause"], None).await?;
            output.done(&task, |_| format!("{id} is paused"))?;
        }
        TaskVerb::Resume { id } => {
            let task = client.post(&["tasks", id.as_str(), "resume"], None).await?;
            output.done(&task, |task| resumed(id.as_str(), task))?;
        }
        TaskVerb::Delete { id } => {
            let answer = client.delete(&["tasks", id.as_str()]).await?;
            output.done(&answer, |_| format!("{id} is deleted"))?;
        }
        TaskVerb::Run(start) => start_now(start, client, output).await?,
        TaskVerb::Executions(filter) => list_executions(filter, client, output).await?,
    }
    Ok(())
}

async fn list(filter: ListTasks, client: &Client, output: Output) -> Result<(), Failure> {
    let status = filter.status.map(|status| ("status", status.as_str().to_owned()));
    let task_type = filter.task_type.map(|task_type| ("type", task_type.as_str().to_owned()));
    let query: Vec<_> = status.into_iter().chain(task_type).collect();
    let found = client.list(&["tasks"], &query, filter.limit).await?;
    Ok(output.list(found, &COLUMNS, "no tasks")?)
}

async fn start_now(start: Run, client: &Client, output: Output) -> Result<(), Failure> {
    let mut body = json!({});
    if let Some(event) = start.event {
        body["event"] = event.into();
    }
    if let Some(data) = start.data {
        body["data"] = data;
    }
    let answer = client.post(&["tasks", start.id.as_str(), "run"], Some(&body)).await?;
    let (id, run) = (&start.id, json_text(&answer["runId"]));
    // A paused task keeps what is started by hand.
    let task = client.get(&["tasks", id.as_str()], &[]).await;
    let is_paused = task.is_ok_and(|task| task["isPaused"] == true);
    Ok(output.done(&answer, |_| {
        if is_paused {
            return format!(
                "{id} is paused: run {run} waits until it is resumed (`innkeeper task resume {id}`)"
            );
        }
        format!("{id} starts: `innkeeper execution list --run {run}` shows what comes of it")
    })?)
}

async fn list_executions(filter: ListExecutions, client: &Client, output: Output) -> Result<(), Failure> {
    let status = filter.status.map(|status| ("status", status.as_str().to_owned()));
    let query: Vec<_> = status.into_iter().collect();
    let found = client.list(&["tasks", filter.id.as_str(), "executions"], &query, filter.limit).await?;
    Ok(output.list(found, &executions::COLUMNS, "no executions")?)
}

/// What makes a task run, in one word or pattern.
fn trigger(task: &Value) -> String {
    let of = |key: &str| json_text(&task[key]);
    let written = ["preset", "cron", "at", "onEvent"].into_iter().map(of).find(|text| !text.is_empty());
    written.unwrap_or_else(|| match of("after") {
        after if after.is_empty() => String::new(),
        after => format!("after {after}"),
    })
}

/// The next due times, or why there are none.
fn next_runs(id: &str, answer: &Value) -> String {
    match answer["items"].as_array().map(Vec::as_slice) {
        Some(times @ [_, ..]) => table(&DUE_COLUMNS, times, columns()),
        _ => format!("{id} has no next due time: it waits for an event, is paused, or is spent"),
    }
}

fn resumed(id: &str, task: &Value) -> String {
    match time(&task["nextRunAt"]) {
        next if next.is_empty() => format!("{id} is active"),
        next => format!("{id} is active; its next run is at {next}"),
    }
}

fn describe(task: &Value) -> String {
    let text = |key: &str| json_text(&task[key]);
    let attempts = match task["attempts"].as_u64() {
        Some(0) | None => String::new(),
        Some(current) => count(usize::try_from(current).unwrap_or(usize::MAX), "attempt"),
    };
    fields(&[
        ("id", text("id")),
        ("name", text("name")),
        ("type", text("type")),
        ("trigger", trigger(task)),
        ("timezone", text("timezone")),
        ("plugin", text("plugin")),
        ("status", text("status")),
        ("paused", if task["isPaused"] == true { "yes".to_owned() } else { String::new() }),
        ("next run", time(&task["nextRunAt"])),
        ("last run", time(&task["lastRunAt"])),
        ("in progress", attempts),
        ("attempts at most", text("maxAttempts")),
        ("overlap", text("overlap")),
        ("misfire", text("misfire")),
        ("rate limit", rate_limit(&task["rateLimit"])),
        ("concurrency", text("concurrency")),
        ("limits", limits(&task["limits"])),
        ("expected within", text("expectWithin")),
        ("overdue since", time(&task["overdueSince"])),
        ("on failure", text("onFailure")),
        ("waiting for", text("waitingFor")),
        ("metadata", text("metadata")),
        ("created", time(&task["createdAt"])),
    ])
}

/// Those limits that people ask about first.
fn limits(limits: &Value) -> String {
    let shown = [
        limits["timeout"].as_str().map(|timeout| format!("{timeout} at most")),
        limits["memory"].as_u64().map(|memory| format!("{} memory", bytes(memory))),
        limits["fuel"].as_u64().map(|units| format!("{} fuel", fuel(units))),
    ];
    shown.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `10 per 1m, sliding, drop`.
fn rate_limit(limit: &Value) -> String {
    let text = |key: &str| json_text(&limit[key]);
    if limit.is_null() {
        return String::new();
    }
    format!("{} per {}, {}, {}", text("limit"), text("interval"), text("strategy"), text("overflow"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_shows_what_makes_it_run() {
        for (task, expected) in [
            (json!({"preset": "@daily", "cron": "0 0 * * *"}), "@daily"),
            (json!({"cron": "* * * * *"}), "* * * * *"),
            (json!({"at": "2030-01-01T00:00:00", "after": null}), "2030-01-01T00:00:00"),
            (json!({"after": "5m"}), "after 5m"),
            (json!({"onEvent": "user:*"}), "user:*"),
            (json!({}), ""),
        ] {
            assert_eq!(trigger(&task), expected);
        }
    }
}
