//! From bytes to something that can be instantiated.

use std::sync::Arc;

use innkeeper_model::id::Digest;
use innkeeper_model::measure::{Histogram, Spread};
use innkeeper_model::sandbox::Refusal;
use innkeeper_model::upload::{ReadAt as _, Upload};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use crate::artifact::{self, ArtifactCache};
use crate::asks;
use crate::capability::{self, denied};
use crate::child;
use crate::config::SandboxConfig;
use crate::engine;
use crate::handler::{self, Handler, HandlerKind};
use crate::measure::Stopwatch;
use crate::state::{Shared, State};
use crate::structure;

/// Bytes by which the usual mistakes are told apart.
const START_BYTES: usize = 4 << 10;

/// A component that is compiled and linked; only a store is missing.
pub(crate) struct Plugin {
    /// What it offers to be called by.
    pub(crate) kind: HandlerKind,
    /// How it is called.
    pub(crate) handler: Handler,
    /// The names of everything it exports, sorted.
    pub(crate) exports: Vec<String>,
    /// Interfaces it imports, sorted.
    pub(crate) imports: Vec<String>,
    /// Bytes of its machine code and data.
    pub(crate) bytes: u64,
}

/// Compiles and links. Only so many compilations run at once: each takes all processors and a lot of memory.
pub(crate) struct Compiler {
    shared: Arc<Shared>,
    linker: Linker<State>,
    artifacts: Option<Arc<ArtifactCache>>,
    config: SandboxConfig,
    turns: Arc<Semaphore>,
    /// How long compilations took.
    durations: Arc<Histogram>,
    /// Where blocking work runs.
    threads: Handle,
}

/// The right to compile; held on while a component is tried, which needs a slot of the pool.
pub(crate) type Turn = OwnedSemaphorePermit;

/// A component that was just compiled.
pub(crate) struct Compiled {
    pub(crate) component: Component,
    /// What the cache keeps of it.
    pub(crate) artifact: Vec<u8>,
    pub(crate) turn: Turn,
}

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
            config: config.clone(),
            turns: Arc::new(Semaphore::new(config.compilations as usize)),
            durations: Arc::new(Histogram::of_durations()),
            threads,
        })
    }

    /// Waits for a turn, checks and compiles. The turn is given on to the caller. What is bound to be refused does not wait.
    ///
    /// # Errors
    /// The component is invalid, imports what is not offered, or breaks a limit on structure or size.
    pub(crate) async fn compile(&self, upload: Upload) -> Result<Compiled, Refusal> {
        let looked_at = upload.clone();
        self.block(move || check_early(&looked_at)).await?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| cut_short(&error))?;
        let engine = self.shared.engine.clone();
        let stopwatch = Stopwatch::start();
        let compiled = self.compile_now(engine, upload, turn).await;
        self.durations.record_duration(stopwatch.elapsed());
        compiled
    }

    async fn compile_now(
        &self,
        engine: Engine,
        upload: Upload,
        turn: OwnedSemaphorePermit,
    ) -> Result<Compiled, Refusal> {
        let Some(program) = &self.config.compiler else {
            let guest_memory_bytes = self.config.memory_bytes_max;
            // This cannot be stopped, so it takes the turn with it: whoever gives up waiting does not make room for another.
            return self.block(move || compile_here(&engine, &upload, guest_memory_bytes, turn)).await;
        };
        let compatibility = engine::compatibility(&engine);
        let artifact = child::compile(program, &self.config, compatibility, &upload).await?;
        self.block(move || revive(&engine, artifact, turn)).await
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
    pub(crate) async fn keep(&self, digest: Digest, artifact: Vec<u8>) {
        let Some(artifacts) = self.artifacts.clone() else { return };
        if let Err(error) = self.threads.spawn_blocking(move || artifacts.keep(&digest, &artifact)).await {
            tracing::warn!("a compiled component was not kept: {error}");
        }
    }

    async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.threads.spawn_blocking(work).await.unwrap_or_else(|error| Err(cut_short(&error)))
    }

    /// Links what the component imports and finds what it must export.
    ///
    /// # Errors
    /// An import is not offered, or the handler is not exported or has another type.
    pub(crate) fn link(&self, component: &Component) -> Result<Plugin, Refusal> {
        let exports = handler::exports(component);
        let kind = handler::find(&exports)?;
        let imports = check_imports(component)?;
        let met = if imports.iter().any(|name| denied::is_denied(name)) {
            denied::meet(&self.linker, component).and_then(|linker| linker.instantiate_pre(component))
        } else {
            self.linker.instantiate_pre(component)
        };
        let instance = met.map_err(|error| Refusal::MissingImports(vec![format!("{error:#}")]))?;
        let handler = Handler::new(kind, instance).map_err(|error| {
            Refusal::Invalid(format!("`{}` is not as the contract says: {error:#}", kind.export()))
        })?;
        let image = component.image_range();
        let bytes = (image.end as usize).saturating_sub(image.start as usize) as u64;
        Ok(Plugin { kind, handler, exports, imports, bytes })
    }
}

fn cut_short(why: &dyn std::error::Error) -> Refusal {
    Refusal::DoesNotStart(format!("the compilation did not come to its end: {why}"))
}

/// What can be said of an upload from a few of its bytes.
fn check_early(upload: &Upload) -> Result<(), Refusal> {
    let mut start = [0; START_BYTES];
    let length = upload.read_at(0, &mut start).map_err(|error| asks::unreadable(&error))?;
    structure::check_start(&start[..length])?;
    asks::check_imports(upload, upload.size())
}

fn compile_here(
    engine: &Engine,
    upload: &Upload,
    guest_memory_bytes: u64,
    turn: Turn,
) -> Result<Compiled, Refusal> {
    let bytes = upload.to_vec().map_err(|error| asks::unreadable(&error))?;
    let component = asks::component(&bytes, guest_memory_bytes)?;
    // The bytes are valid, so what is left to fail are limits of the compiler.
    let artifact = engine.precompile_component(&component);
    revive(engine, artifact.map_err(|error| Refusal::TooLarge(format!("{error:#}")))?, turn)
}

/// A finished artifact can be refused for one reason: the instance pool has no room for what it asks for.
fn revive(engine: &Engine, artifact: Vec<u8>, turn: Turn) -> Result<Compiled, Refusal> {
    let component = artifact::revive(engine, &artifact);
    let component = component.map_err(|error| Refusal::TooLarge(format!("{error:#}")))?;
    Ok(Compiled { component, artifact, turn })
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
