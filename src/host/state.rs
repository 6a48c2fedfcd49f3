//! What one call's store holds: a list of contexts, each owned by its capability.

use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::sockets::WasiSocketsCtxView;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::guard::Guard;
use super::imports::exec::ExecView;
use super::imports::filesystem::{Files, FilesView};
use super::imports::http::Outgoing;
use super::imports::invoke::InvokeView;
use super::imports::log::LogView;
use super::imports::lookup::{LookupView, Lookups};
use super::imports::progress::{Progress, ProgressView};
use super::imports::state::StateView;
use super::limits::Limiter;
use super::meter::Meter;
use crate::exec::{Commands, EventSink, Invoker, KeyValue};

/// The data of a store.
pub(super) struct State {
    pub(super) table: ResourceTable,
    pub(super) wasi: WasiCtx,
    pub(super) files: Files,
    pub(super) http: WasiHttpCtx,
    pub(super) outgoing: Outgoing,
    pub(super) lookups: Lookups,
    pub(super) guard: Arc<Guard>,
    pub(super) commands: Option<Arc<dyn Commands>>,
    pub(super) key_value: Option<Arc<dyn KeyValue>>,
    pub(super) invoker: Option<Arc<dyn Invoker>>,
    pub(super) is_deterministic: bool,
    pub(super) config: WasiConfigVariables,
    pub(super) events: Arc<EventSink>,
    pub(super) progress: Progress,
    pub(super) limiter: Limiter,
    pub(super) meter: Arc<Meter>,
    pub(super) host_calls_allowed: u64,
    /// True while the host works for the guest.
    pub(super) in_host: bool,
}

impl State {
    pub(super) fn files(&mut self) -> FilesView<'_> {
        FilesView {
            files: &mut self.files,
            table: &mut self.table,
        }
    }

    /// wasmtime-wasi's own view of descriptors that are already open.
    pub(super) fn plain_files(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView {
            ctx: &mut self.files.plain,
            table: &mut self.table,
        }
    }

    pub(super) fn lookup(&mut self) -> LookupView<'_> {
        LookupView {
            guard: &self.guard,
            lookups: &mut self.lookups,
            sockets: WasiSocketsCtxView {
                ctx: self.wasi.sockets(),
                table: &mut self.table,
            },
        }
    }

    /// wasmtime-wasi's own view of sockets.
    pub(super) fn plain_sockets(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView {
            ctx: self.wasi.sockets(),
            table: &mut self.table,
        }
    }

    pub(super) fn log(&mut self) -> LogView<'_> {
        LogView(&self.events)
    }

    pub(super) fn progress(&mut self) -> ProgressView<'_> {
        ProgressView {
            progress: &mut self.progress,
            events: &self.events,
        }
    }

    pub(super) fn exec(&mut self) -> ExecView<'_> {
        ExecView {
            commands: self.commands.as_ref(),
            guard: &self.guard,
        }
    }

    pub(super) fn key_value(&mut self) -> StateView<'_> {
        StateView {
            key_value: self.key_value.as_ref(),
            guard: &self.guard,
            is_deterministic: self.is_deterministic,
        }
    }

    pub(super) fn invoke(&mut self) -> InvokeView<'_> {
        InvokeView {
            invoker: self.invoker.as_ref(),
            guard: &self.guard,
            is_deterministic: self.is_deterministic,
        }
    }

    pub(super) fn config(&mut self) -> WasiConfig<'_> {
        WasiConfig::from(&self.config)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.outgoing,
        }
    }
}
