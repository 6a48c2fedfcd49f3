//! The only place that writes to standard output and standard error.
//!
//! Results go to standard output, everything about them to standard error. What a stranger's tool wrote is shown without
//! the control characters that could rewrite a terminal, unless it goes into a file or a pipe.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::config::Color;
use crate::error::{Code, Error};
use crate::exec::Stdio;
use crate::exit_code::Exit;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// What a command has to say.
#[derive(Debug, Clone, Default)]
pub struct CommandOutput {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// How the command went.
    pub exit: Exit,
    /// Besides the result.
    pub warnings: Vec<String>,
}

impl CommandOutput {
    /// A command that went well.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            exit: Exit::Ok,
            warnings: Vec::new(),
        }
    }

    /// A command that went well and has said already what it had to say.
    pub fn nothing() -> Self {
        Self::new(String::new(), Value::Null)
    }
}

/// Standard output for records of the audit log.
pub fn records() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// The standard streams, for a protocol alone. What anything else writes to standard output from here on goes to standard
/// error.
///
/// # Errors
/// Where the process has no such streams.
pub fn protocol_streams() -> io::Result<(File, File)> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((input, output))
}

/// Writes results and messages.
pub struct Printer {
    json: bool,
    /// Standard output was closed by its reader, as `head` does.
    broken: AtomicBool,
    bar: Mutex<Option<Bar>>,
}

struct Bar {
    started: Instant,
    shown: Option<ProgressBar>,
}

impl Printer {
    /// A printer for before the command line is understood.
    #[must_use]
    pub fn early() -> Self {
        Self {
            json: false,
            broken: AtomicBool::new(false),
            bar: Mutex::new(None),
        }
    }

    /// The same printer, for JSON.
    #[must_use]
    pub fn with_json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    /// True where results are printed as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Decides on colours for the rest of the process.
    pub fn set_color(&self, color: Color) {
        anstream::ColorChoice::write_global(color.into());
    }

    /// Says what is wrong with the command line, or shows the help that was asked for.
    #[must_use]
    pub fn usage(&self, mut error: clap::Error) -> Exit {
        use clap::error::{ContextKind, ContextValue, ErrorKind};
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ) {
            // clap knows which of the two streams it belongs to, and a closed one is the reader's choice.
            drop(error.print());
            return Exit::Ok;
        }
        // clap lists what is hidden too.
        if let Some(ContextValue::Strings(names)) = error.get(ContextKind::ValidSubcommand) {
            let shown = names.iter().filter(|name| !name.starts_with("internal-"));
            let shown = ContextValue::Strings(shown.cloned().collect());
            error.insert(ContextKind::ValidSubcommand, shown);
        }
        let code = Code::E3004;
        if self.json {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
            let told = rest
                .split("\n\n")
                .map(str::trim)
                .filter(|it| !it.is_empty());
            let told = told.fold(Error::new(code, message.trim()), Error::hint);
            self.json_value(&json!({"ok": false, "error": told.to_json()}));
            return Exit::Usage;
        }
        let text = error.render().ansi().to_string();
        anstream::eprint!("{}", text.replacen("error:", &format!("error[{code}]:"), 1));
        Exit::Usage
    }

    fn write_out(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if written.is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Prints a command's result.
    pub fn output(&self, output: &CommandOutput) {
        self.clear_progress();
        for warning in &output.warnings {
            self.warning(warning);
        }
        if self.json && !output.json.is_null() {
            self.json_value(&output.json);
        } else if !self.json && !output.text.is_empty() {
            self.text(&output.text);
        }
    }

    /// Prints text that may come from a tool, with a line end.
    pub fn text(&self, text: &str) {
        let mut text = if io::stdout().is_terminal() {
            without_controls(text)
        } else {
            text.to_owned()
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        self.write_out(&text);
    }

    /// Passes on a piece of what a command prints: as it is into files and pipes, without control characters on a terminal.
    pub fn stream(&self, stream: Stdio, bytes: &[u8]) {
        self.clear_progress();
        let shown;
        let is_terminal = match stream {
            Stdio::Stdout => io::stdout().is_terminal(),
            Stdio::Stderr => stderr_is_terminal(),
        };
        let bytes = if is_terminal {
            shown = without_controls(&String::from_utf8_lossy(bytes));
            shown.as_bytes()
        } else {
            bytes
        };
        let written = match stream {
            Stdio::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Stdio::Stderr => io::stderr().lock().write_all(bytes),
        };
        if written.is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Prints JSON: indented on a terminal, else one line.
    pub fn json_value(&self, value: &Value) {
        let text = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
        } else {
            value.to_string()
        };
        self.write_out(&format!("{text}\n"));
    }

    /// Prints JSON on one line, for streams of them.
    pub fn json_line(&self, value: &Value) {
        self.write_out(&format!("{value}\n"));
    }

    /// True where nobody reads the results any more.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Says what went wrong, why, and what to do about it.
    pub fn error(&self, error: &Error) {
        self.clear_progress();
        if self.json {
            self.json_value(&json!({"ok": false, "error": error.to_json()}));
            return;
        }
        anstream::eprintln!(
            "{BAD}error[{}]{BAD:#}: {}",
            error.code(),
            without_controls(&error.to_string())
        );
        for cause in error.causes() {
            anstream::eprintln!("  because: {}", without_controls(&cause));
        }
        if let Some(frames) = error.details().get("backtrace").and_then(Value::as_array) {
            for (index, frame) in frames.iter().enumerate() {
                anstream::eprintln!(
                    "  {index:>2}: {}",
                    without_controls(frame.as_str().unwrap_or_default())
                );
            }
        }
        for hint in error.hints() {
            anstream::eprintln!("  {HINT}hint{HINT:#}: {}", without_controls(hint));
        }
    }

    /// Says something that does not stop the command.
    pub fn warning(&self, text: &str) {
        if !self.json {
            anstream::eprintln!("{DOUBTFUL}warning{DOUBTFUL:#}: {}", without_controls(text));
        }
    }

    /// Says something that is good to know.
    pub fn note(&self, text: &str) {
        if !self.json {
            self.clear_progress();
            anstream::eprintln!("{}", without_controls(text));
        }
    }

    /// Says what a person has to do now. Also beside JSON, which has standard output for itself.
    pub fn instruction(&self, text: &str) {
        anstream::eprintln!("{}", without_controls(text));
    }

    /// Shows how far something has come, once it takes longer than a second, and only to a person.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        if self.json || !stderr_is_terminal() {
            return;
        }
        let mut slot = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = slot.get_or_insert_with(|| Bar {
            started: Instant::now(),
            shown: None,
        });
        if bar.started.elapsed() < Duration::from_secs(1) {
            return;
        }
        let shown = bar.shown.get_or_insert_with(ProgressBar::new_spinner);
        if let Some(total) = total {
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                shown.set_style(style);
            }
            shown.set_length(whole(total));
        }
        shown.set_position(whole(done));
        shown.set_message(without_controls(message.unwrap_or_default()));
    }

    fn clear_progress(&self) {
        let bar = self
            .bar
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(shown) = bar.and_then(|bar| bar.shown) {
            shown.finish_and_clear();
        }
    }

    /// Tidies up.
    pub fn finish(&self) {
        self.clear_progress();
    }
}

/// True where messages are read by a person as they come.
#[must_use]
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "progress is shown in whole units, and the cast saturates"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

/// Text as it may be shown on a terminal: control characters and those that reorder text are spelled out, line ends and
/// tabs stay.
#[must_use]
pub fn without_controls(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\n' && c != '\t') || reorders {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_cannot_rewrite_a_terminal() {
        assert_eq!(
            without_controls("a\u{1b}[2Jb\r\n\tc"),
            "a\\u{1b}[2Jb\\u{d}\n\tc"
        );
        assert_eq!(without_controls("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(without_controls("ünïcode"), "ünïcode");
    }
}
