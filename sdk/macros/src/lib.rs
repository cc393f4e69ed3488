//! The handler attribute of `innkeeper-sdk`.
//!
//! It knows how a handler's signature may look, and nothing of what a handler does. Its invariant: the
//! function stays as it is written, so that native tests can call it; a component's export is added for
//! WebAssembly targets only, because a native library with the contract's export names does not link.

use proc_macro::TokenStream;

mod expand;

/// Makes a plain function the plugin's handler: there is one per plugin.
///
/// The function takes nothing, or the event and the data, in this order:
///
/// - `event` is the name of the event that started the run: `Option<&str>` or `Option<String>`, which is `None`
///   if no event did, as when a schedule is due; or `&str` or `String`, with which a run that no event started
///   is a permanent failure.
/// - `data` is the JSON that came along: `Option<T>` where it may be absent, or `T` where it must be there, for
///   any `T: DeserializeOwned`.
///
/// Data that does not fit is a permanent failure that shows what was expected and what came. For data of any
/// form take `serde_json::Value`.
///
/// It gives back nothing, or `Result<R, E>`:
///
/// - `R: Serialize` is the execution's output; what is written as `null`, such as `()` or `None`, is no
///   output.
/// - `E` is `innkeeper_sdk::Failure`, or anything that implements `Display`: that may be tried again.
///
/// A panic is logged with its message and place, and fails the execution as a trap.
///
/// ```
/// # use innkeeper_sdk::{Failure, handler};
/// # mod a { use super::*;
/// #[handler]
/// fn tick() {}
/// # }
/// # mod b { use super::*;
/// #[handler]
/// fn charge(event: String, order: Option<u64>) -> Result<u64, Failure> {
///     order.ok_or_else(|| Failure::permanent(format!("{event} came without an order")))
/// }
/// # }
/// # fn main() {}
/// ```
///
/// Anything else does not compile:
///
/// ```compile_fail
/// #[innkeeper_sdk::handler]
/// fn charge(event: u64, data: Option<u64>) {}
/// ```
#[proc_macro_attribute]
pub fn handler(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::handler(&attribute.into(), item.into()).into()
}
