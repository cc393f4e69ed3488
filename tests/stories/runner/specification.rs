//! What the specification says of triggers, zones, retries, pauses and subscriptions, where time must be exact.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use innkeeper_model::execution::FailureKind;
use innkeeper_model::task::TaskStatus;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_model::time::Timestamp;
use innkeeper_runner::bus::{Message, Subscription};
use innkeeper_runner::{Publication, TaskRunnerConfig, create_task_runner};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::scripted::{Act, Scripted};
use super::stage::Stage;

fn id(task: &str) -> innkeeper_model::id::TaskId {
    task.parse().expect("an id")
}

fn config(mut config: Value) -> TaskConfig {
    config["plugin"] = "handler".into();
    TaskConfig::from_json(config).expect("a config of the right shape")
}

#[tokio::test]
async fn presets_and_patterns_repeat_and_one_offs_run_once() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    for trigger in [
        json!({"id": "preset", "preset": "@hourly"}),
        json!({"id": "cron", "cron": "*/30 * * * *"}),
        json!({"id": "after", "after": "in 10 minutes"}),
        json!({"id": "at", "at": "2025-01-01T00:20:00"}),
    ] {
        let mut task = trigger;
        task["type"] = "schedule".into();
        stage.create(task).await;
    }
    let mut ran = Vec::new();
    for (minute, due) in [(10, 1), (20, 1), (30, 1), (60, 2), (90, 1), (120, 2)] {
        stage.at(minute * 60);
        let mut together = Vec::new();
        for _ in 0..due {
            let ended = stage.ended().await;
            let scheduled = ended.scheduled_at.map(Stage::seconds).expect("a due time");
            together.push((ended.task_id.to_string(), scheduled / 60));
        }
        together.sort();
        ran.extend(together);
    }
    let expected = [
        ("after", 10),
        ("at", 20),
        ("cron", 30),
        ("cron", 60),
        ("preset", 60),
        ("cron", 90),
        ("cron", 120),
        ("preset", 120),
    ];
    assert_eq!(ran, expected.map(|(task, minute)| (task.to_owned(), minute)));
    for (task, stays) in [("preset", true), ("cron", true), ("after", false), ("at", false)] {
        assert_eq!(stage.runner.get_task(&stage.tenant, &id(task)).await.is_ok(), stays, "{task}");
    }
    stage.close().await;
}

#[tokio::test]
async fn an_event_task_runs_at_every_event_and_is_never_due() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    let task = stage.create(json!({"id": "login", "type": "event", "onEvent": "user:logged_in"})).await;
    assert_eq!(task.next_run_at, None);
    for count in 1..=3 {
        assert_eq!(stage.publish("user:logged_in").await, 1);
        assert_eq!(stage.ended().await.scheduled_at, None);
        assert_eq!(stage.executions().await.len(), count);
    }
    stage.at(86_400 * 400);
    assert_eq!(stage.publish("user:logged_out").await, 0);
    let stays = stage.runner.get_task(&stage.tenant, &id("login")).await.expect("a task");
    assert_eq!((stays.status, stays.next_run_at), (TaskStatus::Pending, None));
    assert_eq!(sandbox.seen().len(), 3);
    stage.close().await;
}

#[tokio::test]
async fn each_way_to_write_a_time_is_due_on_the_clock_of_its_zone() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    for (number, (trigger, due)) in [
        (json!({"preset": "@midnight", "timezone": "America/New_York"}), "2025-01-01T05:00:00Z"),
        (json!({"preset": "@daily", "timezone": "America/New_York"}), "2025-01-01T05:00:00Z"),
        (json!({"preset": "@hourly", "timezone": "Asia/Kolkata"}), "2025-01-01T00:30:00Z"),
        (json!({"preset": "@weekly"}), "2025-01-05T00:00:00Z"),
        (json!({"cron": "0 9 * * 1", "timezone": "Europe/London"}), "2025-01-06T09:00:00Z"),
        (json!({"cron": "0 0 * * 1", "timezone": "Asia/Tokyo"}), "2025-01-05T15:00:00Z"),
        (json!({"at": "2025-12-25T09:00:00", "timezone": "America/New_York"}), "2025-12-25T14:00:00Z"),
        (json!({"at": "2025-09-01T15:00:00", "timezone": "America/New_York"}), "2025-09-01T19:00:00Z"),
        (json!({"after": "5m"}), "2025-01-01T00:05:00Z"),
        (json!({"after": "in 1 day", "timezone": "Asia/Tokyo"}), "2025-01-02T00:00:00Z"),
        (json!({"after": "in 30 minutes"}), "2025-01-01T00:30:00Z"),
        (json!({"preset": "@daily"}), "2025-01-02T00:00:00Z"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut task = trigger.clone();
        task["type"] = "schedule".into();
        task["id"] = format!("task-{number}").into();
        let due: Timestamp = due.parse().expect("a time");
        let created = stage.create(task).await;
        assert_eq!(created.next_run_at, Some(due), "{trigger}");
        let zone = trigger["timezone"].as_str().unwrap_or("UTC");
        assert_eq!(created.definition.timezone, zone, "the zone is kept as it was given");
    }
    stage.close().await;
}

#[tokio::test]
async fn a_local_time_stays_the_same_when_summer_time_begins() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    let report = json!({"id": "r", "type": "schedule", "cron": "0 9 * 3 1", "timezone": "America/New_York"});
    stage.create(report).await;
    let next = stage.runner.next_runs(&stage.tenant, &id("r"), 2).await.expect("due times");
    let shown: Vec<_> = next.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["2025-03-03T14:00:00.000Z", "2025-03-10T13:00:00.000Z"], "nine o'clock both times");
    stage.close().await;
}

/// When a run starts that always fails, in seconds: the clock goes from retry to retry until there is none.
async fn starts(policy: Value) -> Vec<u64> {
    let sandbox = Scripted::new(|_| Act::Fail(FailureKind::Trap));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "fails", "type": "event", "onEvent": "go", "retryPolicy": policy})).await;
    stage.publish("go").await;
    let mut seconds = Vec::new();
    loop {
        seconds.push(Stage::seconds(stage.ended().await.started_at));
        let why = stage.runner.why(&stage.tenant, &id("fails")).await.expect("a reason");
        let Some(retry) = why.strip_prefix("a retry is due at ") else { break };
        let at: Timestamp = retry.split(": ").next().and_then(|at| at.parse().ok()).expect("a time");
        stage.at(Stage::seconds(at));
    }
    let stats = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!((stats.queued_runs, stats.pending), (0, 1), "the run has ended");
    stage.close().await;
    seconds
}

#[tokio::test]
async fn a_retry_comes_at_once_unless_the_policy_has_a_delay() {
    let sandbox = Scripted::new(|_| Act::Fail(FailureKind::Trap));
    let mut stage = Stage::open(&sandbox).await;
    let retry = json!({"maxAttempts": 3});
    stage.create(json!({"id": "fails", "type": "event", "onEvent": "go", "retryPolicy": retry})).await;
    stage.publish("go").await;
    for attempt in 1..=3 {
        let ended = stage.ended().await;
        assert_eq!((ended.attempt, Stage::seconds(ended.started_at)), (attempt, 0), "the clock stands still");
    }
    assert_eq!(stage.executions().await.len(), 3);
    stage.close().await;
}

#[tokio::test]
async fn a_delay_is_the_same_each_time_unless_it_is_to_double() {
    assert_eq!(starts(json!({"maxAttempts": 4, "delay": "10s"})).await, [0, 10, 20, 30]);
    assert_eq!(starts(json!({"maxAttempts": 4, "delay": "10s", "backoff": "fixed"})).await, [0, 10, 20, 30]);
    let exponential = json!({"maxAttempts": 4, "delay": "10s", "backoff": "exponential"});
    assert_eq!(starts(exponential).await, [0, 10, 30, 70]);
}

#[tokio::test]
async fn no_retry_starts_after_the_whole_retry_window() {
    let window =
        json!({"maxAttempts": 9, "delay": "10s", "backoff": "exponential", "maxRetryDuration": "35s"});
    assert_eq!(starts(window).await, [0, 10, 30]);
    let exact = json!({"maxAttempts": 9, "delay": "10s", "maxRetryDuration": "30s"});
    assert_eq!(starts(exact).await, [0, 10, 20, 30]);
}

#[tokio::test]
async fn a_fixed_window_starts_anew_and_is_the_default() {
    for rate in
        [json!({"interval": "1m", "limit": 2}), json!({"interval": "1m", "limit": 2, "strategy": "fixed"})]
    {
        let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
        let mut stage = Stage::open(&sandbox).await;
        stage.create(json!({"id": "limited", "type": "event", "onEvent": "e", "rateLimit": rate})).await;
        stage.publish("e").await;
        stage.ended().await;
        stage.at(59);
        stage.publish("e").await;
        stage.ended().await;
        stage.publish("e").await;
        stage.at(60);
        // A sliding window, which still holds the one at 59, would let only one of these two start.
        assert_eq!(Stage::seconds(stage.ended().await.started_at), 60);
        stage.publish("e").await;
        assert_eq!(Stage::seconds(stage.ended().await.started_at), 60);
        let task = stage.runner.get_task(&stage.tenant, &id("limited")).await.expect("a task");
        assert_eq!((task.rate_count, task.rate_window.map(Stage::seconds)), (2, Some(60)), "{rate}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_paused_task_is_not_run_and_a_paused_one_off_keeps_its_time() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "born", "type": "schedule", "cron": "* * * * *", "isPaused": true})).await;
    stage.create(json!({"id": "once", "type": "schedule", "after": "5m"})).await;
    stage.create(json!({"id": "runs", "type": "schedule", "cron": "*/10 * * * *"})).await;
    assert!(stage.runner.pause_task(&stage.tenant, &id("once")).await.expect("paused"));
    let stats = stage.runner.stats(&stage.tenant).await.expect("stats");
    assert_eq!((stats.paused, stats.scheduled_jobs, stats.timeouts), (2, 1, 0), "their timers are off");
    stage.at(600);
    assert_eq!(stage.ended().await.task_id, id("runs"));
    assert_eq!(stage.executions().await.len(), 1, "nothing else ran");
    assert!(stage.runner.resume_task(&stage.tenant, &id("once")).await.expect("resumed"));
    let once = stage.ended().await;
    assert_eq!((once.task_id, once.scheduled_at.map(Stage::seconds)), (id("once"), Some(300)));
    assert!(stage.runner.resume_task(&stage.tenant, &id("born")).await.expect("resumed"));
    stage.at(660);
    assert_eq!(stage.ended().await.task_id, id("born"));
    stage.close().await;
}

#[tokio::test]
async fn the_due_times_before_and_after_now_are_told() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let mut stage = Stage::open(&sandbox).await;
    stage.create(json!({"id": "hourly", "type": "schedule", "preset": "@hourly"})).await;
    let tenant = stage.tenant.clone();
    assert_eq!(stage.runner.previous_run(&tenant, &id("hourly")).await.expect("an answer"), None);
    stage.at(3600);
    stage.ended().await;
    stage.at(5400);
    let previous = stage.runner.previous_run(&tenant, &id("hourly")).await.expect("an answer");
    assert_eq!(previous.map(Stage::seconds), Some(3600));
    let next = stage.runner.next_runs(&tenant, &id("hourly"), 3).await.expect("due times");
    assert_eq!(next.into_iter().map(Stage::seconds).collect::<Vec<_>>(), [7200, 10_800, 14_400]);
    stage.close().await;
}

async fn heard(subscription: &mut Subscription) -> (String, Option<String>) {
    let message = tokio::time::timeout(Duration::from_secs(20), subscription.next()).await;
    match message.expect("a message in time") {
        Some(Message::Event(event)) => (event.event.to_string(), event.data.clone()),
        other => panic!("not an event: {other:?}"),
    }
}

#[tokio::test]
async fn subscribers_of_event_topics_hear_what_matches_until_they_leave() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    let subscribe = |topic: &str| stage.runner.subscribe(&stage.tenant, &topic.parse().expect("a pattern"));
    let mut all = subscribe("event:*");
    let mut logins = subscribe("event:user:logged_in");
    let before = stage.runner.stats(&stage.tenant).await.expect("stats").subscribers;
    let publish = async |name: &str, data: Value| {
        let event = Publication { event: name.to_owned(), data: Some(data), idempotency_key: None };
        stage.runner.publish_events(&stage.tenant, vec![event]).await.expect("a receipt");
    };
    publish("order:paid", json!(7)).await;
    publish("user:logged_in", json!({"userId": "123"})).await;
    assert_eq!(heard(&mut all).await, ("order:paid".to_owned(), Some("7".to_owned())));
    let login = ("user:logged_in".to_owned(), Some(r#"{"userId":"123"}"#.to_owned()));
    assert_eq!(heard(&mut all).await, login);
    assert_eq!(heard(&mut logins).await, login, "and not the order before it");
    drop(logins);
    drop(all);
    let after = stage.runner.stats(&stage.tenant).await.expect("stats").subscribers;
    assert_eq!(before - after, 2, "who leaves is cleaned up");
    stage.close().await;
}

#[tokio::test]
async fn a_publisher_waits_for_no_callback_and_an_ended_subscription_is_silent() {
    let runner = create_task_runner(TaskRunnerConfig::default(), Scripted::new(|_| Act::Hang)).await;
    let runner = runner.expect("a runner");
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (slow, mut slow_heard) = unbounded_channel();
    let waits = move |event: innkeeper_model::event::Event| {
        released.lock().expect("one call at a time").recv().expect("the test lets it go");
        slow.send(event.event.to_string()).expect("the test listens");
    };
    let waiting = runner.subscribe_to_event("a:*", waits).expect("a subscription");
    let (quick, mut quick_heard) = unbounded_channel();
    let tells = move |event: innkeeper_model::event::Event| {
        quick.send(event.event.to_string()).expect("the test listens");
    };
    runner.subscribe_to_event("*", tells).expect("a subscription");
    runner.publish_event("a:1", None).await.expect("published while the callback blocks");
    assert_eq!(quick_heard.recv().await.as_deref(), Some("a:1"), "the other one is not held up");
    release.send(()).expect("it waits");
    assert_eq!(slow_heard.recv().await.as_deref(), Some("a:1"));
    assert!(runner.unsubscribe_from_event(&waiting));
    release.send(()).ok();
    runner.publish_event("a:2", None).await.expect("published");
    assert_eq!(quick_heard.recv().await.as_deref(), Some("a:2"));
    assert_eq!(slow_heard.recv().await, None, "it was not called again, and is gone");
    assert_eq!(runner.get_stats().await.expect("stats").subscribers, 1);
    runner.shutdown().await;
}

#[tokio::test]
async fn a_runner_with_a_path_keeps_its_tasks_and_one_without_keeps_nothing() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let path = directory.path().join("tasks.db");
    let start = async |db_path: Option<&str>| {
        let settings = TaskRunnerConfig { db_path: db_path.map(str::to_owned), timezone: None };
        let runner = create_task_runner(settings, Scripted::new(|_| Act::Hang)).await.expect("a runner");
        runner.register_handler("handler").await.expect("a handler");
        runner
    };
    for (db_path, kept) in [(path.to_str(), 1), (None, 0), (Some(":memory:"), 0)] {
        let runner = start(db_path).await;
        let task = config(json!({"id": "daily", "type": "schedule", "preset": "@daily"}));
        let id = runner.create_task(task).await.expect("a task");
        let task = runner.get_task(&id).await.expect("no error").expect("the task");
        assert_eq!(task.definition.timezone, "UTC", "without a zone of the runner");
        runner.shutdown().await;
        drop(runner);
        let again = start(db_path).await;
        assert_eq!(again.get_all_tasks().await.expect("tasks").len(), kept, "{db_path:?}");
        again.shutdown().await;
    }
    assert!(path.is_file());
    assert!(!std::path::Path::new(":memory:").exists());
}
