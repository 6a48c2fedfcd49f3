//! `toolhatch plugin bench`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{App, choose_tool, read_grants};
use crate::cli::block_on;
use crate::cli::call::{self, Common, arguments};
use crate::cli::output::{CommandOutput, Printer};
use crate::cli::text::size;
use crate::error::Result;
use crate::exec::{Artifact, EventLimits, EventSink};
use crate::host::{FEW_SLOTS, Host, open_cache};
use crate::ids::CallId;
use crate::invoke::{Caller, Pipeline, Request, ToolRef};

/// How long calls are made, where nobody says.
const CALLS: u32 = 200;
/// Longer than this nobody waits for a benchmark of a slow tool.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measure a tool: how long it takes to compile, to load from the cache and to be called, and how much memory a call takes.
///
/// Calls are made as any others: checked, confined, and recorded in the audit log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin bench
  toolhatch plugin bench dist/word-count.wasm --arg text='a b c'
  toolhatch plugin bench my-plugin --tool read --arg path=/w/a --allow file_read=.:/w --calls 1000 --json")]
pub struct Args {
    /// A component, or the folder of a project.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    plugin: PathBuf,
    /// The tool to call; may be left out where there is only one.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// The arguments as a JSON object, or @FILE, or - for standard input.
    #[arg(long, value_name = "JSON|@FILE|-")]
    args: Option<String>,
    /// One argument: `name=value` or `name:=JSON`, as `toolhatch call` takes it.
    #[arg(long = "arg", value_name = "NAME=VALUE|NAME:=JSON")]
    arg: Vec<String>,
    /// How many calls are made; fewer where they take long.
    #[arg(long, value_name = "N", default_value_t = CALLS, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
    #[command(flatten)]
    common: Common,
}

/// What was measured.
struct Measured {
    bytes: u64,
    compile: Duration,
    load: Duration,
    /// Of each call, in the order in which they were made.
    calls: Vec<Duration>,
    peak_memory: Option<u64>,
    /// Of this process, after the calls.
    resident: Option<u64>,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>, printer: &Printer) -> Result<CommandOutput> {
        self.common.check_allowed(app)?;
        let tool = ToolRef::File {
            path: app.paths.current.join(&self.plugin),
            tool: self.tool.clone(),
        };
        let whole = self.args.as_deref().map(call::read_whole).transpose()?;
        let common = &self.common;
        let grants = read_grants(&common.allow, common.allow_requested, &app.paths.current)?;
        let (name, measured) = block_on(async {
            let source = app.source(&tool).await?;
            let chosen = choose_tool(&source, self.tool.as_deref())?;
            let arguments = arguments::combine(whole, &self.arg, &chosen.input_schema)?;
            let (compile, load) = loading(app, &source.artifact).await?;
            let caller = Arc::new(Caller {
                agent: common.agent().or_else(|| Some("plugin bench".to_owned())),
                ..Caller::of_process()
            });
            let request = common.request(app, &tool, Arc::new(arguments), caller, grants);
            let (calls, peak_memory) =
                calls(&app.pipeline()?, &request, self.calls as usize, printer).await?;
            app.recorded()
                .await
                .map_err(|error| error.while_doing("recording the calls of the benchmark"))?;
            let measured = Measured {
                bytes: source.artifact.bytes.len() as u64,
                compile,
                load,
                calls,
                peak_memory,
                resident: resident(),
            };
            Ok((chosen.id.to_string(), measured))
        })?;
        Ok(measured.output(&name))
    }
}

/// How long it takes to compile, and to load what was compiled: each by a host of its own, with a cache of its own.
async fn loading(app: &App, artifact: &Artifact) -> Result<(Duration, Duration)> {
    let scratch = app.scratch().await?;
    let jobs = app.config.compile_jobs as usize;
    let mut times = [Duration::ZERO; 2];
    for time in &mut times {
        let cache = open_cache(scratch.folder(), &scratch.folder().join("keys"))?;
        let host = Host::new(Some(cache), jobs, FEW_SLOTS)?;
        let started = Instant::now();
        host.prepare(artifact, false).await?;
        *time = started.elapsed();
    }
    Ok(times.into())
}

async fn calls(
    pipeline: &Pipeline,
    request: &Request,
    most: usize,
    printer: &Printer,
) -> Result<(Vec<Duration>, Option<u64>)> {
    let begun = Instant::now();
    let mut times = Vec::new();
    let mut peak = None;
    while times.len() < most && begun.elapsed() < PATIENCE {
        let one = Request {
            call: CallId::generate(),
            events: Arc::new(EventSink::new(EventLimits::default())),
            ..request.clone()
        };
        let started = Instant::now();
        let report = pipeline.invoke(one).await;
        let took = started.elapsed();
        if let Err(error) = report.result {
            return Err(error.while_doing(format!("call {} of the benchmark", times.len() + 1)));
        }
        times.push(took);
        peak = peak.max(report.usage.map(|usage| usage.peak_memory));
        printer.progress(times.len() as f64, Some(most as f64), Some("calls"));
    }
    Ok((times, peak))
}

impl Measured {
    fn output(&self, tool: &str) -> CommandOutput {
        let mut sorted = self.calls.clone();
        sorted.sort_unstable();
        let quantile = |of: usize| {
            let at = (sorted.len() * of / 100).min(sorted.len().saturating_sub(1));
            sorted.get(at).copied().unwrap_or_default()
        };
        let first = self.calls.first().copied().unwrap_or_default();
        let memory = |bytes: Option<u64>| bytes.map_or_else(|| "unknown".to_owned(), size);
        let text = format!(
            "{tool} ({})\n  compile     {}   when it is first used on a machine\n  load        {}   from the cache\n  \
             first call  {}\n  calls       {}   p50, {} p99, of {}\n  memory      {}   at most in a call\n  process     {}   resident after the calls, and after compiling it here",
            size(self.bytes),
            shown(self.compile),
            shown(self.load),
            shown(first),
            shown(quantile(50)),
            shown(quantile(99)).trim_start(),
            sorted.len(),
            format_args!("{:>10}", memory(self.peak_memory)),
            format_args!("{:>10}", memory(self.resident)),
        );
        let micros = |time: Duration| Value::from(time.as_secs_f64() * 1e6);
        let json = json!({
            "tool": tool,
            "bytes": self.bytes,
            "compile_us": micros(self.compile),
            "load_us": micros(self.load),
            "first_call_us": micros(first),
            "call_p50_us": micros(quantile(50)),
            "call_p99_us": micros(quantile(99)),
            "calls": sorted.len(),
            "peak_memory_bytes": self.peak_memory,
            "resident_bytes": self.resident,
        });
        CommandOutput::new(text, json)
    }
}

/// A time in a unit that suits it, ten characters wide.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let text = match seconds {
        ..1e-3 => format!("{:.0} µs", seconds * 1e6),
        ..1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    };
    format!("{text:>10}")
}

/// How much memory this process holds, in bytes, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_a_unit_that_suits_it() {
        for (time, expected) in [
            (Duration::from_nanos(93_400), "93 µs"),
            (Duration::from_micros(1_250), "1.2 ms"),
            (Duration::from_millis(2_340), "2.34 s"),
        ] {
            assert_eq!(shown(time).trim_start(), expected);
        }
    }

    #[test]
    fn the_middle_call_counts_and_not_the_mean() {
        let times = [100, 1, 1, 1, 1].map(Duration::from_millis).to_vec();
        let measured = Measured {
            bytes: 1,
            compile: Duration::ZERO,
            load: Duration::ZERO,
            calls: times,
            peak_memory: None,
            resident: None,
        };
        let json = measured.output("a.b").json;
        assert_eq!(
            (&json["call_p50_us"], &json["call_p99_us"]),
            (&json!(1000.0), &json!(100_000.0))
        );
        assert_eq!(json["first_call_us"], 100_000.0);
    }
}
