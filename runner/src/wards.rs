//! Whom the runner looks after, and may kill.
//!
//! In a container that is everybody else in there. On a machine that others use too, it is what descends from the runner:
//! it adopts what loses its parent, so whatever its command starts stays below it, in whichever group and session.

use crate::processes;
use crate::sys::{self, First};

/// Those processes.
#[derive(Clone, Copy)]
pub enum Wards {
    /// All others of a PID namespace that is the runner's own.
    Namespace(First),
    /// What descends from the runner.
    Descendants,
}

impl Wards {
    /// `None` where they cannot be told from others, or would not stay below the runner.
    pub fn new(descendants: bool) -> Option<Self> {
        if descendants {
            return sys::adopt_orphans().is_ok().then_some(Self::Descendants);
        }
        First::new().map(Self::Namespace)
    }

    /// True where there may be others around that are none.
    pub fn are_descendants(&self) -> bool {
        matches!(self, Self::Descendants)
    }

    /// Sends SIGKILL to all of them. False where there was none.
    pub fn kill(&self) -> bool {
        match self {
            Self::Namespace(first) => first.kill_others(),
            Self::Descendants => {
                let own = i32::try_from(std::process::id()).unwrap_or(i32::MAX);
                let found = processes::descendants(own);
                for process in &found {
                    sys::kill(*process);
                }
                !found.is_empty()
            }
        }
    }

    /// True where none is left, once all children were reaped.
    pub fn are_gone(&self) -> bool {
        match self {
            Self::Namespace(_) => processes::ids().is_some_and(|ids| ids == [1]),
            // Without children there is nobody below them.
            Self::Descendants => true,
        }
    }
}
