//! The older form of the manifest, `plugin.yaml`.
//!
//! It says less than the new one: one author, permissions as bare words without scopes, and a `config` table with the
//! timeout and variables. It is read into the new form. A bare permission asks for all of that permission and is shown as
//! broad; variables become values of `wasi:config`, since environment variables come from the host and need a grant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::document::Document;
use super::duration::HumanDuration;
use super::permissions::everything;
use super::problem::{Problems, nearest};
use super::{Manifest, resolve, schema};
use crate::permission::Kind;

/// A manifest in the older form.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wire {
    /// The name of the plugin: kebab-case.
    #[schemars(example = &"my-plugin")]
    pub name: String,
    /// The version of the plugin.
    #[schemars(example = &"1.0.0")]
    pub version: String,
    /// What the plugin is for.
    #[serde(default)]
    pub description: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: Option<String>,
    /// Other plugins it needs, each with a range of versions.
    #[serde(default)]
    pub dependencies: BTreeMap<String, String>,
    /// The tools.
    #[serde(default)]
    pub tools: Vec<Tool>,
    /// Permissions by name, without scopes.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// The timeout and variables.
    #[serde(default)]
    pub config: Config,
}

/// One tool.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The name of the tool.
    #[schemars(example = &"analyze-code")]
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: Option<String>,
    /// A JSON Schema of the arguments.
    #[serde(default)]
    pub input_schema: Option<schema::Schema>,
    /// A JSON Schema of the result.
    #[serde(default)]
    pub output_schema: Option<schema::Schema>,
}

/// The timeout and variables.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How long a call may take.
    #[schemars(example = &"30s")]
    #[serde(default)]
    pub timeout: Option<String>,
    /// Variables for the plugin.
    #[serde(default)]
    pub env_vars: BTreeMap<String, String>,
}

/// Reads the older form into the new one.
///
/// # Errors
/// Everything that is wrong.
pub(super) fn manifest(wire: Wire, document: &Document) -> Result<Manifest, Problems> {
    let mut problems = Problems::new();
    if let Some(Err(error)) = wire
        .config
        .timeout
        .as_deref()
        .map(str::parse::<HumanDuration>)
    {
        problems.add(None, "config.timeout", error.to_string());
    }
    let required = requests(&wire.permissions, &mut problems);
    let new = schema::Wire {
        schema: 1,
        name: wire.name,
        version: wire.version,
        description: wire.description,
        authors: wire.author.into_iter().collect(),
        license: None,
        component: None,
        dependencies: wire.dependencies,
        tools: wire.tools.into_iter().map(tool).collect(),
        permissions: schema::Permissions {
            required,
            ..schema::Permissions::default()
        },
        limits: schema::Limits {
            timeout: wire.config.timeout.filter(|_| problems.is_empty()),
            ..schema::Limits::default()
        },
        config: wire.config.env_vars,
    };
    match resolve::manifest(new, document) {
        Ok(manifest) if problems.is_empty() => Ok(manifest),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

fn tool(tool: Tool) -> schema::Tool {
    schema::Tool {
        name: tool.name,
        description: tool.description,
        input_schema: tool.input_schema,
        output_schema: tool.output_schema,
        idempotent: false,
        pure: false,
        risk: schema::Risk::default(),
        untrusted_output: false,
        coerce: false,
        container: None,
    }
}

fn requests(words: &[String], problems: &mut Problems) -> schema::Requests {
    let mut requests = schema::Requests::default();
    for (index, word) in words.iter().enumerate() {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name() == word) else {
            let known = Kind::ALL.map(Kind::name);
            let mut message = format!("there is no permission {}", super::document::quoted(word));
            match nearest(word, known) {
                Some(near) => message.push_str(&format!("; did you mean \"{near}\"?")),
                None => message.push_str(&format!("; there are {}", known.join(", "))),
            }
            problems.add(None, format!("permissions[{index}]"), message);
            continue;
        };
        let all = || everything(kind).to_owned();
        match kind {
            Kind::FileRead => requests.file_read.push(schema::File::Path(all())),
            Kind::FileWrite => requests.file_write.push(schema::File::Path(all())),
            Kind::NetworkHttp => requests.network_http.push(schema::Http::Text(all())),
            Kind::NetworkTcp => requests.network_tcp.push(schema::Socket::Text(all())),
            Kind::NetworkUdp => requests.network_udp.push(schema::Socket::Text(all())),
            Kind::Env => requests.env.push(all()),
            Kind::Secrets => requests.secrets.push(schema::Secret::Name(all())),
            Kind::Subprocess => requests.subprocess.push(schema::Subprocess::Text(all())),
            Kind::ToolInvoke => requests.tool_invoke.push(all()),
            Kind::State => requests.state = Some(schema::State { quota: all() }),
            Kind::Documents => requests.documents.push(all()),
            Kind::Checkpoint => requests.checkpoint = true,
        }
    }
    requests
}
