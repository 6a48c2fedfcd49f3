//! The host's side of `toolhatch:plugin`, generated from `wit/`. WASI's side is wasmtime-wasi's.

wasmtime::component::bindgen!({
    inline: "
        package toolhatch:host;

        world tool-guest {
            import toolhatch:plugin/log@0.1.0;
            import toolhatch:plugin/progress@0.1.0;
            import toolhatch:plugin/exec@0.1.0;
            export toolhatch:plugin/tools@0.1.0;
        }
    ",
    path: "wit",
    world: "toolhatch:host/tool-guest",
    imports: { "toolhatch:plugin/exec.run": async },
    exports: { default: async },
    require_store_data_send: true,
});
