//! What the author kit costs: the SDK against the same tool written by hand, and a build after a change.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use toolhatch::app::App;
use toolhatch::exec::EventLimits;
use toolhatch::invoke::{Pipeline, Request, ToolRef};

use crate::{percentile, request, row};

/// Calls of each component that are measured, after some that are not.
const CALLS: usize = 3000;
const WARM_UP: usize = 200;

/// Builds both with the toolchain that is there.
pub async fn rows(root: &Path, app: Arc<App>) {
    // Where the standard library stays built from one run to the next.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kit");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let project = folder.path().join("words");
    let toolhatch = |arguments: &[&str], within: &Path| {
        Command::new(env!("CARGO_BIN_EXE_toolhatch"))
            .args(arguments)
            .current_dir(within)
            .env("CARGO_TARGET_DIR", &target)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("it starts")
            .success()
    };
    let twin = folder.path().join("twin.wasm");
    let out = twin.to_string_lossy();
    let is_built = toolhatch(&["plugin", "new", "rust", "words"], folder.path())
        && toolhatch(&["plugin", "build"], &project)
        && toolhatch(&["plugin", "build", "benches/twin", "-o", &out], root);
    if !is_built {
        println!(
            "| the SDK, and a build | not measured: see `toolhatch plugin build --help` | – | – | – |"
        );
        return;
    }
    let sdk = project.join("dist/words.wasm");
    calls(&app, &sdk, &twin).await;
    sizes(&sdk, &twin);

    let source = project.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).expect("the source");
    let mut builds: Vec<Duration> = (0..3)
        .map(|number| {
            let changed = text.replace("has no words", &format!("has no words, {number}"));
            std::fs::write(&source, changed).expect("written");
            let started = Instant::now();
            assert!(toolhatch(&["plugin", "build"], &project));
            started.elapsed()
        })
        .collect();
    row(
        "`plugin build` of the Rust template after a change of its source",
        percentile(&mut builds, 50),
        None,
        "≤ 20 s",
    );
}

async fn calls(app: &Arc<App>, sdk: &Path, twin: &Path) {
    let pipeline: Pipeline = app.pipeline().expect("a pipeline");
    // The tool of the template is pure: with the same arguments, only the first call would reach it.
    let of = |path: &Path, turn: usize| Request {
        tool: ToolRef::File {
            path: PathBuf::from(path),
            tool: None,
        },
        arguments: Arc::new(
            json!({"text": format!("The cat and the dog, the bird and fish {turn}"), "top": 3}),
        ),
        ..request(EventLimits::default())
    };
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..WARM_UP + CALLS {
        for (path, times) in [sdk, twin].into_iter().zip(&mut times) {
            let request = of(path, turn);
            let started = Instant::now();
            let report = pipeline.invoke(request).await;
            let took = started.elapsed();
            assert!(report.result.is_ok(), "{:?}", report.result);
            app.recorded().await.expect("recorded");
            if turn >= WARM_UP {
                times.push(took);
            }
        }
    }
    let [sdk, twin] = &mut times;
    for percent in [50, 99] {
        row(
            &format!("a call of a tool made with the SDK, beside the same by hand, p{percent}"),
            percentile(sdk, percent),
            Some(percentile(twin, percent)),
            if percent == 50 {
                "by hand + 20 µs"
            } else {
                "–"
            },
        );
    }
}

fn sizes(sdk: &Path, twin: &Path) {
    let size = |path: &Path| std::fs::metadata(path).expect("it is there").len();
    let (sdk, twin) = (size(sdk), size(twin));
    println!(
        "| size of it | {} kB | {} kB | {:+} kB | by hand + 100 kB |",
        sdk / 1000,
        twin / 1000,
        (sdk as i64 - twin as i64) / 1000
    );
}
