//! From what was uploaded to a component: core modules for WASI 0.1 are adapted.
//!
//! The adaptation is part of the compilation and follows from the bytes alone, so what is stored, and what a version is named
//! for, is what was uploaded.

use std::borrow::Cow;

use innkeeper_model::sandbox::Refusal;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

use crate::structure;

/// The export of a program.
const START: &str = "_start";
/// How custom sections are called in which a module says what component it is meant to become.
const COMPONENT_TYPE: &str = "component-type";

/// The component that `bytes` are or become, checked.
///
/// # Errors
/// It is refused, as [`structure::check`] says, or the module cannot be made a component.
pub(crate) fn component(bytes: &[u8], memory_bytes_max: u64) -> Result<Cow<'_, [u8]>, Refusal> {
    structure::check(bytes, memory_bytes_max)?;
    let Some(adapter) = adapter(bytes)? else { return Ok(Cow::Borrowed(bytes)) };
    let component = ComponentEncoder::default()
        .module(bytes)
        .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|encoder| encoder.validate(true).encode());
    let component = component.map_err(|error| {
        Refusal::Invalid(format!("this core module cannot be made a component: {error:#}"))
    })?;
    structure::check(&component, memory_bytes_max)?;
    Ok(Cow::Owned(component))
}

/// The adapter for a module; none for a component. Looks at the outermost layer only.
fn adapter(bytes: &[u8]) -> Result<Option<&'static [u8]>, Refusal> {
    let mut is_typed = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| structure::invalid(&error))? {
            Payload::Version { encoding: Encoding::Component, .. } => return Ok(None),
            Payload::ExportSection(exports) => {
                for export in exports {
                    if export.map_err(|error| structure::invalid(&error))?.name == START {
                        return Ok(Some(WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER));
                    }
                }
            }
            Payload::CustomSection(section) => is_typed |= section.name().starts_with(COMPONENT_TYPE),
            _ => {}
        }
    }
    if is_typed { Ok(Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)) } else { Err(Refusal::CoreModule) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(text: &str) -> Result<Vec<u8>, Refusal> {
        component(&wat::parse_str(text).expect("valid text"), 8 << 20).map(Cow::into_owned)
    }

    const PROGRAM: &str = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 3))))"#;

    #[test]
    fn a_program_becomes_the_same_component_every_time() {
        let component = adapted(PROGRAM).expect("a component");
        assert_eq!(&component[4..8], b"\x0d\0\x01\0");
        assert_eq!(Ok(component), adapted(PROGRAM));
    }

    #[test]
    fn a_component_stays_as_it_is() {
        let bytes = wat::parse_str("(component)").expect("valid text");
        assert!(matches!(component(&bytes, 0), Ok(Cow::Borrowed(same)) if same == bytes));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        assert_eq!(adapted("(module)"), Err(Refusal::CoreModule));
        let foreign = PROGRAM.replace("wasi_snapshot_preview1", "env");
        match adapted(&foreign) {
            Err(Refusal::Invalid(message)) => assert!(message.contains("env"), "{message}"),
            other => panic!("{other:?}"),
        }
        let large = PROGRAM.replace("\"memory\") 1", "\"memory\") 200");
        assert!(matches!(adapted(&large), Err(Refusal::TooLarge(_))));
    }
}
