//! The specification's example configurations, with the runner embedded and handlers that are Rust closures instead of
//! uploaded components: `cargo run -p innkeeper-runner --example specification`.

use std::collections::HashMap;
use std::sync::Arc;

use innkeeper_model::BoxFuture;
use innkeeper_model::execution::Receipt;
use innkeeper_model::sandbox::{
    Admission, Effects, Invocation, Outcome, Refusal, Report, Sandbox, StopReason,
};
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::upload::Upload;
use innkeeper_runner::{RunnerError, TaskRunnerConfig, create_task_runner};
use serde_json::{Value, json};

/// A handler within this program: it is given the event's name and data.
type Handler = fn(Option<&str>, Option<&str>);

/// Runs handlers of this program in place of uploaded components. They are trusted: nothing limits them.
struct InMemory(HashMap<&'static str, Handler>);

impl Sandbox for InMemory {
    fn admit(&self, component: Upload) -> BoxFuture<Result<Admission, Refusal>> {
        Box::pin(async move {
            Ok(Admission { digest: component.digest(), handler: "plugin".to_owned(), imports: Vec::new() })
        })
    }

    fn execute(&self, invocation: Invocation, _stop: BoxFuture<StopReason>) -> BoxFuture<Report> {
        let handler = self.0.get(invocation.plugin.as_str()).copied();
        Box::pin(async move {
            if let Some(handler) = handler {
                handler(invocation.event.as_deref(), invocation.data.as_deref());
            }
            let (effects, receipt) = (Effects::default(), Receipt::default());
            Report { outcome: Outcome::Success(None), effects, logs: Vec::new(), receipt }
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), RunnerError> {
    let handlers: HashMap<&'static str, Handler> = HashMap::from([
        ("clean-cache", (|_, _| println!("cleaning the cache")) as Handler),
        ("weekly-report", |_, _| println!("writing the report")),
        ("otp-reminder", |_, _| println!("reminding")),
        ("launch-campaign", |_, _| println!("launching")),
        ("analytics", |_, data| println!("tracking a login: {}", data.unwrap_or("nothing"))),
        ("audit", |event, data| println!("audit: {event:?} {data:?}")),
    ]);
    let names: Vec<_> = handlers.keys().copied().collect();
    let config = TaskRunnerConfig { db_path: None, timezone: Some("America/New_York".to_owned()) };
    let tasks = create_task_runner(config, Arc::new(InMemory(handlers))).await?;
    for name in names {
        tasks.register_handler(name).await?;
    }

    // Subscribers of this program hear events too.
    let subscription =
        tasks.subscribe_to_event("user:*", |event| println!("heard {}: {:?}", event.event, event.data))?;

    for config in examples() {
        let id = tasks.create_task(task(config)).await?;
        println!("{id} is due next at {}", shown(tasks.get_next_run_time(&id).await?));
    }

    tasks.publish_event("user:logged_in", Some(json!({"userId": "123"}))).await?;
    tasks.publish_event("audit:file:read", Some(json!({"path": "/etc/hosts"}))).await?;

    let cleanup = "cache:cleanup".parse().expect("a valid id");
    tasks.pause_task(&cleanup).await?;
    tasks.resume_task(&cleanup).await?;
    println!("previous run: {}", shown(tasks.get_previous_run_time(&cleanup).await?));

    let login = "user:login:log".parse().expect("a valid id");
    tasks.shutdown().await;
    println!("{login} has run {} times", tasks.get_task_executions(&login).await?.len());
    let stats = tasks.get_stats().await?;
    println!("total tasks: {}, running: {}, subscribers: {}", stats.total, stats.running, stats.subscribers);
    assert!(tasks.unsubscribe_from_event(&subscription), "the subscription was still there");
    Ok(())
}

/// The specification's examples; the handler is named by `plugin`.
fn examples() -> Vec<Value> {
    vec![
        json!({
            "id": "cache:cleanup", "name": "Daily Cache Cleanup", "type": "schedule", "preset": "@daily",
            "timezone": "America/New_York", "plugin": "clean-cache",
            "retryPolicy": {"maxAttempts": 3, "delay": "1m", "backoff": "exponential", "maxRetryDuration": "10m"},
        }),
        json!({
            "id": "weekly:report", "type": "schedule", "cron": "0 9 * * 1", "timezone": "Europe/London",
            "plugin": "weekly-report",
        }),
        json!({"id": "reminder:otp", "type": "schedule", "after": "5m", "plugin": "otp-reminder"}),
        json!({
            "id": "campaign:launch", "type": "schedule", "at": "2099-12-25T09:00:00",
            "timezone": "America/Los_Angeles", "plugin": "launch-campaign",
        }),
        json!({
            "id": "user:login:log", "type": "event", "onEvent": "user:logged_in", "plugin": "analytics",
            "rateLimit": {"interval": "1m", "limit": 5, "strategy": "sliding"},
        }),
        json!({"id": "audit:all", "type": "event", "onEvent": "audit:*", "plugin": "audit"}),
    ]
}

fn task(config: Value) -> TaskConfig {
    TaskConfig::from_json(config).expect("the examples have the right shape")
}

fn shown(time: Option<innkeeper_model::time::Timestamp>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| time.to_string())
}
