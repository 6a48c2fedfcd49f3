//! `toolhatch call --jsonl`: one call a line on standard input, one answer a line on standard output, in one process.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Common, listen_for_interrupt};
use crate::app::{App, read_grants};
use crate::cli::block_on;
use crate::cli::output::Printer;
use crate::error::{Code, Error, Result};
use crate::exec::EventSink;
use crate::exit_code::Exit;
use crate::ids::CallId;
use crate::invoke::{Caller, Pipeline, Request};
use crate::manifest::{HumanDuration, LimitRequest};
use crate::schema::parse_strict;

/// A line longer than this is refused, and the next one is read.
const MAX_LINE: u64 = 64 << 20;
/// Lines that were read and wait for their turn.
const READ_AHEAD: usize = 256;
/// How long calls that were interrupted may take to end. What does not end by then is dropped, and recorded as abandoned.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// A file, an installed plugin, or `plugin.tool`.
    tool: String,
    /// Which tool of it.
    #[serde(default)]
    name: Option<String>,
    /// The arguments.
    #[serde(default)]
    args: Map<String, Value>,
    /// More grants for this call.
    #[serde(default)]
    allow: Vec<String>,
    /// The time this call may take.
    #[serde(default)]
    timeout: Option<String>,
    /// The session this call belongs to.
    #[serde(default)]
    session: Option<String>,
    /// Made again with the same key, the call is not run again: it gets the answer of the first.
    #[serde(default)]
    key: Option<String>,
    /// Handed back with the answer.
    #[serde(default)]
    id: Option<Value>,
}

pub(super) fn run(
    app: &Arc<App>,
    printer: &Printer,
    common: &Common,
    jobs: Option<usize>,
    unordered: bool,
) -> Result<Exit> {
    if jobs == Some(0) {
        return Err(Error::new(Code::E3004, "`--jobs 0` would run nothing"));
    }
    block_on(async {
        let pipeline = Arc::new(app.pipeline()?);
        let jobs = jobs.unwrap_or(app.config.concurrency as usize);
        let cancel = CancellationToken::new();
        let given_up = CancellationToken::new();
        let (sender, mut answers) = mpsc::channel(READ_AHEAD);
        let reading = tokio::spawn(read(
            Arc::clone(app),
            pipeline,
            common.clone(),
            jobs,
            cancel.clone(),
            given_up.clone(),
            sender,
        ));
        let exit = {
            let mut printing = pin!(print(app, printer, &mut answers, unordered, &given_up));
            tokio::select! {
                exit = &mut printing => exit,
                () = listen_for_interrupt() => {
                    // No line is begun any more, and then those that were end as calls that were cancelled.
                    reading.abort();
                    cancel.cancel();
                    if tokio::time::timeout(LAST_ANSWERS, &mut printing).await.is_err() {
                        given_up.cancel();
                        printing.await;
                    }
                    Exit::Cancelled
                }
            }
        };
        reading.abort();
        // However it went: what is left of it is dropped before containers are looked after.
        drop(reading.await);
        // Where nobody takes answers any more, or some were given up, their calls end all the same, and are recorded.
        cancel.cancel();
        let rest = async { while answers.recv().await.is_some() {} };
        drop(tokio::time::timeout(LAST_ANSWERS, rest).await);
        app.settle_servers().await;
        app.settle_containers().await;
        Ok(exit)
    })
}

/// Prints answers, in the order of their lines unless told otherwise, when their calls are recorded, until all have come or
/// the rest is given up. The exit is that of the first call that failed.
async fn print(
    app: &App,
    printer: &Printer,
    answers: &mut mpsc::Receiver<(u64, Value, Exit)>,
    unordered: bool,
    given_up: &CancellationToken,
) -> Exit {
    let mut failed: Option<(u64, Exit)> = None;
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    let mut ready = Vec::new();
    loop {
        let came = tokio::select! {
            biased;
            came = answers.recv_many(&mut ready, READ_AHEAD) => came,
            () = given_up.cancelled() => 0,
        };
        if came == 0 {
            break;
        }
        let recorded = app.recorded().await;
        for (number, mut answer, mut exit) in ready.drain(..) {
            if let Err(error) = &recorded {
                exit = unrecorded(&mut answer, error);
            }
            if exit != Exit::Ok && failed.is_none_or(|(first, _)| number < first) {
                failed = Some((number, exit));
            }
            if unordered {
                printer.json_line(&answer);
            } else {
                waiting.insert(number, answer);
                while let Some(answer) = waiting.remove(&next) {
                    printer.json_line(&answer);
                    next += 1;
                }
            }
        }
        if printer.is_broken() {
            break;
        }
    }
    // Behind one that was given up.
    for answer in waiting.values() {
        printer.json_line(answer);
    }
    failed.map_or(Exit::Ok, |(_, exit)| exit)
}

/// What is told in place of an answer whose call nobody can show: that it ran, and not what it gave.
fn unrecorded(answer: &mut Value, error: &Error) -> Exit {
    let mut told = json!({"ok": false, "error": error.to_json()});
    for key in ["call", "tool", "digest", "id"] {
        if let (Some(value), Some(object)) = (answer.get(key), told.as_object_mut()) {
            object.insert(key.to_owned(), value.clone());
        }
    }
    *answer = told;
    error.exit()
}

async fn read(
    app: Arc<App>,
    pipeline: Arc<Pipeline>,
    common: Common,
    jobs: usize,
    cancel: CancellationToken,
    given_up: CancellationToken,
    answers: mpsc::Sender<(u64, Value, Exit)>,
) {
    let permits = Arc::new(Semaphore::new(jobs));
    let mut input = BufReader::new(tokio::io::stdin());
    let mut number = 0;
    loop {
        let (line, is_last) = match next_line(&mut input).await {
            Ok(Some(line)) => (line, false),
            Ok(None) => return,
            // The answer to a stream that cannot be read further is its last one.
            Err(error) => (Err(error), true),
        };
        if matches!(&line, Ok(line) if line.trim_ascii().is_empty()) {
            continue;
        }
        // The permit is taken before the task starts, so that no more than `jobs` lines are held at once.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let (app, pipeline) = (Arc::clone(&app), Arc::clone(&pipeline));
        let (common, cancel, answers) = (common.clone(), cancel.clone(), answers.clone());
        let given_up = given_up.clone();
        tokio::spawn(async move {
            let answering = answer(&app, &pipeline, &common, line, cancel);
            let Some((answer, exit)) = given_up.run_until_cancelled(answering).await else {
                return;
            };
            // Where nobody listens any more there is nobody to tell.
            drop(answers.send((number, answer, exit)).await);
            // Whoever is slow to take answers holds up the next lines, and no heap of answers grows.
            drop(permit);
        });
        number += 1;
        if is_last {
            return;
        }
    }
}

type Bytes = Vec<u8>;

/// The next line without its end; a line that is too long is skipped to its end and reported.
async fn next_line(input: &mut BufReader<tokio::io::Stdin>) -> Result<Option<Result<Bytes>>> {
    let mut line = Vec::new();
    let failed = |error| Error::new(Code::E3004, "reading standard input").caused_by(error);
    let read = (&mut *input)
        .take(MAX_LINE + 1)
        .read_until(b'\n', &mut line)
        .await
        .map_err(failed)?;
    if read == 0 {
        return Ok(None);
    }
    if line.len() as u64 > MAX_LINE && !line.ends_with(b"\n") {
        let mut rest = Vec::new();
        loop {
            rest.clear();
            let read = (&mut *input)
                .take(1 << 20)
                .read_until(b'\n', &mut rest)
                .await
                .map_err(failed)?;
            if read == 0 || rest.ends_with(b"\n") {
                break;
            }
        }
        return Ok(Some(Err(Error::new(
            Code::E3301,
            format!("a line is longer than {} MiB", MAX_LINE >> 20),
        ))));
    }
    Ok(Some(Ok(line)))
}

async fn answer(
    app: &Arc<App>,
    pipeline: &Pipeline,
    common: &Common,
    line: Result<Bytes>,
    cancel: CancellationToken,
) -> (Value, Exit) {
    let parsed = line.and_then(|line| parse(&line));
    let id = parsed.as_ref().ok().and_then(|line| line.id.clone());
    let (mut value, exit) = match parsed.and_then(|line| request(app, common, line, cancel)) {
        Ok(request) => {
            let report = pipeline.invoke(request).await;
            let exit = report.error().map_or(Exit::Ok, Error::exit);
            (report.to_json(), exit)
        }
        Err(error) => (json!({"ok": false, "error": error.to_json()}), error.exit()),
    };
    if let (Some(id), Some(object)) = (id, value.as_object_mut()) {
        object.insert("id".into(), id);
    }
    (value, exit)
}

fn parse(line: &[u8]) -> Result<Line> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Error::new(
            Code::E3301,
            format!("a line is not UTF-8 (byte {})", error.valid_up_to()),
        )
    })?;
    let value = parse_strict(text).map_err(|error| error.while_doing("reading a line"))?;
    serde_json::from_value(value).map_err(|error| {
        Error::new(Code::E3301, "a line is not a call")
            .caused_by(error)
            .hint("Write {\"tool\": \"…\", \"name\": \"…\", \"args\": {…}}.")
    })
}

fn request(app: &App, common: &Common, line: Line, cancel: CancellationToken) -> Result<Request> {
    let timeout = line
        .timeout
        .map(|text| text.parse::<HumanDuration>())
        .transpose()
        .map_err(|error| {
            Error::new(Code::E3004, "reading the timeout of a line").caused_by(error)
        })?;
    if !line.allow.is_empty() && !app.config.allow_flag {
        return Err(Error::new(
            Code::E3206,
            "granting is switched off by the configuration",
        ));
    }
    let allow: Vec<String> = common.allow.iter().chain(&line.allow).cloned().collect();
    Ok(Request {
        call: CallId::generate(),
        tool: app.tool_ref(&line.tool, line.name.as_deref())?,
        arguments: Arc::new(Value::Object(line.args)),
        resumed: None,
        caller: Arc::new(Caller {
            agent: common.agent.clone(),
            session: line.session.or_else(|| common.session.clone()),
            // Whoever feeds the lines is not asked about them.
            ..Caller::of_process()
        }),
        grants: Arc::new(read_grants(
            &allow,
            common.allow_requested,
            &app.paths.current,
        )?),
        limits: LimitRequest {
            timeout: timeout.map(|timeout| timeout.0).or(common.limits().timeout),
            ..common.limits()
        },
        idempotency: line.key,
        deterministic: common.deterministic,
        cancel,
        events: Arc::new(EventSink::new(common.event_limits(app))),
    })
}
