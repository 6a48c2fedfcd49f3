//! Clients that an authorization server vouches for: one of the tests, on this machine.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::mcp_client::handshake;
use crate::support::mcp_http::{Answer, ECHO, Served, hex, probing};
use crate::support::source::root;

const RESOURCE: &str = "https://tools.example.com/mcp";
const METADATA: &str = "https://tools.example.com/.well-known/oauth-protected-resource/mcp";

/// A key of the authorization server.
struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).expect("a key");
        Self { id, pair }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": encode(x), "y": encode(y)})
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": self.id}).to_string();
        let text = format!("{}.{}", encode(header), encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes());
        format!("{text}.{}", encode(signature.expect("signed")))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs()
}

/// An authorization server whose keys change, and that can be out of order.
struct Issuer {
    server: Server,
    /// What it publishes; nothing where it is out of order.
    keys: Arc<Mutex<Option<Vec<Value>>>>,
}

impl Issuer {
    fn start(keys: Option<Vec<Value>>) -> Self {
        let keys = Arc::new(Mutex::new(keys));
        let published = Arc::clone(&keys);
        let server = Server::start(move |request| {
            let host = request.header("host").unwrap_or_default();
            let published = published.lock().expect("not poisoned").clone();
            match (request.target.as_str(), published) {
                (_, None) => Response::new(503, "out of order"),
                ("/.well-known/oauth-authorization-server", _) => {
                    let url = format!("http://{host}");
                    let metadata = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
                    Response::new(200, metadata.to_string())
                }
                ("/keys", Some(keys)) => Response::new(200, json!({"keys": keys}).to_string()),
                _ => Response::new(404, "nothing here"),
            }
        });
        Self { server, keys }
    }

    fn publish(&self, keys: Option<Vec<Value>>) {
        *self.keys.lock().expect("not poisoned") = keys;
    }

    fn url(&self) -> String {
        self.server.url("")
    }

    /// What a good token of it says, with this laid over it.
    fn claims(&self, over: Value) -> Value {
        let mut claims = json!({
            "iss": self.url(), "aud": RESOURCE, "sub": "ada", "client_id": "agent",
            "iat": now(), "exp": now() + 300, "scope": "openid tools:call",
        });
        for (name, value) in over.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    }

    /// A server that trusts it, with a static token beside.
    fn trusting(&self, env: &TestEnv) -> Served {
        let config = format!(
            "[serve.oauth]\nissuer = \"{}\"\nresource = \"{RESOURCE}\"\nscopes = [\"tools:call\"]\nprofile = \"reading\"\n\
             [serve.tokens.ci]\nsha256 = \"{}\"\n\
             [serve.profiles.reading]\ntools = [\"files.read\"]\n",
            self.url(),
            hex("static"),
        );
        env.write(env.user_config(), config.as_bytes());
        let files = root().join("plugins/dist/files.wasm");
        Served::start(env, &[&files.to_string_lossy(), &probing()])
    }
}

fn list(served: &Served, token: &str) -> Answer {
    let header = format!("Bearer {token}");
    served.request(&[("authorization", &*header)], "tools/list", json!({}))
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let listed = answer.json();
    let tools = listed["result"]["tools"].as_array().expect("tools");
    let names = tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name").to_owned());
    names.collect()
}

#[test]
fn a_good_token_gets_its_profile_and_others_get_nowhere() {
    let env = TestEnv::new();
    let key = Key::new("a");
    let issuer = Issuer::start(Some(vec![key.jwk()]));
    let served = issuer.trusting(&env);
    let good = key.sign(&issuer.claims(json!({})));
    assert_eq!(names(&list(&served, &good)), ["files_read"]);
    // Nobody asked for keys before there was a token, and one answer did for all that follow.
    assert_eq!(issuer.server.requests().len(), 2);
    assert!(names(&list(&served, "static")).contains(&ECHO.to_owned()));
    let header = format!("Bearer {good}");
    let read = json!({"name": "files_read", "arguments": {"path": "/none"}});
    served.request(&[("authorization", &*header)], "tools/call", read);
    let calls = env.run(["calls", "list", "--json"]).ok();
    assert!(
        calls
            .stdout
            .contains(&format!("oauth {} ada", issuer.url())),
        "{calls}"
    );

    let stranger = Key::new("a");
    for (token, why) in [
        (stranger.sign(&issuer.claims(json!({}))), "signature"),
        (Key::new("b").sign(&issuer.claims(json!({}))), "not known"),
        (
            key.sign(&issuer.claims(json!({"aud": "https://other.example.com/mcp"}))),
            "another resource",
        ),
        (
            key.sign(&issuer.claims(json!({"iss": "https://evil.example.com"}))),
            "another issuer",
        ),
        (
            key.sign(&issuer.claims(json!({"exp": now() - 3600}))),
            "expired",
        ),
        (
            key.sign(&issuer.claims(json!({"nbf": now() + 3600}))),
            "not valid yet",
        ),
        (format!("{good}x"), "signature"),
        ("x".repeat(20_000), "too long"),
        ("wrong".to_owned(), "no json web token"),
    ] {
        let answer = list(&served, &token);
        assert_eq!(answer.status, 401, "{why}: {answer:?}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(
            challenge.starts_with("bearer error=\"invalid_token\""),
            "{challenge}"
        );
        assert!(challenge.contains(why), "{why}: {challenge}");
        assert!(
            challenge.contains(&format!("resource_metadata=\"{METADATA}\"")),
            "{challenge}"
        );
    }
    let less = list(
        &served,
        &key.sign(&issuer.claims(json!({"scope": "openid"}))),
    );
    assert_eq!(less.status, 403, "{less:?}");
    let challenge = less.header("www-authenticate").expect("a challenge");
    assert!(
        challenge.starts_with("bearer error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(challenge.contains("scope=\"tools:call\""), "{challenge}");
    // Who shows nothing is told where to get something, and not that anything was wrong.
    let silent = served.request(&[], "tools/list", json!({}));
    let challenge = silent.header("www-authenticate").expect("a challenge");
    assert_eq!(silent.status, 401);
    assert!(
        challenge.contains(METADATA) && !challenge.contains("error"),
        "{challenge}"
    );
    // What is wrong with a token never shows it.
    let shown = served.running.shown();
    assert!(!shown.contains(&good), "{shown}");
}

#[test]
fn the_metadata_of_the_resource_is_for_everybody() {
    let env = TestEnv::new();
    let issuer = Issuer::start(None);
    let served = issuer.trusting(&env);
    for path in ["", "/mcp"] {
        let line = format!("GET /.well-known/oauth-protected-resource{path}");
        let answer = served.send(&line, &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let metadata = answer.json();
        assert_eq!(metadata["resource"], RESOURCE);
        assert_eq!(metadata["authorization_servers"], json!([issuer.url()]));
        assert_eq!(metadata["scopes_supported"], json!(["tools:call"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
    assert_eq!(
        served
            .send("POST /.well-known/oauth-protected-resource", &[], b"")
            .status,
        405
    );
    // Where there is no authorization server there is nothing to say of one.
    let plain = TestEnv::new();
    let served = Served::start(&plain, &[&probing()]);
    assert_eq!(
        served
            .send("GET /.well-known/oauth-protected-resource", &[], b"")
            .status,
        404
    );
}

#[test]
fn keys_can_be_other_ones_later() {
    let env = TestEnv::new();
    let (old, new) = (Key::new("old"), Key::new("new"));
    let issuer = Issuer::start(Some(vec![old.jwk()]));
    let served = issuer.trusting(&env);
    assert_eq!(
        list(&served, &old.sign(&issuer.claims(json!({})))).status,
        200
    );
    issuer.publish(Some(vec![new.jwk()]));
    assert_eq!(
        list(&served, &new.sign(&issuer.claims(json!({})))).status,
        200
    );
    assert_eq!(
        list(&served, &old.sign(&issuer.claims(json!({})))).status,
        401
    );
    // Naming keys that nobody has does not make it ask again and again.
    let asked = issuer.server.requests().len();
    for _ in 0..5 {
        assert_eq!(
            list(&served, &Key::new("x").sign(&issuer.claims(json!({})))).status,
            401
        );
    }
    assert_eq!(issuer.server.requests().len(), asked);
}

#[test]
fn without_keys_nobody_is_let_in_and_with_them_later_they_are() {
    let env = TestEnv::new();
    let key = Key::new("a");
    let issuer = Issuer::start(None);
    let served = issuer.trusting(&env);
    let token = key.sign(&issuer.claims(json!({})));
    let answer = list(&served, &token);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    served.running.wait_for("keys of the authorization server");
    // Whoever does not need them is served.
    assert_eq!(list(&served, "static").status, 200);
    issuer.publish(Some(vec![key.jwk()]));
    let began = Instant::now();
    while list(&served, &token).status == 503 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it never asked again"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(list(&served, &token).status, 200);
    // Out of order again: what is known goes on holding, and of what is not nothing is said.
    issuer.publish(None);
    assert_eq!(list(&served, &token).status, 200);
    assert_eq!(
        list(&served, &Key::new("b").sign(&issuer.claims(json!({})))).status,
        503
    );
}

#[test]
fn a_session_belongs_to_its_subject_and_there_is_room_for_many() {
    let env = TestEnv::new();
    let key = Key::new("a");
    let issuer = Issuer::start(Some(vec![key.jwk()]));
    let served = issuer.trusting(&env);
    let bearer = |sub: &str| {
        let token = key.sign(&issuer.claims(json!({"sub": sub})));
        format!("Bearer {token}")
    };
    let hello = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": handshake("2025-11-25", json!({})),
    });
    let (ada, eve) = (bearer("ada"), bearer("eve"));
    let answer = served.post(&[("authorization", &*ada)], &hello);
    let session = answer.header("mcp-session-id").expect("a session");
    let session = session.to_owned();
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let with = |token: &str| {
        let headers = [("authorization", token), ("mcp-session-id", &*session)];
        served.post(&headers, &ping).status
    };
    assert_eq!(with(&eve), 404);
    // More than there are places for: those who have nothing open make room, and who has a session keeps it.
    for number in 0..1100 {
        let token = bearer(&format!("agent-{number}"));
        let answer = served.send("DELETE /mcp", &[("authorization", &*token)], b"");
        assert_eq!(answer.status / 100, 4, "{number}: {answer:?}");
    }
    assert_eq!(with(&ada), 200);
    assert_eq!(with(&eve), 404);
}

#[test]
fn half_a_configuration_does_not_start() {
    for (config, missing) in [
        (
            "[serve.oauth]\nissuer = \"https://auth.example.com\"\n",
            "serve.oauth.resource",
        ),
        (
            "[serve.oauth]\nresource = \"https://tools.example.com/mcp\"\n",
            "serve.oauth.issuer",
        ),
    ] {
        let env = TestEnv::new();
        env.write(env.user_config(), config.as_bytes());
        let serving = env.run(["mcp", "serve", "--http", "127.0.0.1:0"]);
        let output = serving.output().fails_with(2, "E3004");
        assert!(output.stderr.contains(missing), "{output}");
    }
}
