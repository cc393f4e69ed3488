use innkeeper_sdk::handler;

#[handler]
async fn greet() {}

fn main() {}
