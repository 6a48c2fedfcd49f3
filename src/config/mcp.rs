//! Servers that others wrote, all decided: how each is reached, and what it may do here.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::schema::{McpProtocol, McpRun};
use super::{CredentialSource, Environment, Origin};
use crate::error::Result;
use crate::ids::PluginName;
use crate::permission::wildcard;
use crate::web::Endpoint;

/// The servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpConfig {
    /// Servers are used (`mcp.enabled`).
    pub enabled: bool,
    /// Those that a person or the operator declared, by name (`mcp.servers`).
    pub servers: BTreeMap<PluginName, McpServerConfig>,
    /// Those that the project declares: they are shown, and nothing of them is ever started.
    pub proposed: BTreeMap<PluginName, McpServerConfig>,
}

impl Default for McpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            servers: BTreeMap::new(),
            proposed: BTreeMap::new(),
        }
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpServerConfig {
    /// How it is reached.
    pub place: McpPlace,
    /// What it may do here, as after `--allow`.
    pub allow: Vec<String>,
    /// Which revisions of the protocol are tried.
    pub protocol: McpProtocol,
    /// How long a call may take. Default 60 s.
    pub timeout: Duration,
    /// How long it may take until it has answered for the first time. Default 30 s.
    pub start_timeout: Duration,
    /// How many connections are made to it at most, 1 to 10. Default 10.
    pub connections: u32,
    /// How many calls it gets at once. Default 64.
    pub concurrency: u32,
    /// The largest message that is read from it, in bytes. Default 16 MiB.
    pub max_message: u64,
    /// Which of its tools are offered; all where this is absent.
    pub tools: Option<Vec<NamePattern>>,
    /// Its results count as text from strangers. Default true.
    pub untrusted: bool,
    /// It is used. Default true.
    pub enabled: bool,
    /// Where it was declared.
    pub origin: Origin,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum McpPlace {
    /// A program of this machine, over its standard streams.
    Program {
        /// The program and its arguments; at least one.
        command: Vec<String>,
        /// Where it starts, if somebody said.
        workdir: Option<PathBuf>,
        /// Its variables.
        env: BTreeMap<String, McpText>,
        /// What it is confined by. Default a process.
        run: McpRun,
        /// The image of the container, if somebody said.
        image: Option<String>,
    },
    /// A service, over HTTP.
    Service {
        /// Where it is.
        url: Endpoint,
        /// Headers of every request.
        headers: BTreeMap<String, McpText>,
        /// Plain `http://` may go to another machine. Default false.
        plain_http: bool,
        /// The proxy of the environment is used. Default false.
        proxy: bool,
        /// Certificates that are trusted beside the system's.
        ca_file: Option<PathBuf>,
        /// Who we are where a person logs in.
        oauth: Box<McpOauthConfig>,
    },
}

/// Who we are to the authorization server of a service, as far as somebody said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct McpOauthConfig {
    /// The id of a client that was registered there.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<McpText>,
    /// Where it is registered.
    pub issuer: Option<Endpoint>,
    /// It gets tokens by its secret alone.
    pub is_machine: bool,
    /// Where a document says who the client is.
    pub client_metadata_url: Option<Endpoint>,
    /// What is asked for; where it is empty, what the server says that it needs.
    pub scopes: Vec<String>,
    /// The port that the browser comes back to.
    pub redirect_port: Option<u16>,
}

impl McpPlace {
    /// What can be shown of it: the command, or the origin of the URL.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Program { command, .. } => command.join(" "),
            Self::Service { url, .. } => url.origin(),
        }
    }
}

/// A text that may be a secret, or where one is read from. It is shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub enum McpText {
    /// The text itself.
    Text(String),
    /// Where it is read from.
    Source(CredentialSource),
}

impl McpText {
    /// The text.
    ///
    /// # Errors
    /// Those of [`CredentialSource::read`].
    pub fn read(&self, environment: &Environment) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Source(source) => Ok(source.read(environment)?.reveal().to_owned()),
        }
    }
}

impl fmt::Debug for McpText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("McpText(…)"),
            Self::Source(source) => write!(f, "McpText({source})"),
        }
    }
}

/// Names with `*` for any characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamePattern(String);

impl NamePattern {
    /// True where the name is one of those the pattern stands for.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        wildcard::covers(&pattern, &name, |c| *c == '*', |a, b| a == b)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NamePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("expected the name of a tool, with `*` for any characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl McpServerConfig {
    /// The variables of a program or the headers of a service, read from where they are.
    ///
    /// # Errors
    /// Those of [`McpText::read`], with the name.
    pub fn texts(&self, environment: &Environment) -> Result<HashMap<String, String>> {
        let texts = match &self.place {
            McpPlace::Program { env, .. } => env,
            McpPlace::Service { headers, .. } => headers,
        };
        texts
            .iter()
            .map(|(name, text)| {
                let text = text
                    .read(environment)
                    .map_err(|error| error.while_doing(name))?;
                Ok((name.clone(), text))
            })
            .collect()
    }

    /// Where its secrets are read from.
    pub(super) fn sources(&self) -> impl Iterator<Item = &CredentialSource> {
        let (texts, secret) = match &self.place {
            McpPlace::Program { env, .. } => (env, None),
            McpPlace::Service { headers, oauth, .. } => (headers, oauth.client_secret.as_ref()),
        };
        texts.values().chain(secret).filter_map(|text| match text {
            McpText::Source(source) => Some(source),
            McpText::Text(_) => None,
        })
    }

    /// True where this tool of the server is offered.
    #[must_use]
    pub fn offers(&self, tool: &str) -> bool {
        self.tools
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(tool)))
    }
}

impl McpConfig {
    /// Keys and values, in the order of the schema.
    pub(super) fn entries(&self) -> Vec<(String, String)> {
        let names: Vec<&str> = self.servers.keys().map(PluginName::as_str).collect();
        vec![
            ("mcp.enabled".to_owned(), self.enabled.to_string()),
            ("mcp.servers".to_owned(), names.join(", ")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name, matches) in [
            ("git_*", "git_status", true),
            ("git_*", "git", false),
            ("*", "a/b.c", true),
            ("*status", "git_status", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("status", "Status", false),
        ] {
            let pattern: NamePattern = pattern.parse().expect("valid");
            assert_eq!(pattern.matches(name), matches, "{pattern} {name}");
        }
        assert!("".parse::<NamePattern>().is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = McpText::Text("s3cret".to_owned());
        assert!(!format!("{text:?}").contains("s3cret"));
    }
}
