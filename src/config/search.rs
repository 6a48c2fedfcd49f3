//! How tools are searched, all decided.

use std::path::PathBuf;
use std::time::Duration;

use super::audit::{file_of, path, text, variable_of};
use super::credential::CredentialSource;
use super::schema::EmbeddingApi;
use crate::manifest::HumanDuration;
use crate::web::Endpoint;

/// The model that makes vectors of texts, behind an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingConfig {
    /// The base of the endpoint; tools are searched by words alone where this is absent (`search.embedding.url`).
    pub url: Option<Endpoint>,
    /// What it speaks (`search.embedding.api`).
    pub api: EmbeddingApi,
    /// The name of the model (`search.embedding.model`).
    pub model: String,
    /// Where the key for it is (`search.embedding.key_file`, `search.embedding.key_env`).
    pub key: Option<CredentialSource>,
    /// How long a batch of texts may take (`search.embedding.timeout`).
    pub timeout: Duration,
    /// Whether `http://` may go to other machines (`search.embedding.plain_http`).
    pub plain_http: bool,
    /// Whether the proxy of the environment is used (`search.embedding.proxy`).
    pub proxy: bool,
    /// Certificates that are trusted beside the system's (`search.embedding.ca_file`).
    pub ca_file: Option<PathBuf>,
}

impl Default for EmbeddingConfig {
    fn default() -> Self {
        Self {
            url: None,
            api: EmbeddingApi::Openai,
            model: String::new(),
            key: None,
            // A model that is not loaded yet takes its time for the first batch.
            timeout: Duration::from_secs(60),
            plain_http: false,
            proxy: false,
            ca_file: None,
        }
    }
}

impl EmbeddingConfig {
    /// Keys and values, in the order of the schema.
    pub(super) fn entries(&self) -> Vec<(&'static str, String)> {
        vec![
            ("search.embedding.url", text(self.url.as_ref())),
            ("search.embedding.api", self.api.word().to_owned()),
            ("search.embedding.model", self.model.clone()),
            ("search.embedding.key_file", file_of(self.key.as_ref())),
            ("search.embedding.key_env", variable_of(self.key.as_ref())),
            (
                "search.embedding.timeout",
                HumanDuration(self.timeout).to_string(),
            ),
            ("search.embedding.plain_http", self.plain_http.to_string()),
            ("search.embedding.proxy", self.proxy.to_string()),
            ("search.embedding.ca_file", path(self.ca_file.as_ref())),
        ]
    }
}
