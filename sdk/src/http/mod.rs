//! Asking other servers over HTTP: blocking, simple, with JSON.
//!
//! Nothing may be asked until it is granted: `innkeeper plugin allow NAME http=https://api.example.com`.
//!
//! ```
//! use innkeeper_sdk::testing::Scenario;
//! use innkeeper_sdk::{Failure, http};
//! use serde_json::{Value, json};
//!
//! fn rate(currency: &str) -> Result<f64, Failure> {
//!     let url = format!("https://rates.example.com/latest?currency={currency}");
//!     let rates: Value = http::get(url).send()?.expect_success()?.json()?;
//!     rates["rate"].as_f64().ok_or_else(|| Failure::permanent("there is no rate"))
//! }
//!
//! let answer = http::Response::new(200).with_json(&json!({"rate": 1.5}));
//! let report = Scenario::new().answer(answer).enter(|| rate("EUR"));
//! assert_eq!(report.result, Ok(1.5));
//! assert_eq!(report.requests[0].url, "https://rates.example.com/latest?currency=EUR");
//! ```

#[cfg(target_family = "wasm")]
mod component;
mod date;
mod error;
mod redirect;
mod request;
mod response;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod scripted;
mod url;

pub use error::{Error, ErrorKind};
pub use request::Request;
pub use response::Response;
#[cfg(not(target_family = "wasm"))]
pub use scripted::SentRequest;

// Where requests go: over the host's interface in a component, to the scenario's script elsewhere.
#[cfg(target_family = "wasm")]
use component as client;
#[cfg(not(target_family = "wasm"))]
use scripted as client;

/// A request to read what is at a URL.
///
/// ```
/// use innkeeper_sdk::{http, testing::Scenario};
///
/// let scenario = Scenario::new().answer(http::Response::new(200).with_body("here"));
/// let report = scenario.enter(|| http::get("https://example.com/").send());
/// assert_eq!(report.requests[0].method, "GET");
/// ```
#[must_use]
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A request to have a URL process a body.
///
/// ```
/// use innkeeper_sdk::{http, testing::Scenario};
///
/// let scenario = Scenario::new().answer(http::Response::new(204));
/// let report = scenario.enter(|| http::post("https://example.com/").body("hello").send());
/// assert_eq!((report.requests[0].method.as_str(), report.requests[0].text().as_str()), ("POST", "hello"));
/// ```
#[must_use]
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}
