//! How a plugin is called: one file for each kind of handler.
//!
//! The kind is found from what a component exports, at its upload and again whenever it is loaded. Whatever the kind, the
//! call ends as an [`Ended`], so limits, failures and receipts are the same for all of them.

mod command;
mod cron;
mod facts;
mod http;
mod messaging;
mod plugin;

use std::fmt;

use innkeeper_model::sandbox::Refusal;
use wasmtime::Store;
use wasmtime::component::{Component, InstancePre};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::bindings::PluginPre;
use crate::bindings::exports::innkeeper::plugin::handler::Failure;
use crate::capability::wasi::is_preview_2;
use crate::classify::Ended;
use crate::state::State;

/// What a component offers to be called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandlerKind {
    /// `innkeeper:plugin/handler`, the host's own contract.
    Plugin,
    /// `wasi:cli/run`: a program with a `main`.
    Command,
    /// `wasi:http/incoming-handler`: a web server's handler.
    Http,
    /// The function `handle-cron-event` of `fermyon:spin-cron`.
    Cron,
    /// `wasmcloud:messaging/handler`.
    Messaging,
}

impl HandlerKind {
    /// Every kind, the most usual first.
    pub const ALL: [Self; 5] = [Self::Plugin, Self::Command, Self::Http, Self::Cron, Self::Messaging];

    /// The export that makes a component one of this kind. `x` stands for any release.
    #[must_use]
    pub fn export(self) -> &'static str {
        match self {
            Self::Plugin => "innkeeper:plugin/handler@0.1.0",
            Self::Command => "wasi:cli/run@0.2.x",
            Self::Http => "wasi:http/incoming-handler@0.2.x",
            Self::Cron => "handle-cron-event",
            Self::Messaging => "wasmcloud:messaging/handler@0.2.0",
        }
    }

    /// How the event and its data reach the handler, and how it says what came of it: a sentence for people.
    #[must_use]
    pub fn delivery(self) -> &'static str {
        match self {
            Self::Plugin => {
                "the event and its data are the arguments; the result is the output or a failure that says whether to retry"
            }
            Self::Command => {
                "the data is standard input, the event and the ids are in the environment (INNKEEPER_EVENT, \
                INNKEEPER_RUN_ID, …); exit code 0 is success, and standard output is the output if it is JSON; 64, 65 and \
                78 are permanent failures, any other code is one to retry"
            }
            Self::Http => {
                "a POST to / with the data as JSON body, the event and the ids in header fields (innkeeper-event, \
                innkeeper-run-id, …); 2xx is success with a JSON body as output; 408, 425, 429 and 5xx are failures to \
                retry, honouring Retry-After; any other status is a permanent failure"
            }
            Self::Cron => {
                "the due time is the argument, the event and the ids are in the environment (INNKEEPER_EVENT, …), the data \
                does not reach it; an error is a failure to retry"
            }
            Self::Messaging => {
                "a message with the event as subject (the task's id if there is none) and the data as body; an error is a \
                failure to retry"
            }
        }
    }

    /// The kind that an export of this name makes.
    fn of(export: &str) -> Option<Self> {
        let is_preview_2 = |name: &str| {
            export.strip_prefix(name).and_then(|rest| rest.strip_prefix('@')).is_some_and(is_preview_2)
        };
        match export {
            "innkeeper:plugin/handler@0.1.0" => Some(Self::Plugin),
            "handle-cron-event" => Some(Self::Cron),
            "wasmcloud:messaging/handler@0.2.0" => Some(Self::Messaging),
            _ if is_preview_2("wasi:cli/run") => Some(Self::Command),
            _ if is_preview_2("wasi:http/incoming-handler") => Some(Self::Http),
            _ => None,
        }
    }
}

/// The short name, such as `command`.
impl fmt::Display for HandlerKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Plugin => "plugin",
            Self::Command => "command",
            Self::Http => "http",
            Self::Cron => "cron",
            Self::Messaging => "messaging",
        })
    }
}

/// The names of everything that `component` exports, sorted.
pub(crate) fn exports(component: &Component) -> Vec<String> {
    let ty = component.component_type();
    let mut names: Vec<String> = ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    names.sort();
    names
}

/// The kind of handler among these exports. A `main` counts only if there is nothing else: every Rust binary has one, also
/// where the bindings of another kind wrote it to say that it is not to be called.
///
/// # Errors
/// There is none, or there are several.
pub(crate) fn find(exports: &[String]) -> Result<HandlerKind, Refusal> {
    let mut found: Vec<(HandlerKind, &String)> =
        exports.iter().filter_map(|name| Some((HandlerKind::of(name)?, name))).collect();
    if found.iter().any(|(kind, _)| *kind != HandlerKind::Command) {
        found.retain(|(kind, _)| *kind != HandlerKind::Command);
    }
    match found.as_slice() {
        [(kind, _)] => Ok(*kind),
        [] => Err(missing(exports.to_vec())),
        several => Err(Refusal::SeveralHandlers(several.iter().map(|(_, name)| (*name).clone()).collect())),
    }
}

/// The refusal of a component whose exports, these, make no handler.
pub(crate) fn missing(found: Vec<String>) -> Refusal {
    let accepted = HandlerKind::ALL.iter().map(|kind| kind.export().to_owned()).collect();
    Refusal::MissingExport { accepted, found }
}

/// A linked component with its handler looked up; only a store is missing.
pub(crate) enum Handler {
    Plugin(PluginPre<State>),
    Command(CommandPre<State>),
    Http(ProxyPre<State>),
    Cron(cron::SpinCronPre<State>),
    Messaging(messaging::MessagingPre<State>),
}

impl Handler {
    /// Looks the handler up.
    ///
    /// # Errors
    /// It has another type than its kind says.
    pub(crate) fn new(kind: HandlerKind, instance: InstancePre<State>) -> wasmtime::Result<Self> {
        Ok(match kind {
            HandlerKind::Plugin => Self::Plugin(PluginPre::new(instance)?),
            HandlerKind::Command => Self::Command(CommandPre::new(instance)?),
            HandlerKind::Http => Self::Http(ProxyPre::new(instance)?),
            HandlerKind::Cron => Self::Cron(cron::SpinCronPre::new(instance)?),
            HandlerKind::Messaging => Self::Messaging(messaging::MessagingPre::new(instance)?),
        })
    }

    /// What can be instantiated without being called.
    pub(crate) fn instance(&self) -> &InstancePre<State> {
        match self {
            Self::Plugin(pre) => pre.instance_pre(),
            Self::Command(pre) => pre.instance_pre(),
            Self::Http(pre) => pre.instance_pre(),
            Self::Cron(pre) => pre.instance_pre(),
            Self::Messaging(pre) => pre.instance_pre(),
        }
    }

    /// Instantiates and calls.
    pub(crate) async fn call(&self, store: &mut Store<State>, input: &Input) -> Ended {
        let done = match self {
            Self::Plugin(pre) => plugin::call(pre, store, input).await,
            Self::Command(pre) => command::call(pre, store, input).await,
            Self::Http(pre) => http::call(pre, store, input).await,
            Self::Cron(pre) => cron::call(pre, store, input).await,
            Self::Messaging(pre) => messaging::call(pre, store, input).await,
        };
        done.map_or_else(|ended| ended, Ended::Returned)
    }
}

/// What a handler is called with.
pub(crate) struct Input {
    /// The event's name.
    pub(crate) event: Option<String>,
    /// Its data as JSON text.
    pub(crate) data: Option<String>,
}

/// What a handler returned, in the host's own terms; or that it did not come to that.
type Done = Result<Result<Option<String>, Failure>, Ended>;

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(exports: &[&str]) -> Result<HandlerKind, Refusal> {
        find(&exports.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn every_kind_is_known_by_its_export() {
        for kind in HandlerKind::ALL {
            for release in ["@0.2.0", "@0.2.12"] {
                let export = kind.export().replace("@0.2.x", release);
                assert_eq!(find(&["memory".to_owned(), export.clone()]), Ok(kind), "{export}");
            }
        }
        for name in ["wasi:cli/run", "wasi:cli/run@0.3.0", "wasi:http/incoming-handler@0.2.0-rc", "run"] {
            assert!(matches!(kind(&[name]), Err(Refusal::MissingExport { .. })), "{name}");
        }
    }

    #[test]
    fn several_handlers_are_named() {
        let refusal = kind(&["handle-cron-event", "wasi:http/incoming-handler@0.2.3", "wasi:cli/run@0.2.3"]);
        let refusal = refusal.expect_err("a refusal");
        assert_eq!(refusal.code(), "several_handlers");
        let message = refusal.to_string();
        assert!(message.ends_with("`handle-cron-event`, `wasi:http/incoming-handler@0.2.3`"), "{message}");
    }

    #[test]
    fn a_main_beside_a_handler_does_not_count() {
        let exports = ["wasi:cli/run@0.2.0", "wasi:http/incoming-handler@0.2.12"];
        assert_eq!(kind(&exports), Ok(HandlerKind::Http));
        assert_eq!(kind(&exports[..1]), Ok(HandlerKind::Command));
    }
}
