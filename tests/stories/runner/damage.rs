//! A row that cannot be read holds up nobody else.

use serde_json::json;

use super::scripted::{Act, Scripted};
use super::stage::{Stage, opening};

#[tokio::test]
async fn a_damaged_row_holds_up_nobody_else() {
    let sandbox = Scripted::new(|_| Act::Succeed(Vec::new()));
    let stage = Stage::open(&sandbox).await;
    for task in ["damaged-schedule", "good-schedule"] {
        stage.create(json!({"id": task, "type": "schedule", "cron": "* * * * *"})).await;
    }
    for task in ["damaged-listener", "good-listener"] {
        stage.create(json!({"id": task, "type": "event", "onEvent": "greet"})).await;
    }
    let directory = stage.close().await;
    let file = rusqlite::Connection::open(directory.path().join("innkeeper.db")).expect("the file");
    let damage = "UPDATE tasks SET id = 'no id' WHERE id = 'damaged-schedule';
        UPDATE tasks SET onEvent = '' WHERE id = 'damaged-listener';";
    file.execute_batch(damage).expect("damage");
    drop(file);

    let mut stage = Stage::open_in(directory, opening(), &sandbox).await;
    for minute in 1..=2 {
        stage.at(minute * 60);
        let ended = stage.ended().await;
        assert_eq!(ended.task_id.as_str(), "good-schedule");
        assert_eq!(ended.scheduled_at.map(Stage::seconds), Some(minute * 60));
    }
    assert_eq!(stage.publish("greet").await, 1);
    assert_eq!(stage.ended().await.task_id.as_str(), "good-listener");
    stage.close().await;
}
