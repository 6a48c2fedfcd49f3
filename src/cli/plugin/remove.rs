//! `toolhatch plugin remove`.

use std::sync::Arc;

use semver::Version;
use serde_json::{Value, json};

use super::list::to_json;
use super::state::keys;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::output::CommandOutput;
use crate::cli::text::nearest;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::registry::Installed;
use crate::store::StateOwner;

/// Remove an installed plugin: one version of it, or all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  toolhatch plugin remove files
  toolhatch plugin remove files@1.0.0")]
pub struct Args {
    /// The plugin, and which version; every version where none is named.
    #[arg(value_name = "NAME[@VERSION]")]
    plugin: String,
    /// Keep what it keeps between its calls, for when it is installed again. Without it, removing the last version removes
    /// that too.
    #[arg(long)]
    keep_state: bool,
    /// Remove it also where other plugins need it; these fail until they are installed again.
    #[arg(long)]
    force: bool,
}

impl Args {
    /// Runs the command.
    pub fn run(self, app: &Arc<App>) -> Result<CommandOutput> {
        let (name, version) = parse(&self.plugin)?;
        let (removed, left) = block_on(async {
            let registry = app.registry().await?;
            check_installed(&registry.plugins().await?, &name, version.as_ref())?;
            if !self.force {
                check_unneeded(
                    &self.plugin,
                    &app.dependents(&name, version.as_ref()).await?,
                )?;
            }
            let removed = app.remove(&name, version.as_ref()).await?;
            Ok((removed, registry.plugins().await?))
        })?;
        let mut warnings = missed(app, &left, &name);
        let mut lines: Vec<String> = removed
            .iter()
            .map(|plugin| format!("Removed {} {}", plugin.name, plugin.version))
            .collect();
        let is_last = left.iter().all(|other| other.name != name);
        let mut forgotten = 0;
        if is_last && !self.keep_state {
            // The plugin is gone, whatever becomes of what it kept.
            let owner = StateOwner::Installed(name);
            match block_on(async { app.clear_state(&owner, true).await }) {
                Ok(0) => {}
                Ok(count) => {
                    lines.push(format!("Removed what it kept: {}", keys(count)));
                    forgotten = count;
                }
                Err(error) => warnings.push(format!("what it kept is not removed: {error}")),
            }
        }
        let list: Value = removed.iter().map(to_json).collect();
        let json = json!({"removed": list, "state_keys": forgotten, "warnings": warnings});
        Ok(CommandOutput {
            warnings,
            ..CommandOutput::new(lines.join("\n"), json)
        })
    }
}

fn parse(text: &str) -> Result<(PluginName, Option<Version>)> {
    let invalid = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(Code::E3004, format!("reading {text:?}"))
            .caused_by(error)
            .hint("Write the name of a plugin, or `NAME@VERSION`.")
    };
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let version = version.map(str::parse).transpose();
    Ok((
        name.parse().map_err(|error| invalid(Box::new(error)))?,
        version.map_err(|error: semver::Error| invalid(Box::new(error)))?,
    ))
}

/// What others were locked to stays, unless somebody insists.
fn check_unneeded(plugin: &str, dependents: &[String]) -> Result<()> {
    if dependents.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::E3103,
        format!("{plugin} is needed by {}", dependents.join(", ")),
    )
    .hint(
        "Remove these first; or install them again, which locks them to the newest version that fits; or add `--force`.",
    )
    .detail("needed_by", dependents.to_vec()))
}

fn check_installed(
    plugins: &[Installed],
    name: &PluginName,
    version: Option<&Version>,
) -> Result<()> {
    let versions: Vec<String> = plugins
        .iter()
        .filter(|plugin| plugin.name == *name)
        .map(|plugin| plugin.version.to_string())
        .collect();
    if versions.is_empty() {
        let error = Error::new(Code::E3101, format!("the plugin {name} is not installed"));
        let names = plugins.iter().map(|plugin| plugin.name.as_str());
        return Err(match nearest(name.as_str(), names) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint("`toolhatch plugin list` shows what is installed."),
        });
    }
    match version {
        Some(version) if !versions.contains(&version.to_string()) => Err(Error::new(
            Code::E3102,
            format!("{name} {version} is not installed"),
        )
        .hint(format!("Installed: {}.", versions.join(", ")))),
        _ => Ok(()),
    }
}

/// The plugins that now miss what they need.
fn missed(app: &App, left: &[Installed], name: &PluginName) -> Vec<String> {
    let mut missed = Vec::new();
    for plugin in left {
        // What cannot be read cannot be called either, and says so then.
        let Ok(manifest) = app.installed_manifest(plugin) else {
            continue;
        };
        let Some(range) = manifest.dependencies.get(name) else {
            continue;
        };
        let is_met = left
            .iter()
            .any(|other| other.name == *name && range.matches(&other.version));
        if !is_met {
            missed.push(format!(
                "{} {} needs {name} {range}",
                plugin.name, plugin.version
            ));
        }
    }
    missed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;
    use crate::registry::{Lifecycle, Stage};

    #[test]
    fn a_name_may_have_a_version() {
        assert_eq!(
            parse("files").expect("valid"),
            ("files".parse().expect("a name"), None)
        );
        let (_, version) = parse("files@1.2.3").expect("valid");
        assert_eq!(version, Some(Version::new(1, 2, 3)));
        for bad in ["Files", "files@", "files@1", "@1.0.0"] {
            assert_eq!(parse(bad).expect_err(bad).code(), Code::E3004, "{bad}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let plugins = [Installed {
            name: "files".parse().expect("a name"),
            version: Version::new(1, 0, 0),
            digest: Digest::of(b""),
            size: 0,
            description: String::new(),
            tags: Vec::new(),
            lifecycle: Lifecycle::new(Stage::Active),
            tools: Vec::new(),
            offers: crate::registry::Offers::default(),
        }];
        let check = |text: &str| {
            let (name, version) = parse(text).expect("valid");
            check_installed(&plugins, &name, version.as_ref())
        };
        assert!(check("files").is_ok() && check("files@1.0.0").is_ok());
        let slip = check("flies").expect_err("not installed");
        assert_eq!(
            (slip.code(), slip.hints()),
            (Code::E3101, vec!["Did you mean `files`?"])
        );
        let version = check("files@2.0.0").expect_err("not installed");
        assert_eq!(
            (version.code(), version.hints()),
            (Code::E3102, vec!["Installed: 1.0.0."])
        );
    }
}
