//! How long an instance of a component lives.

use std::time::Duration;

/// How long an instance of a component lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lifecycle {
    /// For one call.
    #[default]
    Call,
    /// For the calls of one session.
    Session {
        /// For how long it is kept when no call comes.
        idle: Duration,
    },
}

impl Lifecycle {
    /// For how long an instance of a session is kept where the manifest does not say so.
    pub const IDLE: Duration = Duration::from_secs(600);
    /// The longest that it may be kept.
    pub const MOST_IDLE: Duration = Duration::from_secs(24 * 3600);

    /// For how long an instance is kept when no call comes; nothing where it ends with its call.
    #[must_use]
    pub fn idle(self) -> Option<Duration> {
        match self {
            Self::Call => None,
            Self::Session { idle } => Some(idle),
        }
    }
}
