//! What there is to know of a component before anybody runs it.

use std::sync::Arc;
use std::time::Duration;

use innkeeper_model::id::Digest;
use innkeeper_model::sandbox::Refusal;

use crate::handler::HandlerKind;
use crate::measure::Stopwatch;
use crate::sandbox::Core;

/// What was found in a component that this host accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The version's name.
    pub digest: Digest,
    /// Bytes as they were uploaded.
    pub size_bytes: u64,
    /// Whether it is a core module, which the host adapts.
    pub is_core_module: bool,
    /// What it offers to be called by.
    pub kind: HandlerKind,
    /// The names of everything it exports, sorted.
    pub exports: Vec<String>,
    /// Interfaces it imports, by full name, sorted.
    pub imports: Vec<String>,
    /// Bytes of machine code and data that it became.
    pub compiled_bytes: u64,
    /// How long it took to check, compile, link and try it. Almost nothing if it was compiled before.
    pub admission_time: Duration,
}

impl Core {
    /// Admits a component and tells what was found in it.
    pub(crate) async fn inspect(&self, bytes: Arc<[u8]>) -> Result<Inspection, Refusal> {
        let watch = Stopwatch::start();
        let (size_bytes, is_core_module) = (bytes.len() as u64, bytes.starts_with(b"\0asm\x01\0\0\0"));
        let (digest, plugin) = self.take_in(bytes.into()).await?;
        Ok(Inspection {
            digest,
            size_bytes,
            is_core_module,
            kind: plugin.kind,
            exports: plugin.exports.clone(),
            imports: plugin.imports.clone(),
            compiled_bytes: plugin.bytes,
            admission_time: watch.elapsed(),
        })
    }
}
