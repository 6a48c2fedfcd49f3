//! What is served to agents: a matter of the user and the operator. A project could otherwise open tools to others.

use super::Merge;
use crate::config::schema::{Http, OAuth, Profile, Serve, Token};
use crate::config::serve::{ProfileConfig, TokenConfig};
use crate::config::{Config, Origin};

impl Merge<'_> {
    pub(super) fn serve(&mut self, written: Serve) {
        self.http(written.http);
        for (name, token) in written.tokens {
            self.token(name, token);
        }
        self.oauth(written.oauth);
        for (name, profile) in written.profiles {
            self.profile(name, profile);
        }
    }

    fn http(&mut self, written: Http) {
        self.outward("serve.http.hosts", written.hosts, |config| {
            &mut config.serve.http.hosts
        });
        self.outward("serve.http.origins", written.origins, |config| {
            &mut config.serve.http.origins
        });
        self.optional_file("serve.http.certificate", written.certificate, |config| {
            &mut config.serve.http.certificate
        });
        self.optional_file("serve.http.key", written.key, |config| {
            &mut config.serve.http.key
        });
        self.outward("serve.http.behind_proxy", written.behind_proxy, |config| {
            &mut config.serve.http.behind_proxy
        });
        let size = self.size("serve.http.max_body", written.max_body);
        self.outward("serve.http.max_body", size, |config| {
            &mut config.serve.http.max_body
        });
        let grace = self.duration("serve.http.grace", written.grace);
        self.outward("serve.http.grace", grace, |config| {
            &mut config.serve.http.grace
        });
    }

    fn token(&mut self, name: String, written: Token) {
        let key = format!("serve.tokens.{name}");
        let is_digest = written.sha256.len() == 64
            && written
                .sha256
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !is_digest {
            let message = "expected the SHA-256 of a token: 64 lower-case hexadecimal digits";
            self.problem(&key, message);
            return;
        }
        if self.may_name("serve.tokens", &key) {
            let token = TokenConfig {
                sha256: written.sha256,
                profile: written.profile,
            };
            self.config.serve.tokens.insert(name, token);
        }
    }

    fn oauth(&mut self, written: OAuth) {
        for (key, value, slot) in [
            (
                "serve.oauth.issuer",
                written.issuer,
                (|config| &mut config.serve.oauth.issuer) as fn(&mut Config) -> &mut Option<String>,
            ),
            ("serve.oauth.resource", written.resource, |config| {
                &mut config.serve.oauth.resource
            }),
            ("serve.oauth.jwks", written.jwks, |config| {
                &mut config.serve.oauth.jwks
            }),
        ] {
            let url = self.checked(
                key,
                value,
                is_url,
                "expected a URL that begins with https://",
            );
            self.outward(key, url, slot);
        }
        self.outward("serve.oauth.scopes", written.scopes, |config| {
            &mut config.serve.oauth.scopes
        });
        self.outward("serve.oauth.profile", written.profile.map(Some), |config| {
            &mut config.serve.oauth.profile
        });
    }

    fn profile(&mut self, name: String, written: Profile) {
        let key = format!("serve.profiles.{name}");
        let mut profile = ProfileConfig {
            tools: Vec::new(),
            allow: written.allow,
            search_above: written.search_above,
        };
        for (index, id) in written.tools.iter().enumerate() {
            match id.parse() {
                Ok(id) => profile.tools.push(id),
                Err(error) => {
                    self.problem(&format!("{key}.tools[{index}]"), format!("{error}"));
                }
            }
        }
        if self.may_name("serve.profiles", &key) {
            self.config.serve.profiles.insert(name, profile);
        }
    }

    /// True where this layer may add to what has names.
    fn may_name(&mut self, table: &str, key: &str) -> bool {
        if matches!(self.origin, Origin::Project(_)) {
            self.problem(
                key,
                "a project cannot set this; write it into your own configuration",
            );
            return false;
        }
        self.note(table);
        true
    }
}

/// Plain HTTP goes to this machine alone, which is for tests of one's own.
fn is_url(text: &str) -> bool {
    let rest = |scheme| text.strip_prefix(scheme).unwrap_or_default();
    let is_here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
        rest("http://")
            .strip_prefix(host)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
    });
    let plain = !text.contains(char::is_whitespace) && !text.contains('#');
    plain && (is_here || !rest("https://").is_empty())
}
