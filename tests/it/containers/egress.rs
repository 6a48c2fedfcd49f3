//! The network `allow-list`: what a command reaches through its proxy, and that there is no other way.

mod hostile;
mod load;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::json;

use super::{exec, machine};
use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};
use crate::support::namespace;
use crate::support::process::{Output, Run};
use crate::support::source::root;

/// `toolhatch exec` of a line of shell with these hosts allowed, or with none.
fn shell(docker: &Docker, env: &TestEnv, hosts: &[&str], script: &str) -> Run {
    let mut words = vec!["--json", "--net", "allow-list"];
    for host in hosts {
        words.extend(["--allow-host", host]);
    }
    words.extend(["--", "sh", "-c", script]);
    exec(docker, env, &words)
}

/// What the command printed, whichever way it ended.
fn printed(output: &Output) -> String {
    let json = output.json();
    let result = json.pointer("/structured");
    let result = result.or_else(|| json.pointer("/error/details/structured"));
    let result = result.unwrap_or_else(|| panic!("no result: {output}"));
    let text = |stream: &str| result[stream].as_str().unwrap_or_default().to_owned();
    text("stdout") + &text("stderr")
}

fn server() -> Server {
    Server::start(|request| Response::new(200, format!("answer to {}", request.target)))
}

/// Answers one line on each connection, in upper case.
fn shouting() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut line = String::new();
                let mut reader = BufReader::new(stream);
                drop(reader.read_line(&mut line));
                let mut stream = reader.into_inner();
                drop(stream.write_all(line.to_uppercase().as_bytes()));
            });
        }
    });
    address
}

/// What the proxy says to this, sent as it is.
fn raw(text: &str) -> String {
    format!("printf '{text}' | nc 127.0.0.1 3128")
}

#[test]
fn a_command_reaches_the_host_that_was_named_and_it_is_recorded() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let (server, other) = (server(), server());
    let granted = server.address().to_string();
    let script = format!("wget -q -O - {}", server.url("/a?token=x"));
    let output = shell(docker, &env, &[&granted], &script).ok();
    assert_eq!(printed(&output), "answer to /a?token=x", "{output}");
    let seen = server.requests();
    assert_eq!(seen[0].header("host"), Some(granted.as_str()), "{seen:?}");
    let effects = output.json()["effects"].to_string();
    assert!(
        effects.contains(&server.url("/a")) && !effects.contains("token"),
        "{effects}"
    );
    assert!(effects.contains("network=lo egress=proxy"), "{effects}");
    let usage = &output.json()["usage"];
    assert!(
        usage["bytes_in"].as_u64().is_some_and(|bytes| bytes > 20),
        "{usage}"
    );
    // Another port of the same address is another server.
    let script = format!("wget -q -O - {}", other.url("/"));
    let output = shell(docker, &env, &[&granted], &script).output();
    assert_eq!(output.code, Some(1), "{output}");
    assert!(printed(&output).contains("403"), "{output}");
    assert_eq!(other.requests().len(), 0);
    let denials = output.json()["denials"].to_string();
    assert!(
        denials.contains("E3211") && denials.contains(&other.url("/")),
        "{denials}"
    );
    let found = docker.run(&env, ["audit", "query", "--json"]).ok();
    for expected in ["permission_denied", &other.url("/"), &server.url("/a")] {
        assert!(found.stdout.contains(expected), "{expected}: {found}");
    }
}

#[test]
fn a_person_is_told_what_was_denied_and_how_to_allow_it() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let words = ["--net", "allow-list", "--", "wget", "-q", "-O", "-"];
    let url = server.url("/");
    let output = exec(docker, &env, &[&words[..], &[&url]].concat()).output();
    let flag = format!("--allow-host '{}'", server.address());
    assert!(output.stderr.contains(&flag), "{output}");
    // The flag alone is enough.
    let host = server.address().to_string();
    let words = ["--allow-host", &host, "--", "wget", "-q", "-O", "-", &url];
    assert_eq!(exec(docker, &env, &words).ok().stdout, "answer to /");
    for net in ["none", "bridge"] {
        let words = ["--net", net, "--allow-host", &host, "--", "true"];
        exec(docker, &env, &words).fails_with(2, "E3004");
    }
    exec(docker, &env, &["--allow-host", "no-port", "--", "true"]).fails_with(2, "E3004");
}

#[test]
fn connections_of_any_kind_go_through_a_tunnel() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let address = shouting();
    let port = address.port();
    let ask = |host: &str| {
        raw(&format!(
            "CONNECT {host}:{port} HTTP/1.1\\r\\n\\r\\nhello\\n"
        ))
    };
    let granted = address.to_string();
    let output = shell(docker, &env, &[&granted], &ask("127.0.0.1")).ok();
    let text = printed(&output);
    assert!(
        text.starts_with("HTTP/1.1 200") && text.ends_with("HELLO\n"),
        "{output}"
    );
    let effects = output.json()["effects"].to_string();
    assert!(
        effects.contains("\"tcp\"") && effects.contains(&granted),
        "{effects}"
    );
    // By its name, however it is written.
    let by_name = format!("localhost:{port}");
    for host in ["localhost", "LocalHost", "localhost."] {
        let output = shell(docker, &env, &[&by_name], &ask(host)).ok();
        assert!(printed(&output).ends_with("HELLO\n"), "{host}: {output}");
    }
    // A tunnel can carry anything, so a grant of HTTP does not open one.
    let arguments = json!({"command": ["sh", "-c", ask("127.0.0.1")], "network": "allow-list"});
    let arguments = arguments.to_string();
    let https = format!("network_http=https://127.0.0.1:{port}");
    let words = [
        "call",
        "sandbox.run",
        "--json",
        "--args",
        &arguments,
        "--allow",
        "subprocess=*",
        "--allow",
        &https,
    ];
    let output = docker.run(&env, words).ok();
    let text = printed(&output);
    assert!(
        text.contains("403") && text.contains("network_tcp"),
        "{output}"
    );
}

#[test]
fn without_the_proxy_there_is_nothing_to_talk_to() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let (host, port) = ("127.0.0.1", server.address().port());
    let script = format!(
        "ls /sys/class/net; unset http_proxy; wget -q -T 5 -O - http://{host}:{port}/ || echo none; \
         wget -q -T 5 -O - http://192.0.2.1/ || echo none; nslookup localhost 192.0.2.1 >/dev/null || echo none"
    );
    let granted = server.address().to_string();
    let output = shell(docker, &env, &[&granted], &script).ok();
    let text = printed(&output);
    assert!(text.starts_with("lo\nnone\nnone\nnone\n"), "{output}");
    assert_eq!(server.requests().len(), 0);
    // Nor is there a proxy where nobody asked for one.
    let script = "env | grep -i proxy; nc 127.0.0.1 3128 </dev/null || echo none";
    let output = exec(docker, &env, &["--", "sh", "-c", script]).ok();
    assert_eq!(output.stdout, "none\n", "{output}");
}

#[test]
fn what_is_granted_for_http_decides_on_method_and_path() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let port = server.address().port();
    let call = |script: &str, allow: &[&str]| {
        let arguments =
            json!({"command": ["sh", "-c", script], "network": "allow-list"}).to_string();
        let mut words = vec!["call", "sandbox.run", "--json", "--args", &arguments];
        for grant in ["subprocess=*"].iter().chain(allow) {
            words.extend(["--allow", grant]);
        }
        docker.run(&env, words).output()
    };
    let scope = format!("network_http=http://127.0.0.1:{port}/open/**;methods=GET");
    let output = call(
        &format!("wget -q -O - {}", server.url("/open/a")),
        &[&scope],
    );
    assert_eq!(printed(&output), "answer to /open/a", "{output}");
    let post = |path: &str| {
        let url = server.url(path);
        let headers = "Proxy-Authorization: Basic eA==\\r\\nContent-Length: 3";
        raw(&format!(
            "POST {url} HTTP/1.1\\r\\n{headers}\\r\\n\\r\\nabc"
        ))
    };
    for script in [
        format!("wget -O - {}", server.url("/closed")),
        format!("wget -O - {}", server.url("/open/../closed")),
        post("/open/a"),
    ] {
        let output = call(&script, &[&scope]);
        assert!(printed(&output).contains("403"), "{script}: {output}");
    }
    assert_eq!(server.requests().len(), 1);
    // A body goes along, and nothing that was meant for the proxy.
    let scope = format!("network_http=http://127.0.0.1:{port}");
    let output = call(&post("/open/b"), &[&scope]);
    assert!(printed(&output).ends_with("answer to /open/b"), "{output}");
    let seen = server.requests().pop().expect("a request");
    assert_eq!(
        (seen.method.as_str(), seen.body.as_slice()),
        ("POST", &b"abc"[..])
    );
    assert_eq!(seen.header("proxy-authorization"), None);
}

/// The run on a machine whose names are these.
fn with_names(env: &TestEnv, hosts: &str, run: Run) -> Run {
    env.write("../etc/hosts", hosts.as_bytes());
    env.write("../etc/nsswitch.conf", b"hosts: files\n");
    env.write("../etc/host.conf", b"multi on\n");
    namespace::under_operator(env, None, run)
}

#[test]
fn a_name_is_worth_no_more_than_each_of_its_addresses() {
    let Some(docker) = Docker::get() else { return };
    if !namespace::works() {
        return;
    }
    let env = machine(docker);
    let (server, address) = (server(), shouting());
    let port = server.address().port();
    let hosts = "127.0.0.1 api.test\n127.0.0.1 mixed.test\n203.0.113.1 mixed.test\n";
    let ask = |grant: &str, script: &str| {
        let run = shell(docker, &env, &[grant], script);
        with_names(&env, hosts, run).output()
    };
    let get = |name: &str| format!("wget -q -O - http://{name}:{port}/");
    let output = ask(&format!("api.test:{port}"), &get("api.test"));
    assert!(printed(&output).contains("403"), "{output}");
    let output = ask(&format!("api.test:{port};private"), &get("api.test"));
    assert_eq!(printed(&output), "answer to /", "{output}");
    assert_eq!(
        server.requests()[0].header("host"),
        Some(format!("api.test:{port}").as_str())
    );
    let tunnel = |name: &str| {
        let port = address.port();
        raw(&format!(
            "CONNECT {name}:{port} HTTP/1.1\\r\\n\\r\\nhello\\n"
        ))
    };
    let port = address.port();
    let output = ask(&format!("api.test:{port}"), &tunnel("api.test"));
    let text = printed(&output);
    assert!(
        text.contains("403") && text.contains(";private"),
        "{output}"
    );
    let output = ask(&format!("*.test:{port};private"), &tunnel("api.test"));
    assert!(printed(&output).ends_with("HELLO\n"), "{output}");
    // One address that is not allowed is enough to deny the name.
    let output = ask(
        &format!("mixed.test:{port};in=127.0.0.0/8;lookup"),
        &tunnel("mixed.test"),
    );
    assert!(printed(&output).contains("403"), "{output}");
    // One that is not known is said to be so, and only where it may be looked up.
    let output = ask(&format!("none.test:{port}"), &tunnel("none.test"));
    assert!(printed(&output).contains("502"), "{output}");
    let output = ask(&format!("api.test:{port}"), &tunnel("none.test"));
    assert!(printed(&output).contains("403"), "{output}");
}

#[test]
fn policy_is_asked_about_each_connection() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let folder = env.user_config().parent().expect("a folder").join("policy");
    let forbid =
        "@id(\"no-local\")\nforbid (principal, action == Action::\"net.connect\", resource);\n";
    env.write(folder.join("own.cedar"), forbid.as_bytes());
    let granted = server.address().to_string();
    let script = raw(&format!("GET {} HTTP/1.1\\r\\n\\r\\n", server.url("/")));
    let output = shell(docker, &env, &[&granted], &script).ok();
    let text = printed(&output);
    assert!(
        text.contains("403") && text.contains("no-local"),
        "{output}"
    );
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_tool_of_a_project_gets_what_it_asks_for_and_is_granted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let (server, other) = (server(), server());
    let image = name("busybox:1");
    let text = format!(
        "schema = 1\n[[tools]]\nname = \"get\"\ndescription = \"Gets a page.\"\n[tools.input_schema]\ntype = \"object\"\n\
         required = [\"url\"]\nproperties.url = {{ type = \"string\" }}\n\
         [tools.container]\nimage = \"{image}\"\ncommand = [\"wget\", \"-q\", \"-O\", \"-\", \"--\", \"{{url}}\"]\n\
         network = \"allow-list\"\n[permissions]\nnetwork_tcp = [\"{}\"]\n",
        server.address()
    );
    env.write(".toolhatch/tools/web.toml", text.as_bytes());
    let call = |url: String, allow: &[&str]| {
        let url = format!("url={url}");
        let words = ["call", "web.get", "--json", "--arg", &url];
        docker.run(&env, words.iter().chain(allow)).output()
    };
    let output = call(server.url("/"), &["--allow-requested"]);
    assert_eq!(
        output.json()["structured"]["text"],
        "answer to /",
        "{output}"
    );
    // What it did not ask for it does not get, whatever a person grants.
    let wider = ["--allow-requested", "--allow", "network_tcp=*:*;private"];
    let output = call(other.url("/"), &wider);
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(other.requests().len(), 0);
    // Nor does it get what was not granted.
    let output = call(server.url("/"), &["--allow", "subprocess=*"]);
    assert_eq!(output.code, Some(1), "{output}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_caller_has_a_say_in_its_variables() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let words = [
        "--net",
        "allow-list",
        "--env",
        "http_proxy=http://own:1",
        "--",
        "sh",
        "-c",
        "echo $http_proxy-$HTTP_PROXY-$HTTPS_PROXY-$no_proxy",
    ];
    let output = exec(docker, &env, &words).ok();
    assert_eq!(
        output.stdout, "http://own:1--http://127.0.0.1:3128-localhost,127.0.0.1,::1\n",
        "{output}"
    );
}

#[test]
fn the_commands_of_a_component_reach_what_its_call_was_granted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let server = server();
    let probe = root().join("tests/fixtures/guests/probe.wasm");
    let probe = probe.to_str().expect("UTF-8");
    let command = ["wget", "-q", "-O", "-", &server.url("/")];
    let arguments =
        json!({"image": name("busybox:1"), "command": command, "allow-list": true}).to_string();
    let call = |network: &[&str]| {
        let words = ["call", probe, "run-command", "--json", "--args", &arguments];
        let allow = ["--allow", "subprocess=command:wget"];
        docker.run(&env, words.iter().chain(&allow).chain(network))
    };
    let output = call(&[]).output();
    assert!(output.stdout.contains("403"), "{output}");
    assert!(
        output.json()["denials"]
            .to_string()
            .contains("network_http"),
        "{output}"
    );
    assert_eq!(server.requests().len(), 0);
    let granted = format!("network_tcp={}", server.address());
    let output = call(&["--allow", &granted]).ok();
    assert_eq!(
        output.json()["structured"]["result"],
        "answer to /",
        "{output}"
    );
}
