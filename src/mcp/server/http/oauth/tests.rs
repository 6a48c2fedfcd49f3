//! Tokens made by keys of the tests, each of which is wrong in one way.

mod fetching;
mod hostile;
mod signer;

use serde_json::{Value, json};

use self::signer::{Signer, now};
use super::super::client::Stranger;
use super::jwks::KeySet;
use super::token::{Expected, Refused, header, principal};
use super::*;

const ISSUER: &str = "https://auth.example";
const RESOURCE: &str = "https://tools.example/mcp";

fn expected() -> Expected {
    Expected {
        issuer: ISSUER.to_owned(),
        resource: RESOURCE.to_owned(),
        scopes: vec!["tools".to_owned(), "tools:call".to_owned()],
    }
}

/// What a good token says, with this laid over it; what is null is taken away.
fn claims(over: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "ada", "exp": now() + 300,
        "scope": "openid tools tools:call",
    });
    for (name, value) in over.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// What comes of a token by a set of keys.
fn check(keys: &KeySet, token: &str) -> std::result::Result<String, Refused> {
    signature::install().expect("ours");
    let header = header(token)?;
    let key = keys.find(header.kid.as_deref(), header.alg);
    let key = key.ok_or(Refused::Invalid("no key"))?;
    principal(token, header.alg, key, &expected())
}

fn keys(signers: &[&Signer]) -> KeySet {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
    KeySet::read(json!({"keys": keys}).to_string().as_bytes()).expect("a set")
}

#[test]
fn every_accepted_algorithm_lets_its_subject_in() {
    let signers = ["RS256", "PS256", "ES256", "ES384", "EdDSA"].map(|name| Signer::new(name, name));
    let keys = keys(&signers.each_ref());
    for signer in &signers {
        let token = signer.token(&claims(&json!({})));
        let checked = check(&keys, &token);
        assert_eq!(
            checked.as_deref(),
            Ok("oauth https://auth.example ada"),
            "{}",
            signer.id
        );
        // One signature of another key, and one of other claims.
        let other = Signer::new(signer.algorithm, signer.id).token(&claims(&json!({})));
        if !matches!(signer.algorithm, "RS256" | "PS256") {
            assert_eq!(check(&keys, &other), Err(WRONG), "{}", signer.id);
        }
        let (head, rest) = token.split_once('.').expect("three parts");
        let (_, mark) = rest.split_once('.').expect("three parts");
        let eve = signer::encode(claims(&json!({"sub": "eve"})).to_string());
        assert_eq!(
            check(&keys, &format!("{head}.{eve}.{mark}")),
            Err(WRONG),
            "{}",
            signer.id
        );
    }
}

const WRONG: Refused = Refused::Invalid("the signature of the token is wrong");

#[test]
fn claims_that_are_not_right_are_refused() {
    let signer = Signer::new("ES256", "a");
    let keys = keys(&[&signer]);
    let refused = |over: Value, why: &str| match check(&keys, &signer.token(&claims(&over))) {
        Err(Refused::Invalid(said)) => assert!(said.contains(why), "{over}: {said}"),
        other => panic!("{over}: {other:?}"),
    };
    for iss in [
        json!("https://auth.example/"),
        json!("https://other.example"),
        json!([ISSUER, "x"]),
    ] {
        let why = if iss.is_array() {
            "cannot be read"
        } else {
            "another issuer"
        };
        refused(json!({"iss": iss}), why);
    }
    for aud in [
        json!("https://tools.example"),
        json!("https://tools.example/mcp/"),
        json!([]),
        json!(["a", "b"]),
    ] {
        refused(json!({"aud": aud}), "another resource");
    }
    for (claim, value) in [
        ("iss", json!(null)),
        ("aud", json!(null)),
        ("aud", json!(7)),
        ("exp", json!(null)),
        ("exp", json!("soon")),
        ("exp", json!(-1)),
        ("nbf", json!("soon")),
    ] {
        refused(json!({claim: value}), "claim");
    }
    refused(json!({"exp": now() - 61 - 5}), "expired");
    refused(json!({"exp": 0}), "expired");
    refused(json!({"nbf": now() + 120}), "not valid yet");
    refused(json!({"sub": null}), "whom it speaks for");
    for sub in ["", "a b", "a\nb", "a\u{7f}", &"x".repeat(256)] {
        refused(json!({"sub": sub}), "not plain");
    }
    refused(json!({"sub": 7}), "cannot be read");
    refused(json!({"cnf": {"jkt": "x"}}), "bound to a key");
}

#[test]
fn clocks_may_be_apart_and_claims_have_several_forms() {
    let signer = Signer::new("ES256", "a");
    let keys = keys(&[&signer]);
    let ada = "oauth https://auth.example ada";
    for (over, who) in [
        (json!({"exp": now() - 30}), ada),
        (json!({"nbf": now() + 30}), ada),
        (json!({"aud": ["https://other.example", RESOURCE]}), ada),
        (json!({"scope": ["tools", "tools:call"]}), ada),
        (json!({"scope": "tools", "scp": ["tools:call"]}), ada),
        (
            json!({"sub": null, "client_id": "ci"}),
            "oauth https://auth.example client ci",
        ),
    ] {
        let checked = check(&keys, &signer.token(&claims(&over)));
        assert_eq!(checked.as_deref(), Ok(who), "{over}");
    }
    for scope in [
        json!(null),
        json!("tools"),
        json!("tools tools:calls"),
        json!(["tools tools:call"]),
    ] {
        let checked = check(&keys, &signer.token(&claims(&json!({"scope": scope}))));
        assert_eq!(checked, Err(Refused::Insufficient), "{scope}");
    }
}

#[test]
fn a_token_does_not_choose_how_it_is_checked() {
    let signer = Signer::new("ES256", "a");
    let rsa = Signer::new("RS256", "r");
    let keys = keys(&[&signer, &rsa]);
    let good = claims(&json!({}));
    let refused = |token: String, why: &str| match check(&keys, &token) {
        Err(Refused::Invalid(said)) => assert!(said.contains(why), "{token}: {said}"),
        other => panic!("{token}: {other:?}"),
    };
    // The public key, which everybody has, as the secret of an HMAC.
    for key in [signer.public(), rsa.public()] {
        for name in ["HS256", "HS384", "HS512"] {
            let header = json!({"alg": name, "typ": "JWT", "kid": "a"});
            refused(signer::hmac(&key, &header, &good), "algorithm");
        }
    }
    for name in ["none", "None", "NONE", ""] {
        let header = json!({"alg": name, "kid": "a"});
        let text = format!(
            "{}.{}.",
            signer::encode(header.to_string()),
            signer::encode(good.to_string())
        );
        refused(text, "no JSON Web Token");
    }
    for name in ["RS384", "RS512", "PS384", "PS512"] {
        refused(
            rsa.token_of(&json!({"alg": name, "kid": "r"}), &good),
            "algorithm",
        );
    }
    // A good signature under the name of another algorithm or key.
    refused(
        signer.token_of(&json!({"alg": "ES384", "kid": "a"}), &good),
        "no key",
    );
    refused(
        signer.token_of(&json!({"alg": "RS256", "kid": "a"}), &good),
        "no key",
    );
    refused(
        rsa.token_of(&json!({"alg": "PS256", "kid": "r"}), &good),
        "no key",
    );
    refused(
        signer.token_of(&json!({"alg": "RS256", "kid": "r"}), &good),
        "signature",
    );
    refused(
        signer.token_of(&json!({"alg": "ES256", "kid": "b"}), &good),
        "no key",
    );
    // A key that a token brings along is nobody's.
    let stranger = Signer::new("ES256", "a");
    let header =
        json!({"alg": "ES256", "kid": "a", "jwk": stranger.jwk(), "jku": "https://evil.example"});
    refused(stranger.token_of(&header, &good), "signature");
    refused(
        signer.token_of(
            &json!({"alg": "ES256", "kid": "a", "crit": ["b64"], "b64": false}),
            &good,
        ),
        "not known here",
    );
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt"] {
        refused(
            signer.token_of(&json!({"alg": "ES256", "kid": "a", "typ": typ}), &good),
            "something else",
        );
    }
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "jwt"] {
        let token = signer.token_of(&json!({"alg": "ES256", "kid": "a", "typ": typ}), &good);
        assert!(check(&keys, &token).is_ok(), "{typ}");
    }
    // Without a name there has to be no choice.
    assert!(check(&keys, &signer.token_of(&json!({"alg": "ES256"}), &good)).is_ok());
    let two = self::keys(&[&signer, &stranger]);
    let unnamed = signer.token_of(&json!({"alg": "ES256"}), &good);
    assert_eq!(check(&two, &unnamed), Err(Refused::Invalid("no key")));
}

#[test]
fn keys_that_are_not_for_tokens_are_left_out() {
    let signer = Signer::new("ES256", "a");
    let with = |over: Value| {
        let mut jwk = signer.jwk();
        for (name, value) in over.as_object().expect("an object") {
            jwk[name] = value.clone();
        }
        // The one beside it stays, whatever is wrong with this one.
        let other = Signer::new("EdDSA", "b").jwk();
        let text = json!({"keys": [jwk, other, 7, {"kty": "new"}]}).to_string();
        let keys = KeySet::read(text.as_bytes()).expect("a set");
        assert!(
            keys.find(Some("b"), jsonwebtoken::Algorithm::EdDSA)
                .is_some()
        );
        check(&keys, &signer.token(&claims(&json!({})))).is_ok()
    };
    for over in [
        json!({}),
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"alg": "ES256"}),
    ] {
        assert!(with(over.clone()), "{over}");
    }
    for over in [
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "ES384"}),
        json!({"alg": "HS256"}),
        json!({"crv": "P-384"}),
        json!({"crv": "secp256k1"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"x": "AAAA"}),
        json!({"x": "!"}),
        json!({"kid": "c"}),
        json!({"kid": 7}),
    ] {
        assert!(!with(over.clone()), "{over}");
    }
    for text in [
        "",
        "[]",
        "{}",
        "{\"keys\": {}}",
        "<html>",
        "{\"keys\": [",
        "\u{0}",
    ] {
        assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn half_a_configuration_is_an_error() {
    let config = |issuer: &str, resource: &str| OAuthConfig {
        issuer: Some(issuer.to_owned()).filter(|text| !text.is_empty()),
        resource: Some(resource.to_owned()).filter(|text| !text.is_empty()),
        ..OAuthConfig::default()
    };
    assert!(
        ResourceServer::of(&OAuthConfig::default())
            .expect("fine")
            .is_none()
    );
    let whole = ResourceServer::of(&config(ISSUER, RESOURCE)).expect("fine");
    let whole = whole.expect("there is one");
    assert_eq!(
        whole.challenge(),
        [(
            "resource_metadata",
            "https://tools.example/.well-known/oauth-protected-resource/mcp".to_owned()
        )]
    );
    for path in ["", "/", "/mcp"] {
        assert!(
            whole.is_metadata(&format!("/.well-known/oauth-protected-resource{path}")),
            "{path}"
        );
    }
    assert!(!whole.is_metadata("/.well-known/oauth-protected-resource/other"));
    let scoped = OAuthConfig {
        scopes: vec!["a\"b".to_owned()],
        ..config(ISSUER, RESOURCE)
    };
    for config in [
        config(ISSUER, ""),
        config("", RESOURCE),
        config("https://a.example/?x", RESOURCE),
        config(ISSUER, "https://tools.example/mcp?x"),
        scoped,
    ] {
        let Err(error) = ResourceServer::of(&config) else {
            panic!("{config:?}");
        };
        assert_eq!(error.code(), Code::E3004, "{config:?}");
    }
}
