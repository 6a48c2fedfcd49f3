//! How grave a message is, as the protocol says it and as we do.

use rmcp::model::LoggingLevel;

use crate::exec::LogLevel;

/// The level of ours that one of theirs is.
pub(in crate::mcp) fn level(level: LoggingLevel) -> LogLevel {
    match level {
        LoggingLevel::Debug => LogLevel::Debug,
        LoggingLevel::Info | LoggingLevel::Notice => LogLevel::Info,
        LoggingLevel::Warning => LogLevel::Warn,
        LoggingLevel::Error
        | LoggingLevel::Critical
        | LoggingLevel::Alert
        | LoggingLevel::Emergency => LogLevel::Error,
    }
}
