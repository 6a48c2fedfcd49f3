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

mod containers;
mod gate;
mod kit;
mod mcp;
mod processes;
mod raw;
mod sessions;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;
use toolhatch::app::App;
use toolhatch::exec::{EventLimits, EventSink};
use toolhatch::host::{EngineKind, engine_config};
use toolhatch::ids::CallId;
use toolhatch::invoke::{Caller, Pipeline, Request, ToolRef};
use toolhatch::manifest::LimitRequest;
use toolhatch::permission::Grants;
use wasmtime::Engine;
use wasmtime::component::Component;

use raw::RawPlugin;

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
    let rows = std::env::var("BENCH_ROWS").unwrap_or_default();
    let wanted = |row: &str| rows.is_empty() || rows.split(',').any(|wanted| wanted == row);
    println!("| row | ours | raw wasmtime | difference | budget |");
    println!("|---|---|---|---|---|");
    if wanted("load") {
        runtime.block_on(first_load(Path::new(PLUGIN)));
        runtime.block_on(warm_load(Path::new(PLUGIN)));
        match std::env::var_os("BENCH_LOAD") {
            Some(files) => {
                for file in std::env::split_paths(&files) {
                    runtime.block_on(first_load(&file));
                    runtime.block_on(warm_load(&file));
                }
            }
            None => println!(
                "| 4 warm load of a small and of a large component | not measured: see `scripts/bench --help` | – | – | – |"
            ),
        }
    }
    if wanted("call") {
        runtime.block_on(fresh_call());
    }
    if wanted("session") {
        runtime.block_on(sessions::rows());
    }
    if wanted("process") {
        processes::one_call(root, home.path());
        processes::many_plugins(home.path());
    }
    if wanted("memory") {
        processes::memory(root, home.path());
    }
    if wanted("runaway") {
        processes::runaway(root, home.path());
    }
    if wanted("concurrency") {
        processes::concurrency(root, home.path());
    }
    if wanted("containers") {
        runtime.block_on(containers::rows(home.path()));
    }
    if wanted("mcp") {
        runtime.block_on(mcp::rows(home.path()));
    }
    if wanted("kit") {
        runtime.block_on(kit::rows(root, app()));
    }
    if wanted("gate") {
        runtime.block_on(gate::rows(home.path()));
    }
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
        resumed: None,
        caller: Arc::new(Caller::of_process()),
        grants: Arc::new(Grants::default()),
        limits: LimitRequest::default(),
        idempotency: None,
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(events)),
    }
}

/// Row 3: compiling for the first time.
async fn first_load(component: &Path) {
    let bytes = std::fs::read(component).expect("the component");
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
        let reference = ToolRef::File {
            path: component.to_owned(),
            tool: None,
        };
        let found = app.package(&reference).await.expect("read");
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
        &format!(
            "3 first load of {} kB (compile, link, keep)",
            bytes.len() / 1000
        ),
        percentile(&mut ours, 50),
        Some(percentile(&mut raw, 50)),
        "≤ 1.1× raw",
    );
}

/// Row 4: a load from the cache, in a new host; reading and hashing the component is part of it.
async fn warm_load(component: &Path) {
    let bytes = std::fs::read(component).expect("the component");
    let budget = match bytes.len() {
        ..=200_000 => "≤ 2 ms for 130 kB",
        10_000_000.. => "≤ 20 ms for 18 MB",
        _ => "–",
    };
    let tool = ToolRef::File {
        path: component.to_owned(),
        tool: None,
    };
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
        let host = app.host().expect("a host");
        let started = Instant::now();
        let found = app.package(&tool).await.expect("read");
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
        budget,
    );
}

/// Row 1: calls of a loaded plugin, a fresh instance each, through the full pipeline and by raw wasmtime in turns.
async fn calls(app: &App, pipeline: &Pipeline, name: &str) {
    let plugin = RawPlugin::new();
    let (mut answered, mut recorded, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..2200 {
        let started = Instant::now();
        plugin.call().await;
        let raw_time = started.elapsed();

        let started = Instant::now();
        let report = pipeline.invoke(request(EventLimits::default())).await;
        let answered_time = started.elapsed();
        // So nothing of ours is left to be done while raw wasmtime has its turn.
        app.recorded().await.expect("recorded");
        let recorded_time = started.elapsed();
        assert!(report.result.is_ok(), "{:?}", report.result);
        if turn >= 200 {
            answered.push(answered_time);
            recorded.push(recorded_time);
            raw.push(raw_time);
        }
    }
    let raw_p50 = percentile(&mut raw, 50);
    row(
        &format!("1 call, fresh instance, full pipeline{name}, p50"),
        percentile(&mut answered, 50),
        Some(raw_p50),
        "raw + 100 µs",
    );
    row(
        "1 the same until its records are in the log, p50",
        percentile(&mut recorded, 50),
        Some(raw_p50),
        "–",
    );
    row(
        &format!("1 call, fresh instance, full pipeline{name}, p99"),
        percentile(&mut answered, 99),
        Some(percentile(&mut raw, 99)),
        "–",
    );
}

async fn fresh_call() {
    let app = app();
    let pipeline: Pipeline = app.pipeline().expect("a pipeline");
    calls(&app, &pipeline, "").await;
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
    memory_of("self", "VmRSS:")
}

/// A line of a process's status that is a number of KiB.
fn memory_of(process: &str, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default()
}
