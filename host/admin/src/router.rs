//! Which request goes to which handler, and what all handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Method, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{delete, get, post, put};
use innkeeper_runner::TaskRunner;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::auth::Token;
use crate::bodies::Bodies;
use crate::body::BodyLimit;
use crate::config::AdminConfig;
use crate::problem::Problem;
use crate::streams::{self, Seats};
use crate::uploads::Uploads;
use crate::{
    apply, audit, backup, components, configuration, events, executions, export, framing, gate, grants,
    health, limits, metrics, openapi, plugins, replays, schedules, status, tasks, tenants, tokens, trace,
    upcoming, values, versions,
};

/// The routes of the admin API, without a server around them: for tests, and for hosts that have a server of their own.
/// Of the configuration it obeys what concerns requests, not what concerns connections. A caller must not drop the
/// future of a request that is in progress: it could stop between storing and queueing.
pub fn router(runner: TaskRunner, config: &AdminConfig) -> Router {
    routes(Api::new(runner, config, CancellationToken::new()))
}

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) runner: TaskRunner,
    pub(crate) token: Option<Token>,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) body: BodyLimit,
    pub(crate) upload: BodyLimit,
    /// Where uploads are received.
    pub(crate) uploads_dir: PathBuf,
    /// Whose upload is next.
    pub(crate) uploads: Arc<Uploads>,
    /// Copies of the database that may be on their way: one.
    pub(crate) backups: Arc<Semaphore>,
    /// Bytes of the disk that are free on a host that is ready.
    pub(crate) disk_free_min: u64,
    /// Streams that may be open.
    pub(crate) streams: Arc<Seats>,
    /// How often a stream says that it is there.
    pub(crate) heartbeat: Duration,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

impl Api {
    pub(crate) fn new(runner: TaskRunner, config: &AdminConfig, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            runner,
            token: config.token.clone(),
            bodies: Bodies::new(config.bodies_bytes_max),
            body: BodyLimit {
                bytes_max: config.body_bytes_max,
                timeout: config.body_timeout,
                pause: config.body_timeout,
            },
            upload: BodyLimit {
                bytes_max: config.upload_bytes_max,
                timeout: config.upload_timeout,
                pause: config.body_timeout,
            },
            uploads_dir: config.uploads_dir.clone().unwrap_or_else(std::env::temp_dir),
            uploads: Uploads::new(config),
            backups: Arc::new(Semaphore::new(1)),
            disk_free_min: config.disk_free_min,
            streams: Seats::new(config.streams_max, config.streams_per_tenant_max),
            heartbeat: config.stream_heartbeat.max(Duration::from_millis(1)),
            stop,
        })
    }
}

pub(crate) fn routes(api: Arc<Api>) -> Router {
    let traced = from_fn_with_state(Arc::clone(&api), trace::follow);
    Router::new()
        .route("/v1/events", post(events::publish).layer(traced.clone()))
        .route("/v1/tasks", get(tasks::list).post(tasks::create))
        .route("/v1/tasks/{id}", get(tasks::show).put(tasks::replace).delete(tasks::delete))
        .route("/v1/tasks/{id}/pause", post(tasks::pause))
        .route("/v1/tasks/{id}/resume", post(tasks::resume))
        .route("/v1/tasks/{id}/run", post(tasks::run).layer(traced.clone()))
        .route("/v1/tasks/{id}/next-runs", get(tasks::next_runs))
        .route("/v1/tasks/{id}/skips", get(tasks::skips))
        .route("/v1/tasks/{id}/executions", get(executions::list))
        .route("/v1/executions", get(executions::list_all))
        .route("/v1/executions/redrive", post(replays::redrive).layer(traced.clone()))
        .route("/v1/executions/{id}", get(executions::show))
        .route("/v1/executions/{id}/replay", post(replays::replay).layer(traced))
        .route("/v1/executions/{id}/logs", get(executions::logs))
        .route("/v1/executions/{id}/cancel", post(executions::cancel))
        .route("/v1/schedules/preview", post(schedules::preview))
        .route("/v1/next-runs", get(upcoming::list))
        .route("/v1/stream", get(streams::open))
        .route("/v1/plugins", get(plugins::list))
        .route("/v1/plugins/{name}", put(plugins::upload).get(plugins::show).delete(plugins::delete))
        .route("/v1/plugins/{name}/versions", get(versions::list))
        .route("/v1/plugins/{name}/versions/{digest}", get(versions::show).delete(versions::delete))
        .route("/v1/plugins/{name}/activate", post(versions::activate))
        .route("/v1/plugins/{name}/rollback", post(versions::roll_back))
        .route("/v1/plugins/{name}/grants", get(grants::show).put(grants::replace).patch(grants::change))
        .route("/v1/components", post(components::stage))
        .route("/v1/apply", post(apply::apply))
        .route("/v1/export", get(export::export))
        .route("/v1/kv", get(values::buckets))
        .route("/v1/kv/{bucket}", get(values::keys))
        .route("/v1/kv/{bucket}/{key}", get(values::show).put(values::set).delete(values::delete))
        .route("/v1/config", get(configuration::list))
        .route(
            "/v1/config/{key}",
            get(configuration::show).put(configuration::set).delete(configuration::delete),
        )
        .route("/v1/plugins/{name}/limits", get(limits::show).put(limits::replace))
        .route("/v1/plugins/{name}/release", post(plugins::release))
        .route("/v1/tenant", get(tenants::show_own))
        .route("/v1/tenants", get(tenants::list).post(tenants::create))
        .route("/v1/tenants/{id}", get(tenants::show).patch(tenants::change).delete(tenants::delete))
        .route("/v1/tenants/{id}/disable", post(tenants::disable))
        .route("/v1/tenants/{id}/enable", post(tenants::enable))
        .route("/v1/tokens", get(tokens::list).post(tokens::create))
        .route("/v1/tokens/{id}", delete(tokens::revoke))
        .route("/v1/tokens/{id}/rotate", post(tokens::rotate))
        .route("/v1/audit", get(audit::list))
        .route("/v1/plugins/{name}/component", get(plugins::component))
        .route("/v1/presets", get(status::presets))
        .route("/v1/presets/{name}", put(status::put_preset))
        .route("/v1/stats", get(status::stats))
        .route("/v1/backup", post(backup::backup))
        .route("/openapi.json", get(openapi::show))
        .route("/metrics", get(metrics::metrics))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&api), gate::pass))
        .layer(from_fn(framing::close_after_chunks))
        .with_state(api)
}

async fn no_such_route(uri: Uri) -> Problem {
    Problem::no_such_route(uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::no_such_method(&method, uri.path())
}
