//! What servers and authorization servers refuse, in our words.

use rmcp::transport::auth::{AuthError, WWWAuthenticateParams};

use super::super::message::cut;
use crate::error::{Code, Error};
use crate::ids::PluginName;
use crate::web::Endpoint;

/// What is said where the server refuses a request for want of a token, or of a better one.
pub(super) fn of_server(
    server: &PluginName,
    url: &Endpoint,
    status: u16,
    challenges: &[&str],
) -> Error {
    let challenge = challenge_of(challenges.iter().copied());
    let told = WWWAuthenticateParams::parse(&challenge, url.url());
    let scope = told.scope.filter(|scope| is_scope(scope));
    let command = format!("toolhatch mcp login {server}");
    let error = match (status, &scope) {
        (403, Some(scope)) => Error::new(
            Code::E3507,
            format!("{server} wants a login for more: {scope}"),
        )
        .hint(format!("Log in for it with `{command} --scope '{scope}'`."))
        .detail("scope", scope.clone()),
        _ => Error::new(Code::E3507, format!("{server} wants a login")).hint(format!(
            "Log in with `{command}`, or give it a key in a header."
        )),
    };
    error.detail("status", status).detail("login", command)
}

/// The challenge that is about tokens, of all there are.
pub(super) fn challenge_of<'a>(headers: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = headers.collect();
    let is_bearer = |text: &&&str| text.to_ascii_lowercase().contains("bearer");
    let found = all.iter().find(is_bearer).or(all.first());
    found.map(|text| (*text).to_owned()).unwrap_or_default()
}

/// True for scopes as they are seen in the world, which can stand between quotes in a shell: fewer than RFC 6749 (3.3) has.
fn is_scope(text: &str) -> bool {
    text.len() <= 500
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " -_.:/+*@,=".contains(c))
}

/// What went wrong, in our words.
pub(super) fn failed(error: AuthError) -> Error {
    use AuthError as Auth;
    let told = |text: &str| cut(text, 300);
    match error {
        Auth::PkceUnsupported => Error::new(
            Code::E3508,
            "its authorization server knows no PKCE with S256, without which a login can be stolen",
        ),
        Auth::RegistrationFailed(why) => Error::new(
            Code::E3507,
            format!("it does not take us as a client: {}", told(&why)),
        )
        .hint(
            "Register a client there by hand, and say which with `oauth.client_id` of the server.",
        ),
        Auth::AuthorizationServerMismatch { .. }
        | Auth::AuthorizationServerMissingIssuer { .. } => Error::new(
            Code::E3508,
            format!(
                "the login is not to be trusted: {}",
                told(&error.to_string())
            ),
        )
        .hint("Somebody may want to have a code for another server. Nothing was sent."),
        Auth::TokenExchangeFailed(why) | Auth::ClientCredentialsError(why) => {
            Error::new(Code::E3507, format!("it gave no token: {}", told(&why)))
        }
        Auth::TokenRefreshFailed(why) => Error::new(
            Code::E3502,
            format!("it did not renew the token: {}", told(&why)),
        ),
        Auth::CredentialStoreError(why) => {
            Error::new(Code::E3000, format!("keeping the login: {why}"))
        }
        Auth::DiscoveryRequestFailed { url, source } => match source.downcast::<Error>() {
            Ok(error) => error.while_doing("asking where to log in"),
            Err(source) => Error::new(
                Code::E3502,
                format!(
                    "asking {} where to log in",
                    url.origin().ascii_serialization()
                ),
            )
            .caused_by(source),
        },
        other => Error::new(
            Code::E3508,
            format!(
                "what it says of logging in is no use: {}",
                told(&other.to_string())
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, challenges: &[&str]) -> Error {
        let server: PluginName = "tracker".parse().expect("a name");
        let url: Endpoint = "https://mcp.example/mcp".parse().expect("a URL");
        of_server(&server, &url, status, challenges)
    }

    #[test]
    fn what_is_missing_is_named_with_the_command() {
        let challenges = [
            "Basic realm=\"x\"",
            "Bearer error=\"insufficient_scope\", scope=\"read issues:write\"",
        ];
        let error = refused(403, &challenges);
        assert_eq!(
            error.hints(),
            ["Log in for it with `toolhatch mcp login tracker --scope 'read issues:write'`."]
        );
        assert_eq!(error.details()["scope"], "read issues:write");
        assert_eq!(error.details()["login"], "toolhatch mcp login tracker");
        // The first login asks for what the server says that it needs.
        let error = refused(401, &challenges);
        assert!(!error.details().contains_key("scope"), "{error:?}");
    }

    #[test]
    fn a_command_that_is_shown_has_nothing_of_a_strangers_in_it() {
        for scope in [
            "a'; rm -rf ~; '",
            "$(id)",
            "`id`",
            "a\u{1b}[2J",
            "ä",
            &"x".repeat(600),
        ] {
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            let error = refused(403, &[&challenge]);
            assert!(!error.details().contains_key("scope"), "{scope}: {error:?}");
            assert!(!error.hints().join(" ").contains("--scope"), "{error:?}");
        }
        refused(401, &[""]);
        refused(403, &["Bearer", "Bearer scope=", "scope=\""]);
    }
}
