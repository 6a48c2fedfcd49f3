//! Messages for whoever watches or debugs the tool. They are never part of a result. What nobody listens to is not even
//! formatted.
//!
//! ```
//! # let (path, count) = ("notes.md", 3);
//! toolhatch_plugin::log::info!("{path} has {count} lines");
//! ```
//!
//! Outside of a host nobody listens.

use std::fmt;

pub use crate::bindings::toolhatch::plugin::log::Level;
#[doc(inline)]
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};

/// Says whether a message of this level would be written.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(unused_variables, reason = "outside of a host nobody listens")
)]
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return crate::bindings::toolhatch::plugin::log::enabled(level);
    #[cfg(not(target_arch = "wasm32"))]
    false
}

/// Writes a message: `log::write(Level::Info, format_args!("…"))`. The macros are shorter.
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if enabled(level) {
        #[cfg(target_arch = "wasm32")]
        crate::bindings::toolhatch::plugin::log::write(level, &message.to_string());
        #[cfg(not(target_arch = "wasm32"))]
        let _ = message;
    }
}

/// Writes every step to the log: `log::trace!("…")`, with what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($message)+)) };
}

/// Writes to the log what its author wants to know: `log::debug!("…")`, with what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($message)+)) };
}

/// Writes to the log what is worth knowing: `log::info!("…")`, with what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($message)+)) };
}

/// Writes to the log that something is off, and the call goes on: `log::warn!("…")`, with what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Writes to the log that something failed: `log::error!("…")`, with what `format!` takes.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($message:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($message)+)) };
}
