//! Logging in to services that want it, and out again.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use crate::audit::{Event, EventType};
use crate::config::{Environment, McpPlace, McpServerConfig, McpText, Paths};
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::mcp::bridge::{ClientIdentity, Login, LoginState};
use crate::web::{Client, Options};

/// How long a request of a login may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The login to a service.
///
/// # Errors
/// E3004 where it is a program; those of reading a secret or certificates.
pub(super) fn login(
    name: &PluginName,
    server: &McpServerConfig,
    environment: &Environment,
    paths: &Paths,
) -> Result<Login> {
    let McpPlace::Service {
        url,
        plain_http,
        proxy,
        ca_file,
        oauth,
        ..
    } = &server.place
    else {
        return Err(Error::new(
            Code::E3004,
            format!("{name} is a program of this machine: there is nobody to log in to"),
        )
        .hint("What it needs to know goes into its variables: `toolhatch mcp add --env`."));
    };
    let options = Options::of_service(PATIENCE, *plain_http, *proxy, ca_file.as_deref())?;
    let secret = oauth.client_secret.as_ref();
    let secret = secret.map(|secret: &McpText| secret.read(environment));
    let identity = ClientIdentity {
        id: oauth.client_id.clone(),
        secret: secret.transpose()?,
        issuer: oauth.issuer.as_ref().map(ToString::to_string),
        is_machine: oauth.is_machine,
        document: oauth.client_metadata_url.as_ref().map(ToString::to_string),
        scopes: oauth.scopes.clone(),
    };
    let client = Arc::new(Client::new(options));
    Ok(Login::new(name, url.clone(), client, identity, &paths.home))
}

impl App {
    /// The login to a server, which may not be configured yet.
    ///
    /// # Errors
    /// E3004 where it is no service; those of reading a secret or certificates.
    pub fn login(&self, name: &PluginName, server: &McpServerConfig) -> Result<Login> {
        login(name, server, &self.environment, &self.paths)
    }

    /// What there is of the login to a server.
    ///
    /// # Errors
    /// E3004 where it cannot be read.
    pub fn login_state(
        &self,
        name: &PluginName,
        server: &McpServerConfig,
    ) -> Result<Option<LoginState>> {
        let McpPlace::Service { url, .. } = &server.place else {
            return Ok(None);
        };
        let client = Arc::new(Client::new(Options::default()));
        let nobody = ClientIdentity::default();
        Login::new(name, url.clone(), client, nobody, &self.paths.home).state()
    }

    /// Records that somebody has logged in to a server. Where that fails, the login is forgotten.
    ///
    /// # Errors
    /// Those of the audit log.
    pub fn logged_in(
        &self,
        name: &PluginName,
        server: &McpServerConfig,
        state: &LoginState,
    ) -> Result<()> {
        let event = Event::new(EventType::ServerLogin)
            .subject(name.as_str())
            .with("place", server.place.shown())
            .with("issuer", state.issuer.clone())
            .with("scopes", state.scopes.clone())
            .with("by", user());
        self.record(event).inspect_err(|_| {
            // What is not recorded is not used.
            if let Err(error) = Login::forget(&self.paths.home, name) {
                tracing::error!(%error, server = %name, "a login that is not recorded is still there");
            }
        })
    }

    /// Forgets the login to a server. True where there was one.
    ///
    /// # Errors
    /// Those of removing the file, and of the audit log.
    pub fn log_out(&self, name: &PluginName) -> Result<bool> {
        let is_forgotten = Login::forget(&self.paths.home, name)?;
        if is_forgotten {
            let event = Event::new(EventType::ServerLogout)
                .subject(name.as_str())
                .with("by", user());
            self.record(event)?;
        }
        Ok(is_forgotten)
    }
}

fn user() -> String {
    format!("uid {}", rustix::process::geteuid().as_raw())
}
