//! `toolhatch:plugin/log`: messages of the guest go to the call's events.

use std::sync::Arc;

use wasmtime::component::HasData;

use crate::exec::{EventSink, LogLevel};
use crate::host::bindings::toolhatch::plugin::log::{Host, Level};

/// What the import borrows from the store.
pub(in crate::host) struct LogView<'a>(pub(in crate::host) &'a Arc<EventSink>);

/// Names [`LogView`] to wasmtime.
pub(in crate::host) struct HasLog;

impl HasData for HasLog {
    type Data<'a> = LogView<'a>;
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

impl Host for LogView<'_> {
    fn write(&mut self, level: Level, message: String) {
        self.0.log(level.into(), &message);
    }

    fn enabled(&mut self, level: Level) -> bool {
        self.0.logs_at(level.into())
    }
}
