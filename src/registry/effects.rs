//! What a tool can do to the world, as far as its source asks for it: what agents are told before they call it.

use serde::{Deserialize, Serialize};

use crate::permission::{Capability, Kind, Scope};

/// What calls of a tool can do. It follows from what may be granted, never from what the tool says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effects {
    /// It can change something: files, other machines, its own state.
    pub writes: bool,
    /// It can change or remove what was there before.
    pub destroys: bool,
    /// It can talk to other machines, or run what does.
    pub open_world: bool,
}

impl Effects {
    /// What nothing is known of can do everything.
    pub const UNKNOWN: Self = Self {
        writes: true,
        destroys: true,
        open_world: true,
    };

    /// What something that asks for this can do.
    #[must_use]
    pub fn of(requested: &Scope) -> Self {
        let mut effects = Self {
            writes: false,
            destroys: false,
            open_world: false,
        };
        for capability in requested.capabilities() {
            let kind = capability.kind();
            let only_asks =
                matches!(&capability, Capability::NetworkHttp(scope) if scope.only_reads());
            let (destroys, open_world) = match kind {
                Kind::FileWrite => (true, false),
                Kind::NetworkHttp => (!only_asks, true),
                Kind::NetworkTcp | Kind::NetworkUdp | Kind::Subprocess | Kind::ToolInvoke => {
                    (true, true)
                }
                Kind::FileRead
                | Kind::Env
                | Kind::Secrets
                | Kind::State
                | Kind::Documents
                | Kind::Checkpoint => (false, false),
            };
            let keeps = matches!(kind, Kind::State | Kind::Documents | Kind::Checkpoint);
            effects.writes |= destroys || keeps;
            effects.destroys |= destroys;
            effects.open_world |= open_world;
        }
        effects
    }
}

/// Of what was written down before effects were: everything.
impl Default for Effects {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effects(texts: &[(Kind, &str)]) -> (bool, bool, bool) {
        let scope: Scope = texts
            .iter()
            .map(|(kind, text)| Capability::parse(*kind, text).expect("a scope"))
            .collect();
        let Effects {
            writes,
            destroys,
            open_world,
        } = Effects::of(&scope);
        (writes, destroys, open_world)
    }

    #[test]
    fn what_is_asked_for_decides() {
        assert_eq!(effects(&[]), (false, false, false));
        assert_eq!(
            effects(&[(Kind::FileRead, "/src"), (Kind::Env, "LANG")]),
            (false, false, false)
        );
        assert_eq!(
            effects(&[(Kind::NetworkHttp, "example.com;methods=GET,HEAD")]),
            (false, false, true)
        );
        assert_eq!(
            effects(&[(Kind::NetworkHttp, "example.com;methods=GET,POST")]),
            (true, true, true)
        );
        assert_eq!(
            effects(&[(Kind::NetworkHttp, "example.com")]),
            (true, true, true)
        );
        assert_eq!(effects(&[(Kind::State, "1MiB")]), (true, false, false));
        assert_eq!(effects(&[(Kind::FileWrite, "/out")]), (true, true, false));
    }
}
