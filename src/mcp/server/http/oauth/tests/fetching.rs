//! When the authorization server is asked, and what holds while it does not answer.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::resilience::clock::ManualClock;
use crate::web::testing::{Received, Reply, Server};

/// An authorization server of the tests, and a resource server that trusts it.
struct World {
    server: Server,
    replies: Arc<Mutex<Vec<(&'static str, Reply)>>>,
    clock: Arc<ManualClock>,
    resource: ResourceServer,
}

impl World {
    /// `by_metadata` is false where the URL of the keys is configured.
    fn new(by_metadata: bool) -> Self {
        let replies: Arc<Mutex<Vec<(&'static str, Reply)>>> = Arc::default();
        let told = Arc::clone(&replies);
        let server = Server::start(move |_, request: &Received| {
            let path = request.line.split(' ').nth(1).expect("a path").to_owned();
            let told = told.lock().expect("not poisoned");
            let reply = told.iter().find(|(known, _)| *known == path);
            reply.map_or_else(|| Reply::status(404), |(_, reply)| reply.clone())
        });
        let clock = Arc::new(ManualClock::default());
        let config = OAuthConfig {
            issuer: Some(server.url("/realm")),
            resource: Some(RESOURCE.to_owned()),
            jwks: (!by_metadata).then(|| server.url("/keys")),
            profile: Some("reading".to_owned()),
            ..OAuthConfig::default()
        };
        let resource = ResourceServer::with_clock(&config, clock.clone());
        Self {
            resource: resource.expect("fine").expect("there is one"),
            server,
            replies,
            clock,
        }
    }

    fn answers(&self, path: &'static str, reply: Reply) {
        let mut replies = self.replies.lock().expect("not poisoned");
        replies.retain(|(known, _)| *known != path);
        replies.push((path, reply));
    }

    fn publishes(&self, signers: &[&Signer]) {
        let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk()).collect();
        self.answers("/keys", Reply::json(&json!({"keys": keys})));
    }

    async fn ask(&self, signer: &Signer) -> std::result::Result<Client, Stranger> {
        let over = json!({"iss": self.server.url("/realm")});
        self.resource.client(&signer.token(&claims(&over))).await
    }

    fn asked(&self) -> usize {
        self.server.requests().len()
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future);
}

const UNKNOWN: Stranger = Stranger::Unknown("the token is signed with a key that is not known");

#[test]
fn keys_are_kept_and_asked_for_again_when_one_is_not_known() {
    run(async {
        let (world, a, b) = (
            World::new(false),
            Signer::new("ES256", "a"),
            Signer::new("ES256", "b"),
        );
        world.publishes(&[&a]);
        let client = world.ask(&a).await.expect("known");
        assert_eq!(
            client.principal,
            format!("oauth {} ada", world.server.url("/realm"))
        );
        assert_eq!(client.profile.as_deref(), Some("reading"));
        world.clock.advance(keys::FRESH - Duration::from_secs(1));
        world.ask(&a).await.expect("still known");
        assert_eq!(world.asked(), 1);
        // A key that the server took up since, and then keys that it has not.
        world.publishes(&[&b]);
        world.ask(&b).await.expect("found");
        assert_eq!(world.asked(), 2);
        for _ in 0..3 {
            assert_eq!(world.ask(&a).await, Err(UNKNOWN));
        }
        assert_eq!(world.asked(), 2);
        world.clock.advance(keys::MISSES);
        assert_eq!(world.ask(&a).await, Err(UNKNOWN));
        assert_eq!(world.asked(), 3);
        // Whatever is not asked for again is, when it is old.
        world.publishes(&[&a]);
        world.clock.advance(keys::FRESH);
        assert_eq!(world.ask(&b).await, Err(UNKNOWN), "it was withdrawn");
    });
}

#[test]
fn many_who_come_at_once_ask_once() {
    run(async {
        let (world, a) = (World::new(false), Signer::new("ES256", "a"));
        world.publishes(&[&a]);
        let asking = (0..50).map(|_| world.ask(&a));
        let answers = futures_util::future::join_all(asking).await;
        assert!(answers.iter().all(std::result::Result::is_ok));
        assert_eq!(world.asked(), 1);
    });
}

#[test]
fn keys_from_before_hold_for_a_while_when_the_server_is_down() {
    run(async {
        let (world, a, b) = (
            World::new(false),
            Signer::new("ES256", "a"),
            Signer::new("ES256", "b"),
        );
        world.publishes(&[&a]);
        world.ask(&a).await.expect("known");
        world.answers("/keys", Reply::status(503));
        world.clock.advance(keys::FRESH);
        world.ask(&a).await.expect("still good");
        assert_eq!(world.asked(), 2);
        // It is not asked at every request, and of a key that nobody knows nothing can be said.
        world.ask(&a).await.expect("still good");
        assert_eq!(world.ask(&b).await, Err(Stranger::Unready));
        assert_eq!(world.asked(), 2);
        world.clock.advance(keys::STALE - keys::FRESH);
        assert_eq!(world.ask(&a).await, Err(Stranger::Unready));
        // It is back.
        world.publishes(&[&b]);
        world.clock.advance(Duration::from_secs(1));
        world.ask(&b).await.expect("known");
        assert_eq!(world.ask(&a).await, Err(UNKNOWN));
    });
}

#[test]
fn without_keys_nobody_is_let_in() {
    run(async {
        let a = Signer::new("ES256", "a");
        for reply in [
            Reply::status(500),
            Reply::status(404),
            Reply::Close,
            Reply::CutShort,
            Reply::Endless,
            Reply::json(&json!({"keys": []})),
            Reply::json(&json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]})),
            Reply::json(&json!("keys")),
            Reply::Answer(200, "", b"<html>".to_vec()),
            Reply::Answer(302, "location: /elsewhere\r\n", Vec::new()),
        ] {
            let world = World::new(false);
            let keys = json!({"keys": [a.jwk()]});
            world.answers("/elsewhere", Reply::json(&keys));
            world.answers("/keys", reply.clone());
            assert_eq!(world.ask(&a).await, Err(Stranger::Unready), "{reply:?}");
            assert_eq!(world.asked(), 1, "{reply:?}");
        }
        // A server that says it has none any more is believed.
        let world = World::new(false);
        world.publishes(&[&a]);
        world.ask(&a).await.expect("known");
        world.publishes(&[]);
        world.clock.advance(keys::FRESH);
        assert_eq!(world.ask(&a).await, Err(Stranger::Unready));
    });
}

#[test]
fn the_keys_are_found_by_the_metadata_of_the_issuer() {
    let a = Signer::new("ES256", "a");
    let places = [
        "/.well-known/oauth-authorization-server/realm",
        "/.well-known/openid-configuration/realm",
        "/realm/.well-known/openid-configuration",
    ];
    run(async {
        for place in places {
            let world = World::new(true);
            let (issuer, jwks) = (world.server.url("/realm"), world.server.url("/keys"));
            world.answers(
                place,
                Reply::json(&json!({"issuer": issuer, "jwks_uri": jwks})),
            );
            world.publishes(&[&a]);
            assert!(world.ask(&a).await.is_ok(), "{place}");
        }
        let world = World::new(true);
        let (issuer, jwks) = (world.server.url("/realm"), world.server.url("/keys"));
        world.publishes(&[&a]);
        for metadata in [
            json!({"issuer": world.server.url("/other"), "jwks_uri": jwks}),
            json!({"issuer": format!("{issuer}/"), "jwks_uri": jwks}),
            json!({"issuer": issuer}),
            json!({"issuer": issuer, "jwks_uri": "file:///etc/keys"}),
            json!({"issuer": issuer, "jwks_uri": "http://keys.example/"}),
        ] {
            world.clock.advance(Duration::from_secs(1));
            world.answers(places[0], Reply::json(&metadata));
            assert_eq!(world.ask(&a).await, Err(Stranger::Unready), "{metadata}");
        }
    });
}
