//! The programs that builds take: finding them, asking for their versions, running them, and saying what to install where
//! one is missing.

pub mod c;
pub mod javascript;
pub mod python;
pub mod rust;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::config::Environment;
use crate::config::env_vars::PATH;
use crate::error::{Code, Error, Result};
use crate::fsx;

/// How much of what a compiler said goes into an error, from its end.
const SAID: usize = 16 << 10;

/// Where programs are looked for and run.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The variables of this process.
    pub environment: &'a Environment,
    /// The folder of the project.
    pub project: &'a Path,
    /// What compilers say goes to standard error as it comes; else it is kept, for an error.
    pub shows: bool,
}

impl Surroundings<'_> {
    /// Finds a program as a shell would.
    #[must_use]
    pub fn find(&self, program: &str) -> Option<PathBuf> {
        fsx::find_program(self.environment.get(PATH)?, program)
    }

    /// What a program prints, where it ends well; for questions that take no time.
    pub fn ask(&self, program: &Path, arguments: &[&str]) -> Option<String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.project)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    }

    /// Runs a step of a build; gives what it printed on standard output.
    ///
    /// # Errors
    /// E3112 where it cannot be started, E3113 where it fails.
    pub fn run(&self, step: &Step) -> Result<Vec<u8>> {
        let name = step.program.file_name().unwrap_or(step.program.as_os_str());
        let name = name.to_string_lossy();
        let child = Command::new(&step.program)
            .args(&step.arguments)
            .envs(step.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if self.shows && step.noise.is_empty() {
                Stdio::inherit()
            } else {
                Stdio::piped()
            })
            .spawn();
        let output = child
            .and_then(std::process::Child::wait_with_output)
            .map_err(|error| {
                Error::new(Code::E3112, format!("starting {}", step.program.display()))
                    .caused_by(error)
            })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = if output.stderr.is_empty() && !step.prints_data {
            &output.stdout
        } else {
            &output.stderr
        };
        let said = step.plainly(&tail(said));
        let error = Error::new(
            Code::E3113,
            format!(
                "building {}: {name} ended with {}",
                self.project.display(),
                output.status
            ),
        );
        Err(if said.is_empty() {
            error
        } else {
            error.caused_by(said.clone()).detail("said", said)
        })
    }
}

/// One command of a build. It runs in the folder of the project.
#[derive(Debug, Clone)]
pub struct Step {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables besides those of this process.
    pub environment: Vec<(&'static str, OsString)>,
    /// What it prints on standard output is for us, and no message.
    pub prints_data: bool,
    /// What its messages about mistakes begin with, and says nothing.
    pub noise: &'static [&'static str],
    /// From here on its messages are about itself.
    pub ends_before: Option<&'static str>,
}

impl Step {
    /// A program with its arguments.
    pub fn new<Argument: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = Argument>,
    ) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned())
                .collect(),
            environment: Vec::new(),
            prints_data: false,
            noise: &[],
            ends_before: None,
        }
    }
}

impl Step {
    /// What it said, without what says nothing to an author.
    fn plainly(&self, said: &str) -> String {
        let said = match self.noise.iter().find_map(|noise| said.split_once(noise)) {
            Some((_, rest)) => rest,
            None => said,
        };
        let end = self.ends_before.and_then(|mark| said.find(mark));
        let said = said.get(..end.unwrap_or(said.len())).unwrap_or(said);
        said.trim().to_owned()
    }
}

/// Removes what an earlier build made: left there, it would be taken for what this one makes.
fn forget(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(fsx::io_error("removing", path, error))
        }
        _ => Ok(()),
    }
}

/// Asserts that a program that ended well made a file.
fn made(path: &Path, program: &Path) -> Result<()> {
    if path.is_file() {
        return Ok(());
    }
    Err(Error::new(
        Code::E3113,
        format!(
            "building {}: {} ended well, and did not make it",
            path.display(),
            program.display()
        ),
    )
    .hint("Install it again: it is not the program that it should be."))
}

/// The path of a program, where it is one.
fn program(path: &Path) -> Option<PathBuf> {
    fsx::is_program(path).then(|| path.to_owned())
}

/// The error for what is missing: what it is, what for, and how it is got, one way a line.
#[must_use]
pub fn missing(what: &str, for_what: &str, ways: &[&str]) -> Error {
    let error = Error::new(
        Code::E3112,
        format!("{for_what} takes {what}, and there is none here"),
    );
    ways.iter().fold(error, |error, way| error.hint(*way))
}

/// The end of what a program said, from the beginning of a line.
fn tail(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let text = text.trim_end();
    let mut from = text.len().saturating_sub(SAID);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let end = text.get(from..).unwrap_or_default();
    match end.split_once('\n') {
        Some((_, whole)) if from > 0 => whole.to_owned(),
        _ => end.trim_start().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (folder.path().join("a b"), folder.path().join("ü"));
        for place in [&first, &second] {
            std::fs::create_dir(place).expect("made");
        }
        fsx::write_atomic(&first.join("tool"), b"", 0o644).expect("written");
        fsx::write_atomic(&second.join("tool"), b"#!/bin/sh\necho 1.2.3\n", 0o755)
            .expect("written");
        let path = format!("relative:{}:{}", first.display(), second.display());
        let environment: Environment = [("PATH", path)].into_iter().collect();
        let surroundings = Surroundings {
            environment: &environment,
            project: folder.path(),
            shows: false,
        };
        assert_eq!(
            surroundings.find("tool"),
            Some(second.join("tool")),
            "the first cannot be run"
        );
        assert_eq!(surroundings.find("other"), None);
        assert_eq!(
            surroundings.ask(&second.join("tool"), &[]).as_deref(),
            Some("1.2.3")
        );
    }

    #[test]
    fn a_failed_step_tells_what_was_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::default();
        let surroundings = Surroundings {
            environment: &environment,
            project: folder.path(),
            shows: false,
        };
        let shell = Path::new("/bin/sh");
        let good = surroundings.run(&Step::new(shell, ["-c", "echo out; echo err >&2"]));
        assert_eq!(good.expect("ends well"), b"out\n");
        let error = surroundings
            .run(&Step::new(
                shell,
                ["-c", "echo 'a.rs:1: what is this?' >&2; exit 3"],
            ))
            .expect_err("it fails");
        assert_eq!(error.code(), Code::E3113);
        assert!(
            error
                .causes()
                .iter()
                .any(|cause| cause.contains("a.rs:1: what is this?")),
            "{error:?}"
        );
        let error = surroundings
            .run(&Step::new(Path::new("/nonexistent"), ["x"]))
            .expect_err("it is not there");
        assert_eq!(error.code(), Code::E3112);
    }

    #[test]
    fn a_long_story_is_told_from_its_last_lines() {
        let long = "eine Zeile über nichts\n".repeat(2_000);
        let end = tail(long.as_bytes());
        assert!(
            end.len() <= SAID && end.starts_with("eine Zeile"),
            "{}",
            end.len()
        );
        assert_eq!(tail(b"\n short\n\n"), "short");
        assert_eq!(tail(b""), "");
    }
}
