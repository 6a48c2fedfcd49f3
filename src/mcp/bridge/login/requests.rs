//! The requests that a login takes, over our own client.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response};
use rmcp::transport::auth::{
    OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRedirectPolicy,
    OAuthHttpRequest,
};

use crate::web::{Answer, Client, Endpoint};

/// The largest answer that is read: metadata, a registration, tokens.
const MAX_ANSWER: usize = 1 << 20;
/// How many redirects are followed, each to the origin that it comes from.
const REDIRECTS: usize = 5;

/// Sends what the protocol library wants sent.
pub(super) struct Requests(pub(super) Arc<Client>);

impl Requests {
    async fn send(
        &self,
        request: Request<Vec<u8>>,
        follows: bool,
    ) -> Result<Response<Vec<u8>>, OAuthHttpClientError> {
        let (parts, body) = request.into_parts();
        let mut endpoint: Endpoint = parts.uri.to_string().parse()?;
        let mut method = parts.method;
        let mut headers: HeaderMap = parts.headers;
        let mut body = body;
        for _ in 0..=REDIRECTS {
            let sent = self
                .0
                .send(method.clone(), &endpoint, headers.clone(), body.clone());
            let answer = sent.await?;
            let next = if follows {
                target(&answer, &endpoint)
            } else {
                None
            };
            let Some(next) = next else {
                return read(answer).await;
            };
            if !matches!(answer.status(), 307 | 308) {
                method = Method::GET;
                headers.remove(http::header::CONTENT_TYPE);
                body = Vec::new();
            }
            endpoint = next;
        }
        Err("it redirects too often".into())
    }
}

/// Where a redirect leads, where that is the same origin: what is sent may be secret.
fn target(answer: &Answer, from: &Endpoint) -> Option<Endpoint> {
    if !matches!(answer.status(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = from.join(answer.header("location")?)?;
    (to.origin() == from.origin()).then_some(to)
}

async fn read(answer: Answer) -> Result<Response<Vec<u8>>, OAuthHttpClientError> {
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "location", "www-authenticate"] {
        for value in answer.headers(name) {
            response = response.header(name, value);
        }
    }
    Ok(response.body(answer.read(MAX_ANSWER).await?)?)
}

impl OAuthHttpClient for Requests {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        let follows = request.redirect_policy == OAuthHttpRedirectPolicy::Follow;
        Box::pin(self.send(request.request, follows))
    }
}
