use innkeeper_sdk::handler;

struct Greeter;

impl Greeter {
    #[handler]
    fn greet(&self, data: Option<String>) {}
}

fn main() {}
