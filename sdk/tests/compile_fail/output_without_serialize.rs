use innkeeper_sdk::{Failure, handler};

struct Greeting;

#[handler]
fn greet() -> Result<Greeting, Failure> {
    Ok(Greeting)
}

fn main() {}
