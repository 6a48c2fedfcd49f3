//! `toolhatch plugin check`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::examine::examine;
use super::finding::{Finding, Findings, Severity};
use super::rule::Rule;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::count;
use crate::dist::{MANIFEST_FILE, Package};
use crate::error::{Error, Result};
use crate::exit_code::Exit;
use crate::fsx;
use crate::manifest;
use crate::schema::{self, artifact};

/// Check a plugin: list everything that is wrong with its component, its manifest and its tools, and what to do about it.
///
/// Nothing is granted to it. Where the component describes its own tools, it is asked for them in an empty sandbox.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin check
  toolhatch plugin check plugins/dist/files.wasm --notes
  toolhatch plugin check my-plugin --json

It ends with 2 where something keeps the plugin from being used; warnings count with --strict.")]
pub struct Args {
    /// A component, or a folder with a manifest and a component.
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// Show notes too: what is good to know, and may well be as it should be.
    #[arg(long)]
    notes: bool,
    /// Warnings count as errors.
    #[arg(long)]
    strict: bool,
    /// List what is looked for, and why, and look at nothing.
    #[arg(long, conflicts_with_all = ["path", "notes", "strict"])]
    rules: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        if self.rules {
            return Ok(rules());
        }
        let mut digest = None;
        let findings = match Package::read(&self.path) {
            Ok(package) => {
                digest = Some(package.artifact.digest);
                let mut findings = block_on(examine(app, &package))?;
                outdated(&package, &mut findings);
                findings
            }
            Err(error) if !self.path.exists() => return Err(error),
            Err(error) => unreadable(&self.path, &error),
        };
        let mut lines = Vec::new();
        let sorted: Vec<&Finding> = findings
            .sorted()
            .into_iter()
            .filter(|finding| self.notes || finding.severity != Severity::Note)
            .collect();
        for (index, finding) in sorted.iter().enumerate() {
            lines.push(finding.text());
            // What is said of several in a row is said once.
            let next = sorted.get(index + 1);
            if next.is_none_or(|next| next.rule != finding.rule || next.fix != finding.fix) {
                lines.push(format!("  why: {}", finding.rule.reason()));
                lines.push(format!("  fix: {}", finding.fix));
            }
        }
        let notes = findings.count(Severity::Note);
        let errors = findings.count(Severity::Error);
        lines.push(format!(
            "{}: {}, {}, {}{}",
            self.path.display(),
            count(errors, "error"),
            count(findings.count(Severity::Warning), "warning"),
            count(notes, "note"),
            if notes > 0 && !self.notes {
                " (shown with --notes)"
            } else {
                ""
            },
        ));
        let passes = errors == 0 && !(self.strict && findings.count(Severity::Warning) > 0);
        let list: Value = findings
            .sorted()
            .iter()
            .map(|finding| finding.to_json())
            .collect();
        let json = json!({
            "file": self.path.to_string_lossy(),
            "digest": digest.map(|digest| digest.to_string()),
            "ok": passes,
            "findings": list,
        });
        let exit = if passes { Exit::Ok } else { Exit::Usage };
        Ok(CommandOutput {
            exit,
            ..CommandOutput::new(lines.join("\n"), json)
        })
    }
}

/// The rules, as a table for people.
fn rules() -> CommandOutput {
    let lines: Vec<String> = Rule::ALL
        .iter()
        .map(|rule| format!("{:<22}  {}", rule.id(), rule.reason()))
        .collect();
    let json: Value = Rule::ALL
        .iter()
        .map(|rule| json!({"rule": rule.id(), "reason": rule.reason()}))
        .collect();
    CommandOutput::new(lines.join("\n"), json)
}

/// Looks at whether the manifest of the project is the one that was packed in.
fn outdated(package: &Package, findings: &mut Findings) {
    match package.outdated_by() {
        Ok(None) => {}
        Ok(Some(manifest)) => findings.warning(
            Rule::Outdated,
            format!(
                "{} was built with another manifest than {}",
                package.file.display(),
                manifest.display()
            ),
            "Build it again: `toolhatch plugin build`.",
        ),
        Err(error) => findings.failed(Rule::Manifest, &error),
    }
}

/// What can be said of a package that cannot be read as a whole: its manifest and its component are looked at by themselves.
fn unreadable(path: &Path, error: &Error) -> Findings {
    let mut findings = Findings::default();
    findings.failed(Rule::Package, error);
    let beside = if path.is_dir() {
        path.join(MANIFEST_FILE)
    } else {
        path.with_extension(MANIFEST_FILE)
    };
    if beside.is_file()
        && let Err(error) = manifest::read_file(&beside)
    {
        findings.failed(Rule::Manifest, &error);
    }
    // What is wrong with a manifest says nothing of the component; a file that is none has been told of.
    if error.details().contains_key("problems")
        && let Some(component) = component(path)
    {
        let read = fsx::read_capped(&component, artifact::MAX_BYTES)
            .and_then(|bytes| schema::read_component(&bytes, None));
        if let Err(error) = read {
            findings.failed(Rule::Component, &error);
        }
    }
    findings
}

/// The file itself, or the only component of a folder.
fn component(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    let mut found = std::fs::read_dir(path)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
