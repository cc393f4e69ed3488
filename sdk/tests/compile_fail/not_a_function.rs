use innkeeper_sdk::handler;

#[handler]
struct Greeter;

fn main() {}
