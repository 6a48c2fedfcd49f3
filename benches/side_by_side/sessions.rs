//! A call of an instance that is kept for a session, beside a raw call of an instance that is there.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use toolhatch::app::App;
use toolhatch::exec::{
    Arguments, Artifact, Ended, Entry, EventLimits, EventSink, Executor, InstanceOwner, Job,
};
use toolhatch::host::Host;
use toolhatch::ids::CallId;
use toolhatch::invoke::{Caller, Request, ToolRef};
use toolhatch::manifest::{Lifecycle, Limits, embed, extract};

use crate::raw::RawPlugin;
use crate::{CODE, PLUGIN, app, percentile, request, row};

/// Rows of their own, measured in turns.
pub(crate) async fn rows() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("kept.wasm");
    let bytes = std::fs::read(PLUGIN).expect("the plugin");
    let manifest = extract(&bytes).expect("a plugin").expect("a manifest");
    let manifest = manifest.replace("[component]\n", "[component]\nlifecycle = \"session\"\n");
    let bytes = embed(&bytes, &manifest).expect("packed");
    std::fs::write(&file, &bytes).expect("written");

    let app: Arc<App> = app();
    let host = app.host().expect("a host");
    let pipeline = app.pipeline().expect("a pipeline");
    let caller = Arc::new(Caller {
        session: Some("bench".to_owned()),
        ..Caller::of_process()
    });
    let of_session = |tool: ToolRef| Request {
        tool,
        caller: Arc::clone(&caller),
        ..request(EventLimits::default())
    };
    let artifact = Artifact::new(bytes.into());
    let plugin = RawPlugin::new();
    let mut instance = plugin.instance().await;
    let (mut raw, mut kept, mut in_all, mut fresh) = (vec![], vec![], vec![], vec![]);
    for turn in 0..2200 {
        let started = Instant::now();
        instance.call().await;
        let raw_time = started.elapsed();

        let job = job(&artifact);
        let started = Instant::now();
        call(&host, job).await;
        let kept_time = started.elapsed();

        let kept_ref = ToolRef::File {
            path: file.clone(),
            tool: None,
        };
        let mut through = Vec::new();
        for tool in [kept_ref, request(EventLimits::default()).tool] {
            let request = of_session(tool);
            let started = Instant::now();
            let report = pipeline.invoke(request).await;
            through.push(started.elapsed());
            assert!(report.result.is_ok(), "{:?}", report.result);
            app.recorded().await.expect("recorded");
        }
        if turn >= 200 {
            raw.push(raw_time);
            kept.push(kept_time);
            in_all.push(through[0]);
            fresh.push(through[1]);
        }
    }
    let raw_p50 = percentile(&mut raw, 50);
    row(
        "1 a call of a kept instance, p50",
        percentile(&mut kept, 50),
        Some(raw_p50),
        "raw warm call + 30 µs",
    );
    row(
        "1 the same, p99",
        percentile(&mut kept, 99),
        Some(percentile(&mut raw, 99)),
        "–",
    );
    row(
        "1 the same, full pipeline and the session's own record, p50",
        percentile(&mut in_all, 50),
        Some(raw_p50),
        "–",
    );
    row(
        "1 a call in a session with a fresh instance, full pipeline, p50",
        percentile(&mut fresh, 50),
        Some(raw_p50),
        "–",
    );
}

fn job(artifact: &Artifact) -> Job {
    let spec = Arguments::Json(Arc::new(json!({"code": CODE, "language": "rust"})));
    Job {
        call: CallId::generate(),
        artifact: artifact.clone(),
        entry: Entry::Plugin {
            tool: "analyze-code".to_owned(),
        },
        arguments: spec,
        kept: Some(InstanceOwner {
            session: "alone".to_owned(),
            principal: "bench".to_owned(),
            idle: Lifecycle::IDLE,
        }),
        limits: Limits::default(),
        events: Arc::new(EventSink::new(EventLimits::default())),
        input: toolhatch::exec::Input::default(),
        scope: Arc::default(),
        sensitive: Arc::default(),
        mounts: Vec::new(),
        wanted: Vec::new(),
        env: Vec::new(),
        config: Vec::new(),
        deterministic: false,
        is_inner: false,
        cancel: tokio_util::sync::CancellationToken::new(),
        veto: None,
        services: None,
        commands: None,
        key_value: None,
        invoker: None,
        asking: None,
    }
}

async fn call(host: &Host, job: Job) {
    let outcome = host.run(job).await;
    assert!(matches!(outcome.ended, Ended::Complete(_)), "{outcome:?}");
}
