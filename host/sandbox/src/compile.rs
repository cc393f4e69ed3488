//! From bytes to something that can be instantiated.

use std::sync::Arc;

use innkeeper_model::id::Digest;
use innkeeper_model::measure::{Histogram, Spread};
use innkeeper_model::sandbox::Refusal;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::artifact::ArtifactCache;
use crate::bindings::PluginPre;
use crate::capability::{self, denied};
use crate::config::SandboxConfig;
use crate::measure::Stopwatch;
use crate::state::{Shared, State};
use crate::structure;

/// The interface that a plugin must export.
const HANDLER: &str = "innkeeper:plugin/handler@0.1.0";

/// A component that is compiled and linked; only a store is missing.
pub(crate) struct Plugin {
    /// Its typed exports, looked up already.
    pub(crate) pre: PluginPre<State>,
    /// Interfaces it imports, sorted.
    pub(crate) imports: Vec<String>,
    /// Bytes of its machine code and data.
    pub(crate) bytes: u64,
}

/// Compiles and links. Compilations wait for one another: each takes all processors and a lot of memory.
pub(crate) struct Compiler {
    shared: Arc<Shared>,
    linker: Linker<State>,
    artifacts: Option<Arc<ArtifactCache>>,
    memory_bytes_max: u64,
    turns: Arc<Semaphore>,
    /// How long compilations took.
    durations: Arc<Histogram>,
    /// Where blocking work runs.
    threads: Handle,
}

/// The right to compile; held on while a component is tried, which needs a slot of the pool.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Compiler {
    pub(crate) fn new(
        config: &SandboxConfig,
        shared: Arc<Shared>,
        artifacts: Option<ArtifactCache>,
        threads: Handle,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            linker: capability::linker(&shared.engine)?,
            shared,
            artifacts: artifacts.map(Arc::new),
            memory_bytes_max: config.memory_bytes_max,
            turns: Arc::new(Semaphore::new(config.compilations as usize)),
            durations: Arc::new(Histogram::of_durations()),
            threads,
        })
    }

    /// Waits for a turn, checks and compiles. The turn is given on to the caller.
    ///
    /// # Errors
    /// The component is invalid, or breaks a limit on structure or size.
    pub(crate) async fn compile(&self, bytes: Arc<[u8]>) -> Result<(Component, Turn), Refusal> {
        let cut_short =
            |why: String| Refusal::DoesNotStart(format!("the compilation did not come to its end: {why}"));
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|error| cut_short(error.to_string()))?;
        let engine = self.shared.engine.clone();
        let (memory_bytes_max, durations) = (self.memory_bytes_max, Arc::clone(&self.durations));
        // A compilation cannot be stopped, so it takes the turn with it: whoever gives up waiting does not make room for
        // another one.
        let compiled = self.threads.spawn_blocking(move || {
            structure::check(&bytes, memory_bytes_max)?;
            // The bytes are valid, so what is left to fail are limits: of the compiler, and of the instance pool.
            let stopwatch = Stopwatch::start();
            let component = Component::from_binary(&engine, &bytes);
            durations.record_duration(stopwatch.elapsed());
            component
                .map(|component| (component, turn))
                .map_err(|error| Refusal::TooLarge(format!("{error:#}")))
        });
        compiled.await.unwrap_or_else(|error| Err(cut_short(error.to_string())))
    }

    /// How long compilations took, in microseconds.
    pub(crate) fn durations(&self) -> Spread {
        self.durations.spread()
    }

    /// The compiled component from the artifact cache, if it is there and can be trusted.
    pub(crate) async fn restore(&self, digest: Digest) -> Option<Component> {
        let artifacts = Arc::clone(self.artifacts.as_ref()?);
        let engine = self.shared.engine.clone();
        self.threads.spawn_blocking(move || artifacts.load(&digest, &engine)).await.ok()?
    }

    /// Puts the compiled component into the artifact cache.
    pub(crate) async fn keep(&self, digest: Digest, component: Component) {
        let Some(artifacts) = self.artifacts.clone() else { return };
        if let Err(error) = self.threads.spawn_blocking(move || artifacts.keep(&digest, &component)).await {
            tracing::warn!("a compiled component was not kept: {error}");
        }
    }

    /// Links what the component imports and finds what it must export.
    ///
    /// # Errors
    /// An import is not offered, or the handler is not exported or has another type.
    pub(crate) fn link(&self, component: &Component) -> Result<Plugin, Refusal> {
        check_export(component)?;
        let imports = check_imports(component)?;
        let met = if imports.iter().any(|name| denied::is_denied(name)) {
            denied::meet(&self.linker, component).and_then(|linker| linker.instantiate_pre(component))
        } else {
            self.linker.instantiate_pre(component)
        };
        let instance = met.map_err(|error| Refusal::MissingImports(vec![format!("{error:#}")]))?;
        let pre = PluginPre::new(instance).map_err(|error| {
            Refusal::Invalid(format!("`{HANDLER}` is not as the contract says: {error:#}"))
        })?;
        let image = component.image_range();
        let bytes = (image.end as usize).saturating_sub(image.start as usize) as u64;
        Ok(Plugin { pre, imports, bytes })
    }
}

fn check_export(component: &Component) -> Result<(), Refusal> {
    if component.get_export_index(None, HANDLER).is_some() {
        return Ok(());
    }
    let ty = component.component_type();
    let mut found: Vec<String> = ty.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    found.sort();
    Err(Refusal::MissingExport { expected: HANDLER.to_owned(), found })
}

/// The names of the imports, sorted, if all of them are offered.
fn check_imports(component: &Component) -> Result<Vec<String>, Refusal> {
    let ty = component.component_type();
    let mut names = Vec::new();
    let mut missing = Vec::new();
    for (name, item) in ty.imports(component.engine()) {
        if !capability::is_offered(name) && needs_host(component, &item.ty) {
            missing.push(name.to_owned());
        }
        names.push(name.to_owned());
    }
    if !missing.is_empty() {
        missing.sort();
        return Err(Refusal::MissingImports(missing));
    }
    names.sort();
    Ok(names)
}

/// Whether an import asks for anything: types alone do not.
fn needs_host(component: &Component, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::Type(_) => false,
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(component.engine()).any(|(_, export)| needs_host(component, &export.ty))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::*;

    fn imports(text: &str) -> Result<Vec<String>, Refusal> {
        let bytes = wat::parse_str(text).expect("valid text");
        check_imports(&Component::from_binary(&Engine::default(), &bytes).expect("a component"))
    }

    #[test]
    fn types_alone_need_nothing_of_the_host() {
        let words = r#"(import "acme:db/words@1.0.0" (instance (export "word" (type (eq $word)))))"#;
        assert_eq!(
            imports(&format!("(component (type $word u32) {words})")),
            Ok(vec!["acme:db/words@1.0.0".to_owned()])
        );
    }

    #[test]
    fn every_missing_import_is_named() {
        let refusal = imports(
            r#"(component
                (import "run" (func))
                (import "acme:db/query@1.0.0" (instance (export "rows" (type (sub resource)))))
                (import "wasi:cli/environment@0.2.7" (instance (export "get-arguments" (func)))))"#,
        );
        let missing = vec!["acme:db/query@1.0.0".to_owned(), "run".to_owned()];
        assert_eq!(refusal, Err(Refusal::MissingImports(missing)));
    }
}
