//! Asks for what is at the URL in its data, and gives back the status: about the least that a plugin with HTTP can be.

use innkeeper_sdk::{Failure, handler, http};

#[handler]
fn fetch_small(_event: Option<&str>, url: String) -> Result<u16, Failure> {
    Ok(http::get(url).send()?.status)
}
