//! A host without a server: its routes, its runner, and a sandbox that does as it is told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use innkeeper_admin::{AdminConfig, Token, router};
use innkeeper_model::BoxFuture;
use innkeeper_model::clock::ManualClock;
use innkeeper_model::execution::{Failure, FailureKind, LogLevel, LogLine, Receipt};
use innkeeper_model::id::TenantId;
use innkeeper_model::sandbox::{
    Admission, Effects, Invocation, Outcome, Refusal, Report, Sandbox, StopReason,
};
use innkeeper_model::upload::Upload;
use innkeeper_runner::bus::{Message, Subscription};
use innkeeper_runner::{RunnerConfig, SecretKey, TaskRunner};
use innkeeper_store::{Durability, Location, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::conformity::{self, Asked};

/// Longer than anything takes; only a failing test waits for so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The bytes of a component that the sandbox admits.
pub(crate) const COMPONENT: &[u8] = b"\0asm component";

/// The operator's token of a host with tenants.
pub(crate) const OPERATOR: &str = "the-operator";

/// Admits whatever begins like WebAssembly; every execution succeeds and gives back its data,
/// but one of the event `hold` goes on until it is cancelled, and one of an event that ends in `:fail` or `:permanent` fails.
struct ScriptedSandbox {
    /// Uploads that may be admitted.
    admissions: Arc<Semaphore>,
    /// Uploads that have arrived.
    uploads: Arc<Semaphore>,
    /// Executions that have arrived and go on.
    held: Arc<Semaphore>,
}

impl Sandbox for ScriptedSandbox {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        let admissions = Arc::clone(&self.admissions);
        self.uploads.add_permits(1);
        Box::pin(async move {
            let _admission = admissions.acquire().await.expect("never closed");
            if !component.to_vec().expect("a file").starts_with(b"\0asm") {
                return Err(Refusal::Invalid("these bytes are not WebAssembly".to_owned()));
            }
            let mut imports = vec!["wasi:io/streams@0.2.0".to_owned()];
            if component.to_vec().expect("a file").ends_with(b"http") {
                imports.insert(0, "wasi:http/outgoing-handler@0.2.0".to_owned());
            }
            Ok(Admission { digest: component.digest(), handler: "plugin".to_owned(), imports })
        })
    }

    fn execute(&self, invocation: Invocation, stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        let (at, level) = (invocation.started_at, LogLevel::Info);
        let held = Arc::clone(&self.held);
        Box::pin(async move {
            let outcome = if invocation.event.as_deref() == Some("hold") {
                held.add_permits(1);
                assert_eq!(stop.await, StopReason::Cancelled);
                Outcome::Failure(Failure::new(FailureKind::Cancelled, "it was cancelled"))
            } else {
                done(&invocation.event.unwrap_or_default(), invocation.data)
            };
            Report {
                outcome,
                effects: Effects::default(),
                logs: vec![LogLine { at, level, message: "hello".to_owned() }],
                receipt: Receipt { fuel: 7, ..Receipt::default() },
            }
        })
    }
}

/// What comes of an execution that is not held.
fn done(event: &str, data: Option<String>) -> Outcome {
    let told = format!("it was told to: {}", data.as_deref().unwrap_or_default());
    match event.rsplit(':').next() {
        Some("fail") => Outcome::Failure(Failure::new(FailureKind::HandlerError, told)),
        Some("permanent") => Outcome::Failure(Failure::new(FailureKind::Permanent, told)),
        _ => Outcome::Success(data),
    }
}

/// A host whose clock stands at 2025-06-01T12:00:00Z.
pub(crate) struct Host {
    pub(crate) runner: TaskRunner,
    pub(crate) clock: Arc<ManualClock>,
    /// Uploads that may be admitted: all, unless a test takes them away.
    pub(crate) admissions: Arc<Semaphore>,
    /// Uploads that have arrived at the sandbox.
    pub(crate) uploads: Arc<Semaphore>,
    /// Executions that have arrived at the sandbox and go on.
    pub(crate) held: Arc<Semaphore>,
    router: Router,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// `null` if there is no body, or none of JSON.
    pub(crate) body: Value,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::with(AdminConfig::default()).await
    }

    pub(crate) async fn with(config: AdminConfig) -> Self {
        let store = Store::open(&Location::Memory, Durability::Full).expect("a store in memory");
        let [uploads, held] = [0, 0].map(|none| Arc::new(Semaphore::new(none)));
        let admissions = Arc::new(Semaphore::new(1000));
        let sandbox = ScriptedSandbox {
            admissions: Arc::clone(&admissions),
            uploads: Arc::clone(&uploads),
            held: Arc::clone(&held),
        };
        let clock = Arc::new(ManualClock::new("2025-06-01T12:00:00Z".parse().expect("an instant")));
        let (settings, clock_of_runner) = (
            RunnerConfig { secret_key: Some(SecretKey::generate()), ..RunnerConfig::default() },
            Arc::clone(&clock),
        );
        let started = TaskRunner::start(settings, store, Arc::new(sandbox), clock_of_runner).await;
        let runner = started.expect("a runner");
        let router = router(runner.clone(), &config);
        let host = Self { runner, clock, admissions, uploads, held, router };
        host.keep_description().await;
        host
    }

    /// Keeps the description of the API, which asks for no token.
    async fn keep_description(&self) {
        let asked = request("GET", "/openapi.json").body(Body::empty()).expect("a request");
        let bytes = to_bytes(self.raw(asked).await.into_body(), usize::MAX).await.expect("a whole body");
        conformity::keep(serde_json::from_slice(&bytes).expect("JSON"));
    }

    /// A host with the plugin `greeter`.
    pub(crate) async fn with_plugin() -> Self {
        let host = Self::start().await;
        assert_eq!(host.upload("greeter", COMPONENT).await.status, StatusCode::CREATED);
        host
    }

    /// The routes, for requests whose answer is not JSON.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    /// Whatever comes, as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("routes do not fail")
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (request, asked) = noted(request).await;
        let response = self.raw(request).await;
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
        let declared = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = declared.is_some_and(|declared| declared.ends_with("json"));
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(
            !is_json || bytes.is_empty() || body != Value::Null || &*bytes == b"null",
            "not JSON: {bytes:?}"
        );
        if head.status.is_client_error() || head.status.is_server_error() {
            check_problem(head.status, &head.headers, &body);
        }
        conformity::check(&asked, head.status, &head.headers, &body);
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request("DELETE", path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(request("POST", path).body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Answer {
        let request = request("POST", path).header(CONTENT_TYPE, "application/json; charset=utf-8");
        self.send(request.body(body.to_owned().into()).expect("a request")).await
    }

    pub(crate) async fn upload(&self, name: &str, component: &[u8]) -> Answer {
        let request = request("PUT", &format!("/v1/plugins/{name}")).header(CONTENT_TYPE, "application/wasm");
        self.send(request.body(component.to_vec().into()).expect("a request")).await
    }

    /// Creates a task that runs `greeter`, with these further fields.
    pub(crate) async fn create(&self, id: &str, fields: Value) -> Answer {
        let mut config = fields;
        config["id"] = id.into();
        config["plugin"] = "greeter".into();
        self.post_json("/v1/tasks", config).await
    }

    /// A host with the operator's token [`OPERATOR`], the tenants `one` and `other`, and the plugin `greeter` of `one`.
    pub(crate) async fn with_tenants() -> Self {
        let token = Some(Token::new(OPERATOR).expect("a token"));
        let host = Self::with(AdminConfig { token, ..AdminConfig::default() }).await;
        for tenant in ["one", "other"] {
            let created = host.ask("POST", "/v1/tenants", OPERATOR, Some(json!({"id": tenant}))).await;
            assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
        }
        let upload = request("PUT", "/v1/plugins/greeter")
            .header(CONTENT_TYPE, "application/wasm")
            .header("innkeeper-tenant", "one")
            .header(AUTHORIZATION, format!("Bearer {OPERATOR}"));
        let uploaded = host.send(upload.body(COMPONENT.to_vec().into()).expect("a request")).await;
        assert_eq!(uploaded.status, StatusCode::CREATED);
        host
    }

    /// A request of whoever shows this token, or none if it is empty.
    pub(crate) async fn ask(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Answer {
        self.ask_for("", method, path, token, body).await
    }

    /// As [`Host::ask`], naming a tenant.
    pub(crate) async fn ask_for(
        &self,
        tenant: &str,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut builder = request(method, path);
        if !token.is_empty() {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !tenant.is_empty() {
            builder = builder.header("innkeeper-tenant", tenant);
        }
        let body = body.map_or_else(Body::empty, |body| body.to_string().into());
        self.send(builder.header(CONTENT_TYPE, "application/json").body(body).expect("a request")).await
    }

    /// Makes a token of a tenant; its secret and its id.
    pub(crate) async fn token(&self, tenant: &str, role: &str) -> (String, String) {
        let body = json!({"name": format!("{role} of {tenant}"), "role": role});
        let made = self.ask_for(tenant, "POST", "/v1/tokens", OPERATOR, Some(body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        (text(&made.body, "secret").to_owned(), text(&made.body, "id").to_owned())
    }

    /// Hears of the executions that end from now on.
    pub(crate) fn executions(&self) -> Subscription {
        self.runner.subscribe(&TenantId::default_tenant(), &"execution:*".parse().expect("a pattern"))
    }
}

/// What a request asks, for the check of its answer.
async fn noted(request: Request<Body>) -> (Request<Body>, Asked) {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.expect("a whole body");
    let (method, path) = (head.method.to_string(), head.uri.to_string());
    let body = serde_json::from_slice(&bytes).ok();
    (Request::from_parts(head, bytes.into()), Asked { method, path, body })
}

/// Waits until one more has arrived.
pub(crate) async fn arrival(arrived: &Semaphore) {
    let one = tokio::time::timeout(PATIENCE, arrived.acquire()).await.expect("it arrives in time");
    one.expect("never closed").forget();
}

/// Waits for one execution to end; its id.
pub(crate) async fn ended(executions: &mut Subscription) -> String {
    let message = tokio::time::timeout(PATIENCE, executions.next()).await.expect("an execution ends in time");
    let Some(Message::Execution(ended)) = message else { panic!("another message: {message:?}") };
    ended.execution.id.to_string()
}

pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// Fields and codes of the errors in a problem document.
pub(crate) fn errors(answer: &Answer) -> Vec<(&str, &str)> {
    let errors = answer.body["errors"].as_array().expect("errors");
    assert!(errors.iter().all(|error| !text(error, "message").is_empty()));
    errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
}

pub(crate) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_default()
}

/// The values under `key` of a list's items.
pub(crate) fn column(answer: &Answer, key: &str) -> Vec<Value> {
    answer.body["items"].as_array().expect("items").iter().map(|item| item[key].clone()).collect()
}

/// Every error is a problem document that says what it is.
fn check_problem(status: StatusCode, headers: &HeaderMap, body: &Value) {
    assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(body["status"], status.as_u16());
    assert_eq!(body["type"], "about:blank");
    assert_eq!(body["title"], json!(status.canonical_reason()));
    for key in ["code", "detail"] {
        assert!(body[key].as_str().is_some_and(|text| !text.is_empty()), "{key} in {body}");
    }
}
