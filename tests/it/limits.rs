//! Guests that take more than they should: each ends in its typed error within its limit, and the next call works.

mod memory;
mod output;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::guests::{self, call, still_works};
use crate::support::probe::{self, Kind, Probe};

#[test]
fn a_guest_that_spins_is_stopped_at_its_deadline() {
    let probe = Probe::new();
    probe.still_works();
    for (function, arguments) in [
        ("spin", json!({})),
        // Blocked in the host, where no instruction of the guest is interrupted.
        ("sleep", json!({"milliseconds": 3_600_000})),
        ("sleep", json!({"milliseconds": u64::MAX})),
        ("ask-time", json!({"times": u64::MAX})),
    ] {
        let output = probe.call(function, arguments).flag("--timeout=1s").fails(
            124,
            "E3402",
            "the tool did not finish within 1s",
        );
        let took = output.json()["usage"]["duration_ms"]
            .as_f64()
            .expect("a number");
        assert!((1000.0..1500.0).contains(&took), "{output}");
        assert!(output.elapsed < Duration::from_secs(20), "{output}");
        probe.still_works();
    }
}

#[test]
fn an_asynchronous_guest_is_stopped_at_its_deadline() {
    let probe = Probe::of(Kind::Async);
    probe.still_works();
    for (function, arguments) in [
        ("spin", json!({})),
        ("sleep", json!({"milliseconds": 3_600_000})),
        (
            "sleep-together",
            json!({"times": 1000, "milliseconds": 3_600_000}),
        ),
    ] {
        let output = probe
            .call(function, arguments)
            .flag("--timeout=700ms")
            .fails(124, "E3402", "the tool did not finish within 700ms");
        assert!(output.elapsed < Duration::from_secs(20), "{output}");
        probe.still_works();
    }
    let waits = json!({"times": 100, "milliseconds": 300});
    let output = probe.call("sleep-together", waits).run().ok();
    let took = output.json()["usage"]["duration_ms"]
        .as_f64()
        .expect("a number");
    assert!(
        (300.0..10_000.0).contains(&took),
        "they wait at the same time: {output}"
    );
    probe
        .call(
            "sleep-together",
            json!({"times": 1_000_000, "milliseconds": 3_600_000}),
        )
        .flag("--timeout=20s")
        .fails(6, "E3407", "handles at once");
    probe.still_works();
}

#[test]
fn a_deadline_holds_before_the_first_function_is_called() {
    let env = TestEnv::new();
    let output = call(
        &env,
        &guests::wat("start-spin"),
        &["--timeout", "500ms", "--json"],
    )
    .fails_with(124, "E3402");
    assert!(output.elapsed < Duration::from_secs(20), "{output}");
    still_works(&env);
}

#[test]
fn a_deadline_can_come_from_the_configuration_and_is_never_more_than_its_ceiling() {
    let probe = Probe::new();
    let write = |text: &str| probe.env.write(probe.env.user_config(), text.as_bytes());
    write("[limits]\ntimeout = \"200ms\"\n");
    probe
        .call("spin", json!({}))
        .fails(124, "E3402", "within 200ms");
    probe
        .call("spin", json!({}))
        .flag("--timeout=300ms")
        .fails(124, "E3402", "within 300ms");
    write("[ceiling]\ntimeout = \"250ms\"\n");
    probe
        .call("spin", json!({}))
        .flag("--timeout=1h")
        .fails(124, "E3402", "within 250ms");
    for text in ["-1s", "1", "soon", ""] {
        let run = probe.env.run(
            ["call", probe::file().to_str().expect("UTF-8"), "spin"]
                .into_iter()
                .chain(["--timeout", text]),
        );
        let output = run.output();
        assert_eq!(output.code, Some(2), "{text:?}: {output}");
    }
}

#[test]
fn the_stack_ends_at_its_limit() {
    let env = TestEnv::new();
    let output = call(&env, &guests::wat("recurse"), &["--arg", "from=0"]).fails_with(6, "E3407");
    assert!(
        output.stderr.contains("the tool's stack overflowed"),
        "{output}"
    );
    // Rust keeps a stack of its own in memory; running over that is a crash of the guest's.
    let probe = Probe::new();
    probe
        .call("recurse", json!({"depth": 1_000_000_000_u64}))
        .fails(1, "E3404", "out of bounds memory access");
    probe
        .call("recurse", json!({"depth": 1000}))
        .gives(json!(1000));
    still_works(&env);
}

#[test]
fn tables_end_at_their_limit() {
    let env = TestEnv::new();
    let guest = guests::wat("take-table");
    let output = call(&env, &guest, &[]).fails_with(6, "E3407");
    assert!(
        output.stderr.contains("more than 20000 table elements"),
        "{output}"
    );
    env.write(env.user_config(), b"[limits]\ntable_elements = 5000\n");
    let output = call(&env, &guest, &[]).fails_with(6, "E3407");
    assert!(
        output.stderr.contains("more than 5000 table elements"),
        "{output}"
    );
    still_works(&env);
}

#[test]
fn instances_end_at_their_limit() {
    let env = TestEnv::new();
    let many = |count: u32| {
        let instances: String = (0..count)
            .map(|number| format!("(core instance $i{number} (instantiate $m))"))
            .collect();
        let text = format!(
            "(component (core module $m (func (export \"run\"))) {instances} \
             (func (export \"run\") (canon lift (core func $i0 \"run\"))))"
        );
        env.write(format!("many-{count}.wasm"), &guests::component(&text))
    };
    call(&env, &many(50), &[]).ok();
    let output = call(&env, &many(101), &[]).fails_with(6, "E3407");
    assert!(output.stderr.contains("100"), "{output}");
    // More than any pool has room for, and more than a component may have at all.
    call(&env, &many(900), &[]).fails_with(6, "E3407");
    call(&env, &many(20_000), &[]).fails_with(2, "E3105");
    still_works(&env);
}

/// GHSA-q554-3cjc-rx7p: a guest could make the tables of handles grow without end.
#[test]
fn ghsa_q554_3cjc_rx7p_handles_end_at_their_limit() {
    let probe = Probe::new();
    probe.call("take-handles", json!({"count": 100_000})).fails(
        6,
        "E3407",
        "the tool held more than 10000 handles at once",
    );
    probe
        .call("take-handles", json!({"count": 1000}))
        .run()
        .ok();
    probe.still_works();
}

#[test]
fn calls_into_the_host_are_counted() {
    let probe = Probe::new();
    probe.call("ask-time", json!({"times": 1000})).run().ok();
    probe
        .env
        .write(probe.env.user_config(), b"[limits]\nhost_calls = 1000\n");
    let output = probe.call("ask-time", json!({"times": 2000})).fails(
        6,
        "E3411",
        "the tool made more than 1000 calls into the host",
    );
    assert_eq!(output.json()["usage"]["host_calls"], 1001, "{output}");
    probe.call("ask-time", json!({"times": 500})).run().ok();
    probe.still_works();
}

#[test]
fn fuel_is_counted_in_deterministic_calls() {
    let probe = Probe::new();
    probe
        .env
        .write(probe.env.user_config(), b"[limits]\nfuel = 5000000\n");
    let spin = || probe.call("spin", json!({})).flag("--deterministic");
    let output = spin().fails(6, "E3411", "the tool used up its 5000000 units of fuel");
    assert_eq!(output.json()["usage"]["fuel"], 5_000_000, "{output}");
    let burnt = || {
        let call = probe.call("recurse", json!({"depth": 100}));
        let output = call.flag("--deterministic").run().ok();
        output.json()["usage"]["fuel"].as_u64().expect("a number")
    };
    assert_eq!(burnt(), burnt(), "the same call takes the same fuel");
    probe
        .call("spin", json!({}))
        .flag("--timeout=300ms")
        .fails(124, "E3402", "");
    probe.still_works();
}

#[test]
fn deterministic_calls_see_the_same_world() {
    let probe = Probe::new();
    for (function, arguments) in [
        ("now", json!({})),
        ("random", json!({"count": 16})),
        ("ask-time", json!({"times": 3})),
    ] {
        let see = |flag: Option<&str>| {
            let call = probe.call(function, arguments.clone());
            match flag {
                Some(flag) => call.flag(flag).result(),
                None => call.result(),
            }
        };
        assert_eq!(
            see(Some("--deterministic")),
            see(Some("--deterministic")),
            "{function}"
        );
        assert_ne!(see(None), see(None), "{function}");
    }
    let started = Instant::now();
    let call = probe.call("sleep", json!({"milliseconds": 10}));
    call.flag("--deterministic").run().ok();
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_call_that_is_interrupted_is_cancelled() {
    for probe in Probe::both() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let arguments = json!({"address": address, "line": "hello"});
        let call = probe.call("tcp-ask", arguments);
        let call = call
            .allow(format!("network_tcp={address}"))
            .flag("--timeout=45s");
        let running = call.run().start();
        // Once it has connected it waits for an answer that never comes.
        let connection = listener.accept().expect("it connects");
        running.signal(Signal::INT);
        let output = running.finish().fails_with(130, "E3703");
        assert!(output.elapsed < Duration::from_secs(30), "{output}");
        assert_eq!(
            output.json()["error"]["message"],
            "the call was cancelled",
            "{output}"
        );
        drop(connection);
        probe.still_works();
    }
}
