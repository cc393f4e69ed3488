//! Reads the keys that its data names, and lets their values show in the way that it says.

use innkeeper_sdk::{Failure, config, handler, log};
use serde::Deserialize;
use serde_json::{Value, json};

/// Such as `{"keys": ["token"], "show": "log"}`: `log`, `print`, `output`, `fail` or `panic`.
#[derive(Deserialize)]
struct Plan {
    keys: Vec<String>,
    show: String,
}

#[handler]
fn read_config(_event: Option<&str>, plan: Plan) -> Result<Value, Failure> {
    let mut values = Vec::new();
    for key in &plan.keys {
        values.push(config::get(key)?);
    }
    let shown = format!("values: {values:?}");
    match plan.show.as_str() {
        "log" => log::info!("{shown}"),
        "print" => println!("{shown}"),
        "output" => return Ok(json!({"values": values})),
        "fail" => return Err(Failure::retry(shown)),
        _ => panic!("{shown}"),
    }
    Ok(values.iter().flatten().count().into())
}
