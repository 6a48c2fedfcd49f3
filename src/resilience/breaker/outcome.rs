//! What the end of a call says about the health of what was called.

use crate::error::Code;

/// What the end of a call says about the health of what was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// Neither: the call was refused, cancelled, or failed for a reason of the caller's.
    Ignored,
}

impl Outcome {
    /// Reads the end of a call: `None` for one that ended well, else the code it ended with.
    ///
    /// Only what the tool or service itself did wrong counts: not answering, answering too late, answering nonsense, and
    /// crashing. A denial, a wrong argument, a cancelled call, a limit of ours and an error that the tool reports in good
    /// order say nothing about its health.
    #[must_use]
    pub const fn of(code: Option<Code>) -> Self {
        match code {
            None => Self::Success,
            Some(
                Code::E3402
                | Code::E3404
                | Code::E3502
                | Code::E3503
                | Code::E3506
                | Code::E3508
                | Code::E3851
                | Code::E3853
                | Code::E3856,
            ) => Self::Failure,
            Some(_) => Self::Ignored,
        }
    }
}
