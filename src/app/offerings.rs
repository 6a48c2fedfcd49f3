//! What there is besides tools: the prompts, resources and completions of every plugin.

use std::sync::Arc;

use semver::VersionReq;

use super::App;
use crate::error::Result;
use crate::ids::PluginName;
use crate::invoke::{Caller, Provenance, ToolRef};
use crate::registry::{COMPLETION, Day, Installed, Offers, PROMPT, RESOURCE, Source, Stage, Tool};
use crate::store::now_ms;

/// What one plugin has besides tools, as far as a caller may see it.
#[derive(Debug, Clone)]
pub struct Offering {
    /// The name of the plugin, or of the source.
    pub name: String,
    /// Where it comes from, as policies are told.
    pub provenance: Provenance,
    /// What it has.
    pub offers: Offers,
    /// That as it is called.
    pub parts: Vec<Arc<Tool>>,
    /// The plugin, where it is installed or lies in a search path and so can be called by its name.
    plugin: PluginName,
}

impl Offering {
    /// How its part of this name is called: [`PROMPT`] and the name of a prompt, [`RESOURCE`] or [`COMPLETION`].
    #[must_use]
    pub fn reference(&self, part: &str) -> ToolRef {
        ToolRef::Installed {
            plugin: self.plugin.clone(),
            range: VersionReq::STAR,
            tool: Some(part.to_owned()),
        }
    }
}

impl App {
    /// What every plugin has besides tools, of the versions that a call without a version means: the installed ones, by name,
    /// then those that lie in the search paths. What cannot be used is left out; what policy hides from this caller too.
    ///
    /// # Errors
    /// E3109 where what is kept is damaged; those of [`App::visible`].
    pub async fn offerings(&self, caller: &Caller) -> Result<Vec<Offering>> {
        let today = Day::of_ms(now_ms());
        let mut found: Vec<Offering> = Vec::new();
        for plugin in self.registry().await?.plugins().await? {
            let is_known = found.iter().any(|other| other.plugin == plugin.name);
            if !is_known && plugin.lifecycle.on(today).runs() {
                found.push(installed(plugin)?);
            }
        }
        for path in self.search_path_entries() {
            let reference = ToolRef::File { path, tool: None };
            let source = match self.source(&reference).await {
                Ok(source) => source,
                Err(error) => {
                    tracing::debug!(%error, tool = %reference, "a plugin in a search path cannot be used");
                    continue;
                }
            };
            let Ok(plugin) = source.name.parse::<PluginName>() else {
                continue;
            };
            if !found.iter().any(|other| other.plugin == plugin) {
                found.push(lying(&source, plugin));
            }
        }
        found.retain(|offering| !offering.parts.is_empty());
        let listed: Vec<_> = found
            .iter()
            .flat_map(|offering| {
                let of = &offering.provenance;
                let parts = offering.parts.iter();
                parts.map(move |part| (of.clone(), Arc::clone(part)))
            })
            .collect();
        let seen = self.visible(caller, &listed).await?;
        for offering in &mut found {
            offering.parts.retain(|part| seen.contains(&part.id));
            let Offering { offers, parts, .. } = offering;
            let has = |name: &str| parts.iter().any(|part| part.id.tool() == name);
            offers
                .prompts
                .retain(|prompt| has(&format!("{PROMPT}{}", prompt.name)));
            if !has(RESOURCE) {
                offers.resources.clear();
                offers.resource_templates.clear();
            }
            offers.completions &= has(COMPLETION);
        }
        found.retain(|offering| !offering.parts.is_empty());
        Ok(found)
    }
}

fn installed(plugin: Installed) -> Result<Offering> {
    let mut callables = plugin.callables()?;
    let parts = callables.split_off(plugin.tools.len().min(callables.len()));
    Ok(Offering {
        name: plugin.name.to_string(),
        provenance: Provenance {
            is_installed: true,
            version: plugin.version.to_string(),
            digest: plugin.digest,
            is_deprecated: plugin.lifecycle.stage == Stage::Deprecated,
            tags: plugin.tags.into_iter().collect(),
        },
        offers: plugin.offers,
        parts: parts.into_iter().map(Arc::new).collect(),
        plugin: plugin.name,
    })
}

fn lying(source: &Source, plugin: PluginName) -> Offering {
    Offering {
        name: source.name.clone(),
        provenance: Provenance::from(source),
        offers: source.offers.clone(),
        parts: source.parts.clone(),
        plugin,
    }
}
