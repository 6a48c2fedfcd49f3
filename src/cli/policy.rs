//! `toolhatch policy`: what the policies in force say, and what others would say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::block_on_here;
use super::call::read_whole;
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::section;
use crate::app::App;
use crate::audit::{self, EventType, Position};
use crate::error::{Code, Error, Result};
use crate::exit_code::Exit;
use crate::fsx;
use crate::ids::ToolId;
use crate::policy::cases::Cases;
use crate::policy::shadow::{self, Recalled};
use crate::policy::{
    Ask, DEFAULT_FILE, DEFAULT_POLICIES, Explanation, Outcome, Policies, Question, ToolShape,
};

/// The largest file of policies or cases.
const MAX_FILE: u64 = 4 << 20;

/// Check, explain, test and compare policies.
///
/// Policies are written in Cedar. Those in force are the ones that ship with Toolhatch, those of the operator in
/// /etc/toolhatch/policy and your own in the folder `policy` beside your config.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch policy check
  toolhatch policy check my-rules.cedar
  toolhatch policy explain 01K9XJ5C8TA0F9W2V7SZ7T3QKM
  toolhatch policy test cases.toml
  toolhatch policy shadow my-rules.cedar")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check the policies in force, or these files with those that ship with Toolhatch.
    Check {
        /// The files to check instead of those in force.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say why a call was allowed or refused, and which single change would have changed that.
    Explain {
        /// The id of the call.
        #[arg(value_name = "CALL-ID")]
        call: String,
        /// The arguments of the call, where they were not recorded: a JSON object, @FILE, or - for standard input.
        #[arg(long, value_name = "JSON")]
        args: Option<String>,
    },
    /// Run a file of cases.
    Test {
        /// The cases, in TOML.
        #[arg(value_name = "CASES")]
        cases: PathBuf,
        /// Test these files instead of the policies in force.
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
    },
    /// Ask the policies that these files make what the calls of the audit log asked, and list what would differ.
    Shadow {
        /// The proposed files; those that ship with Toolhatch count too.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print the Cedar schema that policies are checked against.
    Schema,
    /// Print the policies that ship with Toolhatch.
    Default,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let shapes = || {
            block_on_here(async {
                let shapes = app.installed_shapes().await?;
                Ok(shapes.into_values().collect::<Vec<ToolShape>>())
            })
        };
        match self.command {
            Command::Check { files } => check(&loaded(app, &files, &shapes()?)?),
            Command::Explain { call, args } => explain(app, &call, args.as_deref()),
            Command::Test { cases, policy } => test(app, &cases, &policy, shapes()?),
            Command::Shadow { files } => compare(app, &files, shapes()?),
            Command::Schema => {
                let schema = Policies::schema(&shapes()?)?;
                Ok(CommandOutput::new(
                    schema.clone(),
                    json!({"schema": schema}),
                ))
            }
            Command::Default => Ok(CommandOutput::new(
                DEFAULT_POLICIES,
                json!({"file": DEFAULT_FILE, "text": DEFAULT_POLICIES}),
            )),
        }
    }
}

/// The policies in force, or those that these files make together with the ones that ship with Toolhatch.
fn loaded(app: &App, files: &[PathBuf], shapes: &[ToolShape]) -> Result<Policies> {
    let mut sources = Vec::new();
    if files.is_empty() {
        for file in app.policy_files()? {
            sources.push((file.name, file.text));
        }
    } else {
        sources.push((DEFAULT_FILE.to_owned(), DEFAULT_POLICIES.to_owned()));
        for path in files {
            let text = fsx::read_text(path, MAX_FILE)?;
            sources.push((path.display().to_string(), text));
        }
    }
    let sources: Vec<(&str, &str)> = sources
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Policies::load(&sources, shapes)
}

fn check(policies: &Policies) -> Result<CommandOutput> {
    let list = policies.list();
    let rows = list.iter().map(|policy| {
        let annotations: Vec<String> = policy
            .annotations
            .iter()
            .map(|(name, value)| format!("@{name}({value:?})"))
            .collect();
        vec![
            policy.id.clone(),
            policy.file.clone(),
            annotations.join(" "),
        ]
    });
    let text = format!(
        "{}\n{} policies, all of them valid.",
        table(&["POLICY", "FILE", "OBLIGES TO"], 2, Fit::Cut, rows),
        list.len()
    );
    let json = json!({"valid": true, "policies": list});
    Ok(CommandOutput::new(text, json))
}

/// The questions that the calls of the log asked, each with its call.
fn questions(folder: &Path) -> Result<Vec<Recalled>> {
    let mut questions = Vec::new();
    for record in audit::scan(folder, Position::START) {
        let (_, record) = record?;
        if record.kind != EventType::PermissionDecided.name() {
            continue;
        }
        let (Some(call), Some(question)) = (
            record.call.clone(),
            record.data_value().get("question").cloned(),
        ) else {
            continue;
        };
        let question = Question::from_json(&question.to_string()).map_err(|error| {
            Error::new(
                Code::E3004,
                format!("reading what the call {call} asked the policies"),
            )
            .caused_by(error)
        })?;
        let policy = record.data_value().get("policy").cloned();
        let answer = policy.and_then(|policy| serde_json::from_value::<Recorded>(policy).ok());
        questions.push(Recalled {
            name: call,
            question,
            answer: answer.map(|answer| (answer.outcome, answer.by)),
        });
    }
    Ok(questions)
}

/// The answer of the policies, as a record has it.
#[derive(serde::Deserialize)]
struct Recorded {
    outcome: Outcome,
    by: Vec<String>,
}

/// Adds the tools that were asked about and are not installed, such as those of files: nothing is known of their arguments.
fn with_asked<'a>(
    mut shapes: Vec<ToolShape>,
    questions: impl IntoIterator<Item = &'a Question>,
) -> Vec<ToolShape> {
    for question in questions {
        if let Ask::Invoke { resource, .. } = &question.ask
            && !shapes.iter().any(|shape| shape.id == resource.id)
        {
            shapes.push(ToolShape {
                id: resource.id.clone(),
                input_schema: json!({"type": "object"}),
            });
        }
    }
    shapes
}

fn explain(app: &App, call: &str, arguments: Option<&str>) -> Result<CommandOutput> {
    let all = questions(&app.audit_folder())?;
    let of_call = || all.iter().filter(|one| one.name == call);
    let is_yes = |one: &&Recalled| matches!(one.answer, Some((Outcome::Allow, _)));
    // Of all that a call asked, what was refused is what people want to know about.
    let Some(asked) = of_call()
        .find(|one| !is_yes(one))
        .or_else(|| of_call().next())
    else {
        return Err(Error::new(
            Code::E3101,
            format!("the audit log does not say what the call {call} asked the policies"),
        )
        .hint("`toolhatch calls list` shows the calls there are; one that was refused before that asked nothing."));
    };
    let mut question = asked.question.clone();
    if let (Ask::Invoke { args, .. }, Some(given)) = (&mut question.ask, arguments) {
        *args = Arc::new(Value::Object(read_whole(given)?));
    }
    let shapes = block_on_here(async { app.installed_shapes().await })?;
    let shapes = with_asked(shapes.into_values().collect(), [&question]);
    let policies = loaded(app, &[], &shapes)?;
    if let (true, Some((outcome, by))) = (policies.lacks_arguments(&question), &asked.answer) {
        let mut lines = Vec::new();
        for id in by {
            lines.push(match policies.named(std::slice::from_ref(id)).first() {
                Some(policy) => format!("- {policy}"),
                None => format!("- `{id}`, which is not in force any more"),
            });
        }
        let mut text = format!("{}: {outcome}\n", question.ask);
        text.push_str(&section("Decided by", &lines));
        let recorded = json!({"outcome": outcome, "by": by});
        let json =
            json!({"call": call, "question": question, "recorded": recorded, "explanation": null});
        let warning = "what would change the answer is not known: policies look at the arguments, and these were not \
                       recorded. Give them with `--args`, or have them recorded with `audit.include_arguments`";
        return Ok(CommandOutput {
            warnings: vec![warning.to_owned()],
            ..CommandOutput::new(text, json)
        });
    }
    let explanation = policies.explain(&question);
    let text = words(&question, &explanation);
    let json = json!({"call": call, "question": question, "explanation": explanation});
    Ok(CommandOutput::new(text, json))
}

fn words(question: &Question, explanation: &Explanation) -> String {
    let by: Vec<String> = explanation
        .decision
        .determining
        .iter()
        .map(|policy| format!("- {policy}"))
        .collect();
    let mut text = format!(
        "{}: {}\n{}\n",
        question.ask, explanation.outcome, explanation.decision.reason
    );
    text.push_str(&section("Decided by", &by));
    let changes: Vec<String> = explanation
        .changes
        .iter()
        .map(|change| {
            format!(
                "- {} were {} instead of {}: {}",
                change.what, change.to, change.from, change.outcome
            )
        })
        .collect();
    let changes = if changes.is_empty() {
        vec!["no single change".to_owned()]
    } else {
        changes
    };
    text.push_str(&section("The answer would be another if", &changes));
    text
}

fn test(
    app: &App,
    file: &Path,
    policies: &[PathBuf],
    mut shapes: Vec<ToolShape>,
) -> Result<CommandOutput> {
    let name = file.display().to_string();
    let cases = Cases::parse(&name, &fsx::read_text(file, MAX_FILE)?)?;
    // Cases may be about tools that are not installed here: nothing is known of their arguments.
    for id in cases.cases.iter().filter_map(|case| case.resource.as_str()) {
        if let Ok(id) = id.parse::<ToolId>()
            && !shapes.iter().any(|shape| shape.id == id)
        {
            shapes.push(ToolShape {
                id,
                input_schema: json!({"type": "object"}),
            });
        }
    }
    let results = cases.run(&loaded(app, policies, &shapes)?, &|_| None);
    let failed = results.iter().filter(|result| !result.passed).count();
    let lines: Vec<String> = results
        .iter()
        .map(|result| {
            let word = if result.passed { "ok    " } else { "FAILED" };
            let why = if result.passed {
                ""
            } else {
                result.message.as_str()
            };
            format!("{word}  {}  {why}", result.name)
        })
        .collect();
    let text = format!(
        "{}\n{} passed, {failed} failed",
        lines.join("\n"),
        results.len() - failed
    );
    Ok(CommandOutput {
        exit: if failed == 0 { Exit::Ok } else { Exit::Tool },
        ..CommandOutput::new(text, json!({"failed": failed, "cases": results}))
    })
}

fn compare(app: &App, files: &[PathBuf], shapes: Vec<ToolShape>) -> Result<CommandOutput> {
    let questions = questions(&app.audit_folder())?;
    let shapes = with_asked(shapes, questions.iter().map(|one| &one.question));
    let current = loaded(app, &[], &shapes)?;
    let proposed = loaded(app, files, &shapes)?;
    let comparison = shadow::compare(&current, &proposed, questions.into_iter());
    let rows = comparison.differences.iter().map(|difference| {
        let by: Vec<&str> = difference
            .proposed
            .by
            .iter()
            .map(|policy| policy.id.as_str())
            .collect();
        vec![
            difference.name.clone(),
            difference.question.clone(),
            difference.current.outcome.to_string(),
            difference.proposed.outcome.to_string(),
            by.join(", "),
        ]
    });
    let count = format!(
        "{} of {} answers would differ.",
        comparison.differences.len(),
        comparison.asked
    );
    let text = if comparison.differences.is_empty() {
        count
    } else {
        format!(
            "{}\n{count}",
            table(
                &["CALL", "QUESTION", "NOW", "THEN", "BY"],
                5,
                Fit::Cut,
                rows
            )
        )
    };
    let json: Value = serde_json::to_value(&comparison).unwrap_or_default();
    let mut warnings = Vec::new();
    if !comparison.unknown.is_empty() {
        warnings.push(format!(
            "{} of them have no answer: the proposed policies look at their arguments, and these were not recorded \
             (`audit.include_arguments`)",
            comparison.unknown.len()
        ));
    }
    Ok(CommandOutput {
        warnings,
        ..CommandOutput::new(text, json)
    })
}
