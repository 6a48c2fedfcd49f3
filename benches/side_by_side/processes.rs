//! The rows that are about whole processes: the shipped binary, started as a person or an agent would.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::{CODE, PLUGIN, memory_of, percentile, row};

/// The shipped binary.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_toolhatch"))
}

/// Row 2: `toolhatch call` as a process, against a program that only starts and ends.
pub(crate) fn one_call(root: &Path, home: &Path) {
    let run = |arguments: &[&str]| {
        let started = Instant::now();
        let status = Command::new(binary())
            .args(arguments)
            .current_dir(root)
            .env("TOOLHATCH_HOME", home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .status()
            .expect("started");
        assert!(status.success(), "{arguments:?}: {status}");
        started.elapsed()
    };
    let code = format!("code={CODE}");
    let call = [
        "call",
        PLUGIN,
        "--arg",
        code.as_str(),
        "--arg",
        "language=rust",
    ];
    run(&call);
    let mut ours: Vec<_> = (0..30).map(|_| run(&call)).collect();
    let mut bare: Vec<_> = (0..30).map(|_| run(&["--version"])).collect();
    row(
        "2 `toolhatch call` as a process, warm cache",
        percentile(&mut ours, 50),
        None,
        "≤ 25 ms",
    );
    row(
        "2 `toolhatch --version` (what a process costs)",
        percentile(&mut bare, 50),
        None,
        "–",
    );
}

/// Row 4: the first answer with 100 installed plugins.
pub(crate) fn many_plugins(home: &Path) {
    let bytes = std::fs::read(PLUGIN).expect("the plugin");
    let text = toolhatch::manifest::extract(&bytes)
        .expect("readable")
        .expect("a manifest");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let own_home = home.join("hundred");
    for index in 0..100 {
        let named = text.replacen(
            "name = \"analyze-code\"",
            &format!("name = \"plugin-{index}\""),
            1,
        );
        let packed = toolhatch::manifest::embed(&bytes, &named).expect("packed");
        let file = folder.path().join(format!("plugin-{index}.wasm"));
        std::fs::write(&file, packed).expect("written");
        let status = Command::new(binary())
            .args(["plugin", "install"])
            .arg(&file)
            .env("TOOLHATCH_HOME", &own_home)
            .stdout(Stdio::null())
            .status()
            .expect("started");
        assert!(status.success());
    }
    let mut samples: Vec<_> = (0..20)
        .map(|_| {
            let started = Instant::now();
            let status = Command::new(binary())
                .args(["tools", "list"])
                .env("TOOLHATCH_HOME", &own_home)
                .stdout(Stdio::null())
                .status()
                .expect("started");
            assert!(status.success());
            started.elapsed()
        })
        .collect();
    row(
        "4 `tools list` with 100 installed plugins",
        percentile(&mut samples, 50),
        None,
        "≤ 50 ms",
    );
}

/// Never ends.
const SPIN: &str = r#"(component
    (core module $m (func (export "spin") (loop br 0)))
    (core instance $i (instantiate $m))
    (func (export "spin") (canon lift (core func $i "spin"))))"#;
/// Takes memory and writes to it until it gets no more.
const BOMB: &str = r#"(component
    (core module $m
        (memory 1)
        (func (export "bomb")
            (local $at i32)
            (loop $more
                (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
                (local.set $at (i32.mul (i32.sub (memory.size) (i32.const 16)) (i32.const 65536)))
                (memory.fill (local.get $at) (i32.const 1) (i32.const 1048576))
                (br $more))))
    (core instance $i (instantiate $m))
    (func (export "bomb") (canon lift (core func $i "bomb"))))"#;

/// A `call --jsonl` that stays open for as long as it is held.
struct Lines {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Lines {
    fn open(root: &Path, home: &Path) -> Self {
        let mut child = Command::new(binary())
            .args(["call", "--jsonl", "--memory", "256MiB"])
            .current_dir(root)
            .env("TOOLHATCH_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, answers }
    }

    fn call(&mut self, line: &serde_json::Value) -> serde_json::Value {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{line}").expect("written");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("answered");
        serde_json::from_str(&answer).expect("JSON")
    }

    fn memory(&self, key: &str) -> u64 {
        memory_of(&self.child.id().to_string(), key)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// What a process takes that waits for the next call, and what one takes whose guest fills its memory.
pub(crate) fn memory(root: &Path, home: &Path) {
    let mut lines = Lines::open(root, home);
    // A line that is no call is answered once everything is ready, and runs nothing.
    let answer = lines.call(&json!({"no": "call"}));
    assert_eq!(answer["ok"], false, "{answer}");
    let idle = lines.memory("VmRSS:") / 1024;
    println!("| idle `call --jsonl`, ready for its first call | {idle} MiB | – | – | ≤ 30 MB |");
    let arguments = json!({"code": CODE, "language": "rust"});
    let answer = lines.call(&json!({"tool": PLUGIN, "args": arguments}));
    assert_eq!(answer["ok"], true, "{answer}");
    let (all, own) = (lines.memory("VmRSS:"), lines.memory("RssAnon:"));
    println!(
        "| the same after one call, and of that not pages of the program | {} MiB, {} MiB | – | – | – |",
        all / 1024,
        own / 1024
    );
    drop(lines);

    let guests = tempfile::tempdir().expect("a temporary folder");
    let bomb = guest(guests.path(), "bomb", BOMB);
    let mut lines = Lines::open(root, home);
    let before = lines.call(&json!({"tool": bomb}));
    assert_eq!(before["error"]["code"], "E3403", "{before}");
    let most = lines.memory("VmHWM:") / 1024;
    println!(
        "| most memory of a process whose guest fills 256 MiB | {most} MiB | – | – | ≤ 320 MiB |"
    );
}

/// Row 5: how late a guest that spins is stopped.
pub(crate) fn runaway(root: &Path, home: &Path) {
    let guests = tempfile::tempdir().expect("a temporary folder");
    let spin = guest(guests.path(), "spin", SPIN);
    let mut lines = Lines::open(root, home);
    let mut late: Vec<_> = (0..5)
        .map(|_| {
            let started = Instant::now();
            let answer = lines.call(&json!({"tool": spin, "timeout": "500ms"}));
            assert_eq!(answer["error"]["code"], "E3402", "{answer}");
            started.elapsed().saturating_sub(Duration::from_millis(500))
        })
        .collect();
    row(
        "5 a guest that spins is stopped this long after its limit, at the latest",
        percentile(&mut late, 100),
        None,
        "≤ 50 ms",
    );
}

fn guest(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(format!("{name}.wasm"));
    std::fs::write(&file, wat::parse_str(text).expect("WAT")).expect("written");
    file
}

/// Row 5 and throughput: 64 callers in one process, then the same with a guest that spins, one that compiles and one that
/// fills its memory.
pub(crate) fn concurrency(root: &Path, home: &Path) {
    let guests = tempfile::tempdir().expect("a temporary folder");
    let spin = guest(guests.path(), "spin", SPIN);
    let bomb = guest(guests.path(), "bomb", BOMB);
    // Another manifest makes it another artifact, which nobody has compiled yet.
    let plugin = std::fs::read(PLUGIN).expect("the plugin");
    let text = toolhatch::manifest::extract(&plugin)
        .expect("readable")
        .expect("a manifest");
    let packed = toolhatch::manifest::embed(&plugin, &format!("{text}\n# new")).expect("packed");
    let fresh = guests.path().join("fresh.wasm");
    std::fs::write(&fresh, packed).expect("written");
    let call = |id: usize| {
        json!({"tool": PLUGIN, "args": {"code": CODE, "language": "rust"}, "id": id}).to_string()
    };
    let run = |lines: &[String]| {
        let started = Instant::now();
        let mut child = Command::new(binary())
            .args(["call", "--jsonl", "--unordered", "--jobs", "64"])
            .current_dir(root)
            .env("TOOLHATCH_HOME", home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut input = child.stdin.take().expect("piped");
        let text = lines.join("\n") + "\n";
        let writer = std::thread::spawn(move || {
            // The process may end before it has read everything.
            drop(input.write_all(text.as_bytes()));
        });
        let output = child.wait_with_output().expect("ended");
        writer.join().expect("written");
        (
            started.elapsed(),
            String::from_utf8(output.stdout).expect("UTF-8"),
        )
    };
    let calls: Vec<String> = (0..1000).map(call).collect();
    let (elapsed, _) = run(&calls);
    println!(
        "| 64 callers, 1000 calls in one process | {:.0} calls/s | – | – | – |",
        1000.0 / elapsed.as_secs_f64()
    );
    let mut mixed = vec![
        json!({"tool": spin, "timeout": "3s", "id": "spin"}).to_string(),
        json!({"tool": bomb, "id": "bomb"}).to_string(),
        json!({"tool": fresh, "args": {"code": "", "language": "rust"}, "id": "fresh"}).to_string(),
    ];
    mixed.extend((0..1000).map(call));
    let (_, answers) = run(&mixed);
    let mut durations: Vec<Duration> = answers
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|answer| answer["ok"] == true && answer["id"].is_number())
        .filter_map(|answer| answer["usage"]["duration_ms"].as_f64())
        .map(|milliseconds| Duration::from_secs_f64(milliseconds / 1000.0))
        .collect();
    assert_eq!(durations.len(), 1000, "every harmless call is answered");
    row(
        "5 others' p99 while one guest spins, one compiles and one fills its memory",
        percentile(&mut durations, 99),
        None,
        "≤ 5 ms",
    );
}
