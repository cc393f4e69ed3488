//! Cheap checks on a component's bytes, before anything expensive looks at them.
//!
//! Small components can ask for a lot of work: a component that instantiates the one before it twice, thirty times over, is
//! a few hundred bytes and a billion instances. What is measured here grows with the bytes and with nothing else.

mod language;
mod start;

use innkeeper_model::sandbox::Refusal;
use wasmparser::{ComponentInstance, FunctionBody, Instance, Operator, Parser, Payload};

pub(crate) use start::check_start;

/// How deep modules and components may be nested in one another.
const NESTING_MAX: usize = 16;
/// Modules and components in one component.
const PARTS_MAX: u64 = 256;
/// Instances after every component is laid out where it is instantiated.
const INSTANCES_MAX: u64 = 10_000;
/// Functions of all modules together. A whole Python interpreter has about 30,000.
const FUNCTIONS_MAX: u64 = 200_000;
/// Bytes of one function.
const FUNCTION_BYTES_MAX: u64 = 1 << 20;
/// Local variables of one function.
const LOCALS_MAX: u64 = 20_000;
/// How deep blocks of one function may be nested. A `match` of a thousand cases nests a thousand blocks.
const BLOCK_DEPTH_MAX: u64 = 10_000;
/// How deep loops of one function may be nested. What a compiler knows about a loop grows with the loops around it.
const LOOP_DEPTH_MAX: u64 = 128;
/// Bytes of type definitions of all modules and components together.
const TYPE_BYTES_MAX: u64 = 2 << 20;
/// Exports, imports, aliases and other names of all modules and components together.
const NAMES_MAX: u64 = 200_000;
/// Data and element segments of all modules together.
const SEGMENTS_MAX: u64 = 100_000;
/// Bytes of one page of linear memory.
const PAGE_BYTES: u64 = 64 << 10;

/// Checks that `bytes` are a valid component in the language of plugins and of a bearable structure.
pub(crate) fn check(bytes: &[u8], memory_bytes_max: u64) -> Result<(), Refusal> {
    check_start(bytes)?;
    let mut census = Census { memory_bytes_max, bytes: bytes.len(), ..Census::default() };
    for payload in Parser::new(0).parse_all(bytes) {
        census.count(payload.map_err(|error| invalid(&error))?)?;
    }
    language::check(bytes)
}

pub(crate) fn invalid(error: &wasmparser::BinaryReaderError) -> Refusal {
    Refusal::Invalid(format!("this is not a valid component for this host: {error}"))
}

/// What was counted so far.
#[derive(Default)]
struct Census {
    bytes: usize,
    memory_bytes_max: u64,
    parts: u64,
    functions: u64,
    type_bytes: u64,
    names: u64,
    segments: u64,
    /// Instances in each component that is still open, innermost last; zero for modules.
    open: Vec<u64>,
    /// Instances in the largest component that is closed.
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
                    // Which component it is hardly matters: taking the largest bounds them all. It counts itself, for the
                    // compiler lays out empty ones too.
                    Ok(if matches!(instance, ComponentInstance::Instantiate { .. }) {
                        largest + 1
                    } else {
                        0
                    })
                }))
            }
            Payload::FunctionSection(functions) => {
                self.functions = self.functions.saturating_add(u64::from(functions.count()));
                at_most(self.functions, FUNCTIONS_MAX, "functions")
            }
            Payload::CodeSectionEntry(body) => check_function(&body),
            Payload::MemorySection(memories) => self.memories(memories),
            other => self.count_table(&other),
        }
    }

    /// What is many in one place: types, names, segments.
    fn count_table(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        let (types, names, segments) = match payload {
            Payload::TypeSection(types) => (types.range().len(), 0, 0),
            Payload::CoreTypeSection(types) => (types.range().len(), 0, 0),
            Payload::ComponentTypeSection(types) => (types.range().len(), 0, 0),
            Payload::ImportSection(names) => (0, names.count(), 0),
            Payload::ExportSection(names) => (0, names.count(), 0),
            Payload::ComponentImportSection(names) => (0, names.count(), 0),
            Payload::ComponentExportSection(names) => (0, names.count(), 0),
            Payload::ComponentAliasSection(names) => (0, names.count(), 0),
            Payload::ComponentCanonicalSection(names) => (0, names.count(), 0),
            Payload::GlobalSection(names) => (0, names.count(), 0),
            Payload::DataSection(segments) => (0, 0, segments.count()),
            Payload::ElementSection(segments) => (0, 0, segments.count()),
            _ => (0, 0, 0),
        };
        self.type_bytes = self.type_bytes.saturating_add(types as u64);
        self.names = self.names.saturating_add(u64::from(names));
        self.segments = self.segments.saturating_add(u64::from(segments));
        at_most(self.type_bytes, TYPE_BYTES_MAX, "bytes of type definitions")?;
        at_most(self.names, NAMES_MAX, "imports, exports and other names")?;
        at_most(self.segments, SEGMENTS_MAX, "data and element segments")
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
            at_most(*total, INSTANCES_MAX, "instances")?;
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
    at_most(locals, LOCALS_MAX, "local variables in one function")?;
    check_depth(body)
}

fn check_depth(body: &FunctionBody<'_>) -> Result<(), Refusal> {
    let mut is_loop = Vec::new();
    let mut loops: u64 = 0;
    for operator in body.get_operators_reader().map_err(|error| invalid(&error))? {
        match operator.map_err(|error| invalid(&error))? {
            Operator::Loop { .. } => {
                is_loop.push(true);
                loops += 1;
            }
            Operator::Block { .. } | Operator::If { .. } => is_loop.push(false),
            // The last one ends the function itself.
            Operator::End => loops -= u64::from(is_loop.pop().unwrap_or(false)),
            _ => continue,
        }
        at_most(loops, LOOP_DEPTH_MAX, "loops nested in one another")?;
        at_most(is_loop.len() as u64, BLOCK_DEPTH_MAX, "blocks nested in one another")?;
    }
    Ok(())
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
        refused(&text, "instances");
        let beside = |times: usize| {
            (1..30).fold("(component $c0)".to_owned(), |text, level| {
                let instances = "(instance (instantiate $x))".repeat(times);
                let before = format!("(alias outer 1 $c{} (component $x))", level - 1);
                format!("{text} (component $c{level} {before} {instances})")
            })
        };
        refused(&format!("(component {})", beside(2)), "instances");
        assert_eq!(check_text(&format!("(component {})", beside(1))), Ok(()));
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
        let deep = |block: &str, count| {
            format!("(component (core module (func {} {})))", block.repeat(count), "end ".repeat(count))
        };
        refused(&deep("loop ", 129), "loops nested");
        refused(&deep("block ", 10_001), "blocks nested");
        assert_eq!(check_text(&deep("loop ", 128)), Ok(()));
        assert_eq!(check_text(&deep("block ", 1000)), Ok(()));
    }

    #[test]
    fn what_is_many_in_all_is_refused() {
        let functions = "(func) ".repeat(200_001);
        refused(&format!("(component (core module {functions}))"), "functions");
        let parameters = |number| format!("(type (func (param {} {number})))", "i64 ".repeat(1000));
        let types: String =
            (0..2200).map(|number| parameters(if number % 2 == 0 { "i32" } else { "f32" })).collect();
        refused(&format!("(component (core module {types}))"), "bytes of type definitions");
        let globals = "(global i32 (i32.const 0)) ".repeat(200_001);
        refused(&format!("(component (core module {globals}))"), "names");
        let data = "(data (i32.const 0) \"\")".repeat(100_001);
        refused(&format!("(component (core module (memory 1) {data}))"), "segments");
    }
}
