//! Executions.

use super::super::bodies::RedriveRequest;
use super::super::values::LogLine;
use super::Draft;
use super::tasks::{TRACE, TRACE_STATE};
use crate::executions::{OfAll, OfTask};
use crate::paging::NumberedQuery;
use crate::wire::{RedriveAnswer, Repeated, TrailEntry};

const EXECUTIONS: &str = "executions";

pub(super) fn add(draft: &mut Draft) {
    lists(draft);
    draft
        .operation(EXECUTIONS, ("get", "/v1/executions/{id}"), "getExecution", "Shows an execution.")
        .query::<()>()
        .answers::<TrailEntry>(200, "The execution.")
        .done();
    draft
        .operation(
            EXECUTIONS,
            ("get", "/v1/executions/{id}/logs"),
            "getLogs",
            "Shows what an execution logged.",
        )
        .more("It is kept when the execution ends.")
        .query::<NumberedQuery>()
        .lists::<LogLine>("A page of lines, in order.")
        .done();
    draft
        .operation(
            EXECUTIONS,
            ("post", "/v1/executions/{id}/cancel"),
            "cancelExecution",
            "Stops an execution that runs.",
        )
        .more("Its run ends as cancelled. It may take a moment.")
        .answers::<TrailEntry>(202, "The execution, as it is meanwhile.")
        .problems(&[409])
        .done();
    draft
        .operation(EXECUTIONS, ("post", "/v1/executions/{id}/replay"), "replayExecution", "Starts a run like the one that ended as failed with this execution.")
        .more("It gets the same event and data. A run is repeated once; its repetition may be repeated in turn.")
        .header("traceparent", TRACE)
        .header("tracestate", TRACE_STATE)
        .answers::<Repeated>(202, "The new run is stored.")
        .problems(&[409])
        .done();
    draft
        .operation(
            EXECUTIONS,
            ("post", "/v1/executions/redrive"),
            "redriveExecutions",
            "Starts runs like those that ended as failed and that nobody has repeated.",
        )
        .header("traceparent", TRACE)
        .header("tracestate", TRACE_STATE)
        .body::<RedriveRequest>(false)
        .answers::<RedriveAnswer>(202, "The new runs are stored.")
        .answers::<RedriveAnswer>(200, "They were only counted.")
        .done();
}

fn lists(draft: &mut Draft) {
    draft
        .operation(
            EXECUTIONS,
            ("get", "/v1/executions"),
            "listExecutions",
            "Lists executions of all tasks, the newest first.",
        )
        .more("A page may hold fewer than asked for, and yet name a next one.")
        .query::<OfAll>()
        .lists::<TrailEntry>("A page of executions.")
        .done();
    draft
        .operation(
            EXECUTIONS,
            ("get", "/v1/tasks/{id}/executions"),
            "listExecutionsOfTask",
            "Lists executions of a task, which may be gone.",
        )
        .query::<OfTask>()
        .lists::<TrailEntry>("A page of executions, the newest first.")
        .done();
}
