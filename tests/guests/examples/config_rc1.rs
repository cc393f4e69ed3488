//! Uses every function of `wasi:config/store` 0.2.0-rc.1 through its standard bindings, and gives back what each said.

use innkeeper_sdk::{Failure, handler};
use serde_json::{Value, json};

use bindings::wasi::config0_2_0_rc_1::store;

#[expect(clippy::same_length_and_capacity, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:config;

            world user {
                import wasi:config/store@0.2.0-rc.1;
            }
        ",
        path: "../../wit",
        generate_all,
    });
}

#[handler]
fn config_rc1() -> Result<Value, Failure> {
    let get = |key: &str| store::get(key).map_err(|error| format!("{error:?}"));
    let (granted, missing, denied) = (get("granted")?, get("missing")?, get("denied")?);
    let all = store::get_all().map_err(|error| format!("{error:?}"))?;
    Ok(json!({"granted": granted, "missing": missing, "denied": denied, "all": all}))
}
