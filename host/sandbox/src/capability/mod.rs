//! What a guest may do: one file for each capability, each with what is granted, how it is reached, and how it is linked.
//!
//! [`linker`] is the whole list. [`is_offered`] says the same by name, for components that are being admitted.

pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod denial;
pub(crate) mod denied;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod keyvalue;
pub(crate) mod logging;
pub(crate) mod messaging;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::state::State;

/// Everything that is offered to every plugin. What a component only names is added by [`denied::meet`].
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    context::add_to_linker(&mut linker)?;
    events::add_to_linker(&mut linker)?;
    http::add_to_linker(&mut linker)?;
    logging::add_to_linker(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    config::add_to_linker(&mut linker)?;
    messaging::add_to_linker(&mut linker)?;
    wasi::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Whether the interface called `name` is offered or met by a stand-in.
pub(crate) fn is_offered(name: &str) -> bool {
    matches!(name, "innkeeper:plugin/context@0.1.0" | "innkeeper:plugin/events@0.1.0" | messaging::NAME)
        || logging::NAMES.contains(&name)
        || http::is_offered(name)
        || keyvalue::NAMES.contains(&name)
        || config::NAMES.contains(&name)
        || wasi::is_offered(name)
        || denied::is_denied(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_guide_lists_what_has_a_name_of_its_own() {
        let guide = include_str!("../../../../docs/plugin-guide.md");
        let (_, guide) =
            guide.split_once("\n## What a component may import\n").expect("a section of imports");
        for name in [&logging::NAMES[..], &keyvalue::NAMES, &config::NAMES, &[messaging::NAME]].concat() {
            let (interface, release) = name.split_once('@').unwrap_or((name, "without one"));
            let (package, interface) = interface.split_once('/').expect("a package and an interface");
            let row = guide.lines().find(|line| line.starts_with(&format!("| `{package}/")));
            let row = row.unwrap_or_else(|| panic!("{package} is not in the guide"));
            assert!(row.contains(&format!("/{interface}`")) && row.contains(release), "{name}: {row}");
        }
    }
}
