//! Memory.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{call, still_works};
use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{self, Probe};
use crate::support::process::Running;
use crate::support::procfs;
use crate::support::source::root;

#[test]
fn memory_ends_at_its_limit() {
    let env = TestEnv::new();
    let guest = guests::wat("take-memory");
    for touch in ["touch=true", "touch=false"] {
        let output =
            call(&env, &guest, &["give-up", "--arg", touch, "--json"]).fails_with(6, "E3403");
        let report = output.json();
        let message = report["error"]["message"].as_str().expect("a message");
        assert_eq!(
            message, "the tool needed more than 128 MiB of memory",
            "{output}"
        );
        assert_eq!(report["usage"]["peak_memory_bytes"], 128 << 20, "{output}");
    }
    let output = call(
        &env,
        &guest,
        &["give-up", "--arg", "touch=true", "--memory", "3MiB"],
    )
    .fails_with(6, "E3403");
    assert!(
        output.stderr.contains("more than 3 MiB of memory"),
        "{output}"
    );
    // More than a slot of the pool has room for.
    let output = call(
        &env,
        &guest,
        &["give-up", "--arg", "touch=false", "--memory", "2GiB"],
    )
    .fails_with(6, "E3403");
    assert!(output.stderr.contains("memory"), "{output}");
    still_works(&env);
}

#[test]
fn a_guest_that_takes_no_for_an_answer_goes_on() {
    let env = TestEnv::new();
    let guest = guests::wat("take-memory");
    let output = call(
        &env,
        &guest,
        &[
            "go-on",
            "--arg",
            "touch=false",
            "--memory",
            "1MiB",
            "--json",
        ],
    )
    .ok();
    assert_eq!(output.json()["structured"]["result"], 16, "{output}");
    let probe = Probe::new();
    probe
        .call("try-memory", json!({"mebibytes": 1000}))
        .fails(1, "E3401", "OutOfMemory");
    probe
        .call("try-memory", json!({"mebibytes": 10}))
        .gives(json!(10));
    probe
        .call("take-memory", json!({"mebibytes": 1000}))
        .fails(6, "E3403", "128 MiB of memory");
    probe
        .call("take-memory", json!({"mebibytes": 300}))
        .flag("--memory=512MiB")
        .gives(json!(300));
    probe.still_works();
}

#[test]
fn memory_that_a_guest_begins_with_counts() {
    let env = TestEnv::new();
    let output = call(&env, &guests::wat("start-large"), &[]).fails_with(6, "E3403");
    assert!(output.stderr.contains("128 MiB of memory"), "{output}");
    call(&env, &guests::wat("start-large"), &["--memory", "1GiB"]).ok();
    let both = guests::wat("many-memories");
    let output = call(&env, &both, &["first", "--memory", "64MiB"]).fails_with(6, "E3403");
    assert!(output.stderr.contains("64 MiB of memory"), "{output}");
    call(&env, &both, &["second"]).ok();
    still_works(&env);
}

/// The most memory a process ever had, in bytes; nothing where the system does not tell.
fn peak_rss_of_child_in(folder: &Path) -> Option<u64> {
    let processes = std::fs::read_dir("/proc").ok()?;
    let ours = processes.flatten().find(|process| {
        let is_toolhatch = std::fs::read_link(process.path().join("exe"))
            .is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_toolhatch")));
        is_toolhatch
            && std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    })?;
    let status = std::fs::read_to_string(ours.path().join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

#[test]
fn a_memory_bomb_costs_the_process_its_limit_and_little_more() {
    let probe = Probe::new();
    let bomb =
        json!({"tool": guests::wat("take-memory"), "name": "give-up", "args": {"touch": true}});
    let wait = json!({"tool": probe::file(), "name": "sleep", "args": {"milliseconds": 60_000}});
    let small = json!({"tool": guests::wat("collide"), "name": "alone"});
    let running = probe
        .env
        .run([
            "call",
            "--jsonl",
            "--jobs",
            "1",
            "--memory",
            "256MiB",
            "--timeout",
            "50s",
        ])
        .stdin(format!("{small}\n{bomb}\n{small}\n{wait}\n"))
        .start();
    running.wait_for("E3403");
    let peak = peak_rss_of_child_in(&probe.env.path(""));
    running.signal(Signal::INT);
    let output = running.finish().fails_with(130, "E3403");
    if cfg!(target_os = "linux") {
        let peak = peak.expect("the process was there");
        assert!(
            // The process itself has some tens of them; the binary of the tests is not optimised, and large.
            (256 << 20..(256 + 96) << 20).contains(&peak),
            "{} MiB\n{output}",
            peak >> 20
        );
    }
}

#[test]
fn what_compiling_took_is_given_back() {
    let probe = Probe::new();
    // A large one.
    let text = root().join("plugins/dist/text.wasm");
    let stats = json!({"tool": text, "name": "stats", "args": {"text": "a"}});
    let wait = json!({"tool": probe::file(), "name": "sleep", "args": {"milliseconds": 60_000}});
    let start = || {
        let running = probe
            .env
            .run(["call", "--jsonl", "--jobs", "1"])
            .stdin(format!("{stats}\n{wait}\n"))
            .start();
        running.wait_for("\"ok\":true");
        running
    };
    let stop = |running: Running| {
        running.signal(Signal::INT);
        let output = running.finish();
        assert_eq!(output.code, Some(130), "{output}");
    };
    // The first process compiles them, the second one finds them compiled.
    let (compiles, finds) = (start(), start());
    let most = procfs::resident(finds.pid()) + (30 << 20);
    let end = Instant::now() + Duration::from_secs(20);
    while procfs::resident(compiles.pid()) > most {
        assert!(
            Instant::now() < end,
            "it keeps more than {} MiB",
            most >> 20
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    stop(compiles);
    stop(finds);
}
