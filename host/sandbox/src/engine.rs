//! The engine's settings.

use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy, WasmBacktraceDetails,
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
/// kernel's way makes two threads wait for each other.
const MEMORY_KEEP_RESIDENT_BYTES: usize = 2 << 20;
/// The same for tables.
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 << 10;
/// Sparser memory images than this are not laid out in full, so a few bytes of data cannot ask for gigabytes.
const DENSE_IMAGE_BYTES_MAX: u64 = 1 << 20;

/// The language of plugins: WebAssembly 2.0 and what compilers use beyond it. All else is off, each thing being code that
/// would have to be trusted: threads, garbage collection, exceptions, 64-bit and several memories, tail calls, stack
/// switching.
pub(crate) const LANGUAGE: WasmFeatures = WasmFeatures::WASM2
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::RELAXED_SIMD)
    .union(WasmFeatures::COMPONENT_MODEL);

/// The engine's settings for `config`.
pub(crate) fn config(config: &SandboxConfig) -> Config {
    let mut engine = Config::new();
    engine
        .wasm_features(LANGUAGE.complement(), false)
        .shared_memory(false)
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .epoch_interruption(true)
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES_MAX)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)));
    engine
}

/// Room for every execution at once and for the components being tried, so that a slot is never missing.
fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
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
        .pagemap_scan(Enabled::Auto);
    pool
}
