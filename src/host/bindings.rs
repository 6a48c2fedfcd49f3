//! The host's side of `toolhatch:plugin`, generated from `wit/`. WASI's side is wasmtime-wasi's.
//!
//! No plugin has to export all of these: `super::exports` looks which of them are there.

wasmtime::component::bindgen!({
    inline: "
        package toolhatch:host;

        world tool-guest {
            import toolhatch:plugin/log@0.1.0;
            import toolhatch:plugin/progress@0.1.0;
            import toolhatch:plugin/exec@0.1.0;
            import toolhatch:plugin/state@0.1.0;
            import toolhatch:plugin/invoke@0.1.0;
            export toolhatch:plugin/tools@0.1.0;
            export toolhatch:plugin/prompts@0.1.0;
            export toolhatch:plugin/resources@0.1.0;
            export toolhatch:plugin/completions@0.1.0;
        }
    ",
    path: "wit",
    world: "toolhatch:host/tool-guest",
    imports: {
        "toolhatch:plugin/exec.run": async,
        "toolhatch:plugin/state.get": async,
        "toolhatch:plugin/state.set": async,
        "toolhatch:plugin/state.delete": async,
        "toolhatch:plugin/state.list-keys": async,
        "toolhatch:plugin/state.replace": async,
        "toolhatch:plugin/invoke.call": async,
    },
    exports: { default: async },
    require_store_data_send: true,
});
