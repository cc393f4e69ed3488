use innkeeper_sdk::handler;

#[handler]
fn greet() -> String {
    String::new()
}

fn main() {}
