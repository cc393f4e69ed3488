//! Whether a component keeps to the language of plugins, and by what name it goes beyond it.

use innkeeper_model::sandbox::Refusal;
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

use crate::engine::LANGUAGE;

/// What is off, by the name that its proposal is known by. Those that build on others come after them.
const BEYOND: [(&str, WasmFeatures); 20] = [
    ("threads", WasmFeatures::THREADS),
    ("shared-everything-threads", WasmFeatures::SHARED_EVERYTHING_THREADS),
    ("tail-call", WasmFeatures::TAIL_CALL),
    ("multi-memory", WasmFeatures::MULTI_MEMORY),
    ("memory64", WasmFeatures::MEMORY64),
    ("exceptions", WasmFeatures::EXCEPTIONS),
    ("legacy-exceptions", WasmFeatures::LEGACY_EXCEPTIONS),
    ("function-references", WasmFeatures::FUNCTION_REFERENCES),
    ("gc", WasmFeatures::GC),
    ("custom-descriptors", WasmFeatures::CUSTOM_DESCRIPTORS),
    ("stack-switching", WasmFeatures::STACK_SWITCHING),
    ("wide-arithmetic", WasmFeatures::WIDE_ARITHMETIC),
    ("custom-page-sizes", WasmFeatures::CUSTOM_PAGE_SIZES),
    ("memory-control", WasmFeatures::MEMORY_CONTROL),
    ("component-model-values", WasmFeatures::CM_VALUES),
    ("component-model-async", WasmFeatures::CM_ASYNC),
    ("component-model-threading", WasmFeatures::CM_THREADING),
    ("component-model-error-context", WasmFeatures::CM_ERROR_CONTEXT),
    ("component-model-fixed-length-lists", WasmFeatures::CM_FIXED_LENGTH_LISTS),
    ("component-model-gc", WasmFeatures::CM_GC),
];

/// Checks that `bytes` are valid in [`LANGUAGE`].
pub(super) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let Err(error) = validate(bytes, LANGUAGE) else { return Ok(()) };
    let names = beyond(bytes);
    if names.is_empty() {
        return Err(super::invalid(&error));
    }
    let names = names.join(", ");
    Err(Refusal::Invalid(format!(
        "the component uses what this host leaves out of WebAssembly: {names}; build it without ({error})"
    )))
}

fn validate(bytes: &[u8], language: WasmFeatures) -> Result<(), BinaryReaderError> {
    Validator::new_with_features(language).validate_all(bytes).map(|_| ())
}

/// What a component needs that is left out, if it is valid otherwise: the rest after everything it can do without is taken
/// away, the largest things first.
fn beyond(bytes: &[u8]) -> Vec<&'static str> {
    let mut language = WasmFeatures::all();
    if validate(bytes, language).is_err() {
        return Vec::new();
    }
    for (_, feature) in BEYOND.iter().rev() {
        let without = language.difference(*feature);
        if validate(bytes, without).is_ok() {
            language = without;
        }
    }
    BEYOND.iter().filter(|(_, feature)| language.contains(*feature)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match check(&wat::parse_str(text).expect("valid text")) {
            Err(Refusal::Invalid(message)) => message,
            other => panic!("{other:?} for {text}"),
        }
    }

    #[test]
    fn what_is_left_out_is_named() {
        for (module, name) in [
            ("(memory i64 1)", "memory64"),
            ("(memory 1) (memory 1)", "multi-memory"),
            ("(memory 1 1 shared)", "threads"),
            ("(memory 1) (func (drop (i32.atomic.load (i32.const 0))))", "threads"),
            ("(tag)", "exceptions"),
            ("(func (return_call 0))", "tail-call"),
            ("(type (struct))", "gc"),
            ("(type $f (func)) (func (param (ref $f)))", "function-references"),
            ("(type $f (func)) (type (cont $f))", "stack-switching"),
            ("(memory 1 (pagesize 1))", "custom-page-sizes"),
        ] {
            let message = refused(&format!("(component (core module {module}))"));
            let expected = format!("leaves out of WebAssembly: {name}");
            assert!(message.contains(&expected) || message.contains(&format!(", {name}")), "{message}");
        }
        let message = refused("(component (type (stream u8)))");
        assert!(message.contains("component-model-async"), "{message}");
    }

    #[test]
    fn what_is_valid_nowhere_is_no_question_of_features() {
        let message = refused("(component (core module (func (result i32))))");
        assert!(message.contains("not a valid component") && message.contains("type mismatch"), "{message}");
    }
}
