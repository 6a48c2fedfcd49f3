//! Raw wasmtime with the same engine configuration and the same component: no guard, no limits, no deadline.

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

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

pub(crate) use bindings::RawPre;
use bindings::exports::toolhatch::plugin::tools::CallContext;
use bindings::toolhatch::plugin::{log, progress};

/// What raw wasmtime needs and no more: no guard, no limits, no deadline.
pub(crate) struct Bare {
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

pub(crate) fn raw_linker(engine: &Engine) -> Linker<Bare> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked");
    log::add_to_linker::<Bare, wasmtime::component::HasSelf<Bare>>(&mut linker, |bare| bare)
        .expect("linked");
    progress::add_to_linker::<Bare, wasmtime::component::HasSelf<Bare>>(&mut linker, |bare| bare)
        .expect("linked");
    linker
}

pub(crate) async fn raw_call(engine: &Engine, pre: &RawPre<Bare>, arguments: &String) {
    let bare = Bare {
        wasi: WasiCtx::builder().build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, bare);
    store.set_epoch_deadline(u64::MAX / 2);
    let exports = pre
        .instantiate_async(&mut store)
        .await
        .expect("instantiated");
    let context = CallContext {
        call_id: String::new(),
        deadline_ms: None,
        answers: Vec::new(),
        state: None,
    };
    let result = exports
        .toolhatch_plugin_tools()
        .call_call_tool(&mut store, "analyze-code", arguments, &context)
        .await
        .expect("called");
    assert!(result.is_ok(), "{result:?}");
}
