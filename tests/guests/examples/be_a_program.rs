//! A plain program that knows nothing of the host: reads JSON from standard input and does as it says. Prints what it was
//! started with if it says nothing.

use std::collections::BTreeMap;
use std::env;
use std::io::{Read as _, stdin};
use std::process::exit;

use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wish {
    print: Option<String>,
    /// How often `print` is printed, once if nothing is said.
    times: Option<usize>,
    complain: Option<String>,
    exit: Option<i32>,
    panic: Option<String>,
    spin: bool,
}

fn main() -> Result<(), String> {
    let mut data = String::new();
    stdin().read_to_string(&mut data).map_err(|error| error.to_string())?;
    if data.is_empty() || data == "null" {
        println!("{}", surroundings(&data));
        return Ok(());
    }
    let wish: Wish = serde_json::from_str(&data).map_err(|error| format!("bad data: {error}"))?;
    if let Some(text) = wish.print {
        for _ in 0..wish.times.unwrap_or(1) {
            println!("{text}");
        }
    }
    if let Some(text) = wish.complain {
        eprintln!("{text}");
    }
    if let Some(message) = wish.panic {
        panic!("{message}");
    }
    if wish.spin {
        loop {
            std::hint::spin_loop();
        }
    }
    match wish.exit {
        Some(code) => exit(code),
        None => Ok(()),
    }
}

fn surroundings(data: &str) -> Value {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let variables: BTreeMap<String, String> = env::vars().collect();
    json!({"arguments": arguments, "variables": variables, "data": data})
}
