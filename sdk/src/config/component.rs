//! The configuration in a WebAssembly component: `wasi:config/store` 0.2.0-rc.1.

use super::Error;

use bindings::wasi::config0_2_0_rc_1::store;

/// The interface in Rust, generated.
#[expect(clippy::same_length_and_capacity, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({ world: "configuration", path: "../wit", generate_all });
}

pub(crate) fn get(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|error| match error {
        store::Error::Upstream(message) | store::Error::Io(message) => Error(message),
    })
}
