//! The keys of the authorization server, kept for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use tokio::task::JoinHandle;

use super::issuer::Issuer;
use super::jwks::{Key, KeySet};
use crate::error::{Code, Error};
use crate::resilience::clock::Clock;

/// How long keys are used without asking again: so long a key that was withdrawn is still taken.
pub(super) const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long keys are used while the server does not answer. Access tokens live an hour or less, so later there is hardly
/// one left that was given out before; and whoever can cut the server off keeps a withdrawn key alive no longer than this.
pub(super) const STALE: Duration = Duration::from_secs(60 * 60);
/// How often it is asked again because of a key that is not known: anybody can name one.
pub(super) const MISSES: Duration = Duration::from_secs(30);
/// How often a server that failed is asked again while there are keys from before, and while there are none.
const FAILED: Duration = Duration::from_secs(30);
const FAILED_WITHOUT: Duration = Duration::from_secs(1);

/// The keys as they were last fetched, and when to fetch them again.
pub(super) struct Keys {
    issuer: Issuer,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// One request at a time, however many clients wait for it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    known: Option<(Arc<KeySet>, Duration)>,
    /// How often the server was asked to the end, and when it was last begun.
    attempts: u64,
    tried: Option<Duration>,
    is_failing: bool,
    /// When it was last asked because of a key that is not known.
    missed: Option<Duration>,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The server has no such key.
    Unknown,
    /// What keys the server has is not known.
    Unavailable,
}

/// What is known without asking.
enum Known {
    /// It may be used.
    Fresh(Option<Key>),
    /// It may be used if the server cannot be asked.
    Stale(Option<Key>),
    Nothing,
}

impl Keys {
    pub(super) fn new(issuer: Issuer, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            issuer,
            clock,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The key of this id for this algorithm. Asks the server where that is due; needs a runtime.
    ///
    /// # Errors
    /// Where there is none.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Key, NoKey> {
        match self.known(id, algorithm) {
            Known::Fresh(Some(key)) => return Ok(key),
            Known::Stale(Some(key)) if self.state().is_failing => {
                // Nobody waits again and again for a server that does not answer.
                drop(self.refresh());
                return Ok(key);
            }
            Known::Fresh(None) | Known::Stale(None) if !self.may_miss() => {
                return Err(self.no_key());
            }
            _ => {}
        }
        // On a task of its own: it is finished also where the client that began it hangs up.
        drop(self.refresh().await);
        match self.known(id, algorithm) {
            Known::Fresh(Some(key)) | Known::Stale(Some(key)) => Ok(key),
            _ => Err(self.no_key()),
        }
    }

    fn no_key(&self) -> NoKey {
        let state = self.state();
        if state.is_failing || state.known.is_none() {
            NoKey::Unavailable
        } else {
            NoKey::Unknown
        }
    }

    fn known(&self, id: Option<&str>, algorithm: Algorithm) -> Known {
        let now = self.clock.now();
        let state = self.state();
        let Some((keys, fetched)) = &state.known else {
            return Known::Nothing;
        };
        let key = keys.find(id, algorithm).cloned();
        match now.saturating_sub(*fetched) {
            age if age < FRESH => Known::Fresh(key),
            age if age < STALE => Known::Stale(key),
            _ => Known::Nothing,
        }
    }

    /// True where the server may be asked because of a key that is not known, which is then noted.
    fn may_miss(&self) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        let may = state
            .missed
            .is_none_or(|missed| now.saturating_sub(missed) >= MISSES);
        if may {
            state.missed = Some(now);
        }
        may
    }

    /// Asks the server, unless somebody does already or did a moment ago in vain.
    fn refresh(self: &Arc<Self>) -> JoinHandle<()> {
        let this = Arc::clone(self);
        let attempts = self.state().attempts;
        tokio::spawn(async move {
            let _turn = this.turn.lock().await;
            if this.may_try(attempts) {
                let fetched = this.issuer.keys().await;
                this.keep(fetched);
            }
        })
    }

    fn may_try(&self, attempts_before: u64) -> bool {
        let now = self.clock.now();
        let mut state = self.state();
        let pause = match &state.known {
            _ if !state.is_failing => Duration::ZERO,
            Some((_, fetched)) if now.saturating_sub(*fetched) < STALE => FAILED,
            _ => FAILED_WITHOUT,
        };
        let is_early = state
            .tried
            .is_some_and(|tried| now.saturating_sub(tried) < pause);
        if is_early || state.attempts != attempts_before {
            return false;
        }
        state.tried = Some(now);
        true
    }

    fn keep(&self, fetched: crate::error::Result<KeySet>) {
        let now = self.clock.now();
        let mut state = self.state();
        state.attempts += 1;
        let error = match fetched {
            Ok(keys) if !keys.is_empty() => {
                state.known = Some((Arc::new(keys), now));
                state.is_failing = false;
                return;
            }
            // It says itself that those from before hold no longer.
            Ok(_) => {
                state.known = None;
                Error::new(
                    Code::E3508,
                    "the authorization server has no key that access tokens can be checked with",
                )
                .hint("Tokens have to be signed with RS256, PS256, ES256, ES384 or EdDSA.")
            }
            Err(error) => error,
        };
        state.is_failing = true;
        let is_served = state
            .known
            .as_ref()
            .is_some_and(|(_, fetched)| now.saturating_sub(*fetched) < STALE);
        drop(state);
        tracing::error!(
            %error,
            keys_from_before = is_served,
            "the keys of the authorization server could not be fetched"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
