//! How a call ends: one enum for every executor, and the one way from it to an error.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{CommandEnd, InputNeeded, InputRequest, Output};
use crate::error::{Code, Error};

/// How a call ended, and what it used.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// What it used.
    pub usage: Usage,
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Wall-clock time from start to end.
    pub duration: Duration,
    /// Time on a CPU, where the executor can tell.
    pub cpu: Option<Duration>,
    /// The most memory it held, in bytes.
    pub peak_memory: u64,
    /// Fuel units, where they were counted.
    pub fuel: Option<u64>,
    /// Calls from the guest into the host.
    pub host_calls: u64,
    /// Bytes of HTTP bodies received; of a command, what it could read: standard input and its connections.
    pub bytes_in: u64,
    /// Bytes of HTTP bodies sent; of a command, what it wrote: its output and its connections.
    pub bytes_out: u64,
}

impl Usage {
    /// What two runs of one call used together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (one, other) => one.or(other),
        };
        Self {
            duration: self.duration.saturating_add(other.duration),
            cpu: match (self.cpu, other.cpu) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (one, other) => one.or(other),
            },
            peak_memory: self.peak_memory.max(other.peak_memory),
            fuel: sum(self.fuel, other.fuel),
            host_calls: self.host_calls.saturating_add(other.host_calls),
            bytes_in: self.bytes_in.saturating_add(other.bytes_in),
            bytes_out: self.bytes_out.saturating_add(other.bytes_out),
        }
    }

    /// The JSON form of results and records.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("duration_ms".into(), milliseconds(self.duration));
        if let Some(cpu) = self.cpu {
            object.insert("cpu_ms".into(), milliseconds(cpu));
        }
        object.insert("peak_memory_bytes".into(), self.peak_memory.into());
        if let Some(fuel) = self.fuel {
            object.insert("fuel".into(), fuel.into());
        }
        object.insert("host_calls".into(), self.host_calls.into());
        object.insert("bytes_in".into(), self.bytes_in.into());
        object.insert("bytes_out".into(), self.bytes_out.into());
        Value::Object(object)
    }
}

/// Milliseconds with three digits, as a JSON number.
fn milliseconds(duration: Duration) -> Value {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    json!(f64::from(micros) / 1000.0)
}

/// How a call ended. Every executor maps what it saw to exactly one of these.
#[derive(Debug)]
pub enum Ended {
    /// The tool returned a result.
    Complete(Output),
    /// The tool wants an answer and to be run again.
    NeedsInput(InputNeeded),
    /// The tool returned an error of its own.
    Failed(ToolError),
    /// The tool crashed.
    Crashed {
        /// What the tool said last, or the kind of trap.
        message: String,
        /// Innermost frame first.
        backtrace: Vec<Frame>,
    },
    /// The tool ended itself with an exit code.
    Exited {
        /// The code.
        code: i32,
        /// What it said, where that is not in the events.
        structured: Option<Value>,
    },
    /// A signal ended the tool that was not ours.
    Signalled(i32),
    /// A limit was reached.
    LimitReached {
        /// Which one.
        limit: LimitKind,
        /// The limit's value, in its own unit.
        value: u64,
    },
    /// The deadline passed.
    TimedOut(Duration),
    /// Somebody cancelled the call.
    Cancelled,
    /// The executor could not run the tool at all, or refused to.
    NotRun(Error),
}

/// A limit that a call can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitKind {
    /// Linear memory, in bytes.
    Memory,
    /// Elements of tables.
    Table,
    /// The native stack of the guest, in bytes.
    Stack,
    /// Fuel units.
    Fuel,
    /// Calls into the host.
    HostCalls,
    /// Bytes of the result.
    Output,
    /// Bytes copied from the guest to the host in one call.
    Transfer,
    /// Handles to host resources.
    Handles,
    /// Core instances, tables and memories, each counted.
    Instances,
}

impl LimitKind {
    fn code(self) -> Code {
        match self {
            Self::Memory => Code::E3403,
            Self::Table | Self::Stack | Self::Handles | Self::Transfer | Self::Instances => {
                Code::E3407
            }
            Self::Fuel | Self::HostCalls => Code::E3411,
            Self::Output => Code::E3306,
        }
    }

    fn describe(self, value: u64) -> String {
        match self {
            Self::Memory => format!("the tool needed more than {} of memory", bytes(value)),
            Self::Table => format!("the tool needed more than {value} table elements"),
            Self::Stack => "the tool's stack overflowed".to_owned(),
            Self::Fuel => format!("the tool used up its {value} units of fuel"),
            Self::HostCalls => format!("the tool made more than {value} calls into the host"),
            Self::Output => format!("the tool returned more than {} of output", bytes(value)),
            Self::Transfer => {
                format!(
                    "the tool handed the host more than {} in one call",
                    bytes(value)
                )
            }
            Self::Handles => format!("the tool held more than {value} handles at once"),
            Self::Instances => {
                format!("the tool needed more than {value} instances, tables or memories")
            }
        }
    }
}

/// A size as people write it: `128 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if count >= unit && count.is_multiple_of(unit) {
            return format!("{} {name}", count / unit);
        }
    }
    format!("{count} bytes")
}

/// An error that a tool returned.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolError {
    /// Which kind.
    pub kind: ToolErrorKind,
    /// The tool's own words; text from a stranger.
    pub message: String,
    /// The error value of a custom tool.
    pub structured: Option<Value>,
}

/// The kinds of errors a tool can return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolErrorKind {
    /// The arguments make no sense to the tool.
    InvalidArguments,
    /// The tool was denied something it cannot do without.
    NotPermitted,
    /// What the arguments name does not exist.
    NotFound,
    /// The plugin has no such tool.
    UnknownTool,
    /// It failed, and would fail again.
    Failed,
    /// It failed, and may work later, after this many milliseconds where given.
    Retryable(Option<u64>),
}

impl ToolErrorKind {
    /// The name used in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArguments => "invalid-arguments",
            Self::NotPermitted => "not-permitted",
            Self::NotFound => "not-found",
            Self::UnknownTool => "unknown-tool",
            Self::Failed => "failed",
            Self::Retryable(_) => "retryable",
        }
    }
}

/// One frame of a backtrace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function, demangled where it can be.
    pub function: String,
    /// `file:line`, where the component carries debug information.
    pub location: Option<String>,
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} at {location}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

impl Ended {
    /// The code of the error this ending stands for; nothing where there is a result.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Complete(_) => None,
            Self::NeedsInput(_) => Some(Code::E3213),
            Self::Failed(error) => Some(tool_code(error.kind).0),
            Self::Crashed { .. } => Some(Code::E3404),
            Self::Exited { .. } => Some(Code::E3410),
            Self::Signalled(_) => Some(Code::E3404),
            Self::LimitReached { limit, .. } => Some(limit.code()),
            Self::TimedOut(_) => Some(Code::E3402),
            Self::Cancelled => Some(Code::E3703),
            Self::NotRun(error) => Some(error.code()),
        }
    }

    /// The result, or the error this ending stands for.
    ///
    /// # Errors
    /// Every ending but [`Ended::Complete`] is an error with the code of the table in `docs/reference/errors.md`.
    pub fn into_result(self) -> Result<Output, Error> {
        Err(match self {
            Self::Complete(output) => return Ok(output),
            Self::NeedsInput(needed) => {
                let questions: Vec<Value> =
                    needed.requests.iter().map(InputRequest::to_json).collect();
                Error::new(Code::E3213, "the tool asks something, and nobody can answer here")
                    .hint("Give the answer in the arguments, or call the tool where a person can be asked.")
                    .detail("requests", questions)
            }
            Self::Failed(error) => tool_error(error),
            Self::Crashed { message, backtrace } => {
                let frames: Vec<Value> = backtrace.iter().map(|f| f.to_string().into()).collect();
                Error::new(Code::E3404, format!("the tool crashed: {message}"))
                    .detail("backtrace", frames)
            }
            Self::Exited { code, structured } => {
                let error = CommandEnd::Exited
                    .error(
                        Code::E3410,
                        format!("the tool ended itself with exit code {code}"),
                    )
                    .detail("exit_code", code);
                match structured {
                    Some(structured) => error.detail("structured", structured),
                    None => error,
                }
            }
            Self::Signalled(signal) => CommandEnd::Signalled
                .error(
                    Code::E3404,
                    format!("signal {signal}{} ended the tool", signal_name(signal)),
                )
                .detail("signal", signal),
            Self::LimitReached { limit, value } => {
                let error = match limit {
                    LimitKind::Memory => CommandEnd::Oom.error(limit.code(), limit.describe(value)),
                    _ => Error::new(limit.code(), limit.describe(value)),
                };
                error.detail("limit", value)
            }
            Self::TimedOut(after) => CommandEnd::Timeout
                .error(
                    Code::E3402,
                    format!("the tool did not finish within {}", seconds(after)),
                )
                .detail(
                    "timeout_ms",
                    u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                ),
            Self::Cancelled => CommandEnd::Cancelled.error(Code::E3703, "the call was cancelled"),
            Self::NotRun(error) => error,
        })
    }
}

/// What each kind of error of a tool's own is to the caller.
fn tool_code(kind: ToolErrorKind) -> (Code, &'static str) {
    match kind {
        ToolErrorKind::InvalidArguments => (Code::E3301, "the tool does not accept the arguments"),
        ToolErrorKind::NotPermitted => (Code::E3206, "the tool was not permitted to go on"),
        ToolErrorKind::UnknownTool => (Code::E3101, "the plugin has no such tool"),
        ToolErrorKind::NotFound => (Code::E3401, "the tool did not find what it was asked for"),
        ToolErrorKind::Failed => (Code::E3401, "the tool failed"),
        ToolErrorKind::Retryable(_) => (Code::E3401, "the tool failed and may work later"),
    }
}

fn tool_error(error: ToolError) -> Error {
    let (code, said) = tool_code(error.kind);
    let mut result =
        Error::new(code, format!("{said}: {}", error.message)).detail("kind", error.kind.name());
    if let ToolErrorKind::Retryable(Some(after)) = error.kind {
        result = result.detail("retry_after_ms", after);
    }
    if let Some(structured) = error.structured {
        result = result.detail("structured", structured);
    }
    result
}

/// The name of a signal that people know, in parentheses after its number.
pub(super) fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        14 => " (SIGALRM)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}

/// A duration as people write it: `1.5s`, `250ms`.
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    format!("{}s", duration.as_secs_f64())
}
