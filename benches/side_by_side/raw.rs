//! Raw wasmtime with the same engine configuration and the same component: no guard, no limits, no deadline.

use serde_json::json;
use toolhatch::host::{EngineKind, engine_config};
use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{CODE, PLUGIN};

/// The same world, without anything of ours around it.
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package toolhatch:bench;

            world raw {
                import toolhatch:plugin/log@0.1.0;
                import toolhatch:plugin/progress@0.1.0;
                export toolhatch:plugin/tools@0.1.0;
            }
        ",
        path: "wit",
        world: "toolhatch:bench/raw",
        exports: { default: async },
    });
}

use bindings::exports::toolhatch::plugin::tools::CallContext;
use bindings::toolhatch::plugin::types::Askable;
use bindings::toolhatch::plugin::{log, progress};
use bindings::{Raw, RawPre};

/// What raw wasmtime needs and no more: no guard, no limits, no deadline.
struct Bare {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Bare {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for Bare {
    fn write(&mut self, _level: log::Level, _message: String) {}

    fn enabled(&mut self, _level: log::Level) -> bool {
        false
    }
}

impl progress::Host for Bare {
    fn report(&mut self, _done: f64, _total: Option<f64>, _message: Option<String>) {}

    fn wanted(&mut self) -> bool {
        false
    }
}

/// The plugin, linked, with the arguments of every call.
pub(crate) struct RawPlugin {
    engine: Engine,
    pre: RawPre<Bare>,
    arguments: String,
}

impl RawPlugin {
    pub(crate) fn new() -> Self {
        let bytes = std::fs::read(PLUGIN).expect("the plugin");
        let engine = Engine::new(&engine_config(EngineKind::Pooling)).expect("an engine");
        let component = Component::new(&engine, &bytes).expect("compiled");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked");
        log::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare).expect("linked");
        progress::add_to_linker::<Bare, HasSelf<Bare>>(&mut linker, |bare| bare).expect("linked");
        let pre = linker.instantiate_pre(&component).expect("linked");
        Self {
            engine,
            pre: RawPre::new(pre).expect("a plugin"),
            arguments: json!({"code": CODE, "language": "rust"}).to_string(),
        }
    }

    /// A call in a fresh instance.
    pub(crate) async fn call(&self) {
        self.instance().await.call().await;
    }

    /// An instance that can be called again and again.
    pub(crate) async fn instance(&self) -> RawInstance<'_> {
        let bare = Bare {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
        };
        let mut store = Store::new(&self.engine, bare);
        store.set_epoch_deadline(u64::MAX / 2);
        let exports = self
            .pre
            .instantiate_async(&mut store)
            .await
            .expect("instantiated");
        RawInstance {
            plugin: self,
            store,
            exports,
        }
    }
}

/// An instance of the plugin.
pub(crate) struct RawInstance<'a> {
    plugin: &'a RawPlugin,
    store: Store<Bare>,
    exports: Raw,
}

impl RawInstance<'_> {
    pub(crate) async fn call(&mut self) {
        let context = CallContext {
            call_id: String::new(),
            deadline_ms: None,
            askable: Askable::empty(),
            answers: Vec::new(),
            state: None,
        };
        let result = self
            .exports
            .toolhatch_plugin_tools()
            .call_call_tool(
                &mut self.store,
                "analyze-code",
                &self.plugin.arguments,
                &context,
            )
            .await
            .expect("called");
        assert!(result.is_ok(), "{result:?}");
    }
}
