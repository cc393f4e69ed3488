//! Tells a server that it is alive: about the least that a plugin with HTTP can be.

use innkeeper_sdk::{Failure, handler, http};

#[handler]
fn fetch_small() -> Result<(), Failure> {
    http::post("https://beats.example.com/ping").body("alive").send()?.expect_success()?;
    Ok(())
}
