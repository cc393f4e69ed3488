//! `/metrics` in the text format of Prometheus, version 0.0.4.
//!
//! What is counted lives where it happens; here it only gets its names. Durations are counted in microseconds and shown
//! in seconds, as the convention wants.

mod text;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use innkeeper_runner::{Pruned, RunnerFigures, SpanFigures, TenantFigures};
use innkeeper_store::StoreFigures;

use self::text::{Exposition, Kind};
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Api;

const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds per unit of what is counted in microseconds.
const MICROSECOND: f64 = 1e-6;

/// What the host counted, for a Prometheus server.
pub(crate) async fn metrics(
    State(api): State<Arc<Api>>,
    Query(()): Query<()>,
) -> Result<impl IntoResponse, Problem> {
    let text = expose(&api.runner.figures(), &api.runner.config().timezone_data.version());
    Ok(([(CONTENT_TYPE, MEDIA_TYPE)], text))
}

fn expose(figures: &RunnerFigures, timezone_data: &str) -> String {
    let mut out = Exposition::default();
    out.family("innkeeper_build_info", Kind::Gauge, "What host this is; always 1.");
    out.sample(&[("version", env!("CARGO_PKG_VERSION")), ("timezone_data", timezone_data)], 1.0);
    executions(&mut out, figures);
    waiting(&mut out, figures);
    tenants(&mut out, &figures.tenants);
    retention(&mut out, &figures.pruned);
    store(&mut out, &figures.store);
    sandbox(&mut out, figures);
    spans(&mut out, &figures.spans);
    out.finish()
}

fn executions(out: &mut Exposition, figures: &RunnerFigures) {
    let help = "Executions that have ended, by status and, if they failed, by the failure's name.";
    out.family("innkeeper_executions_total", Kind::Counter, help);
    out.count(&[("status", "success"), ("kind", "")], figures.succeeded);
    for (kind, count) in &figures.failed {
        out.count(&[("status", "failed"), ("kind", kind.as_str())], *count);
    }
    let help = "Time that executions were in the sandbox.";
    out.histogram("innkeeper_execution_duration_seconds", help, &figures.durations, MICROSECOND);
    let help = "Time from when an execution was due, or could start, to when it entered the sandbox.";
    out.histogram("innkeeper_execution_start_latency_seconds", help, &figures.start_latencies, MICROSECOND);
    let help = "Executions that are followed by another attempt of their run.";
    out.counter("innkeeper_retries_total", help, figures.retries);
    out.counter("innkeeper_events_total", "Events that were published.", figures.events);
}

fn waiting(out: &mut Exposition, figures: &RunnerFigures) {
    out.gauge("innkeeper_runs_queued", "Runs that are ready and wait for a slot.", figures.queued);
    let help = "Runs that wait for their time, for their rate limit or for another run of their task.";
    out.gauge("innkeeper_runs_held", help, figures.held);
    out.gauge("innkeeper_executions_running", "Executions in progress.", figures.running);
    let help = "Executions that may be in progress at once.";
    out.gauge("innkeeper_concurrency_limit", help, figures.concurrency);
    let help = "Due times and events that did not become runs, by reason.";
    out.family("innkeeper_skipped_total", Kind::Counter, help);
    for (reason, count) in &figures.store.skipped {
        out.count(&[("reason", reason.as_str())], *count);
    }
    let help = "Starts that a rate limit put off. What a rate limit drops is skipped as rate_limited.";
    out.counter("innkeeper_rate_limit_deferred_total", help, figures.store.deferred);
}

/// No tenant can be called `_other`: names begin with a letter or a digit.
fn tenants(out: &mut Exposition, tenants: &[TenantFigures]) {
    let name = |figures: &TenantFigures| {
        figures.tenant.as_ref().map_or_else(|| "_other".to_owned(), ToString::to_string)
    };
    let help = "Executions that have ended, by tenant; tenants beyond the bound count as `_other`.";
    out.family("innkeeper_tenant_executions_total", Kind::Counter, help);
    for figures in tenants {
        let tenant = name(figures);
        out.count(&[("tenant", &tenant), ("status", "success")], figures.succeeded);
        out.count(&[("tenant", &tenant), ("status", "failed")], figures.failed);
    }
    let help = "Time that executions were in the sandbox, by tenant.";
    out.family("innkeeper_tenant_execution_seconds_total", Kind::Counter, help);
    for figures in tenants {
        out.scaled(&[("tenant", &name(figures))], figures.busy_us, MICROSECOND);
    }
}

fn retention(out: &mut Exposition, pruned: &Pruned) {
    out.family(
        "innkeeper_pruned_total",
        Kind::Counter,
        "Rows that retention has deleted, by what they were.",
    );
    for (what, count) in
        [("executions", pruned.executions), ("events", pruned.events), ("skips", pruned.skips)]
    {
        out.count(&[("what", what)], count);
    }
}

fn store(out: &mut Exposition, figures: &StoreFigures) {
    let help = "Commands that the writer committed together.";
    out.histogram("innkeeper_store_group_size", help, &figures.group_sizes, 1.0);
    let help = "Time that the writer's transactions took, their commit included.";
    out.histogram("innkeeper_store_commit_seconds", help, &figures.commits, MICROSECOND);
    let help = "Transactions of the writer that failed as a whole.";
    out.counter("innkeeper_store_commit_failures_total", help, figures.failures);
    let help = "Whether the disk was full and has had no room since.";
    out.gauge("innkeeper_store_full", help, u64::from(figures.is_full));
    out.gauge("innkeeper_store_database_bytes", "Size of the database file.", figures.database_bytes);
    out.gauge("innkeeper_store_wal_bytes", "Size of the write-ahead log.", figures.wal_bytes);
}

fn sandbox(out: &mut Exposition, figures: &RunnerFigures) {
    let sandbox = &figures.sandbox;
    let help = "Time that compilations of uploaded components took.";
    out.histogram("innkeeper_compile_seconds", help, &sandbox.compilations, MICROSECOND);
    let help = "Executions that the pool of instances has room for.";
    out.gauge("innkeeper_sandbox_slots", help, sandbox.slots);
    let help = "Executions that have a place in the pool of instances.";
    out.gauge("innkeeper_sandbox_slots_used", help, sandbox.slots_used);
    let help = "Plugin versions that are kept ready in memory.";
    out.gauge("innkeeper_sandbox_plugins_loaded", help, sandbox.plugins_loaded);
    let help = "Size of the plugin versions that are kept ready in memory.";
    out.gauge("innkeeper_sandbox_plugins_loaded_bytes", help, sandbox.plugins_loaded_bytes);
}

fn spans(out: &mut Exposition, figures: &SpanFigures) {
    let help = "Spans for the collector of traces, by what became of them.";
    out.family("innkeeper_spans_total", Kind::Counter, help);
    for (result, count) in
        [("exported", figures.exported), ("failed", figures.failed), ("dropped", figures.dropped)]
    {
        out.count(&[("result", result)], count);
    }
}
