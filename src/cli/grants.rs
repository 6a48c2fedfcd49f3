//! `toolhatch grants`: what was granted, by whom, and what a new version wants besides.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::authority::{Authority, Proof};
use super::block_on_here;
use super::grant::find;
use super::output::CommandOutput;
use super::table::{Fit, table};
use super::text::{moment, section};
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::ids::{Digest, PluginName};
use crate::permission::{Capability, Grants};
use crate::registry::{Difference, Given, Installed, Stage};

/// An export of a thousand grants stays below this.
const MAX_IMPORT: u64 = 16 << 20;

/// Show what was granted, and carry it to another machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch grants list
  toolhatch grants show files
  toolhatch grants diff files
  toolhatch grants export > grants.json
  toolhatch grants import grants.json")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the grants that hold.
    List {
        /// Those that ended, too.
        #[arg(long)]
        all: bool,
    },
    /// Show what a plugin was granted, and what it asks for.
    Show {
        /// The plugin, and which version.
        #[arg(value_name = "NAME[@VERSION]")]
        plugin: String,
    },
    /// Show what the version that waits asks for beyond the one that was granted something.
    Diff {
        /// The plugin, and which version.
        #[arg(value_name = "NAME[@VERSION]")]
        plugin: String,
    },
    /// Print the grants that hold, to be imported elsewhere.
    Export,
    /// Grant what another machine's export says, to the same versions of the same plugins.
    Import {
        /// The export.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        proof: Proof,
    },
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        block_on_here(async {
            match self.command {
                Command::List { all } => list(app, all).await,
                Command::Show { plugin } => show(app, &plugin).await,
                Command::Diff { plugin } => diff(app, &plugin).await,
                Command::Export => export(app).await,
                Command::Import { file, proof } => import(app, &file, &proof).await,
            }
        })
    }
}

async fn list(app: &App, all: bool) -> Result<CommandOutput> {
    let registry = app.registry().await?;
    let given = registry.all_given(None, all).await?;
    let versions: HashMap<Digest, Installed> = registry
        .all_plugins()
        .await?
        .into_iter()
        .map(|plugin| (plugin.digest, plugin))
        .collect();
    let rows = given.iter().map(|given| {
        let version = versions
            .get(&given.digest)
            .map_or_else(|| given.digest.short(), |it| it.version.to_string());
        let state = match given.ended_at {
            Some(at) => format!("until {}", moment(at)),
            None => "holds".to_owned(),
        };
        vec![
            given.plugin.to_string(),
            version,
            state,
            moment(given.given_at),
            format!("{} ({})", given.given_by, given.how),
            scopes(&given.grants).join(", "),
        ]
    });
    let text = if given.is_empty() {
        "Nothing was granted. `toolhatch grant NAME` decides what a plugin may do.".to_owned()
    } else {
        let header = ["PLUGIN", "VERSION", "STATE", "GIVEN", "BY", "MAY"];
        table(&header, 5, Fit::Wrap, rows)
    };
    let list: Value = given.iter().map(Given::to_json).collect();
    Ok(CommandOutput::new(text, json!({"grants": list})))
}

fn scopes(grants: &Grants) -> Vec<String> {
    let all = grants.whole().capabilities();
    if all.is_empty() {
        return vec!["nothing".to_owned()];
    }
    all.iter()
        .map(|capability| format!("{}={capability}", capability.kind()))
        .collect()
}

fn in_words(capabilities: &[Capability], sign: &str) -> Vec<String> {
    capabilities
        .iter()
        .map(|capability| format!("{sign} {}", capability.in_plain_words()))
        .collect()
}

async fn show(app: &App, text: &str) -> Result<CommandOutput> {
    let plugin = find(app, text).await?;
    let registry = app.registry().await?;
    let given = registry.given(&plugin.name, &plugin.digest).await?;
    let requests = app
        .installed_manifest(&plugin)?
        .requests(&app.paths.variables())?;
    let asked: Vec<String> = requests
        .iter()
        .map(|request| format!("- {}", request.in_plain_words()))
        .collect();
    let mut text = format!(
        "{} {} ({})\n  {}\n",
        plugin.name, plugin.version, plugin.lifecycle.stage, plugin.digest
    );
    let (may, about) = match &given {
        Some(given) => (
            in_words(&given.grants.whole().capabilities(), "-"),
            vec![
                format!("given:  {}", moment(given.given_at)),
                format!("by:     {} ({})", given.given_by, given.how),
                format!("id:     {}", given.id),
            ],
        ),
        None => (vec!["nothing: nobody has decided".to_owned()], Vec::new()),
    };
    let may = if may.is_empty() {
        vec!["nothing".to_owned()]
    } else {
        may
    };
    text.push_str(&section("It may", &may));
    text.push_str(&section("It asks for", &asked));
    text.push_str(&section("The grant", &about));
    let json = json!({
        "plugin": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "stage": plugin.lifecycle.stage.word(),
        "grant": given.as_ref().map(Given::to_json),
    });
    Ok(CommandOutput::new(text, json))
}

async fn diff(app: &App, text: &str) -> Result<CommandOutput> {
    let plugin = find(app, text).await?;
    let registry = app.registry().await?;
    let versions: Vec<Installed> = registry
        .versions(&plugin.name)
        .await?
        .into_iter()
        .filter(|other| other.digest != plugin.digest && other.lifecycle.stage != Stage::Removed)
        .collect();
    let name = &plugin.name;
    let Some((before, _)) = registry.granted_version(&versions).await? else {
        return Err(Error::new(
            Code::E3101,
            format!("no other version of {name} was granted anything to compare with"),
        )
        .hint(format!(
            "`toolhatch grants show {name}` shows what it asks for."
        )));
    };
    let difference = app.difference(&before, &app.installed_manifest(&plugin)?)?;
    let mut lines = vec![format!(
        "{name} {} ({}) against {}, which runs with what it was granted:",
        plugin.version, plugin.lifecycle.stage, before.version
    )];
    lines.extend(in_words(&difference.added, "  + may it"));
    lines.extend(in_words(&difference.dropped, "  - no longer asks to"));
    if difference.added.is_empty() && difference.dropped.is_empty() {
        lines.push("  it asks for the same".to_owned());
    }
    let json = to_json(&plugin, &before, &difference);
    Ok(CommandOutput::new(lines.join("\n"), json))
}

fn to_json(plugin: &Installed, before: &Installed, difference: &Difference) -> Value {
    let list = |capabilities: &[Capability]| -> Value {
        capabilities
            .iter()
            .map(|it| json!({"permission": it.kind().name(), "scope": it.to_string()}))
            .collect()
    };
    json!({
        "plugin": plugin.name.to_string(),
        "version": plugin.version.to_string(),
        "stage": plugin.lifecycle.stage.word(),
        "compared_with": before.version.to_string(),
        "added": list(&difference.added),
        "dropped": list(&difference.dropped),
    })
}

async fn export(app: &App) -> Result<CommandOutput> {
    let given = app.registry().await?.all_given(None, false).await?;
    let list: Value = given
        .iter()
        .map(|given| {
            json!({
                "plugin": given.plugin.to_string(),
                "digest": given.digest.to_string(),
                "terms": given.grants.to_json(),
            })
        })
        .collect();
    let json = json!({"format": 1, "grants": list});
    let text = serde_json::to_string_pretty(&json).unwrap_or_default();
    Ok(CommandOutput::new(text, json))
}

async fn import(app: &App, file: &std::path::Path, proof: &Proof) -> Result<CommandOutput> {
    let shown = file.display();
    let invalid =
        |why: String| Error::new(Code::E3004, format!("reading the grants in {shown}: {why}"));
    let value: Value = serde_json::from_str(&fsx::read_text(file, MAX_IMPORT)?)
        .map_err(|error| invalid(error.to_string()))?;
    if value.get("format").and_then(Value::as_u64) != Some(1) {
        return Err(invalid("it is no export of this version".to_owned())
            .hint("Make it with `toolhatch grants export`."));
    }
    let registry = app.registry().await?;
    let installed = registry.plugins().await?;
    let mut wanted = Vec::new();
    for entry in value
        .get("grants")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let name: PluginName = text("plugin")
            .parse()
            .map_err(|error: crate::ids::InvalidId| invalid(error.to_string()))?;
        let digest: Digest = text("digest")
            .parse()
            .map_err(|error: crate::ids::InvalidId| invalid(error.to_string()))?;
        let terms = entry.get("terms").cloned().unwrap_or_default();
        let grants = Grants::from_json(terms).map_err(invalid)?;
        wanted.push((name, digest, grants));
    }
    let mut authority = proof.authority(app)?;
    let (by, _) = authority.record();
    let mut imported = Vec::new();
    let mut warnings = Vec::new();
    for (name, digest, grants) in wanted {
        let Some(plugin) = installed
            .iter()
            .find(|plugin| plugin.name == name && plugin.digest == digest)
        else {
            warnings.push(format!(
                "{name} ({}) is not installed, so its grant was left out",
                digest.short()
            ));
            continue;
        };
        if let Authority::Person(terminal) = &mut authority {
            terminal.say(&format!(
                "{} {} may from now on:",
                plugin.name, plugin.version
            ))?;
            for line in in_words(&grants.whole().capabilities(), "  -") {
                terminal.say(&line)?;
            }
            if !terminal.confirm("Keep this?")? {
                continue;
            }
        }
        imported.push(app.give(plugin, &grants, false, (&by, "import")).await?);
    }
    let list: Value = imported.iter().map(Given::to_json).collect();
    let text = format!("Imported {} of the grants in {shown}.", imported.len());
    Ok(CommandOutput {
        warnings,
        ..CommandOutput::new(text, json!({"imported": list}))
    })
}
