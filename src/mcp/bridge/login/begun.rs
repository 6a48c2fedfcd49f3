//! A login between its two halves: a person is at the authorization server.

use rmcp::transport::auth::AuthorizationManager;

use super::callback::Callback;
use super::file::Registration;
use super::refusal::failed;
use super::{Login, LoginState};
use crate::error::{Code, Error, Result};
use crate::web::Endpoint;

/// A login that a person is asked to finish in a browser.
pub struct Begun<'a> {
    pub(super) login: &'a Login,
    pub(super) manager: AuthorizationManager,
    pub(super) address: Endpoint,
    pub(super) state: String,
    pub(super) registration: Registration,
}

impl Begun<'_> {
    /// Where a person logs in: the address for the browser.
    #[must_use]
    pub fn address(&self) -> &Endpoint {
        &self.address
    }

    /// Who the person is about to give something to.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.registration.id
    }

    /// What the address that the browser comes back to has in it.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Gets the tokens for what the person allowed, and keeps them.
    ///
    /// # Errors
    /// E3507 where the authorization server gives none, or somebody else answered for it; those of the requests.
    pub async fn finish(self, callback: &Callback) -> Result<LoginState> {
        let issuer = callback.issuer.as_deref();
        let exchanged = self.manager.exchange_code_for_token_with_issuer(
            &callback.code,
            &callback.state,
            issuer,
        );
        exchanged.await.map_err(failed)?;
        *self.login.current.lock().await = None;
        let state = self.login.state()?;
        state.ok_or_else(|| Error::new(Code::E3508, "there was no token in the answer"))
    }
}
