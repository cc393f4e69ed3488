//! `execution list`, `replay` and `redrive`, and `task upcoming`.

use serde_json::{Value, json};

use crate::args::{ListTrail, Redrive, Upcoming};
use crate::client::Client;
use crate::executions::COLUMNS as EXECUTION;
use crate::exit::Failure;
use crate::output::{Column, Output, count, json_text, short_time};
use crate::progress::Steps;

/// How executions of several tasks are listed.
pub(crate) const TRAIL: [Column; 7] = [
    EXECUTION[0],
    Column::new("TASK", |execution| json_text(&execution["taskId"])),
    EXECUTION[1],
    EXECUTION[2],
    EXECUTION[3],
    EXECUTION[4],
    EXECUTION[5],
];

const DUE: [Column; 3] = [
    Column::new("DUE", |due| short_time(&due["at"])),
    Column::new("TASK", |due| json_text(&due["taskId"])),
    Column::optional("PLUGIN", |due| json_text(&due["plugin"])),
];

/// Lists executions of all tasks.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn list(filter: ListTrail, client: &Client, output: Output) -> Result<(), Failure> {
    let dead = filter.dead.then(|| "true".to_owned());
    let values = [
        ("task", filter.which.task.map(|task| task.to_string())),
        ("plugin", filter.which.plugin.map(|plugin| plugin.to_string())),
        ("kind", filter.which.kind.map(|kind| kind.to_string())),
        ("since", filter.which.since.map(|since| since.to_string())),
        ("until", filter.which.until.map(|until| until.to_string())),
        ("run", filter.run.map(|run| run.to_string())),
        ("event", filter.event.map(|event| event.to_string())),
        ("status", filter.status.map(|status| status.as_str().to_owned())),
        ("replayed", dead.as_ref().map(|_| "false".to_owned())),
        ("final", dead),
    ];
    let query: Vec<_> = values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    let found = client.list(&["executions"], &query, filter.limit).await?;
    Ok(output.list(found, &TRAIL, "no executions")?)
}

/// Runs failed runs again.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn redrive(wish: Redrive, client: &Client, output: Output) -> Result<(), Failure> {
    let mut body = json!({
        "task": wish.which.task, "plugin": wish.which.plugin, "kind": wish.which.kind,
        "since": wish.which.since, "until": wish.which.until, "limit": wish.limit, "dryRun": true,
    });
    let counted = client.post(&["executions", "redrive"], Some(&body)).await?;
    if wish.dry_run {
        return Ok(output.answer(&counted, told)?);
    }
    let matched = usize::try_from(number(&counted, "matched")).unwrap_or(usize::MAX);
    let steps = Steps::start("running again", matched, output.is_quiet());
    body["dryRun"] = false.into();
    let mut total = Total::default();
    while let Some(limit) = total.next(u64::from(wish.limit)) {
        body["limit"] = limit.into();
        let answer = client.post(&["executions", "redrive"], Some(&body)).await;
        let answer = answer.inspect_err(|_| steps.finish())?;
        steps.advance(usize::try_from(number(&answer, "redriven")).unwrap_or(usize::MAX));
        total.add(&answer);
    }
    steps.finish();
    Ok(output.done(&total.to_json(), told)?)
}

/// Runs of one request, so that progress shows.
const BATCH: u64 = 250;

/// What several requests did together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    redriven: u64,
    events_gone: u64,
    has_more: bool,
    is_over: bool,
}

impl Total {
    /// How many the next request may take at most; `None` if there is none. Runs that cannot run again stay where they are, before
    /// the others, so that once there are some the rest is asked for as a whole.
    fn next(&self, limit: u64) -> Option<u64> {
        let rest = limit.saturating_sub(self.redriven);
        let batch = if self.events_gone > 0 { rest } else { BATCH.min(rest) };
        (!self.is_over && batch > 0).then_some(batch)
    }

    fn add(&mut self, answer: &Value) {
        let gone = number(answer, "eventsGone");
        self.redriven += number(answer, "redriven");
        self.has_more = answer["more"] == true;
        self.is_over = !self.has_more || self.events_gone > 0;
        self.events_gone = gone;
    }

    fn to_json(&self) -> Value {
        let matched = self.redriven + self.events_gone;
        json!({"matched": matched, "redriven": self.redriven, "eventsGone": self.events_gone, "more": self.has_more,
            "dryRun": false})
    }
}

fn number(answer: &Value, key: &str) -> u64 {
    answer[key].as_u64().unwrap_or(0)
}

fn told(answer: &Value) -> String {
    let number = |key: &str| usize::try_from(answer[key].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
    let more = if answer["more"] == true { "; there are more" } else { "" };
    if answer["dryRun"] == true {
        return format!("{} would run again{more}", count(number("matched"), "failed run"));
    }
    let gone = match number("eventsGone") {
        0 => String::new(),
        gone => format!("; {} cannot, as their events are not kept any more", count(gone, "run")),
    };
    let runs = if number("redriven") == 1 { "runs" } else { "run" };
    format!("{} {runs} again{gone}{more}", count(number("redriven"), "failed run"))
}

/// Shows what is due next, over all tasks.
///
/// # Errors
/// As [`Failure`] tells them apart.
pub(crate) async fn upcoming(window: Upcoming, client: &Client, output: Output) -> Result<(), Failure> {
    let bounds = [("from", window.from), ("until", window.until)];
    let query: Vec<_> = bounds.into_iter().filter_map(|(key, at)| Some((key, at?.to_string()))).collect();
    let found = client.list(&["next-runs"], &query, window.limit).await?;
    Ok(output.list(found, &DUE, "nothing is due in that time")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_runs_are_repeated_in_parts() {
        let done = |redriven: u64, gone: u64, more: bool| json!({"redriven": redriven, "eventsGone": gone, "more": more});
        let mut total = Total::default();
        assert_eq!(total.next(600), Some(250));
        total.add(&done(250, 0, true));
        assert_eq!(total.next(600), Some(250));
        total.add(&done(240, 10, true));
        assert_eq!(total.next(600), Some(110), "those that cannot come first again");
        total.add(&done(95, 15, true));
        assert_eq!((total.next(600), total.redriven, total.events_gone), (None, 585, 15));
        let mut total = Total::default();
        total.add(&done(3, 0, false));
        assert_eq!(total.next(600), None);
    }

    #[test]
    fn what_came_of_a_redrive_is_told() {
        let dry = json!({"matched": 1, "redriven": 0, "eventsGone": 0, "more": false, "dryRun": true});
        assert_eq!(told(&dry), "1 failed run would run again");
        let some = json!({"matched": 5, "redriven": 3, "eventsGone": 2, "more": true, "dryRun": false});
        assert_eq!(
            told(&some),
            "3 failed runs run again; 2 runs cannot, as their events are not kept any more; there are more"
        );
    }
}
