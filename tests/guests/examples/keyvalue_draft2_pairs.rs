//! Uses `get-many` of `wasi:keyvalue` 0.2.0-draft2 in the shape in which it was published first, a list of optional pairs, and
//! gives back the pairs. It is written without the SDK, which has the later shape.

#![expect(unsafe_code, reason = "the generated export is")]

use bindings::exports::innkeeper::plugin::handler::{Failure, Guest};
use bindings::wasi::keyvalue::{batch, store};

#[expect(clippy::same_length_and_capacity, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package innkeeper:plugin@0.1.0;

            interface handler {
                variant failure { retry(string), retry-after(tuple<u64, string>), permanent(string) }
                handle: func(event: option<string>, data: option<string>) -> result<option<string>, failure>;
            }

            world user {
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
                export handler;
            }

            package wasi:keyvalue@0.2.0-draft2 {
                interface store {
                    variant error { no-such-store, access-denied, other(string) }
                    open: func(identifier: string) -> result<bucket, error>;
                    resource bucket {
                        set: func(key: string, value: list<u8>) -> result<_, error>;
                    }
                }

                interface batch {
                    use store.{bucket, error};
                    get-many: func(bucket: borrow<bucket>, keys: list<string>)
                        -> result<list<option<tuple<string, list<u8>>>>, error>;
                }
            }
        ",
        generate_all,
    });
}

struct Pairs;

impl Guest for Pairs {
    fn handle(_event: Option<String>, _data: Option<String>) -> Result<Option<String>, Failure> {
        let permanent = |error: store::Error| Failure::Permanent(format!("{error:?}"));
        let bucket = store::open("granted").map_err(permanent)?;
        bucket.set("a", b"1").map_err(permanent)?;
        let pairs = batch::get_many(&bucket, &["a".to_owned(), "missing".to_owned()]).map_err(permanent)?;
        let refused = batch::get_many(&bucket, &[String::new()]).is_err();
        let told = format!("{pairs:?}, refused: {refused}");
        Ok(Some(serde_json::Value::from(told).to_string()))
    }
}

bindings::export!(Pairs with_types_in bindings);
