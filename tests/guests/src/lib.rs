//! Plugins that do one thing each, most of them something a host must bear: `examples/` has one per file,
//! named for what it does.
//!
//! They are built for `wasm32-wasip2` only, know the contract through `innkeeper-sdk`, and know nothing of
//! the tests that upload them. Their invariant: what a guest does follows from its data, the task's metadata
//! and the attempt.
