//! `toolhatch mcp token`: a bearer token for a client of the HTTP server.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::offers;
use crate::app::App;
use crate::cli::output::CommandOutput;
use crate::error::{Code, Error, Result};

/// What tokens begin with, so that whatever looks for leaked ones knows them.
const PREFIX: &str = "thk_";
/// The longest name of a client.
const MAX_NAME: usize = 64;

/// Make a bearer token for a client of `toolhatch mcp serve --http`.
///
/// It is shown once and written nowhere: give it to the client, and put the lines that are shown with it, which hold only
/// its SHA-256, into your configuration.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch mcp token ci
  toolhatch mcp token ci --profile reading
  toolhatch mcp token ci --json")]
pub struct Args {
    /// What the client is called: its calls are recorded and limited as `token NAME`.
    name: String,
    /// The profile of the configuration that the client is served.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let Self { name, profile } = self;
        if !is_name(&name) {
            return Err(Error::new(
                Code::E3004,
                format!("{name:?} cannot be the name of a client"),
            )
            .hint("A name has up to 64 letters, digits, `_` and `-`."));
        }
        let serve = &app.config.serve;
        if let Some(profile) = &profile
            && !serve.profiles.contains_key(profile)
        {
            return Err(offers::unknown(profile, serve.profiles.keys()));
        }
        let mut secret = [0; 32];
        SystemRandom::new().fill(&mut secret).map_err(|_| {
            Error::new(
                Code::E3000,
                "making a token: the system gave no random numbers",
            )
        })?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let digest: String = Sha256::digest(token.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut lines = format!("[serve.tokens.{name}]\nsha256 = \"{digest}\"\n");
        if let Some(profile) = &profile {
            // Names of profiles are whatever a key in TOML can be.
            let quoted = toml::Value::from(profile.as_str());
            lines.push_str(&format!("profile = {quoted}\n"));
        }
        let place = if serve.tokens.contains_key(&name) {
            format!("in place of those of {name}, whose token then ends")
        } else {
            "beside what is there".to_owned()
        };
        let file = app.paths.user_config.as_ref();
        let file = file.map_or_else(
            || "your configuration".to_owned(),
            |file| file.display().to_string(),
        );
        let text = format!(
            "{token}\n\nGive this to the client; it is shown this once and written nowhere. In {file}, {place}:\n\n{lines}",
        );
        let json = json!({
            "name": name,
            "token": token,
            "sha256": digest,
            "profile": profile,
            "config": lines,
        });
        Ok(CommandOutput::new(text, json))
    }
}

/// What a key of TOML may be without quotes.
fn is_name(name: &str) -> bool {
    let is_character = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_character)
}
