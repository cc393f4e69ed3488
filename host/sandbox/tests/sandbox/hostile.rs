//! Uploads that mean harm: whatever the bytes, the answer is an acceptance or a refusal with a name.

use innkeeper_model::execution::FailureKind;
use innkeeper_model::sandbox::{Outcome, Refusal, Sandbox as _};
use innkeeper_sandbox::{SandboxConfig, WasmSandbox};

use crate::compiler::compiler;
use crate::support::{HANDLER, assert_output, invocation, run, run_within, sandbox, sandbox_with};
use crate::{guests, hostile_guests};

/// Admits `bytes` or says why not. A refusal that speaks of the host's own fault is no proper refusal.
async fn verdict(sandbox: &WasmSandbox, bytes: &[u8]) -> Result<(), Refusal> {
    let admitted = sandbox.admit(bytes.into()).await.map(|_| ());
    if let Err(refusal) = &admitted {
        let message = refusal.to_string();
        for fault in ["panicked", "not tried", "did not come to its end", "host's log"] {
            assert!(!message.contains(fault), "{message}");
        }
    }
    admitted
}

#[tokio::test]
async fn a_component_cut_at_any_length_is_refused() {
    let sandbox = sandbox();
    let whole = guests::succeed();
    for length in 0..whole.len() {
        // Names and remarks at its end are no part of what it does.
        if verdict(&sandbox, &whole[..length]).await.is_ok() {
            assert_output(&run(&sandbox, invocation(&whole[..length])).await, None);
            assert!(length > whole.len() / 2, "{length} of {} bytes", whole.len());
        }
    }
    assert_eq!(verdict(&sandbox, &whole).await, Ok(()));
}

#[tokio::test]
async fn a_component_with_any_byte_spoilt_is_refused_or_stays_in_its_sandbox() {
    let sandbox = sandbox();
    let whole = guests::succeed();
    for at in 0..whole.len() {
        let mut spoilt = whole.clone();
        spoilt[at] ^= [0x01, 0x80, 0xff][at % 3];
        if verdict(&sandbox, &spoilt).await.is_ok() {
            let report = run_within(&sandbox, &spoilt, |limits| limits.fuel = 100_000).await;
            if let Outcome::Failure(failure) = report.outcome {
                assert_ne!(failure.kind, FailureKind::Unavailable, "byte {at}: {failure:?}");
            }
        }
    }
    assert_output(&run(&sandbox, invocation(&whole)).await, None);
}

#[tokio::test]
async fn bombs_of_every_kind_are_refused_by_what_is_too_much() {
    let mut config = SandboxConfig { compiler: Some(compiler()), ..SandboxConfig::default() };
    config.compile_limits.memory_bytes = 1 << 30;
    let sandbox = sandbox_with(config);
    let doubling = (1..30).fold("(component $c0)".to_owned(), |text, level| {
        let before = format!("(alias outer 1 $c{} (component $x))", level - 1);
        format!(
            "{text} (component $c{level} {before} (instance (instantiate $x)) (instance (instantiate $x)))"
        )
    });
    let wide = format!("(type (func (param {})))", "i64 ".repeat(1001));
    for (module, what) in [
        (doubling, "instances"),
        (format!("(core module {})", "(func)".repeat(1_000_000)), "functions"),
        (format!("(core module (func {} {}))", "loop ".repeat(200), "end ".repeat(200)), "loops nested"),
        (format!("(core module (func {}))", "(local i64)".repeat(50_000)), "local variables"),
        (format!("(core module {wide})"), "function params"),
        ("(core module (memory 65536))".to_owned(), "bytes of memory"),
        ("(core module (table 100000000 funcref))".to_owned(), "element size of 100000000"),
    ] {
        let bytes = wat::parse_str(format!("(component {module} {HANDLER})")).unwrap();
        let refusal = verdict(&sandbox, &bytes).await.unwrap_err();
        assert!(refusal.to_string().contains(what), "{what}: {refusal}");
    }
}

#[tokio::test]
async fn a_few_bytes_far_apart_are_no_gigabytes() {
    let component = hostile_guests::sparse_data();
    let mut config = SandboxConfig { compiler: Some(compiler()), ..SandboxConfig::default() };
    config.compile_limits.artifact_bytes = 1 << 20;
    let report = run(&sandbox_with(config), invocation(&component)).await;
    assert_output(&report, None);
    assert!(report.receipt.memory_bytes_peak >= 16 << 20 && component.len() < 4096);
}

#[tokio::test]
async fn more_memories_or_instances_than_the_pool_has_are_refused() {
    for (item, count, what) in
        [("(memory 1)", 5, "memories"), ("(table 1 funcref)", 17, "tables"), ("", 33, "instances")]
    {
        let instances = "(core instance (instantiate $m))".repeat(count);
        let text = format!("(component (core module $m {item}) {instances} {HANDLER})");
        match verdict(&sandbox(), &wat::parse_str(text).unwrap()).await {
            Err(Refusal::TooLarge(message)) => assert!(message.contains(what), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}
