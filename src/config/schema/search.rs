//! How tools are searched, as it is written.

use schemars::JsonSchema;
use serde::Deserialize;

/// How tools are searched.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// A model that makes vectors of texts, so that tools are found by what they mean too. It is sent the descriptions of
    /// tools and what is searched for. Projects cannot change it.
    #[serde(default)]
    pub embedding: Embedding,
}

/// A model that makes vectors of texts, behind an endpoint.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// The base of the endpoint: `/embeddings` or `/api/embed` comes behind it. Empty for none.
    #[schemars(example = &"http://127.0.0.1:11434")]
    #[serde(default)]
    pub url: Option<String>,
    /// What it speaks.
    #[serde(default)]
    pub api: Option<EmbeddingApi>,
    /// The name of the model.
    #[schemars(example = &"nomic-embed-text")]
    #[serde(default)]
    pub model: Option<String>,
    /// The file with the key for it: absolute, or beginning with `~/`.
    #[serde(default)]
    pub key_file: Option<String>,
    /// The environment variable with that key, in place of a file.
    #[serde(default)]
    pub key_env: Option<String>,
    /// How long a batch of texts may take.
    #[schemars(example = &"60s")]
    #[serde(default)]
    pub timeout: Option<String>,
    /// Whether an `http://` URL may be that of another machine.
    #[serde(default)]
    pub plain_http: Option<bool>,
    /// Whether the proxy is used that the environment names.
    #[serde(default)]
    pub proxy: Option<bool>,
    /// A file of certificates in PEM form that are trusted beside the system's.
    #[serde(default)]
    pub ca_file: Option<String>,
}

/// What an endpoint for vectors speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum EmbeddingApi {
    /// `POST /embeddings`, as OpenAI and many others do.
    Openai,
    /// `POST /api/embed`, as Ollama does.
    Ollama,
}

impl EmbeddingApi {
    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Ollama => "ollama",
        }
    }
}
