//! Fails in a way that must not be tried again.

use innkeeper_sdk::{Failure, handler};

#[handler]
fn fail_permanently() -> Result<(), Failure> {
    Err(Failure::permanent("this guest can never succeed"))
}
