//! The overlay over a store agrees with one map to which everything is done at once.

use std::collections::BTreeMap;
use std::ops::Bound;

use innkeeper_model::key_value::add;
use innkeeper_model::sandbox::{Expected, KeyValueChange, KeyValueWrite};
use proptest::prelude::*;

use super::overlay::{Known, Overlay};

type Map = BTreeMap<String, Vec<u8>>;

/// Small, so that lists have many pages.
const PAGE: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Set(String, Vec<u8>),
    Delete(String),
    Add(String, i64),
    Swap(String, Vec<u8>),
    Get(String),
    List,
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-f]", "[a-c]{2}", Just("ü".to_owned())]
}

/// Numbers and other text.
fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof!["[0-9]{1,3}", "[x-z]{0,2}"].prop_map(String::into_bytes)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (key(), value()).prop_map(|(key, value)| Step::Set(key, value)),
        key().prop_map(Step::Delete),
        (key(), -50_i64..50).prop_map(|(key, delta)| Step::Add(key, delta)),
        (key(), value()).prop_map(|(key, value)| Step::Swap(key, value)),
        key().prop_map(Step::Get),
        Just(Step::List),
    ]
}

fn get(overlay: &Overlay, stored: &Map, key: &str) -> Option<Vec<u8>> {
    match overlay.get("b", key) {
        Known::Value(value) => value,
        Known::Nothing => stored.get(key).cloned(),
    }
}

/// Every key, page by page.
fn list(overlay: &Overlay, stored: &Map) -> Vec<String> {
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page = stored.range::<str, _>((start, Bound::Unbounded)).take(PAGE).map(|(key, _)| key.clone());
        let page = overlay.page("b", after.as_deref(), page.collect(), PAGE);
        assert!(page.keys.len() <= PAGE);
        keys.extend(page.keys);
        let Some(next) = page.next else { return keys };
        assert!(after.is_none_or(|after| after < next), "a list comes to its end");
        after = Some(next);
    }
}

/// What the store does with writes.
fn apply(stored: &mut Map, write: KeyValueWrite) {
    let old = stored.get(&write.key).cloned();
    if let Expected::Value(expected) = write.expected {
        assert_eq!(old, expected, "nobody else has written");
    }
    match write.change {
        KeyValueChange::Set(value) => stored.insert(write.key, value),
        KeyValueChange::Delete => stored.remove(&write.key),
        KeyValueChange::Add(delta) => {
            let sum = add(old.as_deref(), delta).expect("the overlay has added it up before");
            stored.insert(write.key, sum.to_string().into_bytes())
        }
    };
}

proptest! {
    #[test]
    fn the_overlay_agrees_with_one_map(
        mut stored in proptest::collection::btree_map(key(), value(), 0..12),
        steps in proptest::collection::vec(step(), 0..40),
    ) {
        let (mut overlay, mut model) = (Overlay::default(), stored.clone());
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    overlay.set("b", &key, Some(value.clone()));
                    model.insert(key, value);
                }
                Step::Delete(key) => {
                    overlay.set("b", &key, None);
                    model.remove(&key);
                }
                Step::Add(key, delta) => {
                    let sum = add(model.get(&key).map(Vec::as_slice), delta);
                    prop_assert_eq!(overlay.add("b", &key, stored.get(&key).cloned(), delta), sum.clone());
                    if let Ok(sum) = sum {
                        model.insert(key, sum.to_string().into_bytes());
                    }
                }
                Step::Swap(key, value) => {
                    overlay.swap("b", &key, stored.get(&key).cloned(), value.clone());
                    model.insert(key, value);
                }
                Step::Get(key) => prop_assert_eq!(get(&overlay, &stored, &key), model.get(&key).cloned()),
                Step::List => {
                    prop_assert_eq!(list(&overlay, &stored), model.keys().cloned().collect::<Vec<_>>());
                }
            }
        }
        for write in overlay.into_writes() {
            apply(&mut stored, write);
        }
        prop_assert_eq!(stored, model);
    }
}
