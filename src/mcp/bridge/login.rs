//! Logging in to a service that wants OAuth 2.1, and the tokens that are left of it.
//!
//! The steps of the protocol (metadata, registration, PKCE, the check of the issuer, renewal) are the library's; which
//! requests may be made, where tokens are kept and to whom they go is decided here. A token goes to the URL it was made for
//! and nowhere else, and no tool ever sees one.

mod begun;
mod callback;
mod file;
mod refusal;
mod requests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, Method};
use rmcp::transport::auth::{
    AuthError, AuthorizationManager, AuthorizationMetadata, AuthorizationMetadataResolution,
    ClientCredentialsConfig, OAuthClientConfig,
};
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use begun::Begun;
pub use callback::{Callback, CallbackPage};
use file::{Kept, LoginFile, Registration, Shared};
use refusal::{challenge_of, failed};
use requests::Requests;

use super::message::cut;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::web::{Client, Endpoint};

/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(30);
/// What authorization servers are told that we are called.
const NAME: &str = "Toolhatch";
/// The scope by which some servers are asked for a token that renews others (OpenID Connect Core, 11).
const OFFLINE: &str = "offline_access";

/// Who we are to authorization servers, as far as somebody said.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The id of a client that was registered beforehand.
    pub id: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
    /// Where it is registered: no other authorization server is told who it is.
    pub issuer: Option<String>,
    /// It needs no person: it gets tokens by its secret alone (OAuth 2.1, 4.2).
    pub is_machine: bool,
    /// Where a document says who the client is: its URL is the id, where the authorization server knows such documents.
    pub document: Option<String>,
    /// What is asked for. Where this is empty, what the server asks for.
    pub scopes: Vec<String>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("id", &self.id)
            .field("issuer", &self.issuer)
            .field("is_machine", &self.is_machine)
            .field("document", &self.document)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// What there is of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginState {
    /// Who gave the tokens.
    pub issuer: Option<String>,
    /// What for.
    pub scopes: Vec<String>,
    /// When the token ends, where that is known.
    pub ends: Option<SystemTime>,
    /// It is renewed by itself.
    pub is_renewable: bool,
}

/// The login to one service.
pub struct Login {
    server: PluginName,
    url: Endpoint,
    client: Arc<Client>,
    identity: ClientIdentity,
    file: Arc<LoginFile>,
    /// The token that was used last.
    current: Mutex<Option<Token>>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({} at {:?})", self.server, self.url)
    }
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    /// In seconds since 1970.
    ends: Option<u64>,
}

impl Token {
    fn of(kept: &Kept) -> Option<Self> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", kept.access_token()?)).ok()?;
        header.set_sensitive(true);
        Some(Self {
            header,
            ends: kept.ends(),
        })
    }

    fn is_fresh(&self) -> bool {
        self.ends
            .is_none_or(|ends| now().saturating_add(EARLY.as_secs()) < ends)
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Login {
    /// The login to the service at this URL, kept below this folder. The client's requests have a limit of time.
    #[must_use]
    pub fn new(
        server: &PluginName,
        url: Endpoint,
        client: Arc<Client>,
        identity: ClientIdentity,
        home: &Path,
    ) -> Self {
        let path = path(home, server);
        let file = Arc::new(LoginFile::new(path, url.to_string()));
        Self {
            server: server.clone(),
            url,
            client,
            identity,
            file,
            current: Mutex::default(),
        }
    }

    /// What there is.
    ///
    /// # Errors
    /// E3004 where the file cannot be read.
    pub fn state(&self) -> Result<Option<LoginState>> {
        let Some(kept) = self.file.read()? else {
            return Ok(None);
        };
        Ok(kept.access_token().map(|_| LoginState {
            issuer: kept.credentials.issuer.clone(),
            scopes: kept.credentials.granted_scopes.clone(),
            ends: kept
                .ends()
                .and_then(|ends| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(ends))),
            is_renewable: kept.is_renewable(),
        }))
    }

    /// What goes with a request, where somebody has logged in. A token that is about to end is renewed.
    ///
    /// # Errors
    /// Those of reading the file and of renewing.
    pub(super) async fn token(&self) -> Result<Option<HeaderValue>> {
        let mut current = self.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| token.is_fresh()) {
            return Ok(Some(token.header.clone()));
        }
        *current = match self.file.read()? {
            None => self.of_machine().await?,
            Some(kept) => match Token::of(&kept) {
                Some(token) if token.is_fresh() => Some(token),
                _ => self.renewed(&kept).await?,
            },
        };
        Ok(current.as_ref().map(|token| token.header.clone()))
    }

    /// Another token than the one that was rejected, where there is one to be had without a person.
    ///
    /// # Errors
    /// As for [`Login::token`].
    pub(super) async fn another(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        let mut current = self.current.lock().await;
        // Another request, or another process, was here before.
        if let Some(token) = current.as_ref().filter(|token| token.header != *rejected) {
            return Ok(Some(token.header.clone()));
        }
        let kept = self.file.read()?;
        let there = kept.as_ref().and_then(Token::of);
        *current = match (there, &kept) {
            (Some(token), _) if token.header != *rejected => Some(token),
            (_, Some(kept)) => self.renewed(kept).await?,
            (_, None) => self.of_machine().await?,
        };
        Ok(current.as_ref().map(|token| token.header.clone()))
    }

    /// The next token, from the authorization server that gave this one. Nothing where only a person can get another.
    async fn renewed(&self, kept: &Kept) -> Result<Option<Token>> {
        if self.identity.is_machine {
            return self.of_machine().await;
        }
        if !kept.is_renewable() {
            return Ok(None);
        }
        let doing = || format!("renewing the login to {}", self.server);
        let mut manager = self.manager().await?;
        let found = self.ask(&manager).await;
        let metadata = found.map_err(|error| error.while_doing(doing()))?.metadata;
        // What is a secret between us and one authorization server is shown to no other one.
        if metadata.issuer != kept.credentials.issuer {
            return Ok(None);
        }
        manager.set_metadata(metadata);
        self.introduce(&mut manager, &kept.registration)?;
        match manager.refresh_token().await {
            Ok(_) => Ok(self.file.read()?.as_ref().and_then(Token::of)),
            Err(AuthError::TokenRefreshRejected(_) | AuthError::AuthorizationRequired) => Ok(None),
            Err(error) => Err(failed(error).while_doing(doing())),
        }
    }

    /// A token for a client that needs no person; nothing where we are no such client.
    async fn of_machine(&self) -> Result<Option<Token>> {
        let (true, Some(id), Some(secret)) = (
            self.identity.is_machine,
            &self.identity.id,
            &self.identity.secret,
        ) else {
            return Ok(None);
        };
        let doing = || format!("getting a token for {}", self.server);
        let mut manager = self.manager().await?;
        let found = self.ask(&manager).await;
        let metadata = found.map_err(|error| error.while_doing(doing()))?.metadata;
        self.expects(&metadata)?;
        manager.set_metadata(metadata);
        self.file.set_registration(Registration {
            id: id.clone(),
            secret: None,
            redirect: String::new(),
            is_registered: false,
        });
        let config = ClientCredentialsConfig::ClientSecret {
            client_id: id.clone(),
            client_secret: secret.clone(),
            scopes: self.identity.scopes.clone(),
            resource: Some(self.url.to_string()),
        };
        let configured = manager
            .validate_client_credentials_metadata(&config)
            .and_then(|()| manager.configure_client_credentials(&config));
        configured.map_err(|error| failed(error).while_doing(doing()))?;
        let exchanged = manager.exchange_client_credentials(&config).await;
        exchanged.map_err(|error| failed(error).while_doing(doing()))?;
        Ok(self.file.read()?.as_ref().and_then(Token::of))
    }

    /// Gets a token without a person, where the client can.
    ///
    /// # Errors
    /// E3507 where the authorization server gives none; those of the requests.
    pub async fn begin_as_machine(&self) -> Result<Option<LoginState>> {
        if !self.identity.is_machine {
            return Ok(None);
        }
        let mut current = self.current.lock().await;
        *current = self.of_machine().await?;
        self.state()
    }

    /// Asks where to log in. It may be told to whoever comes without a token, and nowhere else.
    async fn ask(&self, manager: &AuthorizationManager) -> Result<AuthorizationMetadataResolution> {
        let challenge = self.challenge().await?;
        let found = manager
            .resolve_metadata_from_challenge(challenge.as_deref())
            .await
            .map_err(failed)?;
        if challenge.is_none() && !found.source.is_discovered() {
            return Err(Error::new(
                Code::E3004,
                format!("{} asks nobody to log in", self.url.origin()),
            )
            .hint("It can be used as it is, or wants a key in a header: `toolhatch mcp add --header`."));
        }
        Ok(found)
    }

    /// A server can name any authorization server; who we are is told to the one that we are known to.
    fn expects(&self, metadata: &AuthorizationMetadata) -> Result<()> {
        let Some(issuer) = &self.identity.issuer else {
            return Ok(());
        };
        let trimmed = |text: &str| text.trim_end_matches('/').to_owned();
        let found = metadata.issuer.as_deref();
        if found.map(trimmed) == Some(trimmed(issuer)) {
            return Ok(());
        }
        Err(Error::new(
            Code::E3508,
            format!(
                "{} sends us to {}, and the client is registered with {issuer}",
                self.url.origin(),
                found.map_or_else(
                    || "an authorization server without a name".to_owned(),
                    |found| cut(found, 200)
                )
            ),
        )
        .hint("Nothing was sent there. If it has moved, change `oauth` of the server."))
    }

    async fn manager(&self) -> Result<AuthorizationManager> {
        let requests = Arc::new(Requests(Arc::clone(&self.client)));
        let url = self.url.to_string();
        let manager = AuthorizationManager::new_with_oauth_http_client(url, requests).await;
        let mut manager = manager.map_err(failed)?;
        manager.set_credential_store(Shared(Arc::clone(&self.file)));
        Ok(manager)
    }

    fn introduce(
        &self,
        manager: &mut AuthorizationManager,
        registration: &Registration,
    ) -> Result<()> {
        let mut config = OAuthClientConfig::new(&registration.id, &registration.redirect);
        if let Some(secret) = &registration.secret {
            config = config.with_client_secret(secret);
        }
        manager.configure_client(config).map_err(failed)?;
        self.file.set_registration(registration.clone());
        Ok(())
    }

    /// The port that browsers were sent back to the last time: a registration is for one address.
    #[must_use]
    pub fn known_port(&self) -> Option<u16> {
        let kept = self.file.read().ok()??;
        let redirect: Endpoint = kept.registration.redirect.parse().ok()?;
        Some(redirect.port())
    }

    /// Finds out where a person logs in, and registers there where that is needed. `redirect` is where the browser comes
    /// back to; `more` is asked for beside what was granted before.
    ///
    /// # Errors
    /// E3004 where the server asks nobody to log in; E3502, E3503 and E3506 where something does not answer, E3508 where
    /// what is said of the login is no use or not to be trusted; E3507 where we cannot be registered.
    pub async fn begin(&self, redirect: &str, more: &[String]) -> Result<Begun<'_>> {
        self.client.check(&self.url)?;
        let mut manager = self.manager().await?;
        let metadata = self.ask(&manager).await?.metadata;
        self.expects(&metadata)?;
        manager.set_metadata(metadata.clone());
        let kept = self.file.read()?;
        let kept = kept.filter(|kept| kept.credentials.issuer == metadata.issuer);
        let mut scopes = self.identity.scopes.clone();
        if !more.is_empty() {
            let before = kept
                .iter()
                .flat_map(|kept| &kept.credentials.granted_scopes);
            for scope in before.chain(more) {
                if !scopes.contains(scope) {
                    scopes.push(scope.clone());
                }
            }
        }
        if scopes.is_empty() {
            scopes = manager.select_initial_scopes(&[]).await;
        } else if knows_offline(&metadata) && !scopes.iter().any(|scope| scope == OFFLINE) {
            scopes.push(OFFLINE.to_owned());
        }
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let known = kept.map(|kept| kept.registration);
        let registration = match self.configured(&metadata, redirect) {
            Some(registration) => registration,
            None => match known.filter(|known| known.is_registered && known.redirect == redirect) {
                Some(known) => known,
                None => register(&mut manager, redirect, &scopes).await?,
            },
        };
        self.introduce(&mut manager, &registration)?;
        let address = manager.get_authorization_url(&scopes).await;
        let address = address.map_err(failed)?;
        // It is given to a browser: nothing but a page of the web may be in it.
        let address: Endpoint = address.parse().map_err(|error| {
            Error::new(
                Code::E3508,
                format!("the address to log in at is no use: {error}"),
            )
        })?;
        self.client.check(&address)?;
        let state = address.query("state").ok_or_else(|| {
            Error::new(
                Code::E3000,
                "the address to log in at says nothing of a state",
            )
        })?;
        Ok(Begun {
            login: self,
            manager,
            address,
            state,
            registration,
        })
    }

    /// Who somebody said that we are.
    fn configured(&self, metadata: &AuthorizationMetadata, redirect: &str) -> Option<Registration> {
        let reads_documents = metadata
            .additional_fields
            .get("client_id_metadata_document_supported")
            .and_then(Value::as_bool)
            .unwrap_or_default();
        let (id, secret) = match (&self.identity.id, &self.identity.document) {
            (Some(id), _) => (id, self.identity.secret.clone()),
            (None, Some(document)) if reads_documents => (document, None),
            _ => return None,
        };
        Some(Registration {
            id: id.clone(),
            secret,
            redirect: redirect.to_owned(),
            is_registered: false,
        })
    }

    /// What the server says to a request without a token, where it wants one.
    async fn challenge(&self) -> Result<Option<String>> {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_static;
        headers.insert("content-type", value("application/json"));
        headers.insert("accept", value("application/json, text/event-stream"));
        let request = json!({"jsonrpc": "2.0", "id": 0, "method": "ping"}).to_string();
        let sent = self.client.send(Method::POST, &self.url, headers, request);
        let answer = sent.await?;
        if answer.status() != 401 {
            return Ok(None);
        }
        Ok(Some(challenge_of(answer.headers("www-authenticate"))))
    }

    /// Forgets the tokens. True where there were any.
    ///
    /// # Errors
    /// E3000 where the file cannot be removed.
    pub fn forget(home: &Path, server: &PluginName) -> Result<bool> {
        LoginFile::new(path(home, server), String::new()).remove()
    }

    /// What is said where the server refuses a request for want of a token, or of a better one.
    pub(super) fn refusal(&self, status: u16, challenges: &[&str]) -> Error {
        refusal::of_server(&self.server, &self.url, status, challenges)
    }

    /// Where the tokens are kept.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }
}

fn path(home: &Path, server: &PluginName) -> PathBuf {
    home.join("logins").join(format!("{server}.json"))
}

async fn register(
    manager: &mut AuthorizationManager,
    redirect: &str,
    scopes: &[&str],
) -> Result<Registration> {
    let registered = manager.register_client(NAME, redirect, scopes).await;
    let config = registered.map_err(failed)?;
    Ok(Registration {
        id: config.client_id,
        secret: config.client_secret,
        redirect: redirect.to_owned(),
        is_registered: true,
    })
}

fn knows_offline(metadata: &AuthorizationMetadata) -> bool {
    let scopes = metadata.scopes_supported.iter().flatten();
    scopes.into_iter().any(|scope| scope == OFFLINE)
}
