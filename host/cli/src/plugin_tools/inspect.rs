//! `plugin inspect`: what a component is, how it is called, and what it needs.

use std::path::Path;
use std::sync::Arc;

use innkeeper_model::rollout::Capability;
use innkeeper_model::sandbox::Refusal;
use innkeeper_sandbox::Inspection;
use serde_json::{Value, json};

use super::sandbox;
use crate::exit::Failure;
use crate::output::{Output, bytes, fields, json_text, millis};
use crate::plugins;

/// Prints what is found in a component's file.
///
/// # Errors
/// The file cannot be read, or the host would refuse the component.
pub(crate) async fn inspect(file: &Path, output: Output) -> Result<(), Failure> {
    let component = plugins::read(file).map_err(Failure::Usage)?;
    let found = look_into(component).await?;
    output.answer(&found, describe)?;
    Ok(())
}

/// What is found in a component.
///
/// # Errors
/// The host would refuse it.
pub(super) async fn look_into(component: Vec<u8>) -> Result<Value, Failure> {
    let inspection = sandbox()?.inspect(Arc::from(component)).await;
    Ok(facts(&inspection.map_err(|refusal| refused(&refusal))?))
}

/// The failure of a component that the host does not take.
pub(super) fn refused(refusal: &Refusal) -> Failure {
    Failure::Failed(anyhow::anyhow!("refused ({}): {refusal}", refusal.code()))
}

fn facts(inspection: &Inspection) -> Value {
    json!({
        "digest": inspection.digest.to_string(),
        "handler": inspection.kind.to_string(),
        "delivery": inspection.kind.delivery(),
        "isCoreModule": inspection.is_core_module,
        "exports": inspection.exports,
        "imports": inspection.imports,
        "grants": Capability::needed_by(&inspection.imports),
        "sizeBytes": inspection.size_bytes,
        "compiledBytes": inspection.compiled_bytes,
        "compileTimeUs": u64::try_from(inspection.admission_time.as_micros()).unwrap_or(u64::MAX),
    })
}

/// The facts as text.
pub(super) fn describe(facts: &Value) -> String {
    let names = |list: &Value| list.as_array().into_iter().flatten().map(json_text).collect::<Vec<_>>();
    let number = |field: &str| facts[field].as_u64().unwrap_or(0);
    let needed = names(&facts["grants"]);
    let is_needed = |kind: &Capability| needed.iter().any(|name| name == kind.as_str());
    let needed: Vec<&str> = Capability::ALL.into_iter().filter(is_needed).map(Capability::form).collect();
    let adapted = if facts["isCoreModule"] == true { " (a core module, which the host adapts)" } else { "" };
    let or_none = |text: String| if text.is_empty() { "none".to_owned() } else { text };
    fields(&[
        ("digest", json_text(&facts["digest"])),
        ("handler", format!("{}{adapted}", json_text(&facts["handler"]))),
        ("called with", json_text(&facts["delivery"])),
        ("exports", names(&facts["exports"]).join(", ")),
        ("imports", or_none(names(&facts["imports"]).join(", "))),
        ("grants", or_none(needed.join(", "))),
        ("size", bytes(number("sizeBytes"))),
        ("compiled", format!("{} in {}", bytes(number("compiledBytes")), millis(number("compileTimeUs")))),
    ])
}
