//! `toolhatch tools show`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::parameters::{Parameter, parameters};
use crate::app::{App, Place, choose_tool};
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::plugin::asks;
use crate::cli::table::{Fit, table};
use crate::cli::text::{nearest, one_line, section};
use crate::error::{Code, Error, Result};
use crate::invoke::{Caller, Provenance, ToolRef};
use crate::permission::Request;
use crate::registry::{Source, Tool};

/// Show everything about a tool: what it does, what it takes and gives, where it comes from and what it asks for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch tools show files.read
  toolhatch tools show plugins/dist/files.wasm read
  toolhatch tools show files.read --schema")]
pub struct Args {
    /// The tool: `plugin.tool`, an installed plugin, or a file.
    #[arg(value_name = "TOOL|FILE")]
    target: String,
    /// Which tool of the file or plugin; may be left out where there is only one.
    #[arg(value_name = "TOOL")]
    tool: Option<String>,
    /// Print only the JSON Schema of its arguments.
    #[arg(long)]
    schema: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let reference = app.tool_ref(&self.target, self.tool.as_deref())?;
        let (source, tool) = block_on(async {
            let source = match app.source(&reference).await {
                Ok(source) => source,
                Err(error) => return Err(suggest(app, &reference, error).await),
            };
            let tool = choose_tool(&source, reference.tool())?;
            let listed = (Provenance::from(&*source), Arc::clone(&tool));
            let seen = app.visible(&Caller::of_process(), &[listed]).await?;
            if !seen.contains(&tool.id) {
                return Err(Error::new(
                    Code::E3206,
                    format!("policy does not let {} be shown (`tool.list`)", tool.id),
                ));
            }
            Ok((source, tool))
        })?;
        if self.schema {
            let text = pretty(&tool.input_schema);
            return Ok(CommandOutput::new(text, tool.input_schema.clone()));
        }
        let mut warnings = Vec::new();
        let requests = source
            .requested(&app.paths.variables())
            .map(|requested| requested.requests.clone())
            .unwrap_or_else(|error| {
                warnings.push(one_line(&error));
                Vec::new()
            });
        let place = Place::of(&source);
        let text = text(&tool, &source, &place, &requests);
        let mut json = tool.to_json();
        if let Some(object) = json.as_object_mut() {
            object.insert("source".into(), place.to_json());
            let requests: Vec<Value> = requests.iter().map(asks::request_json).collect();
            object.insert("requests".into(), json!(requests));
            object.insert("warnings".into(), json!(warnings));
        }
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(text, json)
        })
    }
}

/// A person may name a tool without its plugin.
async fn suggest(app: &App, reference: &ToolRef, error: Error) -> Error {
    let ToolRef::Installed {
        plugin, tool: None, ..
    } = reference
    else {
        return error;
    };
    if error.code() != Code::E3101
        || error
            .hints()
            .iter()
            .any(|hint| hint.starts_with("Did you mean"))
    {
        return error;
    }
    let installed = match app.registry().await {
        Ok(registry) => registry.plugins().await.unwrap_or_default(),
        Err(_) => return error,
    };
    let tools: Vec<(&str, String)> = installed
        .iter()
        .flat_map(|plugin| {
            plugin
                .tools
                .iter()
                .map(move |tool| (tool.name.as_str(), format!("{}.{}", plugin.name, tool.name)))
        })
        .collect();
    let near = nearest(plugin.as_str(), tools.iter().map(|(name, _)| *name));
    match near.and_then(|near| tools.iter().find(|(name, _)| *name == near)) {
        Some((_, id)) => error.hint(format!("Did you mean `{id}`?")),
        None => error,
    }
}

fn text(tool: &Tool, source: &Source, place: &Place, requests: &[Request]) -> String {
    let mut text = format!("{}\n", tool.id);
    if !tool.description.trim().is_empty() {
        text.push_str(&format!("\n{}\n", tool.description.trim()));
    }
    text.push_str(&members(
        "Parameters",
        "It takes no parameters.",
        &tool.input_schema,
    ));
    match &tool.output_schema {
        Some(schema) => text.push_str(&members("Result", "Its result has no fields.", schema)),
        None => text.push_str("\nResult\n  Its author does not say what it gives.\n"),
    }
    let mut facts = vec![format!("risk:    {}", tool.risk.word())];
    let traits: Vec<&str> = [
        (tool.pure, "it only computes"),
        (
            tool.idempotent && !tool.pure,
            "calling it twice has the effect of calling it once",
        ),
        (
            tool.untrusted_output,
            "its results carry text from strangers",
        ),
        (tool.coerce, "arguments of nearly the right type are taken"),
    ]
    .into_iter()
    .filter_map(|(holds, words)| holds.then_some(words))
    .collect();
    if !traits.is_empty() {
        facts.push(format!("traits:  {}", traits.join("; ")));
    }
    facts.push(format!("source:  {}", place.in_words()));
    facts.push(format!("digest:  {}", source.artifact.digest));
    text.push_str(&section("About", &facts));
    let asked: Vec<String> = requests.iter().flat_map(asks::lines).collect();
    if asked.is_empty() {
        text.push_str("\nAsks for\n  nothing\n");
    }
    text.push_str(&section("Asks for", &asked));
    text
}

fn members(heading: &str, none: &str, schema: &Value) -> String {
    let rows = parameters(schema);
    if rows.is_empty() {
        return section(heading, &[none.to_owned()]);
    }
    let rows = rows.into_iter().map(|parameter| {
        let Parameter {
            name,
            kind,
            is_required,
            description,
        } = parameter;
        let required = if is_required { "yes" } else { "no" };
        vec![name, required.to_owned(), kind, description]
    });
    let table = table(
        &["NAME", "REQUIRED", "TYPE", "DESCRIPTION"],
        2,
        Fit::Wrap,
        rows,
    );
    section(heading, &[table])
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}
