//! Tasks and events.

use serde_json::json;

use super::super::bodies::{PreviewRequest, Publications, StartRequest, TaskConfig};
use super::super::values::Instant;
use super::Draft;
use crate::dry_run::DryRun;
use crate::streams::Topics;
use crate::tasks::{Count, SkipQuery, TaskQuery};
use crate::upcoming::WindowQuery;
use crate::wire::{DueTime, DueTimes, Preview, Published, Skip, Started, Task, TaskAndWhy, Upcoming};

/// What is said of the headers of W3C Trace Context.
pub(super) const TRACE: &str =
    "The trace that the runs are to be part of (W3C Trace Context). One that is not valid is ignored.";
pub(super) const TRACE_STATE: &str = "Handed on with `traceparent`.";

const TASKS: &str = "tasks";
const KEY: &str =
    "Names the request: a second one with the same key answers as the first did, and does nothing.";

pub(super) fn add(draft: &mut Draft) {
    definitions(draft);
    control(draft);
    due_times(draft);
    events(draft);
}

fn definitions(draft: &mut Draft) {
    draft
        .operation(TASKS, ("get", "/v1/tasks"), "listTasks", "Lists tasks, in the order of their ids.")
        .query::<TaskQuery>()
        .lists::<Task>("A page of tasks.")
        .done();
    draft
        .operation(TASKS, ("post", "/v1/tasks"), "createTask", "Creates a task.")
        .body::<TaskConfig>(true)
        .answers::<Task>(201, "The task.")
        .tagged()
        .located()
        .problems(&[409])
        .done();
    draft
        .operation(TASKS, ("get", "/v1/tasks/{id}"), "getTask", "Shows a task, and what it waits for.")
        .query::<()>()
        .answers::<TaskAndWhy>(200, "The task.")
        .tagged()
        .done();
    let replacement = replacement(draft);
    draft
        .operation(TASKS, ("put", "/v1/tasks/{id}"), "replaceTask", "Creates a task, or defines it anew.")
        .more("What it has counted stays; its due time stays too if trigger and zone do.")
        .query::<DryRun>()
        .content("application/json", replacement, true)
        .conditional(true)
        .answers::<Task>(201, "It is new.")
        .answers::<Task>(200, "It was there.")
        .tagged()
        .problems(&[400, 415])
        .done();
    draft
        .operation(TASKS, ("delete", "/v1/tasks/{id}"), "deleteTask", "Deletes a task.")
        .more("Its waiting runs go with it, what executes is cancelled, and its executions stay.")
        .conditional(false)
        .answers_nothing(204, "It is gone.")
        .done();
}

/// A task whose id may be left out, as the path says it.
fn replacement(draft: &mut Draft) -> serde_json::Value {
    draft.schema::<TaskConfig>();
    let mut schema = draft.schemas["TaskConfig"].clone();
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != "id");
    }
    draft.schemas.insert("TaskReplacement".to_owned(), schema);
    json!({"$ref": "#/components/schemas/TaskReplacement"})
}

fn control(draft: &mut Draft) {
    for (name, path, summary) in [
        ("pauseTask", "/v1/tasks/{id}/pause", "Keeps a task from running until it is resumed."),
        ("resumeTask", "/v1/tasks/{id}/resume", "Lets a paused task run again."),
    ] {
        draft
            .operation(TASKS, ("post", path), name, summary)
            .answers::<Task>(200, "The task.")
            .tagged()
            .done();
    }
    draft
        .operation(TASKS, ("post", "/v1/tasks/{id}/run"), "runTask", "Starts a task now.")
        .more("The run of a paused task waits until it is resumed.")
        .header("Idempotency-Key", KEY)
        .header("traceparent", TRACE)
        .header("tracestate", TRACE_STATE)
        .body::<StartRequest>(false)
        .answers::<Started>(202, "The run is stored.")
        .done();
}

fn due_times(draft: &mut Draft) {
    draft
        .operation(TASKS, ("get", "/v1/tasks/{id}/next-runs"), "listDueTimes", "Shows when a task is due.")
        .query::<Count>()
        .answers::<DueTimes>(200, "Its next due times.")
        .done();
    draft
        .operation(
            TASKS,
            ("get", "/v1/tasks/{id}/skips"),
            "listSkips",
            "Lists what of a task did not run, and why.",
        )
        .query::<SkipQuery>()
        .lists::<Skip>("A page of it, the newest first.")
        .done();
    draft
        .operation(
            TASKS,
            ("get", "/v1/next-runs"),
            "listUpcoming",
            "Shows what is due in a window, over all tasks.",
        )
        .query::<WindowQuery>()
        .answers::<Upcoming>(200, "A page of due times, the earliest first.")
        .done();
    draft
        .operation(
            "host",
            ("post", "/v1/schedules/preview"),
            "previewSchedule",
            "Shows when a schedule would be due.",
        )
        .body::<PreviewRequest>(true)
        .answers::<Preview>(200, "Due times in both directions.")
        .done();
    draft.schema::<Instant>();
    draft.schema::<DueTime>();
}

fn events(draft: &mut Draft) {
    let published = draft.schema::<Published>();
    let answer = json!({"oneOf": [published, {"type": "array", "items": published}]});
    draft
        .operation("events", ("post", "/v1/events"), "publishEvents", "Publishes an event, or several, all or none.")
        .more("Each becomes a run of every task that listens to it. An array may hold 10,000; the key of the header names each with its number.")
        .header("Idempotency-Key", KEY)
        .header("traceparent", TRACE)
        .header("tracestate", TRACE_STATE)
        .body::<Publications>(true)
        .answers_with(202, "They and their runs are stored. The answer has the form of the body.", "application/json", answer)
        .done();
    draft
        .operation("events", ("get", "/v1/stream"), "stream", "Tells what happens, as it happens.")
        .more(STREAM)
        .query::<Topics>()
        .header("Last-Event-ID", "The last `id` that was read: go on after it.")
        .answers_with(
            200,
            "Server-sent events, until somebody hangs up.",
            "text/event-stream",
            json!({"type": "string"}),
        )
        .problems(&[429])
        .done();
}

const STREAM: &str = "Server-sent events with `id`, `event` and `data` (JSON). `event`: an event was published \
    (`{id, event, data, publishedAt, traceId}`). `task`: a task changed (`{taskId, change}`). `execution`: an execution ended (as \
    `GET /v1/executions/{id}` shows it, with its `logs`). `progress`: a running one says how far it is (`{executionId, runId, \
    taskId, fraction, note, at}`). `ready` comes first. `reset` says that the id to go on from is not \
    known any more and something may be missing; `dropped` that the reader was too slow, and is the last. A comment shows \
    now and then that the stream is there.";
