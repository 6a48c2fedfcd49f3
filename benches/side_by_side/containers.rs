//! Commands in containers against the daemon's API, used by hand with the same options: without checks, without a runner,
//! without a record.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use toolhatch::app::App;
use toolhatch::config::Flag;
use toolhatch::exec::{EventLimits, EventSink};
use toolhatch::ids::CallId;
use toolhatch::invoke::{Caller, Pipeline, Request};
use toolhatch::manifest::LimitRequest;
use toolhatch::permission::{Capability, Grants, Kind};

use crate::{percentile, row};

/// The image of `scripts/docker`.
const IMAGE: &str = "toolhatch-test/busybox:1";
/// What is written where output is measured.
const OUTPUT: usize = 30_000_000;

/// The rows, where there is a daemon.
pub(crate) async fn rows(home: &Path) {
    let Ok(host) = std::env::var("TOOLHATCH_TEST_DOCKER") else {
        println!(
            "| 7 commands in containers | not measured: no daemon, see `scripts/bench --help` | – | – | – |"
        );
        return;
    };
    // SAFETY: nothing else of this benchmark runs now.
    unsafe {
        std::env::set_var("DOCKER_HOST", &host);
        std::env::set_var("TOOLHATCH_DOCKER_IMAGE", IMAGE);
        std::env::set_var("TOOLHATCH_DOCKER_PULL_POLICY", "never");
        std::env::set_var("TOOLHATCH_HOME", home.join("containers"));
    }
    // Without containers that wait for the next command, and with them.
    let without = Flag {
        flag: "--pool",
        key: "docker.pool.size",
        value: "0".to_owned(),
    };
    let alone = Arc::new(App::open(&[without]).expect("a configuration"));
    let each = Arc::new(alone.pipeline().expect("a pipeline"));
    let app = crate::app();
    let pipeline = Arc::new(app.pipeline().expect("a pipeline"));
    let raw = Raw(Docker::connect_with_defaults()
        .expect("an address")
        .negotiate_version()
        .await
        .expect("a daemon"));
    cold(&alone, &each, &raw, "made for it", "raw API + 10 ms").await;
    cold(&app, &pipeline, &raw, "that waited for one", "–").await;
    kept(&app, &pipeline).await;
    output(&pipeline, &raw).await;
    together(&each).await;
    alone.settle_containers().await;
    app.settle_containers().await;
}

/// Row 7: a container made, one command in it, and removed.
async fn cold(app: &App, pipeline: &Pipeline, raw: &Raw, which: &str, budget: &str) {
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for turn in 0..32 {
        let started = Instant::now();
        raw.run(&["true"]).await;
        let bare_time = started.elapsed();
        let started = Instant::now();
        let report = pipeline.invoke(request(&["true"])).await;
        let our_time = started.elapsed();
        assert!(report.result.is_ok(), "{:?}", report.result);
        app.recorded().await.expect("recorded");
        if turn >= 2 {
            ours.push(our_time);
            bare.push(bare_time);
        }
    }
    for (percent, budget) in [(50, budget), (95, "–")] {
        row(
            &format!("7 a command in a container {which}, p{percent}"),
            percentile(&mut ours, percent),
            Some(percentile(&mut bare, percent)),
            budget,
        );
    }
}

/// Row 7: commands in a container that is kept.
async fn kept(app: &App, pipeline: &Pipeline) {
    let mut times = Vec::new();
    for turn in 0..320 {
        let mut request = request(&["true"]);
        request.arguments = Arc::new(json!({"command": ["true"], "keep": "bench"}));
        let started = Instant::now();
        let report = pipeline.invoke(request).await;
        let time = started.elapsed();
        assert!(report.result.is_ok(), "{:?}", report.result);
        app.recorded().await.expect("recorded");
        if turn >= 20 {
            times.push(time);
        }
    }
    for (percent, budget) in [(50, "≤ 5 ms"), (99, "≤ 15 ms")] {
        row(
            &format!("7 a command in a kept container, p{percent}"),
            percentile(&mut times, percent),
            None,
            budget,
        );
    }
}

/// How fast output comes through.
async fn output(pipeline: &Pipeline, raw: &Raw) {
    let bytes = OUTPUT.to_string();
    let flood = ["hostile", "flood", bytes.as_str()];
    // What making a container takes is not what is measured.
    let of = |whole: Duration, empty: Duration| whole.saturating_sub(empty);
    let started = Instant::now();
    raw.run(&["true"]).await;
    let raw_empty = started.elapsed();
    let started = Instant::now();
    assert_eq!(raw.run(&flood).await, OUTPUT);
    let raw_time = of(started.elapsed(), raw_empty);
    let mut request = request(&flood);
    request.arguments = Arc::new(json!({"command": flood, "keep": "bench"}));
    let started = Instant::now();
    let report = pipeline.invoke(request).await;
    let our_time = started.elapsed();
    assert_eq!(
        report.usage.map(|usage| usage.bytes_out),
        Some(OUTPUT as u64)
    );
    let speed = |time: Duration| format!("{:.0} MB/s", OUTPUT as f64 / 1e6 / time.as_secs_f64());
    println!(
        "| 7 30 MB of output | {} | {} | – | ≥ 200 MB/s |",
        speed(our_time),
        speed(raw_time)
    );
}

/// Sixty-four at once, of which as many run as are configured.
async fn together(pipeline: &Arc<Pipeline>) {
    let started = Instant::now();
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let pipeline = Arc::clone(pipeline);
            tokio::spawn(async move {
                let started = Instant::now();
                let report = pipeline.invoke(request(&["true"])).await;
                assert!(report.result.is_ok(), "{:?}", report.result);
                started.elapsed()
            })
        })
        .collect();
    let mut times = Vec::new();
    for call in calls {
        times.push(call.await.expect("ended well"));
    }
    let whole = started.elapsed();
    println!(
        "| 7 64 commands at once, none fails | {:.1} a second, the last after {:.1} s | – | – | – |",
        64.0 / whole.as_secs_f64(),
        percentile(&mut times, 100).as_secs_f64()
    );
}

fn request(command: &[&str]) -> Request {
    let mut grants = Grants::default();
    grants.scope.extend(Capability::broadest(Kind::Subprocess));
    Request {
        call: CallId::generate(),
        tool: toolhatch::invoke::ToolRef::Installed {
            plugin: "sandbox".parse().expect("a name"),
            range: semver::VersionReq::STAR,
            tool: None,
        },
        arguments: Arc::new(json!({"command": command})),
        resumed: None,
        caller: Arc::new(Caller::of_process()),
        grants: Arc::new(grants),
        limits: LimitRequest::default(),
        idempotency: None,
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(EventLimits::default())),
    }
}

/// The daemon's API.
struct Raw(Docker);

impl Raw {
    /// Creates, attaches, starts, waits and removes; gives how many bytes were written.
    async fn run(&self, command: &[&str]) -> usize {
        let made = self
            .0
            .create_container(None::<CreateContainerOptions>, body(command))
            .await
            .expect("created");
        let attach = AttachContainerOptionsBuilder::default()
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attached = self
            .0
            .attach_container(&made.id, Some(attach))
            .await
            .expect("attached");
        self.0
            .start_container(&made.id, None::<StartContainerOptions>)
            .await
            .expect("started");
        let mut output = attached.output;
        let mut written = 0;
        while let Some(piece) = output.next().await {
            written += piece.expect("read").into_bytes().len();
        }
        let waiting = self
            .0
            .wait_container(&made.id, None::<WaitContainerOptions>);
        let ended: Vec<_> = waiting.collect().await;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
        let remove = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        self.0
            .remove_container(&made.id, Some(remove))
            .await
            .expect("removed");
        written
    }
}

/// The same container, but for the runner.
fn body(command: &[&str]) -> ContainerCreateBody {
    let body: Value = json!({
        "Image": IMAGE,
        "Entrypoint": [],
        "Cmd": command,
        "User": "65534:65534",
        "WorkingDir": "/",
        "AttachStdin": true,
        "AttachStdout": true,
        "AttachStderr": true,
        "OpenStdin": true,
        "StdinOnce": true,
        "Tty": false,
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": true,
            "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=67108864,mode=1777"},
            "Init": false,
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "PidsLimit": 128,
            "Memory": 512 << 20,
            "MemorySwap": 512 << 20,
            "NanoCpus": 1_000_000_000_u64,
            "CpuShares": 1024,
            "ShmSize": 64 << 20,
            "Ulimits": [
                {"Name": "core", "Soft": 0, "Hard": 0},
                {"Name": "nofile", "Soft": 1024, "Hard": 1024},
            ],
            "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "none"},
        },
    });
    serde_json::from_value(body).expect("a container")
}
