//! Many connections, large ones, and ones that nobody reads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::json;

use super::{printed, server, shell, shouting};
use crate::containers::{exec, machine};
use crate::support::docker::Docker;
use crate::support::http::{Response, Server};

/// Sends zeroes to whoever comes, as long as they are taken.
fn endless() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || while stream.write_all(&[0; 65536]).is_ok() {});
        }
    });
    address
}

#[test]
fn what_is_large_arrives_whole_in_both_directions() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let size = 40_000_000;
    let server = Server::start(move |request| match request.method.as_str() {
        "GET" => Response::new(200, vec![b'x'; size]),
        _ => Response::new(200, request.body.len().to_string()),
    });
    let granted = server.address().to_string();
    // More than the container has memory.
    let script = format!(
        "wget -q -O - {} | tr -d x | wc -c; wget -q -O - {0} | wc -c",
        server.url("/")
    );
    let output = exec(
        docker,
        &env,
        &[
            "--memory",
            "24MiB",
            "--allow-host",
            &granted,
            "--",
            "sh",
            "-c",
            &script,
        ],
    )
    .ok();
    assert_eq!(output.stdout, format!("0\n{size}\n"), "{output}");
    let script = format!(
        "(printf 'POST {} HTTP/1.1\\r\\nContent-Length: 20000000\\r\\n\\r\\n'; head -c 20000000 /dev/zero) | \
         nc 127.0.0.1 3128 | tail -n 1",
        server.url("/")
    );
    let output = shell(docker, &env, &[&granted], &script).ok();
    assert_eq!(printed(&output), "20000000", "{output}");
}

#[test]
fn many_connections_at_once_each_get_their_own_answer() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    docker.configure(&env, "resources.pids = 500\n");
    let server = server();
    let granted = server.address().to_string();
    let script = format!(
        "for i in $(seq 100); do (test \"$(wget -q -O - {}$i)\" = \"answer to /$i\" && echo ok) & done; wait",
        server.url("/")
    );
    let output = shell(docker, &env, &[&granted], &script).ok();
    assert_eq!(printed(&output), "ok\n".repeat(100), "{output}");
    assert_eq!(server.requests().len(), 100);
}

#[test]
fn one_that_is_not_read_stops_neither_others_nor_output_nor_the_end() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let (endless, server) = (endless(), server());
    let hosts = [endless.to_string(), server.address().to_string()];
    // Ten connections that are sent more than they read, and one that sends what nobody reads.
    let script = format!(
        "for i in $(seq 10); do (printf 'CONNECT {endless} HTTP/1.1\\r\\n\\r\\n'; sleep 60) | nc 127.0.0.1 3128 | sleep 60 & done; \
         (printf 'CONNECT {endless} HTTP/1.1\\r\\n\\r\\n'; cat /dev/zero) | nc 127.0.0.1 3128 | sleep 60 & \
         until test \"$(wget -q -O - {})\" = 'answer to /last'; do :; done; \
         head -c 20000000 /dev/zero | tr '\\0' y; echo; echo end; sleep 60",
        server.url("/last")
    );
    let words = [
        "--timeout",
        "8s",
        "--allow-host",
        &hosts[0],
        "--allow-host",
        &hosts[1],
        "--",
        "sh",
        "-c",
        &script,
    ];
    let output = exec(docker, &env, &words).fails_with(124, "E3402");
    assert!(output.stdout.ends_with("y\nend\n"), "{}", output.stderr);
    assert!(
        output.elapsed < Duration::from_secs(30),
        "{:?}",
        output.elapsed
    );
}

#[test]
fn what_one_command_left_has_nothing_to_connect_to() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let (server, address) = (server(), shouting());
    let hosts = [server.address().to_string(), address.to_string()];
    let run = |host: &str, script: &str| {
        let words = [
            "--keep",
            "egress",
            "--allow-host",
            host,
            "--",
            "sh",
            "-c",
            script,
        ];
        exec(docker, &env, &words)
    };
    let leave = format!(
        "echo 'while :; do wget -q -O - {}; done' > /tmp/left; hostile escape 60 /tmp/y; setsid sh /tmp/left > /tmp/log 2>&1 &",
        server.url("/")
    );
    run(&hosts[0], &leave).ok();
    // Nothing of it is there any more, neither while no command runs nor while the next one does.
    let before = server.requests().len();
    let script = "sleep 0.5; ps | grep -c '[w]get'; test -e /tmp/left && echo kept";
    let output = run(&hosts[0], script).output();
    assert_eq!(output.stdout, "0\nkept\n", "{output}");
    assert_eq!(server.requests().len(), before);
    // Another list is another container.
    let output = run(&hosts[1], "test -e /tmp/left || echo another").ok();
    assert_eq!(output.stdout, "another\n", "{output}");
    // A command of the same name without a network finds no proxy.
    let words = [
        "--keep",
        "egress",
        "--",
        "sh",
        "-c",
        "nc 127.0.0.1 3128 </dev/null || echo none",
    ];
    assert_eq!(exec(docker, &env, &words).ok().stdout, "none\n");
}

#[test]
fn connections_end_with_their_command() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it comes");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("set");
        // Ends when whoever came is gone.
        stream.read_to_end(&mut Vec::new())
    });
    let script = format!(
        "(printf 'CONNECT {address} HTTP/1.1\\r\\n\\r\\n'; sleep 60) | nc 127.0.0.1 3128 & sleep 1"
    );
    let granted = address.to_string();
    shell(docker, &env, &[&granted], &script).ok();
    let ended = served.join().expect("it ended");
    let is_over = ended.as_ref().map_or_else(
        |error| error.kind() == std::io::ErrorKind::ConnectionReset,
        |_| true,
    );
    assert!(is_over, "{ended:?}");
}

#[test]
fn what_is_granted_for_http_has_a_limit_of_bytes() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    docker.configure(&env, "[limits]\nhttp_bytes = \"1MiB\"\n");
    let server = Server::start(|_| Response::new(200, vec![b'x'; 3 << 20]));
    let script = format!("wget -q -O - {} 2>/dev/null | wc -c", server.url("/"));
    let arguments = json!({"command": ["sh", "-c", script], "network": "allow-list"}).to_string();
    let call = |grant: &str| {
        let grant = format!("{grant}{}", server.address());
        let words = ["call", "sandbox.run", "--json", "--args", &arguments];
        let allow = ["--allow", "subprocess=*", "--allow", &grant];
        docker.run(&env, words.iter().chain(&allow)).output()
    };
    let output = call("network_http=http://");
    let count: u64 = printed(&output).trim().parse().expect("a number");
    assert!(count <= 1 << 20, "{output}");
    assert!(output.stdout.contains("limits.http_bytes"), "{output}");
    // Of a connection nobody knows what is in it.
    assert_eq!(printed(&call("network_tcp=")).trim(), "3145728");
}
