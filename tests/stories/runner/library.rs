//! The specification's functions by their names, as an embedding program calls them.

use std::sync::mpsc;
use std::time::Duration;

use innkeeper_model::task::TaskStatus;
use innkeeper_model::task_config::TaskConfig;
use innkeeper_runner::{TaskRunnerConfig, create_task_runner};
use serde_json::json;

use super::scripted::{Act, Scripted};

fn config(mut config: serde_json::Value) -> TaskConfig {
    config["plugin"] = "handler".into();
    TaskConfig::from_json(config).expect("a config of the right shape")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_of_the_specification_does_what_its_name_says() {
    let settings = TaskRunnerConfig { db_path: None, timezone: Some("America/New_York".to_owned()) };
    let runner =
        create_task_runner(settings, Scripted::new(|_| Act::Succeed(vec!["done"]))).await.expect("a runner");
    runner.register_handler("handler").await.expect("a handler");
    let (heard, hearing) = mpsc::channel();
    let subscription = runner
        .subscribe_to_event("*", move |event| {
            assert_ne!(event.event.as_str(), "bad", "a callback that panics harms nobody");
            heard.send(event.event.to_string()).expect("the test listens");
        })
        .expect("a subscription");
    let hear = |expected: &str| {
        let name = hearing.recv_timeout(Duration::from_secs(20)).expect("an event");
        assert_eq!(name, expected);
    };

    let daily =
        runner.create_task(config(json!({"id": "daily", "type": "schedule", "preset": "@daily"}))).await;
    let daily = daily.expect("a task");
    let listener = config(json!({"id": "listener", "type": "event", "onEvent": "user:*"}));
    let listener = runner.create_task(listener).await.expect("a task");
    let task = runner.get_task(&daily).await.expect("no error").expect("the task");
    assert_eq!(task.definition.timezone, "America/New_York", "the runner's zone is the default");
    assert_eq!(runner.get_next_run_time(&daily).await.expect("no error"), task.next_run_at);
    assert_eq!(
        runner.get_previous_run_time(&daily).await.expect("no error"),
        None,
        "not since it was created"
    );

    assert!(runner.pause_task(&daily).await.expect("no error"));
    assert!(!runner.pause_task(&daily).await.expect("no error"), "it is paused already");
    assert_eq!(runner.get_next_run_time(&daily).await.expect("no error"), None);
    let paused = runner.get_tasks_by_status(TaskStatus::Paused).await.expect("no error");
    assert_eq!(paused.iter().map(|task| task.definition.id.as_str()).collect::<Vec<_>>(), ["daily"]);
    assert_eq!(runner.get_stats().await.expect("stats").scheduled_jobs, 0);
    assert!(runner.resume_task(&daily).await.expect("no error"));
    assert_eq!(runner.get_all_tasks().await.expect("no error").len(), 2);

    runner.publish_event("bad", None).await.expect("published");
    runner.publish_event("user:logged_in", Some(json!({"userId": "123"}))).await.expect("published");
    hear("user:logged_in");
    hear("done");
    let executions = runner.get_task_executions(&listener).await.expect("no error");
    assert_eq!((executions.len(), executions[0].attempt), (1, 1));
    let stats = runner.get_stats().await.expect("stats");
    assert_eq!((stats.total, stats.pending, stats.scheduled_jobs, stats.timeouts), (2, 2, 1, 0));
    assert_eq!(stats.subscribers, 2, "the event task and the callback");

    assert!(runner.unsubscribe_from_event(&subscription));
    assert!(runner.delete_task(&daily).await.expect("no error"));
    assert!(!runner.delete_task(&daily).await.expect("no error"), "it is gone");
    assert_eq!(runner.get_task(&daily).await.expect("no error"), None);
    assert!(!runner.resume_task(&daily).await.expect("no error"));
    assert_eq!(runner.get_next_run_time(&daily).await.expect("no error"), None);
    runner.shutdown().await;
    assert!(runner.publish_event("late", None).await.is_err(), "nothing is taken after the end");
}

#[tokio::test]
async fn a_zone_or_a_pattern_that_is_wrong_is_refused_at_once() {
    let nowhere =
        TaskRunnerConfig { timezone: Some("Europe/Atlantis".to_owned()), ..TaskRunnerConfig::default() };
    let refused = create_task_runner(nowhere, Scripted::new(|_| Act::Hang)).await;
    assert!(refused.err().is_some_and(|error| error.to_string().contains("Europe/Atlantis")));
    let runner = create_task_runner(TaskRunnerConfig::default(), Scripted::new(|_| Act::Hang)).await;
    let runner = runner.expect("a runner");
    assert!(runner.subscribe_to_event("with space", |_| {}).is_err());
    runner.shutdown().await;
}
