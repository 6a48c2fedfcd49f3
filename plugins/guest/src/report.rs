//! What a tool tells while it runs: messages for whoever debugs it, and how far it has come.

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the author of the tool.
    Debug,
    /// Worth knowing.
    Info,
    /// Something is off, the call goes on.
    Warn,
}

/// Writes one message to the host's log.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(unused_variables, reason = "outside of a host nobody listens")
)]
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::toolhatch::plugin::log as host;
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
        };
        if host::enabled(level) {
            host::write(level, message);
        }
    }
}

/// Reports that `done` of `total` steps are behind us, with a word on the current one.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(unused_variables, reason = "outside of a host nobody listens")
)]
pub fn progress(done: usize, total: usize, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::toolhatch::plugin::progress as host;
        if host::wanted() {
            host::report(done as f64, Some(total as f64), Some(message));
        }
    }
}
