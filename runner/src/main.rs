//! `toolhatch-runner`: what Toolhatch puts into its containers, read-only, to look at them from within and to run commands.
//!
//! `probe` tells in one line of JSON what the sandbox around it is like. `serve` is the first process of a container, or
//! a process of another machine, and runs one command after the other for the host at the other end of its standard streams.
//! Neither takes anything secret as an argument or in its environment.

#![cfg_attr(not(test), no_main)]

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the runner is for containers, which are Linux; toolhatch builds without it elsewhere"
);

mod command;
mod json;
mod mounts;
mod oom;
mod outbox;
mod probe;
mod processes;
mod serve;
mod sys;
mod tmp;
mod tunnel;
mod wards;

use std::ffi::CString;
use std::io::Write;
use std::time::Duration;

const USAGE: &str = "Usage: toolhatch-runner probe [PATH]...
       toolhatch-runner serve [--descendants] [--idle-seconds N] [--deadline-seconds N]

probe  prints one line of JSON about the sandbox it is in, and about how each PATH is mounted.
serve  runs commands for a host that speaks the runner's protocol over standard input and output.
       It has to be the first process of its PID namespace, because it kills every other one there;
       with --descendants it runs anywhere, and kills only what descends from it.
       It ends when its input ends, when nothing came for N seconds (--idle-seconds),
       and N seconds after its start (--deadline-seconds).
";

/// The exit code for a command line that is not understood.
const EXIT_USAGE: u8 = 64;

/// The harness of the tests begins elsewhere and puts its own in the place of this one, which says what is used.
#[cfg(test)]
fn main() {
    run(&[]);
}

/// The program, with its arguments, its own name first. Returns the exit code.
fn run(arguments: &[CString]) -> u8 {
    let words = arguments.iter().skip(1).map(|word| word.to_bytes());
    match words.collect::<Vec<_>>().as_slice() {
        [b"probe", ..] => {
            let line = probe::probe(arguments.get(2..).unwrap_or_default());
            match writeln!(std::io::stdout(), "{line}") {
                Ok(()) => 0,
                Err(_) => 1,
            }
        }
        [b"serve", rest @ ..] => match parse_terms(rest) {
            Some(terms) => serve::serve(terms),
            None => usage(EXIT_USAGE),
        },
        [b"--help" | b"-h"] => usage(0),
        [b"--version"] => say(
            concat!("toolhatch-runner ", env!("CARGO_PKG_VERSION"), "\n"),
            0,
        ),
        _ => usage(EXIT_USAGE),
    }
}

/// The options of `serve`; `None` where they are not understood.
fn parse_terms(words: &[&[u8]]) -> Option<serve::Terms> {
    let mut terms = serve::Terms::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if *word == b"--descendants" {
            terms.descendants = true;
            continue;
        }
        let seconds = std::str::from_utf8(words.next()?).ok()?;
        let seconds = Duration::from_secs(seconds.parse::<u32>().ok()?.into());
        match *word {
            b"--idle-seconds" => terms.idle = Some(seconds),
            b"--deadline-seconds" => terms.deadline = Some(seconds),
            _ => return None,
        }
    }
    Some(terms)
}

fn usage(code: u8) -> u8 {
    say(USAGE, code)
}

/// Help goes to standard output, complaints to standard error. Where neither can be written to, the exit code has to do.
fn say(text: &str, code: u8) -> u8 {
    let _ = if code == 0 {
        std::io::stdout().write_all(text.as_bytes())
    } else {
        std::io::stderr().write_all(text.as_bytes())
    };
    code
}
