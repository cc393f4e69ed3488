//! What is accepted at upload, and how the rest is refused.

use innkeeper_model::id::Digest;
use innkeeper_model::sandbox::{Admission, Refusal, Sandbox as _};
use innkeeper_sandbox::{SandboxConfig, SandboxError};

use crate::guests;
use crate::support::{FirstRead, assert_output, invocation, run, sandbox, sandbox_with, stored};

async fn admit(component: &[u8]) -> Result<Admission, Refusal> {
    sandbox().admit(component.into()).await
}

#[tokio::test]
async fn an_admitted_component_is_ready_to_run() {
    let sandbox = sandbox();
    let component = guests::try_files_and_sockets();
    let admission = sandbox.admit(component.as_slice().into()).await.unwrap();
    assert_eq!(admission.digest, Digest::of(&component));
    assert!(admission.imports.contains(&"wasi:filesystem/preopens@0.2.3".to_owned()), "{admission:?}");
    assert!(admission.imports.is_sorted());
    assert_eq!(sandbox.admit(component.as_slice().into()).await, Ok(admission));
    let mut invocation = invocation(&component);
    invocation.state = stored(None);
    assert_output(&run(&sandbox, invocation).await, Some("117"));
}

#[tokio::test]
async fn bytes_that_are_no_component_are_refused() {
    let component = guests::succeed();
    for bytes in [&component[..component.len() - 1], &component[..20], b"(component)", b""] {
        assert!(matches!(admit(bytes).await, Err(Refusal::Invalid(_))));
    }
    assert_eq!(admit(&wat::parse_str("(module)").unwrap()).await, Err(Refusal::CoreModule));
}

#[tokio::test]
async fn a_component_without_the_handler_is_refused() {
    let component = wat::parse_str(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "f"))))"#,
    );
    match admit(&component.unwrap()).await {
        Err(Refusal::MissingExport { accepted, found }) => {
            assert_eq!(accepted[0], "innkeeper:plugin/handler@0.1.0");
            assert_eq!(found, ["run"]);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn imports_that_are_not_offered_are_refused_by_name() {
    let refusal = admit(&guests::import_unknown()).await;
    assert_eq!(refusal, Err(Refusal::MissingImports(vec!["acme:db/query@1.0.0".to_owned()])));
    match admit(&guests::import_unknown_function()).await {
        Err(Refusal::MissingImports(missing)) => assert!(missing[0].contains("get-nonsense"), "{missing:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn languages_beyond_the_engines_are_refused() {
    for module in [
        "(module (memory i64 1))",
        "(module (memory 1) (memory 1))",
        "(module (memory 1 1 shared))",
        "(module (tag))",
        "(module (func (return_call 0)))",
        "(module (type (struct)))",
    ] {
        let module = module.replacen("(module", "(component (core module", 1) + ")";
        let refusal = admit(&wat::parse_str(&module).unwrap()).await;
        assert!(matches!(refusal, Err(Refusal::Invalid(_))), "{module}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_component_that_cannot_start_is_refused() {
    match admit(&guests::trap_at_start()).await {
        Err(Refusal::DoesNotStart(message)) => {
            assert!(message.contains("unreachable") && message.contains("in begin"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_component_over_a_limit_is_refused() {
    let component = guests::succeed();
    let small = SandboxConfig { upload_bytes_max: component.len() as u64 - 1, ..SandboxConfig::default() };
    let refusal = sandbox_with(small).admit(component.as_slice().into()).await;
    assert!(matches!(refusal, Err(Refusal::TooLarge(message)) if message.contains("bytes")));
}

#[test]
fn settings_out_of_range_are_refused() {
    let none = SandboxConfig { concurrency: 0, ..SandboxConfig::default() };
    let (clock, _) = FirstRead::new();
    let error = innkeeper_sandbox::WasmSandbox::new(none, clock).err();
    assert!(matches!(error, Some(SandboxError::Config { field: "concurrency", value: 0, .. })));
}
