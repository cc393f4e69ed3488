use innkeeper_sdk::handler;

#[handler]
fn greet<T>(event: Option<&str>, data: T) {}

fn main() {}
