//! Publishes the events that its data lists, and gives back what became of each: `null`, or why it was
//! refused.

use innkeeper_sdk::{Failure, events, handler};
use serde::Deserialize;
use serde_json::Value;

/// Such as `{"event": "a:b", "data": 1}`.
#[derive(Deserialize)]
struct Wish {
    event: String,
    #[serde(default)]
    data: Value,
}

#[handler]
fn publish(_event: Option<&str>, wishes: Vec<Wish>) -> Result<Vec<Option<String>>, Failure> {
    let publish = |wish: Wish| events::publish(&wish.event, &wish.data).err().map(|error| error.to_string());
    Ok(wishes.into_iter().map(publish).collect())
}
