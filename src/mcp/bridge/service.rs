//! A service that is reached over HTTP, and what goes with every request to it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::login::Login;
use crate::error::Result;
use crate::web::{Answer, Client, Endpoint};

/// See the module.
#[derive(Clone)]
pub struct Service {
    /// Where it is.
    pub url: Endpoint,
    /// What a person said that goes with every request.
    pub headers: HeaderMap,
    /// What sends requests.
    pub client: Arc<Client>,
    /// Where its tokens come from. A header that says who we are goes before.
    pub login: Arc<Login>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({:?})", self.url)
    }
}

impl Service {
    /// Sends a request: to its URL, or to another address of the same origin that the service named. It is sent once more
    /// where the token was too old and there is another one.
    ///
    /// # Errors
    /// Those of [`Client::send`] and of renewing a token.
    pub(super) async fn send(
        &self,
        method: Method,
        endpoint: &Endpoint,
        mut headers: HeaderMap,
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        for (name, value) in &self.headers {
            // What the protocol says goes before.
            headers.entry(name).or_insert_with(|| value.clone());
        }
        let body = body.into();
        let is_known = headers.contains_key(http::header::AUTHORIZATION);
        let token = if is_known || endpoint.origin() != self.url.origin() {
            None
        } else {
            self.login.token().await?
        };
        let answer = self
            .once(&method, endpoint, headers.clone(), token.as_ref(), &body)
            .await?;
        let (401, Some(rejected)) = (answer.status(), &token) else {
            return Ok(answer);
        };
        match self.login.another(rejected).await? {
            Some(token) => {
                self.once(&method, endpoint, headers, Some(&token), &body)
                    .await
            }
            None => Ok(answer),
        }
    }

    async fn once(
        &self,
        method: &Method,
        endpoint: &Endpoint,
        mut headers: HeaderMap,
        token: Option<&HeaderValue>,
        body: &Bytes,
    ) -> Result<Answer> {
        if let Some(token) = token {
            headers.insert(http::header::AUTHORIZATION, token.clone());
        }
        let sent = self
            .client
            .send(method.clone(), endpoint, headers, body.clone());
        sent.await
    }

    /// The error that an answer stands for that is no success.
    pub(super) async fn refusal(&self, answer: Answer) -> crate::error::Error {
        let challenges: Vec<&str> = answer.headers("www-authenticate").collect();
        let status = answer.status();
        let is_known = self.headers.contains_key(http::header::AUTHORIZATION);
        if is_known || challenges.is_empty() || !matches!(status, 401 | 403) {
            return answer.into_refusal().await;
        }
        self.login.refusal(status, &challenges)
    }
}
