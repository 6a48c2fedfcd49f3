//! A small HTTP client: requests wait for their answers, and bodies may be streamed both ways.
//!
//! What may be reached is the permission `network_http`. A request that is denied is [`Error::NotPermitted`], and becomes
//! [`ToolError::NotPermitted`](crate::ToolError::NotPermitted) by `?`.
//!
//! ```
//! use std::time::Duration;
//! use toolhatch_plugin::{Result, http};
//!
//! fn latest_version(project: &str) -> Result<String> {
//!     let response = http::get(format!("https://api.example.com/projects/{project}"))
//!         .header("Accept", "application/json")
//!         .timeout(Duration::from_secs(10))
//!         .send()?
//!         .error_for_status()?;
//!     let project: serde_json::Value = response.json()?;
//!     Ok(project["version"].as_str().unwrap_or("unknown").to_owned())
//! }
//! ```
//!
//! Redirects are answers like others, unless [`Request::redirects`] says how many to follow. Bodies that are read whole have
//! at most [`MAX_BODY`] bytes, unless [`Response::limit`] says otherwise; a [`Response`] can also be read bit by bit, with
//! [`Read`].
//!
//! Outside of a host there is no network; [`testing::http`](crate::testing::http) takes its place.

#[cfg(target_arch = "wasm32")]
mod component;
mod error;
mod response;
mod url;

use std::fmt;
use std::io::Read;
use std::time::Duration;

use serde::Serialize;

pub use error::Error;
pub use response::{MAX_BODY, Response};
use url::Url;

/// A request that gets what is at an address.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A request for the head of what is at an address.
pub fn head(url: impl Into<String>) -> Request {
    Request::new("HEAD", url)
}

/// A request that posts something to an address.
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

/// A request that puts something at an address.
pub fn put(url: impl Into<String>) -> Request {
    Request::new("PUT", url)
}

/// A request that changes what is at an address.
pub fn patch(url: impl Into<String>) -> Request {
    Request::new("PATCH", url)
}

/// A request that deletes what is at an address.
pub fn delete(url: impl Into<String>) -> Request {
    Request::new("DELETE", url)
}

/// A request that is being put together. What is wrong with it is said when it is sent.
#[must_use = "a request does nothing before it is sent"]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Body,
    timeout: Option<Duration>,
    redirects: u32,
    problem: Option<Error>,
}

/// What is sent with a request.
enum Body {
    Empty,
    Bytes(Vec<u8>),
    Reader(Box<dyn Read>),
}

impl Request {
    /// A request with this method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Body::Empty,
            timeout: None,
            redirects: 0,
            problem: None,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a name and a value to the query of the address, encoded as they have to be.
    pub fn query(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.url = url::with_query(&self.url, name.as_ref(), value.as_ref());
        self
    }

    /// Sends these bytes.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// Sends a value as JSON, and says that it is that.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => self.body = Body::Bytes(json),
            Err(error) => {
                let why = format!("the body cannot be written as JSON: {error}");
                self.problem.get_or_insert(Error::Invalid(why));
            }
        }
        if !self.has_header("content-type") {
            self = self.header("Content-Type", "application/json");
        }
        self
    }

    /// Sends what is read here, as it is read. Such a request follows no redirect that would send it again.
    pub fn body_from(mut self, reader: impl Read + 'static) -> Self {
        self.body = Body::Reader(Box::new(reader));
        self
    }

    /// After how much time it is given up, from sending to the last byte of the answer. The call ends it at the latest.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How many redirects to follow; none where this is not said. Each of them needs to be granted. `Authorization` and
    /// `Cookie` are not sent on to another host.
    pub fn redirects(mut self, most: u32) -> Self {
        self.redirects = most;
        self
    }

    /// Sends it, and waits for the head of the answer. An answer that says that something failed is an answer, see
    /// [`Response::error_for_status`].
    ///
    /// # Errors
    /// Where there is no answer, see [`Error`].
    pub fn send(mut self) -> Result<Response, Error> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let deadline = self.timeout.map(Deadline::after);
        let most = self.redirects;
        let mut followed = 0;
        loop {
            let url = Url::parse(&self.url)?;
            let again = if followed < most { self.again() } else { None };
            let is_replayable = !matches!(self.body, Body::Reader(_));
            let response = exchange(self, &url, deadline)?;
            let Some(location) = response.redirect().filter(|_| most > 0) else {
                return Ok(response);
            };
            let target = url.join(location)?;
            let Some(again) = again else {
                return Err(if is_replayable {
                    Error::TooManyRedirects(most)
                } else {
                    Error::Invalid("a body that is streamed cannot be sent again".to_owned())
                });
            };
            self = again.redirected(response.status(), &url, &target);
            followed += 1;
        }
    }

    /// The method, in capitals: for tests that answer it.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers, in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// Reads the body whole: for tests that answer the request.
    ///
    /// # Errors
    /// Those of what the body is read from.
    pub fn into_body(self) -> std::io::Result<Vec<u8>> {
        match self.body {
            Body::Empty => Ok(Vec::new()),
            Body::Bytes(bytes) => Ok(bytes),
            Body::Reader(mut reader) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes)?;
                Ok(bytes)
            }
        }
    }

    fn has_header(&self, name: &str) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The same once more, where its body can be sent twice.
    fn again(&self) -> Option<Self> {
        let body = match &self.body {
            Body::Empty => Body::Empty,
            Body::Bytes(bytes) => Body::Bytes(bytes.clone()),
            Body::Reader(_) => return None,
        };
        Some(Self {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body,
            timeout: self.timeout,
            redirects: self.redirects,
            problem: None,
        })
    }

    /// What a redirect makes of it.
    fn redirected(mut self, status: u16, from: &Url, to: &Url) -> Self {
        let becomes_get = match status {
            303 => self.method != "HEAD",
            301 | 302 => self.method == "POST",
            _ => false,
        };
        if becomes_get {
            self.method = "GET".to_owned();
            self.body = Body::Empty;
            self.headers
                .retain(|(name, _)| !is_one_of(name, &["content-type", "content-length"]));
        }
        if !from.has_same_origin(to) {
            let secrets = ["authorization", "cookie", "proxy-authorization"];
            self.headers.retain(|(name, _)| !is_one_of(name, &secrets));
        }
        self.url = to.to_string();
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may be secrets.
        write!(formatter, "Request({} {})", self.method, self.url)
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// When all has to be over.
#[derive(Debug, Clone, Copy)]
struct Deadline(
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "tests do not wait")
    )]
    std::time::Instant,
);

impl Deadline {
    fn after(timeout: Duration) -> Self {
        let now = std::time::Instant::now();
        // What is too far away to be written down is no deadline before the end of the call.
        Self(
            now.checked_add(timeout)
                .unwrap_or(now + Duration::from_secs(u32::MAX.into())),
        )
    }
}

/// One request and its answer.
fn exchange(request: Request, url: &Url, deadline: Option<Deadline>) -> Result<Response, Error> {
    #[cfg(target_arch = "wasm32")]
    let response = component::exchange(request, url, deadline);
    #[cfg(not(target_arch = "wasm32"))]
    let response = {
        let _ = deadline;
        crate::testing::send(request)
    };
    Ok(response?.at(url.to_string()))
}

#[cfg(test)]
mod tests;
