//! `toolhatch call --learn`: a call with nothing allowed, to find out what the tool needs, and the change of its manifest that
//! would ask for that.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Args, invoke, render, settle};
use crate::app::{App, choose_tool, read_grants};
use crate::author::amend::difference;
use crate::author::learn::{Lessons, Need};
use crate::cli::block_on;
use crate::cli::output::Printer;
use crate::cli::prompt::Terminal;
use crate::dist::{MANIFEST_FILE, manifest_beside};
use crate::error::{Code, Error, Result};
use crate::exit_code::Exit;
use crate::fsx;
use crate::invoke::{Report, ToolRef};
use crate::manifest::document::MAX_BYTES;

/// Runs the call, again where the person at the terminal allows what it was denied, until it is denied nothing more.
pub(super) fn run(args: &Args, app: &Arc<App>, printer: &Printer, tool: &ToolRef) -> Result<Exit> {
    let ToolRef::File { path, .. } = tool else {
        return Err(Error::new(
            Code::E3004,
            format!("learning what {tool} needs: it is installed, and what it asks for is settled"),
        )
        .hint("Name the file or the project of a plugin that you are writing."));
    };
    app.learn();
    let mut allowed = read_grants(&args.common.allow, false, &app.paths.current)?;
    let whole = args.args.as_deref().map(super::read_whole).transpose()?;
    let mut lessons = Lessons::default();
    let variables = app.paths.variables();
    block_on(async {
        let source = app.source(tool).await?;
        let chosen = choose_tool(&source, args.tool.as_deref().or(tool.tool()))?;
        let arguments = super::arguments::combine(whole, &args.arg, &chosen.input_schema)?;
        let arguments = Arc::new(arguments);
        let mut last: Option<Report> = None;
        let report = loop {
            let common = &args.common;
            let caller = Arc::new(common.caller(printer));
            let grants = allowed.clone();
            let request = common.request(app, tool, Arc::clone(&arguments), caller, grants);
            let report = match (invoke(app, printer, request, common).await, last.take()) {
                (Ok(report), _) => report,
                // What was learnt so far counts all the same.
                (Err(error), Some(last)) => {
                    printer.warning(&format!("the next attempt could not be made: {error}"));
                    break last;
                }
                (Err(error), None) => return Err(error),
            };
            let known = lessons.needs().len();
            lessons.learn(&report.events.denials, &app.paths.current, &variables);
            let new: Vec<Need> = lessons.needs().iter().skip(known).cloned().collect();
            let agreed = if args.common.headless || printer.is_json() || !app.config.allow_flag {
                Vec::new()
            } else {
                ask(new).await.unwrap_or_else(|error| {
                    printer.warning(&error.to_string());
                    Vec::new()
                })
            };
            if agreed.is_empty() {
                break report;
            }
            for need in agreed {
                allowed = allowed.and(&need.grants());
            }
            last = Some(report);
        };
        settle(app).await;
        tell(args, printer, &report, &lessons, path)
    })
}

/// Asks the person at the terminal about each new thing that can be granted; gives what they agree to.
async fn ask(mut needs: Vec<Need>) -> Result<Vec<Need>> {
    needs.retain(|need| need.obstacle().is_none());
    if needs.is_empty() {
        return Ok(needs);
    }
    let asked = tokio::task::spawn_blocking(move || {
        let Some(mut terminal) = Terminal::open() else {
            return Ok(Vec::new());
        };
        terminal.say("It was denied this. What you allow now counts for another attempt:")?;
        let mut agreed = Vec::new();
        for need in needs {
            for warning in need.warnings() {
                terminal.say(&format!("  careful: {warning}"))?;
            }
            let words = need.in_plain_words();
            if terminal.confirm(&format!("  {}: may it {words}?", need.what))? {
                agreed.push(need);
            }
        }
        Ok(agreed)
    });
    asked
        .await
        .map_err(|error| Error::new(Code::E3000, "asking the terminal").caused_by(error))?
}

fn tell(
    args: &Args,
    printer: &Printer,
    report: &Report,
    lessons: &Lessons,
    plugin: &Path,
) -> Result<Exit> {
    if printer.is_json() {
        let proposal = propose(args, lessons, plugin)?;
        printer.json_value(&as_json(report, lessons, &proposal));
        return Ok(Exit::Ok);
    }
    // First what happened: a manifest that nothing can be added to does not hide it.
    tell_result(printer, report);
    tell_needs(printer, lessons);
    tell_proposal(printer, lessons, propose(args, lessons, plugin)?);
    Ok(Exit::Ok)
}

/// A change of a manifest, or what one would have to hold.
struct Proposal {
    manifest: Option<PathBuf>,
    text: String,
    is_written: bool,
}

fn propose(args: &Args, lessons: &Lessons, plugin: &Path) -> Result<Proposal> {
    let manifest = manifest_of(plugin);
    let mut is_written = false;
    let text = match &manifest {
        Some(file) => {
            let before = fsx::read_text(file, MAX_BYTES as u64)?;
            let after = lessons.amend(&before)?;
            if args.write && before != after {
                fsx::write_atomic(file, after.as_bytes(), 0o644)?;
                is_written = true;
            }
            difference(MANIFEST_FILE, &before, &after)
        }
        None if args.write => {
            return Err(Error::new(
                Code::E3101,
                format!(
                    "writing what was learnt: {} has no {MANIFEST_FILE} beside it",
                    plugin.display()
                ),
            )
            .hint("Call the project's folder, or leave `--write` out."));
        }
        None => lessons.permissions()?,
    };
    Ok(Proposal {
        manifest,
        text,
        is_written,
    })
}

fn tell_result(printer: &Printer, report: &Report) {
    match &report.result {
        Ok(_) => render::result(printer, report),
        Err(error) => printer.note(&format!("The call ended with {}: {error}", error.code())),
    }
}

fn tell_needs(printer: &Printer, lessons: &Lessons) {
    if lessons.needs().is_empty() {
        printer.note("\nIt was denied nothing that a permission would allow.");
    } else {
        printer.note("\nIt was denied:");
    }
    for need in lessons.needs() {
        let besides = need
            .obstacle()
            .map_or_else(String::new, |why| format!("; {why}"));
        printer.note(&format!("  {} ({}){besides}", need.what, need.kind()));
    }
    for sentence in lessons.hopeless() {
        printer.note(&format!("  {sentence}; no permission allows that"));
    }
}

fn tell_proposal(printer: &Printer, lessons: &Lessons, proposal: Proposal) {
    let place = proposal
        .manifest
        .unwrap_or_else(|| PathBuf::from("a manifest"));
    let place = place.display();
    if proposal.text.is_empty() {
        if !lessons.needs().is_empty() {
            printer.note(&format!("\n{place} asks for all of it already."));
        }
        return;
    }
    let begins = match proposal.is_written {
        true => "Wrote into",
        false => "Proposal for",
    };
    printer.note(&format!("\n{begins} {place}:\n"));
    printer.text(&proposal.text);
    if proposal.is_written {
        printer.note("\nIt counts after the next `toolhatch plugin build`.");
    }
}

fn as_json(report: &Report, lessons: &Lessons, proposal: &Proposal) -> Value {
    let manifest = proposal.manifest.as_deref().map(Path::to_string_lossy);
    json!({
        "report": report.to_json(),
        "needs": needs_json(lessons),
        "hopeless": lessons.hopeless(),
        "manifest": manifest,
        "proposal": proposal.text,
        "written": proposal.is_written,
    })
}

fn needs_json(lessons: &Lessons) -> Value {
    lessons
        .needs()
        .iter()
        .map(|need| {
            json!({
                "permission": need.kind().name(),
                "tried": need.what,
                "in_words": need.in_plain_words(),
                "warnings": need.warnings(),
                "obstacle": need.obstacle(),
                "allow": need.allow(),
            })
        })
        .collect()
}

/// The manifest that the author of this plugin edits: that of its project, or one beside the file.
fn manifest_of(plugin: &Path) -> Option<PathBuf> {
    let place = if plugin.is_dir() {
        Some(plugin.join(MANIFEST_FILE))
    } else {
        manifest_beside(plugin)
    };
    // The older form is not what is proposed.
    place.filter(|path| path.is_file() && path.extension().is_some_and(|it| it == "toml"))
}
