//! From what a command printed and how it went to how its call ended: the same wherever it ran.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::outcome::signal_name;
use super::{
    Capture, CommandEnd, Content, Ended, EventSink, Job, LimitKind, LogLevel, Output, Reading,
    SandboxSpec, Stdio, ToolError, ToolErrorKind, Usage,
};
use crate::error::{Code, Error};
use crate::manifest::container::{Failure, Parsed, Stream};
use crate::manifest::limits::Limits;
use toolhatch_runner::protocol::{Ended as Reported, Ending, Refusal, Refused};

/// The exit code of a shell for a program that the kernel ended for want of memory, or somebody killed.
const KILLED: u8 = 137;

/// How a program ended that took too much memory.
pub(super) const KILLED_FOR_MEMORY: &str = "killed for memory";

/// What a command printed.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// Adds what a command took to what the call used.
pub(super) fn count(reported: &Reported, usage: &mut Usage) {
    usage.cpu = Some(Duration::from_micros(reported.user_us + reported.system_us));
    usage.peak_memory = reported.max_rss_bytes;
}

/// How a command that ran ended.
pub(super) fn ended(reported: &Reported, printed: Printed, spec: &SandboxSpec, job: &Job) -> Ended {
    let had_oom = reported.oom_kills.is_some_and(|kills| kills > 0);
    if reported.timed_out {
        printed.keep(&job.events);
        return Ended::TimedOut(job.limits.timeout);
    }
    let is_killed = matches!(
        reported.ending,
        Ending::Signalled(9) | Ending::Exited(KILLED)
    );
    if had_oom && is_killed {
        printed.keep(&job.events);
        return out_of_memory(spec);
    }
    match reported.ending {
        Ending::Signalled(signal) => {
            printed.keep(&job.events);
            Ended::Signalled(i32::from(signal))
        }
        Ending::Exited(code) => exited(code, had_oom, printed, spec, &job.events),
    }
}

/// The kernel ended it for want of memory.
pub(super) fn out_of_memory(spec: &SandboxSpec) -> Ended {
    Ended::LimitReached {
        limit: LimitKind::Memory,
        value: spec.resources.memory,
    }
}

/// Puts changes into the result of a command; false where it has none that could hold them.
pub(super) fn tell_changes(ended: &mut Ended, changes: impl FnOnce() -> Value) -> bool {
    let structured = match ended {
        Ended::Complete(output) => output.structured.as_mut(),
        Ended::Exited { structured, .. } => structured.as_mut(),
        _ => None,
    };
    let Some(object) = structured.and_then(Value::as_object_mut) else {
        return false;
    };
    object.insert("changes".to_owned(), changes());
    true
}

/// A command that could not be started; `within` says where it would have been, such as `in the image`.
pub(super) fn refused(
    refused: Refused,
    spec: &SandboxSpec,
    events: &EventSink,
    within: &str,
) -> Ended {
    let program = spec.argv.first().map_or("", String::as_str);
    let said = match refused.refusal {
        Refusal::NotFound => {
            return not_started(127, format!("{program}: there is no such program {within}"), events);
        }
        Refusal::NotExecutable => {
            return not_started(126, format!("{program}: it cannot be executed ({})", refused.text), events);
        }
        Refusal::Directory => CommandEnd::InvalidConfig
            .error(
                Code::E3004,
                format!(
                    "starting {program} in {}: {}",
                    spec.workdir.as_deref().unwrap_or("the image's folder"),
                    refused.text
                ),
            )
            .hint("`--workdir` names a folder in the container; `--mount` puts one of this machine there."),
        Refusal::Resources => CommandEnd::InvalidConfig
            .error(Code::E3407, format!("starting {program}: {}", refused.text))
            .hint("Raise `docker.resources.pids` or `docker.resources.memory`."),
        Refusal::Proxy => CommandEnd::InvalidConfig
            .error(
                Code::E3405,
                format!("starting {program}: {}", refused.text),
            )
            .hint("The way out of the container cannot be opened; `toolhatch exec` without a network works."),
        Refusal::Invalid => Error::new(Code::E3301, format!("starting {program}: {}", refused.text)),
        Refusal::Busy | Refusal::Unclean => {
            CommandEnd::InvalidConfig.error(Code::E3405, format!("starting {program}: {}", refused.text))
        }
    };
    Ended::NotRun(said)
}

/// A program that was to go on running and could not be started.
pub(super) fn not_launched(refused: Refused, spec: &SandboxSpec, within: &str) -> Error {
    let program = spec.argv.first().map_or("", String::as_str);
    let Refused { refusal, text, .. } = refused;
    match refusal {
        Refusal::NotFound => {
            let text = format!("there is no program {program} {within}, or what interprets it is missing");
            Error::new(Code::E3101, text)
                .hint("Name it by its whole path, or set `PATH` in its environment.")
        }
        Refusal::NotExecutable => {
            Error::new(Code::E3405, format!("{program} cannot be executed: {text}"))
                .hint("Whoever it runs as has to be allowed to read and execute it, and to enter the folders above it.")
        }
        Refusal::Directory => {
            let folder = spec.workdir.as_deref().unwrap_or("its folder");
            Error::new(Code::E3004, format!("entering {folder}: {text}"))
                .hint("It starts in a folder that is granted, or in `/tmp`.")
        }
        Refusal::Resources => Error::new(Code::E3407, text)
            .hint("Raise `docker.resources.pids` or `docker.resources.memory`."),
        Refusal::Invalid => Error::new(Code::E3301, text),
        Refusal::Proxy | Refusal::Busy | Refusal::Unclean => Error::new(Code::E3405, text),
    }
}

/// How a program ended, in words.
pub(super) fn in_words(reported: &Reported) -> String {
    let had_oom = reported.oom_kills.is_some_and(|kills| kills > 0);
    match reported.ending {
        Ending::Signalled(9) | Ending::Exited(KILLED) if had_oom => KILLED_FOR_MEMORY.to_owned(),
        Ending::Exited(code) => format!("exit code {code}"),
        Ending::Signalled(signal) => format!("signal {signal}{}", signal_name(signal.into())),
    }
}

/// As a shell tells it: by an exit code and a line on standard error.
fn not_started(code: i32, line: String, events: &EventSink) -> Ended {
    let line = format!("{line}\n").into_bytes();
    events.stream(Stdio::Stderr, &line);
    events.keep(Stdio::Stderr, line, 0);
    Ended::Exited {
        code,
        structured: None,
    }
}

impl Printed {
    /// Nothing yet, of which so much is kept.
    pub(super) fn within(limits: &Limits) -> Self {
        let limit = usize::try_from(limits.output).unwrap_or(usize::MAX);
        Self {
            stdout: Capture::new(limit),
            stderr: Capture::new(limit),
        }
    }

    /// How many bytes came, those that were left out among them.
    pub(super) fn total(&self) -> u64 {
        self.stdout.total() + self.stderr.total()
    }

    /// Takes a piece of output, and passes it on to whoever watches.
    pub(super) fn push(&mut self, stream: Stdio, bytes: &[u8], events: &EventSink) {
        match stream {
            Stdio::Stdout => self.stdout.push(bytes),
            Stdio::Stderr => self.stderr.push(bytes),
        }
        events.stream(stream, bytes);
    }

    /// Leaves what was printed to the report, where there is no result that has it.
    pub(super) fn keep(self, events: &EventSink) {
        for (stream, capture) in [(Stdio::Stdout, self.stdout), (Stdio::Stderr, self.stderr)] {
            keep(events, stream, capture);
        }
    }
}

fn keep(events: &EventSink, stream: Stdio, capture: Capture) {
    let dropped = capture.dropped();
    events.keep(stream, capture.into_bytes(), dropped);
}

fn exited(
    code: u8,
    had_oom: bool,
    printed: Printed,
    spec: &SandboxSpec,
    events: &EventSink,
) -> Ended {
    let oom_note = "the kernel ended a part of the command for want of memory, and it went on";
    if had_oom {
        events.log(LogLevel::Warn, oom_note);
    }
    match &spec.reading {
        Reading::Whole => {
            let end = if had_oom {
                CommandEnd::OomRecovered
            } else {
                CommandEnd::Exited
            };
            let (structured, text) = whole(end, code, printed);
            if code == 0 {
                return Ended::Complete(Output {
                    structured: Some(structured),
                    content: vec![Content::text(text)],
                    prompt: None,
                });
            }
            Ended::Exited {
                code: i32::from(code),
                structured: Some(structured),
            }
        }
        Reading::Raw => {
            printed.keep(events);
            if code == 0 {
                return Ended::Complete(Output::default());
            }
            Ended::Exited {
                code: i32::from(code),
                structured: None,
            }
        }
        Reading::Parsed(output) => {
            let truncated = match output.stream {
                Stream::Stdout => printed.stdout.dropped() > 0,
                Stream::Stderr => printed.stderr.dropped() > 0,
            };
            let stdout = printed.stdout.into_bytes();
            let stderr = printed.stderr.into_bytes();
            let parsed = output.read(i32::from(code), &stdout, &stderr, truncated);
            if !stderr.is_empty() {
                events.keep(Stdio::Stderr, stderr, 0);
            }
            match parsed {
                Parsed::Ok {
                    structured,
                    text,
                    notes,
                } => {
                    for note in notes {
                        events.log(LogLevel::Warn, &note);
                    }
                    Ended::Complete(Output {
                        structured: Some(structured),
                        content: vec![Content::text(text)],
                        prompt: None,
                    })
                }
                Parsed::Failed { kind, message } => failed(kind, message),
            }
        }
    }
}

/// The result of `sandbox.run`, and the same as text.
fn whole(end: CommandEnd, code: u8, printed: Printed) -> (Value, String) {
    let mut object = Map::new();
    object.insert("outcome".into(), end.word().into());
    object.insert("exit_code".into(), code.into());
    let mut text = String::new();
    let streams = [
        ("stdout", "stdout_dropped", printed.stdout),
        ("stderr", "stderr_dropped", printed.stderr),
    ];
    for (name, missing, capture) in streams {
        let dropped = capture.dropped();
        let bytes = capture.into_bytes();
        let read = String::from_utf8_lossy(&bytes).into_owned();
        text.push_str(&read);
        if !text.is_empty() && !text.ends_with('\n') && name == "stdout" {
            text.push('\n');
        }
        object.insert(name.into(), json!(read));
        if dropped > 0 {
            object.insert(missing.into(), dropped.into());
        }
    }
    (Value::Object(object), text)
}

/// A command that did not do what it was asked for, as its tool's author reads it.
fn failed(kind: Failure, message: String) -> Ended {
    let of = |kind: ToolErrorKind| {
        Ended::Failed(ToolError {
            kind,
            message: message.clone(),
            structured: None,
        })
    };
    match kind {
        Failure::Exit(code) => Ended::Exited {
            code,
            structured: Some(json!({"message": message})),
        },
        Failure::Failed => of(ToolErrorKind::Failed),
        Failure::Retryable => of(ToolErrorKind::Retryable(None)),
        Failure::NotFound => of(ToolErrorKind::NotFound),
        Failure::InvalidArguments => of(ToolErrorKind::InvalidArguments),
        Failure::Malformed => Ended::NotRun(Error::new(Code::E3308, message)),
        Failure::TooLarge => Ended::NotRun(Error::new(Code::E3306, message)),
    }
}
