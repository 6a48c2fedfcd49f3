//! The rows about an audit log that has become long: how fast it is verified and asked, by the shipped binary.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use toolhatch::audit::{AuditLog, Event, EventType, Options, Outlets};
use toolhatch::ids::{CallId, Digest};

use crate::percentile;
use crate::processes::binary;

/// How many calls make a megabyte.
const CALLS_IN_MB: u64 = 300;
/// In a shorter log not every question has an answer.
const LEAST_MB: u64 = 10;
/// How long the calls took, from the first to now.
const SPAN: Duration = Duration::from_secs(10 * 24 * 3600);
const TOOLS: u64 = 48;
/// How many times each question is asked.
const TIMES: usize = 10;

/// All rows about a long log.
pub(super) fn rows(home: &Path) {
    let megabytes: u64 = std::env::var("BENCH_LOG_MB")
        .map_or(1000, |text| text.parse().expect("a number"))
        .max(LEAST_MB);
    let first = write(home, megabytes);
    let folder = home.join("audit");
    let files = std::fs::read_dir(&folder).expect("the log");
    let bytes: u64 = files
        .map(|file| file.and_then(|file| file.metadata()).expect("a file").len())
        .sum();
    let size = bytes as f64 / 1e6;

    let mut verified: Vec<_> = (0..3).map(|_| ask(home, &["audit", "verify"]).0).collect();
    let verified = percentile(&mut verified, 50).as_secs_f64();
    println!(
        "| `audit verify` of {size:.0} MB | {:.0} MB/s | – | – | ≥ 200 MB/s |",
        size / verified
    );
    let (caught_up, _) = ask(home, &["audit", "query", "--limit", "1"]);
    let caught_up = caught_up.as_secs_f64();
    println!(
        "| the first question to a log of {size:.0} MB, which makes its index | {caught_up:.1} s ({:.0} MB/s) | – | – | – |",
        size / caught_up
    );
    let seldom: &[&str] = &["--code", "E3403"];
    // Many of each, and none of both.
    let never: &[&str] = &["--session", "daemon", "--tool", "plugin-0.tool-5"];
    let tool: &[&str] = &["--tool", "plugin-1.tool-11", "--limit", "50"];
    let old: &[&str] = &["--session", "session-0-1"];
    let queries: [&[&str]; 9] = [
        &[],
        &["--call", first.as_str()],
        tool,
        &["--tool", "plugin-1.tool-11", "--outcome", "error"],
        seldom,
        &["--decision", "deny"],
        old,
        &["--plugin", "plugin-1", "--until", "216h"],
        never,
    ];
    slowest(home, &["audit", "query"], &queries, never, size);
    let lists: [&[&str]; 6] = [
        &[],
        tool,
        old,
        &["--failed"],
        &["--plugin", "plugin-1", "--failed", "--since", "216h"],
        never,
    ];
    slowest(home, &["calls", "list"], &lists, never, size);
    std::fs::remove_dir_all(home).expect("removed");
}

/// Asks every question many times and tells the median of the one that took longest. Only to `never` there is no answer.
fn slowest(home: &Path, verb: &[&str], questions: &[&[&str]], never: &[&str], size: f64) {
    let (longest, question) = questions
        .iter()
        .map(|question| {
            let arguments = [verb, question].concat();
            let (_, answer) = ask(home, &arguments);
            let is_empty = answer.starts_with("No record") || answer.starts_with("There are no");
            assert_eq!(is_empty, *question == never, "{arguments:?}: {answer}");
            let mut samples: Vec<_> = (0..TIMES).map(|_| ask(home, &arguments).0).collect();
            (percentile(&mut samples, 50), question.join(" "))
        })
        .max()
        .expect("a question");
    println!(
        "| `{}` as a process, {size:.0} MB, the slowest of {} questions (`{question}`), p50 | {:.1} ms | – | – | ≤ 100 ms |",
        verb.join(" "),
        questions.len(),
        longest.as_secs_f64() * 1e3
    );
}

fn ask(home: &Path, arguments: &[&str]) -> (Duration, String) {
    let started = Instant::now();
    let output = Command::new(binary())
        .args(arguments)
        .env("TOOLHATCH_HOME", home)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("started");
    let elapsed = started.elapsed();
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    (elapsed, String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Writes a log about as long as this; gives the id of its first call.
fn write(home: &Path, megabytes: u64) -> String {
    let log = AuditLog::open(
        &home.join("audit"),
        &home.join("keys"),
        Options::default(),
        Outlets::default(),
    )
    .expect("a log");
    let calls = megabytes * CALLS_IN_MB;
    let began = SystemTime::now() - SPAN;
    let ids: Vec<CallId> = (0..calls).map(|_| CallId::generate()).collect();
    for (number, id) in (0..calls).zip(&ids) {
        let at = began + SPAN.mul_f64(number as f64 / calls as f64);
        for event in call(number, *id, at) {
            log.append(event).expect("appended");
        }
    }
    log.close().expect("closed");
    ids.first().expect("a call").to_string()
}

/// The records of a call, as the pipeline writes them.
fn call(number: u64, id: CallId, at: SystemTime) -> [Event; 4] {
    let tool = number % TOOLS;
    let plugin = format!("plugin-{}", tool / 8);
    let name = format!("{plugin}.tool-{tool}");
    let digest = Digest::of(plugin.as_bytes()).to_string();
    // Fifteen sessions go on beside each other, of 25 calls each, and one that never ends.
    let session = match number % 16 {
        0 => "daemon".to_owned(),
        lane => format!("session-{}-{lane}", number / 400),
    };
    let event = |kind| {
        Event::new(kind)
            .at(at)
            .call(id)
            .subject(&name)
            .plugin(&plugin)
            .digest(&digest)
            .principal("uid 1000")
            .agent("coder")
            .session(&session)
    };
    let sha256 = Digest::of(&number.to_le_bytes()).to_string().split_off(7);
    let start = event(EventType::ExecutionStart)
        .with("tool", name.as_str())
        .with("arguments_sha256", sha256.as_str())
        .with("timeout_ms", 30000.0)
        .with("memory_bytes", 134_217_728);
    let outcome = if number % 40_000 == 1 {
        "deny"
    } else {
        "allow"
    };
    let decided = event(EventType::PermissionDecided)
        .with("effective", json!(["file_read=/home/me/work"]))
        .with("granted_for_good", true)
        .with("policy", json!({"outcome": outcome, "by": ["granted-is-allowed"]}))
        .with(
            "question",
            json!({
                "version": 1,
                "principal": {"user": "uid 1000", "agent": "coder", "session": session},
                "ask": {"action": "tool.invoke", "resource": {
                    "id": name, "origin": "wasm", "version": "1.0.0", "digest": digest, "risk": "low",
                    "idempotent": true, "pure": false, "untrusted_output": true, "lifecycle": "active",
                    "tags": [], "signed": false,
                }},
                "time": 1_790_000_000 + number,
                "environment": {"interactive": false, "headless": true},
                "session": {"tainted": false, "labels": [], "calls": number % 25, "egress": false},
            }),
        );
    let end = event(EventType::ExecutionEnd)
        .with("duration_ms", 2.5)
        .with("denials", 0)
        .with("effects", 0)
        .with(
            "usage",
            json!({
                "duration_ms": 2.1, "cpu_ms": 1.6, "peak_memory_bytes": 1_245_184, "host_calls": 11,
                "bytes_in": number % 1000, "bytes_out": 0,
            }),
        );
    // One call in 29 fails; one in 29,000 does so in a way that is seldom seen.
    let (told, end) = if number % 29 == 5 {
        let code = if number % 29_000 == 5 {
            "E3403"
        } else {
            "E3301"
        };
        let told = event(EventType::ErrorOccurred)
            .with("code", code)
            .with("message", "the tool does not accept the arguments");
        let end = end
            .with("outcome", "error")
            .with("code", code)
            .with("exit", 2);
        (told, end)
    } else {
        let told = event(EventType::OutputCaptured)
            .with("sha256", sha256.as_str())
            .with("bytes", 610);
        (told, end.with("outcome", "ok"))
    };
    [start, decided, told, end]
}
