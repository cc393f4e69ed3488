//! Cheap checks on a component's bytes, before anything expensive looks at them.
//!
//! Small components can ask for a lot of work: a component that instantiates the one before it twice, thirty times over, is
//! a few hundred bytes and a billion instances. What is measured here grows with the bytes and with nothing else.

use innkeeper_model::sandbox::Refusal;
use wasmparser::{ComponentInstance, FunctionBody, Instance, Parser, Payload, Validator};

use crate::engine::LANGUAGE;

/// How deep modules and components may be nested in one another.
const NESTING_MAX: usize = 16;
/// Modules and components in one component.
const PARTS_MAX: u64 = 256;
/// Core instances after every component is laid out where it is instantiated.
const INSTANCES_MAX: u64 = 10_000;
/// Functions of all modules together. A whole Python interpreter has about 30,000.
const FUNCTIONS_MAX: u64 = 200_000;
/// Bytes of one function.
const FUNCTION_BYTES_MAX: u64 = 1 << 20;
/// Local variables of one function.
const LOCALS_MAX: u64 = 20_000;
/// Bytes of one page of linear memory.
const PAGE_BYTES: u64 = 64 << 10;

/// Checks that `bytes` are a valid component in [`LANGUAGE`] and of a bearable structure.
pub(crate) fn check(bytes: &[u8], memory_bytes_max: u64) -> Result<(), Refusal> {
    check_start(bytes)?;
    let mut census = Census { memory_bytes_max, bytes: bytes.len(), ..Census::default() };
    for payload in Parser::new(0).parse_all(bytes) {
        census.count(payload.map_err(|error| invalid(&error))?)?;
    }
    Validator::new_with_features(LANGUAGE).validate_all(bytes).map_err(|error| invalid(&error))?;
    Ok(())
}

/// Tells the usual mistakes apart by the first bytes.
fn check_start(bytes: &[u8]) -> Result<(), Refusal> {
    if let Some(version) = bytes.strip_prefix(b"\0asm") {
        return match version {
            [1, 0, 0, 0, ..] => Err(Refusal::CoreModule),
            [0x0d, 0, 1, 0, ..] => Ok(()),
            _ => Err(Refusal::Invalid(
                "this is WebAssembly of a version that is not known here: build a component for the target wasm32-wasip2"
                    .to_owned(),
            )),
        };
    }
    let text = bytes.trim_ascii_start();
    let message = if bytes.is_empty() {
        "the component is empty: no bytes were sent"
    } else if text.starts_with(b"(") || text.starts_with(b";;") {
        "this is WebAssembly as text: turn it into a binary first, for example with `wasm-tools parse`"
    } else {
        "this is not WebAssembly: a component starts with the bytes 00 61 73 6d"
    };
    Err(Refusal::Invalid(message.to_owned()))
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Invalid(format!("this is not a valid component for this host: {error}"))
}

/// What was counted so far.
#[derive(Default)]
struct Census {
    bytes: usize,
    memory_bytes_max: u64,
    parts: u64,
    functions: u64,
    /// Core instances of each component that is still open, innermost last; zero for modules.
    open: Vec<u64>,
    /// Core instances of the largest component that is closed.
    largest: u64,
}

impl Census {
    fn count(&mut self, payload: Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::Version { .. } => self.enter(),
            Payload::ModuleSection { unchecked_range: range, .. }
            | Payload::ComponentSection { unchecked_range: range, .. } => self.inside(range.end),
            Payload::End(_) => {
                self.leave();
                Ok(())
            }
            Payload::InstanceSection(instances) => self.instances(instances.into_iter().map(|instance| {
                let instance = instance.map_err(|error| invalid(&error))?;
                Ok(u64::from(matches!(instance, Instance::Instantiate { .. })))
            })),
            Payload::ComponentInstanceSection(instances) => {
                let largest = self.largest;
                self.instances(instances.into_iter().map(move |instance| {
                    let instance = instance.map_err(|error| invalid(&error))?;
                    // Which component it is hardly matters: taking the largest bounds them all.
                    Ok(if matches!(instance, ComponentInstance::Instantiate { .. }) { largest } else { 0 })
                }))
            }
            Payload::FunctionSection(functions) => {
                self.functions = self.functions.saturating_add(u64::from(functions.count()));
                at_most(self.functions, FUNCTIONS_MAX, "functions")
            }
            Payload::CodeSectionEntry(body) => check_function(&body),
            Payload::MemorySection(memories) => self.memories(memories),
            _ => Ok(()),
        }
    }

    /// The parser takes the end of the bytes for the end of a module that was cut between two of its sections.
    fn inside(&self, end: usize) -> Result<(), Refusal> {
        if end <= self.bytes {
            return Ok(());
        }
        let message = format!("the component is cut short: it has {} bytes of at least {end}", self.bytes);
        Err(Refusal::Invalid(message))
    }

    fn enter(&mut self) -> Result<(), Refusal> {
        self.open.push(0);
        self.parts += 1;
        at_most(self.open.len() as u64, NESTING_MAX as u64, "levels of nesting")?;
        at_most(self.parts, PARTS_MAX, "modules and components")
    }

    fn leave(&mut self) {
        let instances = self.open.pop().unwrap_or(0);
        self.largest = self.largest.max(instances);
    }

    fn instances(&mut self, added: impl Iterator<Item = Result<u64, Refusal>>) -> Result<(), Refusal> {
        for instances in added {
            let instances = instances?;
            let Some(total) = self.open.last_mut() else { continue };
            *total = total.saturating_add(instances);
            at_most(*total, INSTANCES_MAX, "core instances")?;
        }
        Ok(())
    }

    fn memories(&self, memories: wasmparser::MemorySectionReader<'_>) -> Result<(), Refusal> {
        for memory in memories {
            let memory = memory.map_err(|error| invalid(&error))?;
            let bytes = memory.initial.saturating_mul(PAGE_BYTES);
            at_most(bytes, self.memory_bytes_max, "bytes of memory to start with")?;
        }
        Ok(())
    }
}

fn check_function(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    at_most(body.range().len() as u64, FUNCTION_BYTES_MAX, "bytes in one function")?;
    let mut locals: u64 = 0;
    for group in body.get_locals_reader().map_err(|error| invalid(&error))? {
        let (count, _) = group.map_err(|error| invalid(&error))?;
        locals = locals.saturating_add(u64::from(count));
    }
    at_most(locals, LOCALS_MAX, "local variables in one function")
}

fn at_most(value: u64, max: u64, what: &str) -> Result<(), Refusal> {
    if value <= max {
        return Ok(());
    }
    Err(Refusal::TooLarge(format!("the component has {value} {what}; at most {max} are allowed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str) -> Result<(), Refusal> {
        let bytes = wat::parse_str(text).expect("valid text");
        check(&bytes, 1 << 20)
    }

    fn refused(text: &str, what: &str) {
        match check_text(text) {
            Err(Refusal::TooLarge(message)) => assert!(message.contains(what), "{message}"),
            other => panic!("{other:?} for {text}"),
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        assert_eq!(check_text("(module)"), Err(Refusal::CoreModule));
        for (bytes, hint) in [
            (&b""[..], "empty"),
            (b"  (component)", "text"),
            (b"#!/bin/sh", "not WebAssembly"),
            (b"\0asm\x02\0\0\0", "version"),
        ] {
            match check(bytes, 0) {
                Err(Refusal::Invalid(message)) => assert!(message.contains(hint), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = wat::parse_str("(component (core module (func) (memory 1)))").expect("valid text");
        assert_eq!(check(&bytes, 1 << 20), Ok(()));
        for length in 0..bytes.len() {
            // The bare header is a component without anything in it.
            let whole = length == 8;
            assert_eq!(check(&bytes[..length], 1 << 20).is_ok(), whole, "{length} bytes");
        }
    }

    #[test]
    fn doublings_are_refused() {
        let mut text = "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
        for level in 1..=14 {
            let twice = format!("(instance (instantiate $c{0})) (instance (instantiate $c{0}))", level - 1);
            text = format!("(component $c{level} {text} {twice})");
        }
        refused(&text, "core instances");
        let flat = (1..30).fold("(component $c0)".to_owned(), |text, level| {
            let before = level - 1;
            format!("{text} (component $c{level} (alias outer 1 $c{before} (component $x)) (instance (instantiate $x)))")
        });
        assert_eq!(check_text(&format!("(component {flat})")), Ok(()));
    }

    #[test]
    fn large_functions_and_memories_are_refused() {
        let locals = "(local i32)".repeat(20_001);
        refused(&format!("(component (core module (func {locals})))"), "local variables");
        refused("(component (core module (memory 17)))", "bytes of memory");
        let body = "nop ".repeat(1 << 20);
        refused(&format!("(component (core module (func {body})))"), "bytes in one function");
        let nested = "(component ".repeat(17) + &")".repeat(17);
        refused(&nested, "levels of nesting");
    }
}
