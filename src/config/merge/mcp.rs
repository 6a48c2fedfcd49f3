//! Servers that others wrote. A declaration takes the place of one of the same name as a whole. A project only proposes:
//! what it declares is kept apart, and a person adds it or does not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Merge, Project};
use crate::config::credential::CredentialSource;
use crate::config::mcp::{McpOauthConfig, McpPlace, McpServerConfig, McpText};
use crate::config::schema::{Mcp, McpGrant, McpOauth, McpProtocol, McpRun, McpServer, McpValue};
use crate::config::{Config, ConfigFile, Origin, Paths, SERVER_SCHEMA, read};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::manifest::document::Document;
use crate::manifest::problem::Problems;
use crate::web::{Endpoint, InvalidEndpoint};

/// The name of what is no server: tools of Toolhatch's own.
const RESERVED: &str = "sandbox";
/// The largest message there may be.
const MOST_MESSAGE: u64 = 128 << 20;
/// The smallest limit of a message that makes sense.
const LEAST_MESSAGE: u64 = 4 << 10;
/// What a call of a server takes at most where nobody says.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server takes to start where nobody says: some fetch themselves first.
const START: Duration = Duration::from_secs(30);
/// Headers that the protocol and the connection have for themselves.
const OWN_HEADERS: [&str; 9] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

impl Merge<'_> {
    pub(super) fn mcp(&mut self, written: Mcp) {
        self.replace("mcp.enabled", written.enabled, Project::Lowers, |config| {
            &mut config.mcp.enabled
        });
        for (name, server) in written.servers {
            self.server(&format!("mcp.servers.{name}"), &name, server);
        }
    }

    /// One server; `key` is where it stands in its file, empty for the whole file.
    pub(in crate::config) fn server(&mut self, key: &str, name: &str, written: McpServer) {
        let name = match name.parse::<PluginName>() {
            Ok(name) if name.as_str() != RESERVED => name,
            Ok(_) => {
                self.problem(key, "this name is taken by Toolhatch's own tools");
                return;
            }
            Err(error) => {
                self.problem(key, error.to_string());
                return;
            }
        };
        let Some(server) = self.decided(key, written) else {
            return;
        };
        let mcp = &mut self.config.mcp;
        if matches!(self.origin, Origin::Project(_)) {
            mcp.proposed.insert(name, server);
        } else {
            mcp.servers.insert(name, server);
            self.note("mcp.servers");
        }
    }

    fn decided(&mut self, key: &str, written: McpServer) -> Option<McpServerConfig> {
        let place = self.place(key, &written);
        let within = |name: &str| within(key, name);
        let timeout = self.duration(&within("timeout"), written.timeout);
        let start_timeout = self.duration(&within("start_timeout"), written.start_timeout);
        let max_message = self.size(&within("max_message"), written.max_message);
        if max_message.is_some_and(|size| !(LEAST_MESSAGE..=MOST_MESSAGE).contains(&size)) {
            self.problem(
                &within("max_message"),
                "expected a size from 4KiB to 128MiB",
            );
        }
        let tools = written.tools.map(|patterns| {
            let keyed = patterns.iter().enumerate();
            keyed
                .filter_map(|(index, text)| match text.parse() {
                    Ok(pattern) => Some(pattern),
                    Err(expected) => {
                        self.problem(&within(&format!("tools[{index}]")), expected);
                        None
                    }
                })
                .collect()
        });
        Some(McpServerConfig {
            place: place?,
            allow: written.allow,
            protocol: written.protocol.unwrap_or_default(),
            timeout: timeout.unwrap_or(TIMEOUT),
            start_timeout: start_timeout.unwrap_or(START),
            connections: written.connections.unwrap_or(10),
            concurrency: written.concurrency.unwrap_or(64),
            max_message: max_message.unwrap_or(16 << 20),
            tools,
            untrusted: written.untrusted.unwrap_or(true),
            enabled: written.enabled.unwrap_or(true),
            origin: self.origin.clone(),
        })
    }

    /// A program or a service: what belongs to one makes no sense beside the other.
    fn place(&mut self, key: &str, written: &McpServer) -> Option<McpPlace> {
        let of_program = [
            ("workdir", written.workdir.is_some()),
            ("env", !written.env.is_empty()),
            ("allow", !written.allow.is_empty()),
            ("run", written.run.is_some()),
            ("image", written.image.is_some()),
        ];
        let of_service = [
            ("headers", !written.headers.is_empty()),
            ("plain_http", written.plain_http.is_some()),
            ("proxy", written.proxy.is_some()),
            ("ca_file", written.ca_file.is_some()),
            ("oauth", written.oauth.is_some()),
        ];
        let misplaced = match (&written.command, &written.url) {
            (Some(_), None) => (&of_service[..], "a URL"),
            (None, Some(_)) => (&of_program[..], "a command"),
            (Some(_), Some(_)) => {
                self.problem(&within(key, "url"), "write either this or `command`");
                return None;
            }
            (None, None) => {
                self.problem(
                    key,
                    "expected `command` or `url`: how the server is reached",
                );
                return None;
            }
        };
        for (name, _) in misplaced.0.iter().filter(|(_, there)| *there) {
            let message = format!("this is for a server with {}", misplaced.1);
            self.problem(&within(key, name), message);
        }
        match (&written.command, &written.url) {
            (Some(command), _) => self.program(key, command, written),
            (_, Some(url)) => self.service(key, url, written),
            (None, None) => None,
        }
    }

    fn program(&mut self, key: &str, command: &[String], written: &McpServer) -> Option<McpPlace> {
        if written.protocol == Some(McpProtocol::Sse) {
            self.problem(&within(key, "protocol"), "`sse` is for a server with a URL");
        }
        if command.first().is_none_or(String::is_empty)
            || command.iter().any(|part| part.contains('\0'))
        {
            let message = "expected the program and its arguments";
            self.problem(&within(key, "command"), message);
            return None;
        }
        let run = written.run.unwrap_or(McpRun::Process);
        if run == McpRun::Process && written.image.is_some() {
            let message = "an image is for `run = \"container\"`";
            self.problem(&within(key, "image"), message);
        }
        let workdir = match &written.workdir {
            Some(text) => Some(self.path(&within(key, "workdir"), text)?),
            None => None,
        };
        let env = self.texts(&within(key, "env"), &written.env, |name| {
            CredentialSource::is_variable(name)
                .then_some(())
                .ok_or("expected the name of a variable: letters, digits and `_`")
        });
        Some(McpPlace::Program {
            command: command.to_vec(),
            workdir,
            env,
            run,
            image: written.image.clone(),
        })
    }

    fn service(&mut self, key: &str, url: &str, written: &McpServer) -> Option<McpPlace> {
        let url = match url.parse::<Endpoint>() {
            Ok(url) => url,
            Err(error) => {
                self.problem(&within(key, "url"), error.to_string());
                return None;
            }
        };
        let headers = self.texts(&within(key, "headers"), &written.headers, |name| {
            if http::HeaderName::try_from(name).is_err() {
                return Err("expected the name of a header");
            }
            if OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err("the protocol has this header for itself");
            }
            Ok(())
        });
        let ca_file: Option<PathBuf> = match &written.ca_file {
            Some(text) => Some(self.path(&within(key, "ca_file"), text)?),
            None => None,
        };
        Some(McpPlace::Service {
            url,
            headers,
            plain_http: written.plain_http.unwrap_or(false),
            proxy: written.proxy.unwrap_or(false),
            ca_file,
            oauth: Box::new(self.client(&within(key, "oauth"), written.oauth.as_ref())?),
        })
    }

    fn client(&mut self, key: &str, written: Option<&McpOauth>) -> Option<McpOauthConfig> {
        let Some(written) = written else {
            return Some(McpOauthConfig::default());
        };
        let secret = match &written.client_secret {
            Some(_) if written.client_id.is_none() => {
                let message = "a secret belongs to a `client_id`";
                self.problem(&within(key, "client_secret"), message);
                return None;
            }
            Some(value) => Some(self.text(&within(key, "client_secret"), value)?),
            None => None,
        };
        let issuer = match written.issuer.as_deref().map(str::parse) {
            None if secret.is_some() => {
                let message =
                    "say which authorization server the secret is for: a server can name any";
                self.problem(&within(key, "issuer"), message);
                return None;
            }
            None => None,
            Some(Ok(issuer)) => Some(issuer),
            Some(Err(error)) => {
                let error: InvalidEndpoint = error;
                self.problem(&within(key, "issuer"), error.to_string());
                return None;
            }
        };
        let is_machine = written.grant == Some(McpGrant::ClientCredentials);
        if is_machine && secret.is_none() {
            let message = "`client_credentials` takes a `client_id` and a `client_secret`";
            self.problem(&within(key, "grant"), message);
            return None;
        }
        let document = match written.client_metadata_url.as_deref().map(str::parse) {
            None => None,
            // The URL is the id of the client, and authorization servers take no other.
            Some(Ok(url)) if is_document(&url) => Some(url),
            Some(_) => {
                let message = "expected a URL that begins with `https://` and has a path";
                self.problem(&within(key, "client_metadata_url"), message);
                return None;
            }
        };
        // RFC 6749, 3.3.
        let is_scope = |text: &&String| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
        };
        if let Some(scope) = written.scopes.iter().find(|scope| !is_scope(scope)) {
            let message = format!("{scope:?} is no scope: expected characters without spaces");
            self.problem(&within(key, "scopes"), message);
            return None;
        }
        Some(McpOauthConfig {
            client_id: written.client_id.clone(),
            client_secret: secret,
            issuer,
            is_machine,
            client_metadata_url: document,
            scopes: written.scopes.clone(),
            redirect_port: written.redirect_port,
        })
    }

    fn texts(
        &mut self,
        key: &str,
        written: &BTreeMap<String, McpValue>,
        check: impl Fn(&str) -> Result<(), &'static str>,
    ) -> BTreeMap<String, McpText> {
        let mut texts = BTreeMap::new();
        for (name, value) in written {
            let place = within(key, name);
            if let Err(expected) = check(name) {
                self.problem(&place, expected);
                continue;
            }
            if let Some(text) = self.text(&place, value) {
                texts.insert(name.clone(), text);
            }
        }
        texts
    }

    fn text(&mut self, place: &str, value: &McpValue) -> Option<McpText> {
        match value {
            McpValue::Text(text) if text.contains(['\0', '\n', '\r']) => {
                self.problem(place, "expected a text of one line");
                None
            }
            McpValue::Text(text) => Some(McpText::Text(text.clone())),
            McpValue::Source(source) => match (&source.env, &source.file) {
                (Some(variable), None) if CredentialSource::is_variable(variable) => {
                    let variable = CredentialSource::Variable(variable.clone());
                    Some(McpText::Source(variable))
                }
                (None, Some(file)) => {
                    let path = self.path(place, file)?;
                    Some(McpText::Source(CredentialSource::File(path)))
                }
                _ => {
                    // Whoever writes a secret here must not find it in an error.
                    let message =
                        "expected a text, `{ env = \"VARIABLE\" }` or `{ file = \"/path\" }`";
                    self.problem(place, message);
                    None
                }
            },
        }
    }
}

/// True for what can be the id of a client (draft-ietf-oauth-client-id-metadata-document, 3).
fn is_document(url: &Endpoint) -> bool {
    url.is_tls() && url.path() != "/"
}

/// The dotted key of a member.
fn within(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}

impl Config {
    /// What a declaration of a server comes to that a person is about to make.
    ///
    /// # Errors
    /// E3004 with all that is wrong with it.
    pub fn declared_server(
        paths: &Paths,
        name: &PluginName,
        written: &McpServer,
    ) -> Result<McpServerConfig> {
        let what = format!("the server {name}");
        let tree = serde_json::to_value(written).map_err(|error| {
            Error::new(Code::E3000, format!("writing down {what}")).caused_by(error)
        })?;
        let document = Document::from_json(&tree);
        let written = document
            .conform::<McpServer>(&SERVER_SCHEMA)
            .map_err(|problems| problems.into_error(Code::E3004, &what))?;
        let mut config = Self::built_in(paths);
        let mut merge = Merge {
            config: &mut config,
            paths,
            origin: Origin::Flag("mcp add"),
            document: &document,
            table: "",
            problems: Problems::new(),
        };
        merge.server("", name.as_str(), written);
        let problems = merge.problems;
        match config.mcp.servers.remove(name) {
            Some(server) if problems.is_empty() => Ok(server),
            _ => Err(problems.into_error(Code::E3004, &what)),
        }
    }

    /// The servers that were added by command, each in a file of its own.
    pub(in crate::config) fn added_servers(&mut self, paths: &Paths) -> Result<()> {
        for (name, path) in paths.added_servers()? {
            let Some((written, document)) = read::file::<McpServer>(&path, &SERVER_SCHEMA)? else {
                continue;
            };
            self.files
                .push(ConfigFile::of_server(&path, &name, &document));
            let origin = Origin::User(path.clone());
            let mut merge = Merge {
                config: self,
                paths,
                origin: origin.clone(),
                document: &document,
                table: "",
                problems: Problems::new(),
            };
            merge.server("", &name, written);
            if !merge.problems.is_empty() {
                return Err(merge.problems.into_error(Code::E3004, &origin.to_string()));
            }
        }
        Ok(())
    }
}
