//! Types and traits made from the plugin contract in `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "plugin",
    imports: {
        // The only import that can end an execution: there is none to tell about while a component is being tried.
        "innkeeper:plugin/context.current": trappable,
    },
    exports: { default: async },
});
