//! Uses every function of `wasi:keyvalue` 0.2.0-draft2 through its standard bindings, and gives back what each said.

use innkeeper_sdk::{Failure, handler};
use serde_json::{Value, json};

use bindings::wasi::keyvalue0_2_0_draft2::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue0_2_0_draft2::batch;
use bindings::wasi::keyvalue0_2_0_draft2::store::{self, Error};

#[expect(clippy::same_length_and_capacity, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:keyvalue-draft2;

            world user {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
            }
        ",
        path: "../../wit",
        generate_all,
    });
}

#[handler]
fn keyvalue_draft2() -> Result<Value, Failure> {
    let denied = store::open("denied").err();
    let unknown = store::open("no/bucket").err();
    let told = use_store().map_err(|error| Failure::permanent(format!("{error:?}")))?;
    let refusals = [denied, unknown].map(|error| error.map(|error| format!("{error:?}")));
    Ok(json!({"refusals": refusals, "told": told}))
}

fn use_store() -> Result<Value, Error> {
    let bucket = store::open("granted")?;
    bucket.set("a", b"1")?;
    batch::set_many(&bucket, &[("b".to_owned(), b"2".to_vec()), ("c".to_owned(), b"3".to_vec())])?;
    let many = batch::get_many(&bucket, &["a".to_owned(), "missing".to_owned()])?;
    let sum = atomics::increment(&bucket, "c", -4)?;
    let swaps = swap(&bucket)?;
    bucket.delete("a")?;
    batch::delete_many(&bucket, &["b".to_owned()])?;
    let exists = [bucket.exists("a")?, bucket.exists("c")?];
    let page = bucket.list_keys(None)?;
    for number in 0..300 {
        bucket.set(&format!("n{number:03}"), b"")?;
    }
    let first = bucket.list_keys(None)?;
    let second = bucket.list_keys(first.cursor.as_deref())?;
    Ok(json!({
        "many": many, "sum": sum, "swaps": swaps, "exists": exists, "get": bucket.get("c")?, "keys": page.keys,
        "pages": [first.keys.len(), second.keys.len()], "isLast": second.cursor.is_none(),
        "lastKey": second.keys.last(),
    }))
}

/// A swap that is done, one that comes too late, and one with the handle that it left.
fn swap(bucket: &store::Bucket) -> Result<Value, Error> {
    let late = Cas::new(bucket, "swapped")?;
    let first = Cas::new(bucket, "swapped")?;
    let seen = [first.current()?, late.current()?];
    let done = atomics::swap(first, b"first").is_ok();
    let Err(CasError::CasFailed(again)) = atomics::swap(late, b"late") else {
        return Ok(json!("a swap that comes too late is not done"));
    };
    let current = again.current()?;
    let done_again = atomics::swap(again, b"again").is_ok();
    Ok(
        json!({"seen": seen, "done": done, "current": current, "doneAgain": done_again, "value": bucket.get("swapped")?}),
    )
}
