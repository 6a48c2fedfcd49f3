//! What a login left: who we are to the authorization server, and the tokens. Each server has a file of its own, which only
//! its owner can read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rmcp::transport::auth::{
    AuthError, CredentialRefreshGuard, CredentialStore, StoredCredentials,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::fsx;

/// The largest file that is read. Access tokens have a few kilobytes.
const MAX_FILE: u64 = 256 << 10;
/// The layout of the file.
const VERSION: u32 = 1;

/// Who we are to an authorization server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Registration {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// Where it sends browsers back to.
    pub(super) redirect: String,
    /// The server gave us the id when we registered.
    pub(super) is_registered: bool,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("id", &self.id)
            .field("secret", &self.secret.is_some())
            .field("redirect", &self.redirect)
            .finish_non_exhaustive()
    }
}

/// The content of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    /// The URL of the server that the tokens are for. They are sent to no other one.
    url: String,
    pub(super) registration: Registration,
    pub(super) credentials: StoredCredentials,
}

impl Kept {
    fn token(&self, member: &str) -> Option<Value> {
        let token = serde_json::to_value(self.credentials.token_response.as_ref()?).ok()?;
        token.get(member).cloned()
    }

    /// The access token.
    pub(super) fn access_token(&self) -> Option<String> {
        Some(self.token("access_token")?.as_str()?.to_owned())
    }

    /// True where the access token can be renewed.
    pub(super) fn is_renewable(&self) -> bool {
        self.token("refresh_token")
            .is_some_and(|token| token.is_string())
    }

    /// When the access token ends, in seconds since 1970, where the authorization server said so.
    pub(super) fn ends(&self) -> Option<u64> {
        let lasts = self.token("expires_in")?.as_u64()?;
        Some(self.credentials.token_received_at?.saturating_add(lasts))
    }
}

/// The file of one server.
#[derive(Debug)]
pub(super) struct LoginFile {
    path: PathBuf,
    url: String,
    /// Goes into the file with the next tokens.
    registration: Mutex<Option<Registration>>,
}

impl LoginFile {
    pub(super) fn new(path: PathBuf, url: String) -> Self {
        Self {
            path,
            url,
            registration: Mutex::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What tokens come with from now on.
    pub(super) fn set_registration(&self, registration: Registration) {
        let mut known = self
            .registration
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(registration);
    }

    /// What is there for this server at this URL.
    ///
    /// # Errors
    /// E3004 where the file cannot be read.
    pub(super) fn read(&self) -> Result<Option<Kept>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let text = fsx::read_text(&self.path, MAX_FILE)?;
        let damaged = |why: String| {
            Error::new(
                Code::E3004,
                format!("reading the login in {}: {why}", self.path.display()),
            )
            .hint("Remove the file, and log in again with `toolhatch mcp login`.")
        };
        let kept: Kept =
            serde_json::from_str(&text).map_err(|error| damaged(shape(&error).to_owned()))?;
        if kept.version != VERSION {
            return Err(damaged(format!(
                "its version is {} and not {VERSION}",
                kept.version
            )));
        }
        Ok((kept.url == self.url).then_some(kept))
    }

    fn write(&self, kept: &Kept) -> Result<()> {
        let text = serde_json::to_vec_pretty(kept).map_err(|error| {
            Error::new(Code::E3000, "writing down a login").caused_by(shape(&error))
        })?;
        if let Some(folder) = self.path.parent() {
            fsx::create_private_dir(folder)?;
        }
        fsx::write_atomic(&self.path, &text, 0o600)
    }

    /// Forgets the login. True where there was one.
    ///
    /// # Errors
    /// E3000 where the file cannot be removed.
    pub(super) fn remove(&self) -> Result<bool> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(
                Error::new(Code::E3000, format!("removing {}", self.path.display()))
                    .caused_by(error),
            ),
        }
    }
}

/// What is wrong with a text that can hold secrets: the error itself would show some of it.
fn shape(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "it is no JSON",
        _ => "it is no login",
    }
}

fn stored(error: &Error) -> AuthError {
    AuthError::CredentialStoreError(error.to_string())
}

/// How the protocol library reaches the file.
#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) std::sync::Arc<LoginFile>);

#[async_trait::async_trait]
impl CredentialStore for Shared {
    async fn load(&self) -> std::result::Result<Option<StoredCredentials>, AuthError> {
        let kept = self.0.read().map_err(|error| stored(&error))?;
        Ok(kept.map(|kept| kept.credentials))
    }

    async fn save(&self, credentials: StoredCredentials) -> std::result::Result<(), AuthError> {
        let registration = {
            let known = &self.0.registration;
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone()
        };
        let registration = registration
            .ok_or_else(|| AuthError::CredentialStoreError("nobody has registered".to_owned()))?;
        let kept = Kept {
            version: VERSION,
            url: self.0.url.clone(),
            registration,
            credentials,
        };
        self.0.write(&kept).map_err(|error| stored(&error))
    }

    async fn clear(&self) -> std::result::Result<(), AuthError> {
        self.0.remove().map(drop).map_err(|error| stored(&error))
    }

    /// One process renews at a time: a refresh token often works only once.
    async fn acquire_refresh_guard(
        &self,
    ) -> std::result::Result<Option<CredentialRefreshGuard>, AuthError> {
        let path = self.0.path.with_extension("lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = fsx::open_lock(&path)?;
            file.lock().map_err(|error| {
                Error::new(Code::E3000, format!("locking {}", path.display())).caused_by(error)
            })?;
            Ok::<_, Error>(file)
        });
        match locked.await {
            Ok(Ok(file)) => Ok(Some(CredentialRefreshGuard::new(file))),
            Ok(Err(error)) => Err(stored(&error)),
            Err(error) => Err(AuthError::CredentialStoreError(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const URL: &str = "https://mcp.example/mcp";

    fn file(folder: &Path, url: &str) -> LoginFile {
        LoginFile::new(folder.join("logins/tracker.json"), url.to_owned())
    }

    fn credentials(token: &Value) -> StoredCredentials {
        let credentials = json!({
            "client_id": "c1", "token_response": token, "granted_scopes": ["read"], "token_received_at": 1000, "issuer": null,
        });
        serde_json::from_value(credentials).expect("credentials")
    }

    #[tokio::test]
    async fn what_is_kept_is_there_for_the_same_url_and_shown_to_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = Arc::new(file(folder.path(), URL));
        assert!(own.read().expect("readable").is_none());
        own.set_registration(Registration {
            id: "c1".to_owned(),
            secret: Some("s3cret".to_owned()),
            redirect: "http://127.0.0.1:1/callback".to_owned(),
            is_registered: true,
        });
        let token = json!({
            "access_token": "t0ken", "token_type": "bearer", "expires_in": 60, "refresh_token": "r3new",
        });
        let shared = Shared(Arc::clone(&own));
        shared.save(credentials(&token)).await.expect("saved");
        let kept = own.read().expect("readable").expect("there");
        assert_eq!(kept.access_token().as_deref(), Some("t0ken"));
        assert_eq!((kept.ends(), kept.is_renewable()), (Some(1060), true));
        assert_eq!(kept.registration.secret.as_deref(), Some("s3cret"));
        let shown = format!("{kept:?} {own:?}");
        for secret in ["t0ken", "r3new", "s3cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let other = file(folder.path(), "https://other.example/mcp");
        assert!(other.read().expect("readable").is_none());
        assert!(other.remove().expect("removable"));
        assert!(!own.remove().expect("nothing there"));
    }

    #[test]
    fn a_damaged_file_is_told_without_what_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = file(folder.path(), URL);
        let path = own.path().to_owned();
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        for (text, why) in [
            (&b"{\"version\": 1, \"t0ken"[..], "ends too early"),
            (b"t0ken", "no JSON"),
            (b"{\"version\": \"t0ken\"}", "no login"),
            (b"\xff\xfe", "UTF-8"),
        ] {
            fsx::write_atomic(&path, text, 0o600).expect("written");
            let error = own.read().expect_err("damaged");
            let told = format!("{error} {:?}", error.causes());
            assert!(told.contains(why) && !told.contains("t0ken"), "{told}");
        }
        fsx::write_atomic(&path, &vec![b' '; 300 << 10], 0o600).expect("written");
        assert_eq!(own.read().expect_err("too large").code(), Code::E3004);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_panic(text in ".{0,300}") {
            let read = serde_json::from_str::<Kept>(&text);
            prop_assert!(read.is_err());
        }
    }
}
