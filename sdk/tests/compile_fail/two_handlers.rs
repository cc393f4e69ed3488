use innkeeper_sdk::handler;

#[handler]
fn greet() {}

#[handler]
fn part() {}

fn main() {}
