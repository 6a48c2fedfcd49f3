//! Vectors of texts from a model behind an endpoint, for the search of tools: OpenAI's form, which many servers speak, and
//! Ollama's.
//!
//! Batches and answers are bounded, and an answer is believed only as far as it fits the question: one vector for each
//! text, all of one length. What a model says of itself goes into errors, the key never does.

#[cfg(test)]
mod tests;

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::json;

use crate::config::{Credential, EmbeddingApi, EmbeddingConfig, Environment};
use crate::error::{Code, Error, Result};
use crate::exec::BoxFuture;
use crate::registry::Embedder;
use crate::web::{Client, Endpoint, Options};

/// How many texts are sent at once, and how many bytes of them unless one alone is longer.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 256 << 10;
/// The longest part of one text that is sent. Models read less than that.
const TEXT_BYTES: usize = 32 << 10;
/// The longest vector there may be, and the largest answer: a batch of such vectors in decimal.
const MAX_DIMENSIONS: usize = 16_384;
const MAX_ANSWER: usize = 32 << 20;

/// A model behind an endpoint.
pub struct EmbeddingEndpoint {
    client: Client,
    endpoint: Endpoint,
    api: EmbeddingApi,
    model: String,
    headers: HeaderMap,
}

impl EmbeddingEndpoint {
    /// The model of the configuration, if there is one. Its key is read now; nothing is sent.
    ///
    /// # Errors
    /// E3004 where no model is named, the key or the file of certificates cannot be read, or the endpoint is plain HTTP to
    /// another machine and that is not allowed; E3101 where there is no such file.
    pub fn configured(config: &EmbeddingConfig, environment: &Environment) -> Result<Option<Self>> {
        let Some(base) = &config.url else {
            return Ok(None);
        };
        if config.model.is_empty() {
            return Err(Error::new(
                Code::E3004,
                "setting up the search by meaning: `search.embedding.url` is set, and no model is named",
            )
            .hint("Name one, such as `search.embedding.model = \"nomic-embed-text\"`."));
        }
        let doing = "reading the key for `search.embedding`";
        let key = match &config.key {
            Some(source) => Some(
                source
                    .read(environment)
                    .map_err(|error| error.while_doing(doing))?,
            ),
            None => None,
        };
        let client = Client::new(Options::of_service(
            config.timeout,
            config.plain_http,
            config.proxy,
            config.ca_file.as_deref(),
        )?);
        let endpoint = base.below(match config.api {
            EmbeddingApi::Openai => "embeddings",
            EmbeddingApi::Ollama => "api/embed",
        });
        client.check(&endpoint)?;
        Ok(Some(Self {
            client,
            endpoint,
            api: config.api,
            model: config.model.clone(),
            headers: headers(key.as_ref())?,
        }))
    }

    async fn batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let mut request = json!({"model": self.model, "input": texts});
        if self.api == EmbeddingApi::Openai
            && let Some(request) = request.as_object_mut()
        {
            request.insert("encoding_format".to_owned(), "float".into());
        }
        let body = request.to_string();
        let sent = self
            .client
            .send(Method::POST, &self.endpoint, self.headers.clone(), body)
            .await;
        let answer = sent.map_err(|error| self.unusable(&error))?;
        if !answer.is_success() {
            let status = answer.status();
            let refusal = answer.into_refusal().await;
            return Err(self.refused(status, &refusal));
        }
        let body = answer
            .read(MAX_ANSWER)
            .await
            .map_err(|error| self.unusable(&error))?;
        let vectors = match self.api {
            EmbeddingApi::Openai => by_index(&body, texts.len()),
            EmbeddingApi::Ollama => in_order(&body),
        };
        vectors
            .and_then(|vectors| fitting(vectors, texts.len()))
            .map_err(|why| self.malformed(&why))
    }

    fn error(&self, why: &str) -> Error {
        Error::new(
            Code::E3501,
            format!(
                "asking model {} at {} for vectors: {why}",
                self.model,
                self.endpoint.origin()
            ),
        )
    }

    /// It could not be asked, or its answer could not be read to its end.
    fn unusable(&self, error: &Error) -> Error {
        let hint = match error.code() {
            Code::E3506 => {
                "Check that the service runs and that `search.embedding.url` is where it listens."
            }
            Code::E3503 => {
                "A model that is being loaded takes its time: try again, or raise `search.embedding.timeout`."
            }
            _ => "Check the service; tools are found by their words until it answers.",
        };
        self.error("it cannot be used")
            .hint(hint)
            .caused_by(told(error))
    }

    fn refused(&self, status: u16, error: &Error) -> Error {
        let hint = match (status, self.api) {
            (401 | 403, _) => {
                "Check the key that `search.embedding.key_env` or `key_file` names.".to_owned()
            }
            (404, EmbeddingApi::Ollama) => format!(
                "Run `ollama pull {}`, and check that `search.embedding.url` has no path.",
                self.model
            ),
            (404, EmbeddingApi::Openai) => {
                "Check the name of the model, and that `search.embedding.url` ends where `/embeddings` follows, such as `…/v1`."
                    .to_owned()
            }
            (429, _) => "The service limits how much it is asked: wait, and search again.".to_owned(),
            (300..=399, _) => "Redirects are not followed: write the URL that is meant.".to_owned(),
            _ => "See what the service says, in its answer and in its log.".to_owned(),
        };
        self.error("it refused").hint(hint).caused_by(told(error))
    }

    fn malformed(&self, why: &str) -> Error {
        let other = match self.api {
            EmbeddingApi::Openai => "ollama",
            EmbeddingApi::Ollama => "openai",
        };
        self.error(why).hint(format!(
            "Check that the service speaks `{}`; if not, try `search.embedding.api = \"{other}\"`.",
            self.api.word()
        ))
    }
}

impl Embedder for EmbeddingEndpoint {
    fn model(&self) -> &str {
        &self.model
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
            for batch in batches(texts) {
                let more = self.batch(&batch).await?;
                let lengths = (vectors.first().map(Vec::len), more.first().map(Vec::len));
                if let (Some(before), Some(now)) = lengths
                    && before != now
                {
                    return Err(self.malformed("its vectors are not all of one length"));
                }
                vectors.extend(more);
            }
            Ok(vectors)
        })
    }
}

impl fmt::Debug for EmbeddingEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingEndpoint")
            .field("endpoint", &self.endpoint)
            .field("api", &self.api)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

fn headers(key: Option<&Credential>) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Some(key) = key {
        let bearer = format!("Bearer {}", key.reveal());
        let mut value = HeaderValue::from_str(&bearer).map_err(|_| {
            Error::new(
                Code::E3004,
                "reading the key for `search.embedding`: it has characters that cannot be sent",
            )
            .hint("Check that the file or variable holds the key and nothing else.")
        })?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The texts in their order, each cut to what is sent of it, in batches that are not too large.
fn batches(texts: &[String]) -> Vec<Vec<&str>> {
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for text in texts {
        let end = text.floor_char_boundary(TEXT_BYTES);
        let text = text.get(..end).unwrap_or(text);
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH && bytes + text.len() <= BATCH_BYTES => {
                bytes += text.len();
                batch.push(text);
            }
            _ => {
                bytes = text.len();
                batches.push(vec![text]);
            }
        }
    }
    batches
}

#[derive(Deserialize)]
struct OpenaiAnswer {
    data: Vec<OpenaiVector>,
}

#[derive(Deserialize)]
struct OpenaiVector {
    index: usize,
    embedding: Vec<f32>,
}

/// The vectors of an answer that says of each which text it is of.
fn by_index(body: &[u8], count: usize) -> Result<Vec<Vec<f32>>, String> {
    let answer: OpenaiAnswer = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; count];
    for vector in answer.data {
        match vectors.get_mut(vector.index) {
            Some(place @ None) => *place = Some(vector.embedding),
            Some(Some(_)) => return Err(format!("it gave text {} two vectors", vector.index)),
            None => {
                return Err(format!(
                    "it gave a vector of text {}, of {count}",
                    vector.index
                ));
            }
        }
    }
    vectors
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| "it did not give one for each text".to_owned())
}

#[derive(Deserialize)]
struct OllamaAnswer {
    embeddings: Vec<Vec<f32>>,
}

fn in_order(body: &[u8]) -> Result<Vec<Vec<f32>>, String> {
    serde_json::from_slice(body)
        .map(|answer: OllamaAnswer| answer.embeddings)
        .map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("its answer is not what was expected: {error}")
}

/// The vectors, if there is one for each text, all of one length that is not out of reason.
fn fitting(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, String> {
    if vectors.len() != count {
        return Err(format!("it gave {} for {count} texts", vectors.len()));
    }
    let length = vectors.first().map_or(1, Vec::len);
    if length == 0 || length > MAX_DIMENSIONS {
        return Err(format!("it gave vectors of {length} numbers"));
    }
    if vectors.iter().any(|vector| vector.len() != length) {
        return Err("its vectors are not all of one length".to_owned());
    }
    if vectors.iter().flatten().any(|number| !number.is_finite()) {
        return Err("one of its numbers is out of range".to_owned());
    }
    Ok(vectors)
}

/// An error with its causes in one line.
fn told(error: &Error) -> String {
    std::iter::once(error.to_string())
        .chain(error.causes())
        .collect::<Vec<_>>()
        .join(": ")
}
