use innkeeper_sdk::handler;

#[handler(retries = 3)]
fn greet() {}

fn main() {}
