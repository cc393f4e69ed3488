use innkeeper_sdk::handler;

#[handler]
fn greet(event: u64, data: Option<String>) {}

fn main() {}
