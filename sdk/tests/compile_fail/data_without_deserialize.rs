use innkeeper_sdk::handler;

struct Guest {
    name: String,
}

#[handler]
fn greet(event: Option<&str>, guest: Guest) {}

fn main() {}
