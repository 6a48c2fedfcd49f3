//! What calls read and write that outlives them: sessions and approvals.

use crate::error::Result;
use crate::exec::{BoxFuture, Subject};
use crate::policy::question::SessionState;

/// How a person's approval stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Somebody allowed it, and this call may go on.
    Allowed {
        /// The question.
        id: String,
        /// Who answered.
        by: String,
    },
    /// Somebody said no.
    Denied {
        /// The question.
        id: String,
        /// Who answered.
        by: String,
    },
    /// It was asked, and nobody has answered.
    Waiting {
        /// The question.
        id: String,
    },
}

/// What is asked about a call.
#[derive(Debug, Clone)]
pub struct Asked {
    /// A digest over the tool, the arguments and what the call may do: an answer holds for nothing else.
    pub binding: String,
    /// What a person is shown.
    pub subject: Subject,
    /// Who asks for the call.
    pub requester: String,
    /// The answer is for one call; else it holds for all of this binding until it expires.
    pub once: bool,
    /// How long the question and its answer hold, in milliseconds.
    pub ttl_ms: i64,
}

/// Where sessions and approvals are kept.
pub trait Ledger: Send + Sync {
    /// What a session has seen and done so far; an unknown one has done nothing.
    fn session<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<SessionState>>;

    /// Counts a call of a session.
    fn count<'a>(&'a self, id: &'a str, tainted: bool) -> BoxFuture<'a, Result<()>>;

    /// Looks for an answer, and uses it up where it is for one call; asks where nobody has.
    fn approval<'a>(&'a self, asked: &'a Asked, call: &'a str) -> BoxFuture<'a, Result<Approval>>;

    /// Writes down an answer that was given while the call waited.
    fn answer<'a>(&'a self, id: &'a str, yes: bool, by: &'a str) -> BoxFuture<'a, Result<()>>;
}
