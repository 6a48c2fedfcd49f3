//! Every interface a component may import, linked once for each engine.
//!
//! All of WASI is there, with a denying answer where nothing is granted; what is not here is refused by name before
//! anything runs, never replaced by a trap.

use wasmtime::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker};

use super::bindings::toolhatch::plugin::{exec, invoke, log, progress, state};
use super::imports::exec::HasExec;
use super::imports::filesystem;
use super::imports::invoke::HasInvoke;
use super::imports::log::HasLog;
use super::imports::lookup;
use super::imports::progress::HasProgress;
use super::imports::state::HasState;
use super::state::State;
use super::world;
use crate::error::{Code, Error};

/// Links everything for one engine.
pub(super) fn build(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_config::add_to_linker(&mut linker, State::config)?;
    log::add_to_linker::<State, HasLog>(&mut linker, State::log)?;
    progress::add_to_linker::<State, HasProgress>(&mut linker, State::progress)?;
    exec::add_to_linker::<State, HasExec>(&mut linker, State::exec)?;
    state::add_to_linker::<State, HasState>(&mut linker, State::key_value)?;
    invoke::add_to_linker::<State, HasInvoke>(&mut linker, State::invoke)?;

    // Ours take the place of wasmtime-wasi's: the same interfaces, with every path and name decided by the gate.
    linker.allow_shadowing(true);
    filesystem::add_p2_to_linker(&mut linker)?;
    filesystem::add_p3_to_linker(&mut linker)?;
    lookup::add_p2_to_linker(&mut linker)?;
    lookup::add_p3_to_linker(&mut linker)?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// Says which import of a component is not here, and what is close to it.
pub(super) fn explain(component: &Component, error: &wasmtime::Error) -> Error {
    let engine = component.engine();
    let imports: Vec<String> = component
        .component_type()
        .imports(engine)
        .filter(|(name, item)| {
            matches!(item.ty, ComponentItem::ComponentInstance(_)) && !is_known(name)
        })
        .map(|(name, _)| name.to_owned())
        .collect();
    let detail = format!("{error:#}");
    let other = component
        .component_type()
        .imports(engine)
        .find_map(|(name, _)| world::foreign(name));
    if let Some(other) = other {
        return Error::new(Code::E3111, format!("the component imports {other}"))
            .hint(world::REMEDY)
            .caused_by(std::io::Error::other(detail));
    }
    if imports.is_empty() {
        return Error::new(
            Code::E3111,
            "the component imports something this host does not have",
        )
        .caused_by(std::io::Error::other(detail));
    }
    Error::new(
        Code::E3111,
        format!(
            "the component imports {}, which this host does not have",
            imports.join(", ")
        ),
    )
    .hint("Build it for WASI 0.2 and toolhatch:plugin@0.1.0; `toolhatch plugin inspect FILE` lists all of its imports.")
    .detail("unknown_imports", imports)
    .caused_by(std::io::Error::other(detail))
}

/// The packages whose interfaces are linked; versions are wasmtime's to judge.
fn is_known(import: &str) -> bool {
    [
        "wasi:cli/",
        "wasi:clocks/",
        "wasi:config/",
        "wasi:filesystem/",
        "wasi:http/",
        "wasi:io/",
        "wasi:random/",
        "wasi:sockets/",
        "toolhatch:plugin/log",
        "toolhatch:plugin/progress",
        "toolhatch:plugin/exec",
        "toolhatch:plugin/state",
        "toolhatch:plugin/invoke",
    ]
    .iter()
    .any(|known| import.starts_with(known))
}
