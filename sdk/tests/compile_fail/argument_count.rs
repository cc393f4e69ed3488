use innkeeper_sdk::handler;

#[handler]
fn greet(data: Option<String>) {}

fn main() {}
