//! The rows of the gate: what policy, schema and audit cost a call, how fast tools are found, and how fast the audit log is
//! verified and asked.

mod log;
mod rules;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use toolhatch::app::App;
use toolhatch::config::Flag;
use toolhatch::error::Code;
use toolhatch::exec::EventLimits;
use toolhatch::invoke::Caller;
use toolhatch::policy::{DEFAULT_FILE, DEFAULT_POLICIES, Policies, Question};
use toolhatch::registry::{Document, ToolSearch};

use crate::processes::binary;
use crate::{app, calls, percentile, request, row};

/// How many call at the same time.
const CALLERS: usize = 32;
/// How many calls each of them makes.
const CALLS: usize = 150;
/// How many tools are searched.
const TOOLS: usize = 10_000;
const CORPUS: &str = "tests/fixtures/search";

/// All rows of the gate.
pub(crate) async fn rows(home: &Path) {
    with_policies(home).await;
    decisions();
    search(home).await;
    log::rows(&home.join("log"));
}

/// The rows that run calls, under the policies of a user who has written a hundred of them.
async fn with_policies(home: &Path) {
    let (own_home, config) = (home.join("gate"), home.join("gate-config"));
    let folder = config.join("toolhatch/policy");
    std::fs::create_dir_all(&folder).expect("a folder of policies");
    for (name, text) in rules::hundred() {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let status = Command::new(binary())
        .args(["plugin", "install", "plugins/dist/files.wasm"])
        .env("TOOLHATCH_HOME", &own_home)
        .stdout(Stdio::null())
        .status()
        .expect("started");
    assert!(status.success(), "{status}");
    // SAFETY: no other thread of this benchmark reads the environment.
    unsafe {
        std::env::set_var("TOOLHATCH_HOME", &own_home);
        std::env::set_var("XDG_CONFIG_HOME", &config);
    }
    full_pipeline().await;
    let strict = calls_per_second(true).await;
    let other = calls_per_second(false).await;
    // SAFETY: as above.
    unsafe {
        std::env::set_var("TOOLHATCH_HOME", home);
        std::env::remove_var("XDG_CONFIG_HOME");
    }
    println!(
        "| {CALLERS} callers, strict: twice a call waits until the disk has its records | {strict:.0} calls/s | – | – | ≥ 2000 calls/s |"
    );
    println!("| the same, not strict | {other:.0} calls/s | – | – | – |");
    row(
        "fdatasync of 16 kB in the same folder, p50",
        sync_time(&own_home.join("audit")),
        None,
        "–",
    );
}

/// A call of a loaded plugin, as in row 1.
async fn full_pipeline() {
    let app = app();
    let pipeline = app.pipeline().expect("a pipeline");
    let mut forbidden = request(EventLimits::default());
    forbidden.arguments = Arc::new(json!({"code": rules::FORBIDDEN, "language": "rust"}));
    let refused = pipeline.invoke(forbidden).await.result;
    let code = refused.map_err(|error| error.code());
    assert_eq!(code.err(), Some(Code::E3206), "the policies are in force");

    calls(&app, &pipeline, " with 100 rules").await;
    app.close_audit().await.expect("closed");
}

async fn calls_per_second(strict: bool) -> f64 {
    let flag = Flag {
        flag: "--strict",
        key: "audit.strict",
        value: strict.to_string(),
    };
    let app = Arc::new(App::open(&[flag]).expect("a configuration"));
    let pipeline = Arc::new(app.pipeline().expect("a pipeline"));
    let first = pipeline.invoke(request(EventLimits::default())).await;
    assert!(first.result.is_ok(), "{:?}", first.result);
    let started = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|number| {
            let pipeline = Arc::clone(&pipeline);
            let caller = Arc::new(Caller {
                principal: format!("caller {number}"),
                ..Caller::of_process()
            });
            tokio::spawn(async move {
                for _ in 0..CALLS {
                    let mut request = request(EventLimits::default());
                    request.caller = Arc::clone(&caller);
                    let report = pipeline.invoke(request).await;
                    assert!(report.result.is_ok(), "{:?}", report.result);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("every call is answered");
    }
    app.recorded().await.expect("recorded");
    let elapsed = started.elapsed();
    app.close_audit().await.expect("closed");
    (CALLERS * CALLS) as f64 / elapsed.as_secs_f64()
}

/// How long the disk takes for as much as 32 records are.
fn sync_time(folder: &Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("sync-time")).expect("a file");
    let mut samples: Vec<_> = (0..200)
        .map(|_| {
            let started = Instant::now();
            file.write_all(&[b'x'; 16 << 10]).expect("written");
            file.sync_data().expect("synced");
            started.elapsed()
        })
        .collect();
    percentile(&mut samples, 50)
}

/// What the policies answer among a thousand rules.
fn decisions() {
    let text = rules::thousand();
    let sources = [
        (DEFAULT_FILE, DEFAULT_POLICIES),
        ("thousand.cedar", text.as_str()),
    ];
    let policies = Policies::load(&sources, &rules::tools()).expect("valid policies");
    let questions: Vec<Question> = (0..10_000).map(rules::question).collect();
    let mut samples = Vec::new();
    for (number, question) in questions.iter().enumerate() {
        let started = Instant::now();
        let decision = std::hint::black_box(policies.decide(question));
        let elapsed = started.elapsed();
        assert!(decision.errors.is_empty(), "{:?}", decision.errors);
        if number >= 1000 {
            samples.push(elapsed);
        }
    }
    let rules = policies.len();
    row(
        &format!("a policy decision among {rules} rules, 100 of them about every call, p50"),
        percentile(&mut samples, 50),
        None,
        "–",
    );
    row(
        "the same, p99",
        percentile(&mut samples, 99),
        None,
        "≤ 100 µs",
    );
}

/// Finding tools among many: those of the judged corpus, again and again under other names.
async fn search(home: &Path) {
    let lines = |file: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(Path::new(CORPUS).join(file)).expect("the corpus");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    };
    let tools = lines("tools.jsonl");
    let documents: Vec<Document> = (0..TOOLS)
        .map(|number| document(&tools[number % tools.len()], number / tools.len()))
        .collect();
    let mut search = ToolSearch::open(&home.join("search"))
        .await
        .expect("an index");
    search.sync(&documents).await.expect("indexed");
    let queries = lines("queries.jsonl");
    let mut samples = Vec::new();
    for turn in 0..3 {
        for query in &queries {
            let query = query["query"].as_str().expect("a query");
            let started = Instant::now();
            let found = search.find(query, None, 10).await.expect("an answer");
            let elapsed = started.elapsed();
            std::hint::black_box(found);
            if turn > 0 {
                samples.push(elapsed);
            }
        }
    }
    search.close().await;
    for percent in [50, 99] {
        row(
            &format!("search over {TOOLS} tools, p{percent}"),
            percentile(&mut samples, percent),
            None,
            "≤ 10 ms",
        );
    }
}

fn document(tool: &Value, copy: usize) -> Document {
    let text = |key: &str| tool[key].as_str().expect("a text").to_owned();
    let id = text("id");
    let (source, name) = id.split_once('.').expect("an id");
    let source = match copy {
        0 => source.to_owned(),
        copy => format!("{source}-{copy}"),
    };
    let parameters = tool["parameters"].as_array().expect("an array").iter();
    Document {
        id: format!("{source}.{name}").parse().expect("an id"),
        description: text("description"),
        parameters: parameters
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect(),
        parameter_text: text("parameter_descriptions"),
        tags: Vec::new(),
    }
}
