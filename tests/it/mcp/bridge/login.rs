//! Services that want a person to log in, and what becomes of the tokens.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::env::TestEnv;
use crate::support::http::{Request, Response, Server};
use crate::support::mcp_peer::{Answer, McpPeer, tool};
use crate::support::process::{Output, Running};

/// What an authorization server knows, and how it behaves.
#[derive(Default)]
struct Known {
    /// Tokens that work, each once given.
    good: Vec<String>,
    given: usize,
    /// How long they last, in seconds.
    lasts: u64,
    /// The challenge of PKCE of each code.
    codes: BTreeMap<String, String>,
    /// The token that renews.
    renewing: String,
    renewed: usize,
    registered: usize,
    /// Instead of what its metadata says.
    metadata: Value,
    /// What more goes into the address of the callback.
    more: &'static str,
}

/// An authorization server, and a service that takes its tokens.
struct Place {
    authority: Server,
    peer: McpPeer,
    known: Arc<Mutex<Known>>,
}

fn answer(value: &Value) -> Response {
    Response::new(200, value.to_string()).header("content-type", "application/json")
}

/// The parameters of a form or a query.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().expect("two"), rest.next().expect("two")];
                let digits = std::str::from_utf8(&digits).expect("digits");
                u8::from_str_radix(digits, 16).expect("digits")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("text")
}

impl Known {
    fn token(&mut self) -> Value {
        self.given += 1;
        self.good = vec![format!("t0ken-{}", self.given)];
        self.renewing = format!("r3new-{}", self.given);
        json!({
            "access_token": self.good[0], "token_type": "Bearer", "expires_in": self.lasts,
            "refresh_token": self.renewing, "scope": "read offline_access",
        })
    }

    fn exchange(&mut self, request: &Request) -> Response {
        let form = parameters(&String::from_utf8_lossy(&request.body));
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        assert!(field("resource").ends_with("/mcp"), "{form:?}");
        let is_right = match field("grant_type").as_str() {
            "client_credentials" => {
                let basic = request.header("authorization").unwrap_or_default();
                basic == format!("Basic {}", STANDARD.encode("mine:s3cret"))
                    || (field("client_id"), field("client_secret"))
                        == ("mine".to_owned(), "s3cret".to_owned())
            }
            "authorization_code" => {
                let verifier = Sha256::digest(field("code_verifier"));
                self.codes.remove(&field("code")) == Some(URL_SAFE_NO_PAD.encode(verifier))
            }
            _ => {
                self.renewed += 1;
                field("refresh_token") == self.renewing
            }
        };
        if is_right {
            return answer(&self.token());
        }
        Response::new(400, json!({"error": "invalid_grant"}).to_string())
            .header("content-type", "application/json")
    }
}

impl Place {
    fn start() -> Self {
        let known = Arc::new(Mutex::new(Known {
            lasts: 3600,
            ..Known::default()
        }));
        let inner = Arc::clone(&known);
        let authority = Server::start(move |request| {
            let mut known = inner.lock().expect("sound");
            let origin = format!("http://{}", request.header("host").expect("a host"));
            let (path, query) = request
                .target
                .split_once('?')
                .unwrap_or((&request.target, ""));
            match path {
                "/.well-known/oauth-authorization-server" => {
                    let mut metadata = json!({
                        "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
                        "token_endpoint": format!("{origin}/token"), "registration_endpoint": format!("{origin}/register"),
                        "code_challenge_methods_supported": ["S256"], "scopes_supported": ["read", "offline_access"],
                    });
                    for (name, value) in known.metadata.as_object().into_iter().flatten() {
                        metadata[name] = value.clone();
                    }
                    answer(&metadata)
                }
                "/register" => {
                    known.registered += 1;
                    let asked: Value = serde_json::from_slice(&request.body).expect("JSON");
                    answer(&json!({"client_id": "c1", "redirect_uris": asked["redirect_uris"]}))
                }
                "/authorize" => {
                    let asked = parameters(query);
                    assert_eq!(asked["code_challenge_method"], "S256");
                    let code = format!("c0de-{}", known.codes.len());
                    known
                        .codes
                        .insert(code.clone(), asked["code_challenge"].clone());
                    let to = format!(
                        "{}?code={code}&state={}{}",
                        asked["redirect_uri"], asked["state"], known.more
                    );
                    Response::new(302, "").header("location", &to)
                }
                "/token" => known.exchange(request),
                _ => Response::new(404, ""),
            }
        });
        let (inner, url) = (Arc::clone(&known), authority.url(""));
        let mcp = Arc::new(Mutex::new(String::new()));
        let own = Arc::clone(&mcp);
        let resource = Server::start(move |_| {
            let mcp = own.lock().expect("sound").clone();
            answer(
                &json!({"resource": mcp, "authorization_servers": [url], "scopes_supported": ["read"]}),
            )
        });
        let described = resource.url("/described");
        let peer = McpPeer::start(json!([tool("a")]), move |_, _, request| {
            // It goes with the peer.
            let _ = &resource;
            let is_good = bearer(request)
                .is_some_and(|token| inner.lock().expect("sound").good.contains(&token));
            let challenge = format!("Bearer resource_metadata=\"{described}\"");
            let refused = Response::new(401, "").header("www-authenticate", &challenge);
            (!is_good).then_some(Answer::Http(refused))
        });
        *mcp.lock().expect("sound") = peer.url();
        Self {
            authority,
            peer,
            known,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("sound")
    }

    fn env(&self, more: &str) -> TestEnv {
        let env = TestEnv::new();
        let text = format!("[mcp.servers.peer]\nurl = \"{}\"\n{more}", self.peer.url());
        env.write(env.user_config(), text.as_bytes());
        env
    }
}

fn bearer(request: &Request) -> Option<String> {
    let header = request.header("authorization")?;
    Some(header.strip_prefix("Bearer ")?.to_owned())
}

/// Asks for a page: its status, and where it leads.
fn visit(url: &str) -> (u16, Option<String>) {
    let rest = url.strip_prefix("http://").expect("a URL");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let request = format!("GET /{path} HTTP/1.0\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = String::new();
    drop(stream.read_to_string(&mut text));
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let location = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.to_owned())
    });
    (status.expect("a status"), location)
}

/// The page that a person is told to open.
fn page(running: &Running) -> String {
    running.wait_for("/authorize?");
    running.wait_for("code_challenge_method=S256");
    let shown = running.shown();
    let words = shown.split_whitespace();
    let mut pages = words.filter(|word| word.contains("/authorize?"));
    pages.next().expect("a page").to_owned()
}

/// A person logs in and agrees.
fn log_in(env: &TestEnv, more: &[&str]) -> Output {
    let words = ["mcp", "login", "peer", "--no-browser"];
    let running = env.run(words.iter().chain(more)).start();
    let (status, back) = visit(&page(&running));
    assert_eq!(status, 302);
    assert_eq!(visit(&back.expect("sent back")).0, 200);
    running.finish()
}

#[test]
fn a_person_logs_in_and_out() {
    let place = Place::start();
    let env = place.env("");
    let refused = env.run(["call", "peer.a"]).fails_with(4, "E3507");
    assert!(
        refused.stderr.contains("toolhatch mcp login peer"),
        "{refused}"
    );

    let done = log_in(&env, &[]).ok();
    assert!(done.stdout.contains("for read"), "{done}");
    let file = env.toolhatch_home().join("logins/peer.json");
    let mode =
        |path: &std::path::Path| path.metadata().expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().expect("a folder")), 0o700);
    let called = env.run(["call", "peer.a"]).ok();
    let last = place.peer.requests().pop().expect("asked");
    assert_eq!(bearer(&last).as_deref(), Some("t0ken-1"));
    let listed = env.run(["mcp", "show", "peer", "--json"]).ok();
    assert_eq!(listed.json()["login"]["scopes"][0], "read", "{listed}");
    let story = env.run(["audit", "query", "--json"]).ok();
    assert!(story.stdout.contains("server_login"), "{story}");
    for told in [&done, &called, &listed, &story] {
        assert!(
            !told.stdout.contains("t0ken") && !told.stdout.contains("r3new"),
            "{told}"
        );
    }

    env.run(["mcp", "logout", "peer"]).ok();
    assert!(!file.exists());
    env.run(["call", "peer.a"]).fails_with(4, "E3507");
}

#[test]
fn a_token_is_renewed_before_it_ends_and_when_it_is_rejected() {
    let place = Place::start();
    let env = place.env("");
    place.known().lasts = 10;
    log_in(&env, &[]).ok();
    // It ends within half a minute.
    place.known().lasts = 3600;
    env.run(["call", "peer.a"]).ok();
    assert_eq!(place.known().renewed, 1);
    env.run(["call", "peer.a"]).ok();
    assert_eq!(place.known().renewed, 1);
    // Somebody took it back.
    place.known().good.clear();
    env.run(["call", "peer.a"]).ok();
    assert_eq!(place.known().renewed, 2);
    // And the one that renews as well.
    place.known().good.clear();
    place.known().renewing = "other".to_owned();
    env.run(["call", "peer.a"]).fails_with(4, "E3507");
    log_in(&env, &[]).ok();
    env.run(["call", "peer.a"]).ok();
    assert_eq!(place.known().registered, 1, "one registration is enough");
}

#[test]
fn a_token_goes_nowhere_but_to_the_url_it_was_made_for() {
    let place = Place::start();
    let env = place.env("");
    log_in(&env, &[]).ok();
    let other = McpPeer::start(json!([tool("a")]), |_, _, _| None);
    let text = format!("[mcp.servers.peer]\nurl = \"{}\"\n", other.url());
    env.write(env.user_config(), text.as_bytes());
    env.run(["mcp", "test", "peer"]).ok();
    assert!(!other.requests().is_empty());
    for request in other.requests() {
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn only_the_browser_of_this_login_is_listened_to() {
    let place = Place::start();
    let env = place.env("");
    let running = env.run(["mcp", "login", "peer", "--no-browser"]).start();
    let asked = page(&running);
    let query = parameters(asked.split_once('?').expect("a query").1);
    let back = &query["redirect_uri"];
    assert_eq!(visit(&format!("{back}?code=stolen&state=wrong")).0, 404);
    assert_eq!(visit(&back.replace("callback", "other")).0, 404);
    let denied = format!("{back}?error=access_denied&state={}", query["state"]);
    assert_eq!(visit(&denied).0, 200);
    let refused = running.finish().fails_with(4, "E3507");
    assert!(refused.stderr.contains("access_denied"), "{refused}");

    // Another authorization server answered in its place: the code is given to nobody.
    place.known().more = "&iss=http%3A%2F%2F127.0.0.1%3A1";
    log_in(&env, &[]).fails_with(4, "E3508");
    assert_eq!(place.known().given, 0);
    let waited = env
        .run(["mcp", "login", "peer", "--no-browser", "--timeout", "50ms"])
        .fails_with(124, "E3503");
    assert!(waited.stderr.contains("50ms"), "{waited}");
    assert!(!env.toolhatch_home().join("logins/peer.json").exists());
}

#[test]
fn no_browser_is_sent_to_what_is_no_page_of_the_web() {
    let place = Place::start();
    let env = place.env("");
    let opened = env.path("opened");
    let browser = env.write(
        "browser",
        format!("#!/bin/sh\nprintf '%s' \"$*\" >{}\n", opened.display()).as_bytes(),
    );
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let login = || {
        env.run(["mcp", "login", "peer"])
            .env("BROWSER", &browser.to_string_lossy())
    };
    for address in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "http://login.example/a",
        "$(touch x)",
    ] {
        place.known().metadata = json!({"authorization_endpoint": address});
        let refused = login().output();
        assert!(matches!(refused.code, Some(2 | 4)), "{address}: {refused}");
        assert!(!opened.exists(), "{address}");
    }
    // A login that can be stolen is none.
    place.known().metadata = json!({"code_challenge_methods_supported": ["plain"]});
    login().fails_with(4, "E3508");
    place.known().metadata = json!({"issuer": "https://other.example"});
    login().fails_with(4, "E3508");

    place.known().metadata = Value::Null;
    let running = login().start();
    running.wait_for("Log in at");
    while !opened.exists() {
        std::thread::yield_now();
    }
    // Written in one go, and yet not at the same moment as made.
    let mut asked = String::new();
    while !asked.contains("code_challenge_method=S256") {
        asked = std::fs::read_to_string(&opened).expect("there");
    }
    let (_, back) = visit(&asked);
    visit(&back.expect("sent back"));
    running.finish().ok();
}

#[test]
fn whoever_adds_a_server_can_log_in_at_once() {
    let place = Place::start();
    let env = TestEnv::new();
    env.run(["mcp", "add", "peer", &place.peer.url()])
        .fails_with(3, "E3213");
    let mut terminal = env
        .run(["mcp", "add", "peer", "--scope", "read", &place.peer.url()])
        .on_terminal();
    terminal.expect("Connect to it and look at its tools?");
    terminal.answer("y");
    terminal.expect("Open a browser for that?");
    terminal.answer("");
    terminal.finish().fails_with(4, "E3507");
    assert_eq!(place.authority.requests().len(), 0);
}

#[test]
fn whoever_logs_in_and_does_not_add_the_server_keeps_no_tokens() {
    let place = Place::start();
    let env = TestEnv::new();
    let opened = env.path("opened");
    let script = format!(
        "#!/bin/sh\nprintf '%s' \"$1\" >{0}.new\nmv {0}.new {0}\n",
        opened.display()
    );
    let browser = env.write("browser", script.as_bytes());
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let mut terminal = env
        .run(["mcp", "add", "peer", &place.peer.url()])
        .env("BROWSER", &browser.to_string_lossy())
        .on_terminal();
    terminal.expect("Connect to it and look at its tools?");
    terminal.answer("y");
    terminal.expect("Open a browser for that?");
    terminal.answer("y");
    terminal.expect("Log in at");
    while !opened.exists() {
        std::thread::yield_now();
    }
    let asked = std::fs::read_to_string(&opened).expect("there");
    visit(&visit(&asked).1.expect("sent back"));
    terminal.expect("Add peer with 1 tool?");
    let file = env.toolhatch_home().join("logins/peer.json");
    assert!(file.exists(), "it was looked at with them");
    terminal.answer("");
    terminal.finish().fails_with(3, "E3214");
    assert!(!file.exists());
}

/// A client that was registered by hand, whose secret is in `PEER_SECRET`.
fn registered(issuer: &str, more: &str) -> String {
    format!(
        "oauth = {{ client_id = \"mine\", client_secret = {{ env = \"PEER_SECRET\" }}, issuer = \"{issuer}\"{more} }}\n"
    )
}

impl Place {
    /// The paths that the secret was sent to.
    fn told(&self) -> Vec<String> {
        let with_secret = |request: &&Request| {
            let basic = request.header("authorization").is_some();
            basic || String::from_utf8_lossy(&request.body).contains("s3cret")
        };
        let requests = self.authority.requests();
        let told = requests.iter().filter(with_secret);
        told.map(|request| request.target.clone()).collect()
    }
}

#[test]
fn a_client_that_somebody_registered_is_used_and_its_secret_is_told_to_nobody_else() {
    let place = Place::start();
    let env = place.env(&registered(
        &place.authority.url(""),
        ", scopes = [\"read\"]",
    ));
    env.run(["mcp", "test", "peer"]).fails_with(2, "E3004");
    let words = ["mcp", "login", "peer", "--no-browser"];
    let login = |env: &TestEnv| env.run(words).env("PEER_SECRET", "s3cret");
    let running = login(&env).start();
    let asked = page(&running);
    assert!(asked.contains("client_id=mine") && !asked.contains("s3cret"));
    visit(&visit(&asked).1.expect("sent back"));
    running.finish().ok();
    assert_eq!(place.known().registered, 0);
    assert_eq!(place.told(), ["/token"]);

    // A server can name any authorization server.
    for more in ["", ", grant = \"client_credentials\""] {
        let other = Place::start();
        let env = other.env(&registered(&place.authority.url(""), more));
        let refused = login(&env).fails_with(4, "E3508");
        assert!(refused.stderr.contains("is registered with"), "{refused}");
        assert_eq!(other.told(), [""; 0]);
    }
}

#[test]
fn a_client_that_needs_no_person_gets_its_tokens_by_itself() {
    let place = Place::start();
    let env = place.env(&registered(
        &place.authority.url(""),
        ", grant = \"client_credentials\"",
    ));
    let call = || env.run(["call", "peer.a"]).env("PEER_SECRET", "s3cret");
    call().ok();
    call().ok();
    assert_eq!(place.known().given, 1, "it lasts for both");
    place.known().good.clear();
    call().ok();
    assert_eq!(place.known().given, 2);
    assert!(place.told().iter().all(|path| path == "/token"));
    let file = env.toolhatch_home().join("logins/peer.json");
    let kept = std::fs::read_to_string(file).expect("kept");
    assert!(!kept.contains("s3cret"), "it stays where it is");
    let words = ["mcp", "login", "peer"];
    env.run(words).env("PEER_SECRET", "s3cret").ok();
    env.run(["call", "peer.a"]).env("PEER_SECRET", "wrong").ok();
    place.known().good.clear();
    env.run(["call", "peer.a"])
        .env("PEER_SECRET", "wrong")
        .fails_with(4, "E3507");
}

#[test]
fn what_is_wrong_with_a_declaration_is_told() {
    let place = Place::start();
    for (oauth, expected) in [
        ("{ client_secret = \"x\" }", "client_id"),
        (
            "{ client_id = \"a\", client_secret = \"x\" }",
            "which authorization server",
        ),
        (
            "{ client_id = \"a\", client_secret = \"x\", issuer = \"y\" }",
            "oauth.issuer",
        ),
        ("{ grant = \"client_credentials\" }", "`client_secret`"),
        ("{ grant = \"password\" }", "grant"),
        (
            "{ client_metadata_url = \"http://a.example/x\" }",
            "https://",
        ),
        (
            "{ client_metadata_url = \"https://a.example\" }",
            "has a path",
        ),
        ("{ scopes = [\"a b\"] }", "no scope"),
        ("{ redirect_port = 0 }", "redirect_port"),
    ] {
        let env = place.env(&format!("oauth = {oauth}\n"));
        let refused = env.run(["mcp", "list"]).fails_with(2, "E3004");
        assert!(refused.stderr.contains(expected), "{oauth}: {refused}");
        assert!(!refused.stderr.contains("\"x\""), "{refused}");
    }
}
