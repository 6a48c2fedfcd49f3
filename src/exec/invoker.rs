//! Calls of other tools on behalf of a guest, while its own call waits: a trait and plain data.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{BoxFuture, Output};
use crate::ids::{CallId, ToolId};

/// Calls tools for one call, with no more than that call may do.
pub trait Invoker: Send + Sync + fmt::Debug {
    /// Calls a tool and waits for its end. Dropping the future ends it.
    fn invoke(&self, tool: ToolId, arguments: Value) -> BoxFuture<'_, Invoked>;
}

/// How the call of another tool went.
#[derive(Debug)]
pub struct Invoked {
    /// Its id; nothing where it was refused before it was one.
    pub call: Option<CallId>,
    /// Its result.
    pub result: Result<Arc<Output>, InvokeFailure>,
}

/// Why a tool gave no result. The texts are told to the guest: nothing of the host is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvokeFailure {
    /// It is not granted, policy forbids it, or the calls would go in a circle.
    NotPermitted(String),
    /// There is no such tool.
    NotFound(String),
    /// The tool does not take the arguments.
    InvalidArguments(String),
    /// It failed, and would fail again.
    Failed(String),
    /// It failed, and may work later.
    Retryable {
        /// What it said.
        message: String,
        /// After how many milliseconds.
        after_ms: Option<u64>,
    },
    /// It cannot be called now.
    Unavailable(String),
}
