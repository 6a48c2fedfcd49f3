//! Ours against raw wasmtime, side by side in one run: the rows of the budget table in `docs/performance.md`.
//!
//! Run it with `scripts/bench`. Times on a shared machine mean little by themselves; both sides of a ratio are measured in
//! turns within one loop, so what disturbs one disturbs the other.

#![expect(
    unsafe_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark: it prints its table, and a failure is the end of it"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use toolhatch::app::App;
use toolhatch::exec::{EventLimits, EventSink};
use toolhatch::host::{EngineKind, engine_config};
use toolhatch::ids::CallId;
use toolhatch::invoke::{Grants, Pipeline, Request, ToolRef};
use toolhatch::manifest::LimitRequest;
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// The same world, without anything of ours around it.
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package toolhatch:bench;

            world raw {
                import toolhatch:plugin/log@0.1.0;
                import toolhatch:plugin/progress@0.1.0;
                export toolhatch:plugin/tools@0.1.0;
            }
        ",
        path: "wit",
        world: "toolhatch:bench/raw",
        exports: { default: async },
    });
}

use bindings::RawPre;
use bindings::exports::toolhatch::plugin::tools::CallContext;
use bindings::toolhatch::plugin::{log, progress};

/// What raw wasmtime needs and no more: no guard, no limits, no deadline.
struct Bare {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Bare {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl log::Host for Bare {
    fn write(&mut self, _level: log::Level, _message: String) {}

    fn enabled(&mut self, _level: log::Level) -> bool {
        false
    }
}

impl progress::Host for Bare {
    fn report(&mut self, _done: f64, _total: Option<f64>, _message: Option<String>) {}

    fn wanted(&mut self) -> bool {
        false
    }
}

const PLUGIN: &str = "plugins/dist/analyze-code.wasm";
const CODE: &str = "fn main() { println!(\"hello\"); }";

fn main() {
    // `cargo test` runs benches once to see that they still build.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::set_current_dir(root).expect("the checkout");
    let home = tempfile::tempdir().expect("a temporary folder");
    // SAFETY: nothing else runs yet.
    unsafe { std::env::set_var("TOOLHATCH_HOME", home.path()) };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    println!("| row | ours | raw wasmtime | difference | budget |");
    println!("|---|---|---|---|---|");
    runtime.block_on(first_load());
    runtime.block_on(warm_load());
    runtime.block_on(fresh_call());
    process(root, home.path());
    many_plugins(home.path());
    concurrency(root, home.path());
}

fn row(name: &str, ours: Duration, raw: Option<Duration>, budget: &str) {
    let micros = |duration: Duration| format!("{:.1} µs", duration.as_secs_f64() * 1e6);
    let (raw_text, difference) = match raw {
        Some(raw) => {
            let difference = ours.as_secs_f64() - raw.as_secs_f64();
            let ratio = ours.as_secs_f64() / raw.as_secs_f64();
            (
                micros(raw),
                format!("{:+.1} µs ({ratio:.2}×)", difference * 1e6),
            )
        }
        None => ("–".to_owned(), "–".to_owned()),
    };
    println!(
        "| {name} | {} | {raw_text} | {difference} | {budget} |",
        micros(ours)
    );
}

fn percentile(samples: &mut [Duration], percent: usize) -> Duration {
    samples.sort();
    samples[(samples.len() - 1) * percent / 100]
}

fn app() -> Arc<App> {
    Arc::new(App::open(&[]).expect("a configuration"))
}

fn request(events: EventLimits) -> Request {
    Request {
        call: CallId::generate(),
        tool: ToolRef::File {
            path: PathBuf::from(PLUGIN),
            tool: None,
        },
        arguments: Arc::new(json!({"code": CODE, "language": "rust"})),
        grants: Arc::new(Grants::default()),
        limits: LimitRequest::default(),
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(events)),
    }
}

fn raw_linker(engine: &Engine) -> Linker<Bare> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked");
    log::add_to_linker::<Bare, wasmtime::component::HasSelf<Bare>>(&mut linker, |bare| bare)
        .expect("linked");
    progress::add_to_linker::<Bare, wasmtime::component::HasSelf<Bare>>(&mut linker, |bare| bare)
        .expect("linked");
    linker
}

async fn raw_call(engine: &Engine, pre: &RawPre<Bare>, arguments: &String) {
    let bare = Bare {
        wasi: WasiCtx::builder().build(),
        table: ResourceTable::new(),
    };
    let mut store = Store::new(engine, bare);
    store.set_epoch_deadline(u64::MAX / 2);
    let exports = pre
        .instantiate_async(&mut store)
        .await
        .expect("instantiated");
    let context = CallContext {
        call_id: String::new(),
        deadline_ms: None,
        answers: Vec::new(),
        state: None,
    };
    let result = exports
        .toolhatch_plugin_tools()
        .call_call_tool(&mut store, "analyze-code", arguments, &context)
        .await
        .expect("called");
    assert!(result.is_ok(), "{result:?}");
}

/// Row 3: compiling for the first time.
async fn first_load() {
    let bytes = std::fs::read(PLUGIN).expect("the plugin");
    let engine = Engine::new(&engine_config(EngineKind::Pooling)).expect("an engine");
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let started = Instant::now();
        std::hint::black_box(Component::new(&engine, &bytes).expect("compiled"));
        raw.push(started.elapsed());

        let home = tempfile::tempdir().expect("a temporary folder");
        // SAFETY: no other thread of this benchmark reads the environment.
        unsafe { std::env::set_var("TOOLHATCH_CACHE_DIR", home.path()) };
        let app = app();
        let reference = request(EventLimits::default()).tool;
        let found = app.package(&reference).expect("read");
        let host = app.host().expect("a host");
        let started = Instant::now();
        host.prepare(&found.package.artifact, false)
            .await
            .expect("compiled");
        ours.push(started.elapsed());
    }
    // SAFETY: as above.
    unsafe { std::env::remove_var("TOOLHATCH_CACHE_DIR") };
    row(
        "3 first load (compile, link, keep)",
        percentile(&mut ours, 50),
        Some(percentile(&mut raw, 50)),
        "≤ 1.1× raw",
    );
}

/// Row 4: a load from the cache, in a new host.
async fn warm_load() {
    let bytes = std::fs::read(PLUGIN).expect("the plugin");
    let engine = Engine::new(&engine_config(EngineKind::Pooling)).expect("an engine");
    let compiled = engine.precompile_component(&bytes).expect("compiled");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("raw.cwasm");
    std::fs::write(&file, compiled).expect("written");
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for _ in 0..30 {
        let started = Instant::now();
        // SAFETY: compiled by the same engine a moment ago.
        std::hint::black_box(
            unsafe { Component::deserialize_file(&engine, &file) }.expect("loaded"),
        );
        raw.push(started.elapsed());

        let app = app();
        let found = app
            .package(&request(EventLimits::default()).tool)
            .expect("read");
        let host = app.host().expect("a host");
        let started = Instant::now();
        host.prepare(&found.package.artifact, false)
            .await
            .expect("loaded");
        ours.push(started.elapsed());
    }
    let size = bytes.len() / 1000;
    row(
        &format!("4 warm load of a {size} kB component (read, check, map, link)"),
        percentile(&mut ours, 50),
        Some(percentile(&mut raw, 50)),
        "≤ 2 ms",
    );
}

/// Row 1: a call of a loaded plugin, fresh instance, full pipeline.
async fn fresh_call() {
    let bytes = std::fs::read(PLUGIN).expect("the plugin");
    let engine = Engine::new(&engine_config(EngineKind::Pooling)).expect("an engine");
    let component = Component::new(&engine, &bytes).expect("compiled");
    let pre = RawPre::new(
        raw_linker(&engine)
            .instantiate_pre(&component)
            .expect("linked"),
    )
    .expect("a plugin");
    let arguments = json!({"code": CODE, "language": "rust"}).to_string();
    let app = app();
    let pipeline: Pipeline = app.pipeline().expect("a pipeline");
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for turn in 0..2200 {
        let started = Instant::now();
        raw_call(&engine, &pre, &arguments).await;
        let raw_time = started.elapsed();

        let started = Instant::now();
        let report = pipeline.invoke(request(EventLimits::default())).await;
        let our_time = started.elapsed();
        assert!(report.result.is_ok(), "{:?}", report.result);
        if turn >= 200 {
            ours.push(our_time);
            raw.push(raw_time);
        }
    }
    row(
        "1 call, fresh instance, full pipeline, p50",
        percentile(&mut ours, 50),
        Some(percentile(&mut raw, 50)),
        "raw + 100 µs",
    );
    row(
        "1 the same, p99",
        percentile(&mut ours, 99),
        Some(percentile(&mut raw, 99)),
        "–",
    );
    let before = resident();
    for _ in 0..100 {
        let _ = pipeline.invoke(request(EventLimits::default())).await;
    }
    println!(
        "| 100 more calls grow the process by | {} KiB | – | – | 0 |",
        resident().saturating_sub(before)
    );
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default()
}

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_toolhatch"))
}

/// Row 2: `toolhatch call` as a process, against a program that only starts and ends.
fn process(root: &Path, home: &Path) {
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
fn many_plugins(home: &Path) {
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

/// Row 5 and throughput: 64 callers in one process, then the same with a guest that spins, one that compiles and one that
/// fills its memory.
fn concurrency(root: &Path, home: &Path) {
    let guests = tempfile::tempdir().expect("a temporary folder");
    let mut hostile = Vec::new();
    for (name, text) in [("spin", SPIN), ("bomb", BOMB)] {
        let file = guests.path().join(format!("{name}.wasm"));
        std::fs::write(&file, wat::parse_str(text).expect("WAT")).expect("written");
        hostile.push(file);
    }
    // Another manifest makes it another artifact, which nobody has compiled yet.
    let fresh = std::fs::read(PLUGIN).expect("the plugin");
    let text = toolhatch::manifest::extract(&fresh)
        .expect("readable")
        .expect("a manifest");
    let packed = toolhatch::manifest::embed(&fresh, &format!("{text}\n# new")).expect("packed");
    let file = guests.path().join("fresh.wasm");
    std::fs::write(&file, packed).expect("written");
    hostile.push(file);
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
            use std::io::Write;
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
        json!({"tool": hostile[0], "timeout": "3s", "id": "spin"}).to_string(),
        json!({"tool": hostile[1], "id": "bomb"}).to_string(),
        json!({"tool": hostile[2], "args": {"code": "", "language": "rust"}, "id": "fresh"})
            .to_string(),
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
