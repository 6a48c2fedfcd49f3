//! Who makes a call.

use std::sync::Arc;

use super::Chain;
use crate::exec::{Approver, Respondent};

/// Who makes a call, as far as it is known. None of it is what the caller says in the call itself.
#[derive(Clone)]
pub struct Caller {
    /// The user or the client of a server.
    pub principal: String,
    /// The agent that decided to make it.
    pub agent: Option<String>,
    /// The session it belongs to.
    pub session: Option<String>,
    /// A person who can be asked while the call waits.
    pub approver: Option<Arc<dyn Approver>>,
    /// Somebody who can answer what a tool asks while the call waits.
    pub respondent: Option<Arc<dyn Respondent>>,
    /// The call whose tool makes this one, where it is a tool that does.
    pub chain: Option<Arc<Chain>>,
}

impl Caller {
    /// The user this process runs as, on nobody's behalf.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            principal: format!("uid {}", rustix::process::geteuid().as_raw()),
            agent: None,
            session: None,
            approver: None,
            respondent: None,
            chain: None,
        }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("principal", &self.principal)
            .field("agent", &self.agent)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
