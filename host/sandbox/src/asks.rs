//! Whether this host offers what a component asks for, and it what the host asks for, before anything is compiled.
//!
//! Whoever has a compiled component asks the linker, which has the last word. This says the same beforehand: most components
//! that do not fit are of another host or another release of an interface, and compiling takes seconds.

use std::borrow::Cow;
use std::io;

use innkeeper_model::sandbox::Refusal;
use innkeeper_model::upload::ReadAt;

use crate::outline::{self, Outline};
use crate::{adapt, capability, handler};

/// The component that `bytes` are or become, to be compiled: its structure is checked, it exports a handler, and imports only
/// what is offered, as far as that can be told.
///
/// # Errors
/// It is refused.
pub(crate) fn component(bytes: &[u8], memory_bytes_max: u64) -> Result<Cow<'_, [u8]>, Refusal> {
    let component = adapt::component(bytes, memory_bytes_max)?;
    if let Ok(Some(outline)) = outline::read(&component[..], component.len() as u64) {
        let mut exports = outline.exports.clone();
        exports.sort();
        handler::find(&exports)?;
        check(&outline)?;
    }
    Ok(component)
}

/// Refuses what imports what is not offered, before anybody walks through all of its bytes.
///
/// # Errors
/// It is refused.
pub(crate) fn check_imports(bytes: &(impl ReadAt + ?Sized), size: u64) -> Result<(), Refusal> {
    let outline = outline::read(bytes, size).map_err(|error| unreadable(&error))?;
    outline.map_or(Ok(()), |outline| check(&outline))
}

/// Whoever sent the upload is not to blame.
pub(crate) fn unreadable(error: &io::Error) -> Refusal {
    Refusal::HostFault(format!("the upload could not be read: {error}; send it again"))
}

fn check(outline: &Outline) -> Result<(), Refusal> {
    let missing = outline.imports.iter().filter(|(name, needs)| *needs && !capability::is_offered(name));
    let mut missing: Vec<String> = missing.map(|(name, _)| name.clone()).collect();
    missing.sort();
    if missing.is_empty() { Ok(()) } else { Err(Refusal::MissingImports(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Result<(), Refusal> {
        let bytes = wat::parse_str(text).expect("valid text");
        let before = check_imports(&bytes[..], bytes.len() as u64);
        let found = component(&bytes, 1 << 20).map(|_| ());
        if before.is_err() {
            assert_eq!(before, found, "it is found again");
        }
        found
    }

    const HANDLER: &str = r#"(instance $h) (export "innkeeper:plugin/handler@0.1.0" (instance $h))"#;

    #[test]
    fn every_missing_import_is_named() {
        let text = format!(
            r#"(component
                (import "run" (func))
                (import "acme:db/query@1.0.0" (instance (export "rows" (type (sub resource)))))
                (import "acme:db/words@1.0.0" (instance (type $w u8) (export "word" (type (eq $w)))))
                (import "wasi:cli/environment@0.2.7" (instance (export "get-arguments" (func))))
                {HANDLER})"#
        );
        let missing = vec!["acme:db/query@1.0.0".to_owned(), "run".to_owned()];
        assert_eq!(check_text(&text), Err(Refusal::MissingImports(missing)));
    }

    #[test]
    fn a_component_without_a_handler_is_told_what_it_has() {
        match check_text(
            r#"(component (instance $i) (export "b:c/d" (instance $i)) (export "a" (instance $i)))"#,
        ) {
            Err(Refusal::MissingExport { found, .. }) => assert_eq!(found, ["a", "b:c/d"]),
            other => panic!("{other:?}"),
        }
        assert_eq!(check_text(&format!("(component {HANDLER})")), Ok(()));
    }

    #[test]
    fn what_is_no_whole_component_is_for_others_to_judge() {
        assert_eq!(check_imports(&b"\0asm\x0d\0\x01\0\x0a\x05\x01"[..], 11), Ok(()));
        let typed = check_text(&format!("(component (core module (memory i64 1)) {HANDLER})"));
        assert!(matches!(typed, Err(Refusal::Invalid(_))), "{typed:?}");
    }

    #[test]
    fn what_a_core_module_becomes_is_looked_at() {
        let program = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
        assert_eq!(check_text(program), Ok(()));
    }
}
