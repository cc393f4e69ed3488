//! The engine's settings.

use std::hash::{Hash as _, Hasher};

use sha2::{Digest as _, Sha256};
use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use crate::config::SandboxConfig;

/// Core instances of one component.
pub(crate) const CORE_INSTANCES_MAX: u32 = 32;
/// Linear memories of one component.
pub(crate) const MEMORIES_MAX: u32 = 4;
/// Tables of one component.
pub(crate) const TABLES_MAX: u32 = 16;
/// Elements of one table.
const TABLE_ELEMENTS_MAX: usize = 20_000;
/// Bytes of memory that are cleared by hand when a slot is given back; beyond it the kernel is asked. Measured: the
/// kernel's way makes two threads wait for each other. A JavaScript runtime touches 3 MiB for a small call.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 4 << 20;
/// The same for tables.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// A memory image of this size is laid out in full however sparse it is.
const DENSE_IMAGE_BYTES: u64 = 1 << 20;
/// So is one of so many times the component's own size: a few bytes of data cannot ask for gigabytes, and the memory of a language's
/// runtime, a quarter of which is data, need not be copied for each execution.
const DENSE_IMAGE_FACTOR: u64 = 4;

/// The language of plugins: WebAssembly 2.0 and what compilers use beyond it. All else is off, each thing being code that
/// would have to be trusted: threads, garbage collection, exceptions, 64-bit and several memories, tail calls, stack
/// switching.
pub(crate) const LANGUAGE: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The engine's settings for `config`.
pub(crate) fn config(config: &SandboxConfig) -> Config {
    config_with(config, Enabled::Auto)
}

/// `pagemap_scan` lets the kernel say which pages of a slot were touched, where it can (Linux 6.7).
fn config_with(config: &SandboxConfig, pagemap_scan: Enabled) -> Config {
    let mut engine = compiler_config(0);
    engine.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, pagemap_scan)));
    engine
}

/// The settings of an engine that makes the same machine code of a component of so many bytes, and runs none: it has no pool.
pub(crate) fn compiler_config(component_bytes: usize) -> Config {
    let dense = (component_bytes as u64).saturating_mul(DENSE_IMAGE_FACTOR).max(DENSE_IMAGE_BYTES);
    let mut engine = Config::new();
    engine
        .wasm_features(LANGUAGE.complement(), false)
        .shared_memory(false)
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_guaranteed_dense_image_size(dense);
    engine
}

/// What the machine code that `engine` makes and runs depends on: its settings, its version, the kind of processor.
pub(crate) fn compatibility(engine: &Engine) -> u64 {
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Lets the engine hash itself with a function whose result is the same in every build.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }
}

/// Room for every execution at once and for the components being tried, so that a slot is never missing.
fn pool(config: &SandboxConfig, pagemap_scan: Enabled) -> PoolingAllocationConfig {
    let stores = config.concurrency.saturating_add(config.compilations);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(stores)
        .total_core_instances(stores.saturating_mul(CORE_INSTANCES_MAX))
        .total_memories(stores.saturating_mul(MEMORIES_MAX))
        .total_tables(stores.saturating_mul(TABLES_MAX))
        .total_stacks(stores)
        .total_gc_heaps(stores)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(usize::try_from(config.memory_bytes_max).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES)
        .pagemap_scan(pagemap_scan);
    pool
}

#[cfg(test)]
mod tests {
    use wasmtime::{Engine, Instance, Module, Store};

    use super::*;

    /// Answers how many words of its memory and elements of its table are not as they were made; then spoils them all.
    const SPOILER: &str = r#"(module
        (memory 80)
        (data (i32.const 8) "made")
        (table $table 1000 funcref)
        (elem (table $table) (i32.const 3) func $spoil)
        (func $spoil (export "spoil") (result i32) (local $at i32) (local $left i32)
            (if (i32.ne (i32.load (i32.const 8)) (i32.const 0x6564616d)) (then (return (i32.const -1))))
            (i32.store (i32.const 8) (i32.const 0))
            (loop
                (local.set $left (i32.add (local.get $left)
                    (i64.ne (i64.load (local.get $at)) (i64.const 0))))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const 5242880))))
            (local.set $at (i32.const 4))
            (loop
                (local.set $left (i32.add (local.get $left)
                    (i32.eqz (ref.is_null (table.get $table (local.get $at))))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const 1000))))
            (memory.fill (i32.const 0) (i32.const 255) (i32.const 5242880))
            (table.fill $table (i32.const 0) (ref.func $spoil) (i32.const 1000))
            (local.get $left)))"#;

    #[test]
    fn a_slot_is_as_new_whichever_way_it_is_cleared() {
        let one = SandboxConfig { concurrency: 1, ..SandboxConfig::default() };
        for pagemap_scan in [Enabled::Auto, Enabled::No] {
            let engine = Engine::new(&config_with(&one, pagemap_scan)).expect("an engine");
            let bytes = wat::parse_str(SPOILER).expect("valid text");
            let module = Module::from_binary(&engine, &bytes).expect("a module");
            for round in 0..50 {
                let mut store = Store::new(&engine, ());
                store.set_fuel(u64::MAX).expect("fuel is on");
                store.set_epoch_deadline(u64::MAX / 2);
                let instance = Instance::new(&mut store, &module, &[]).expect("a free slot");
                let spoil = instance.get_typed_func::<(), i32>(&mut store, "spoil").expect("an export");
                assert_eq!(spoil.call(&mut store, ()).expect("no trap"), 0, "round {round}");
            }
        }
    }
}
