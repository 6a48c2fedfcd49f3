//! Installing and removing: bytes, facts and grants change together, or not at all.

use std::collections::BTreeMap;

use semver::Version;

use super::App;
use super::policies::shape;
use crate::audit::{Event, EventType};
use crate::dist::Package;
use crate::error::{Code, Error, Result};
use crate::ids::PluginName;
use crate::manifest::{self, Candidate, Manifest, dependencies};
use crate::permission::Grants;
use crate::policy::ToolShape;
use crate::registry::{
    Descriptor, Difference, Given, Installed, Lifecycle, Locked, Registry, Source, Stage,
};

/// What became of an installation.
#[derive(Debug)]
pub struct Installation {
    /// The version.
    pub plugin: Installed,
    /// False where it was there already.
    pub is_new: bool,
    /// The version whose grant it was compared with.
    pub compared_with: Option<Version>,
    /// What it asks for beyond that.
    pub difference: Difference,
    /// Which policies in force are wrong for its tools, where any are; it waits then until they are changed.
    pub breaks: Option<Error>,
    /// The grant it took over because it asks for no more.
    pub carried: Option<Given>,
    /// What its dependencies were resolved to.
    pub locked: Vec<Locked>,
    /// That is something else than before.
    pub locked_anew: bool,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl App {
    /// Installs a package whose tools are known. Where an earlier version was granted something, one that asks for no more
    /// takes the grant over, and one that asks for more waits for a person while the earlier one goes on. So does one for
    /// whose tools the policies in force are wrong: with it, no call would be decided any more.
    ///
    /// # Errors
    /// E3105 where it has no manifest, E3103 where what it needs is not there, E3108 where that version is or was installed
    /// with other bytes.
    pub async fn install(&self, package: &Package, source: &Source) -> Result<Installation> {
        let manifest = package.manifest.as_ref().ok_or_else(|| {
            Error::new(
                Code::E3105,
                format!(
                    "{} has no manifest, so it has no name and version to be installed under",
                    package.file.display()
                ),
            )
            .hint("Write a plugin.toml and pack it in with `toolhatch plugin pack`, or call the file by its path.")
        })?;
        let registry = self.registry().await?;
        let lock = self.blobs.lock()?;
        let mut warnings = Vec::new();
        let locked = self
            .lock_dependencies(&registry, manifest, &mut warnings)
            .await?;
        let versions = match registry.versions(&manifest.name).await {
            Ok(versions) => versions,
            Err(error) if error.code() == Code::E3101 => Vec::new(),
            Err(error) => return Err(error),
        };
        let before = registry.granted_version(&versions).await?;
        let difference = match &before {
            Some((version, _)) => self.difference(version, manifest)?,
            None => Difference::default(),
        };
        let shapes: Vec<ToolShape> = source.callables().map(|tool| shape(tool)).collect();
        let breaks = self.breaks_policies(&shapes).await?;
        let may_run = difference.asks_for_no_more() && breaks.is_none();
        let mut plugin = Installed {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: package.artifact.digest,
            size: package.artifact.bytes.len() as u64,
            description: manifest.description.clone(),
            tags: Vec::new(),
            lifecycle: Lifecycle::new(if may_run {
                Stage::Active
            } else {
                Stage::Staged
            }),
            tools: source
                .tools
                .iter()
                .map(|tool| Descriptor::of(tool))
                .collect(),
            offers: source.offers.clone(),
        };
        self.blobs.put(&lock, &package.artifact)?;
        let kind = if plugin.lifecycle.stage == Stage::Staged {
            EventType::PluginStaged
        } else {
            EventType::PluginInstalled
        };
        let event = Self::plugin_event(kind, &plugin);
        let event = match &breaks {
            Some(error) => event.with("breaks_policies", error.to_string()),
            None => event,
        };
        let is_new = registry
            .add(&plugin, &locked, || self.record(event))
            .await?;
        // What is there already is resolved again: that is how it gets newer versions of what it needs.
        let locked_anew = self.lock_again(&registry, &plugin, &locked).await?;
        if !is_new && let Some(there) = versions.iter().find(|it| it.digest == plugin.digest) {
            plugin.lifecycle = there.lifecycle.clone();
        }
        let mut carried = None;
        if is_new
            && plugin.lifecycle.stage == Stage::Active
            && let Some((version, given)) = &before
            && version.digest != plugin.digest
        {
            let requests = manifest.requests(&self.paths.variables())?;
            carried = Some(
                registry
                    .give(
                        &plugin.name,
                        &plugin.digest,
                        &given.grants,
                        &requests,
                        (&given.given_by, "carried"),
                        |given| self.record_grant(&plugin, given),
                    )
                    .await?,
            );
        }
        Ok(Installation {
            plugin,
            is_new,
            compared_with: before.map(|(version, _)| version.version),
            difference,
            breaks,
            carried,
            locked,
            locked_anew,
            warnings,
        })
    }

    /// The versions of other plugins that were locked to one of these, each with what it needs; and those that need it in a
    /// version of which none would be left.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dependents(
        &self,
        name: &PluginName,
        version: Option<&Version>,
    ) -> Result<Vec<String>> {
        let registry = self.registry().await?;
        let plugins = registry.plugins().await?;
        let mut dependents = Vec::new();
        for plugin in plugins.iter().filter(|plugin| plugin.name != *name) {
            let locked = registry.locked(&plugin.name, &plugin.version).await?;
            let needed = locked
                .iter()
                .find(|lock| lock.needs == *name && version.is_none_or(|it| lock.version == *it));
            if let Some(lock) = needed {
                dependents.push(format!(
                    "{} {} (locked to {} {})",
                    plugin.name, plugin.version, lock.needs, lock.version
                ));
            }
        }
        Ok(dependents)
    }

    /// Removes a version, or all of them. Its name and version stay taken: whatever is installed as that version later has
    /// to have the same bytes.
    ///
    /// # Errors
    /// E3101 and E3102 where there is nothing to remove.
    pub async fn remove(
        &self,
        name: &PluginName,
        version: Option<&Version>,
    ) -> Result<Vec<Installed>> {
        let registry = self.registry().await?;
        let lock = self.blobs.lock()?;
        let removed: Vec<Installed> = registry
            .plugins()
            .await?
            .into_iter()
            .filter(|plugin| {
                plugin.name == *name && version.is_none_or(|version| plugin.version == *version)
            })
            .collect();
        for plugin in &removed {
            let lifecycle = Lifecycle {
                stage: Stage::Removed,
                ..plugin.lifecycle.clone()
            };
            let event = Self::plugin_event(EventType::PluginRemoved, plugin);
            registry
                .set_lifecycle(plugin, lifecycle, || self.record(event))
                .await?;
        }
        let left = registry.plugins().await?;
        for plugin in &removed {
            if !left.iter().any(|other| other.digest == plugin.digest) {
                self.blobs.remove(&lock, &plugin.digest);
            }
        }
        Ok(removed)
    }

    /// Puts the tags of this version in the place of those it had.
    ///
    /// # Errors
    /// Those of the store and of the audit log.
    pub async fn set_tags(&self, plugin: &Installed, by: &str) -> Result<()> {
        let event = Self::plugin_event(EventType::PluginChanged, plugin)
            .with("tags", plugin.tags.clone())
            .with("by", by);
        let registry = self.registry().await?;
        registry.set_tags(plugin, || self.record(event)).await
    }

    /// The manifest of an installed plugin.
    ///
    /// # Errors
    /// E3109 where its bytes are not the ones that were installed, or have lost their manifest.
    pub fn installed_manifest(&self, plugin: &Installed) -> Result<Manifest> {
        let artifact = self.blobs.read(&plugin.digest)?;
        let origin = format!("the manifest of {} {}", plugin.name, plugin.version);
        let text = manifest::extract(&artifact.bytes)?
            .ok_or_else(|| Error::new(Code::E3109, format!("{origin} is gone")))?;
        manifest::parse_toml(&text, &origin)
    }

    /// What a manifest asks for beyond what an installed version does.
    ///
    /// # Errors
    /// E3109 where the installed version cannot be read; E3105 where a request cannot.
    pub fn difference(&self, old: &Installed, new: &Manifest) -> Result<Difference> {
        let variables = self.paths.variables();
        let old = self.installed_manifest(old)?.requests(&variables)?;
        Ok(Difference::between(&old, &new.requests(&variables)?))
    }

    /// Keeps a grant for an installed version, besides what it was granted before.
    ///
    /// # Errors
    /// E3109 and E3105 where the version cannot be read; E3004 where it waits because policies in force are wrong for its
    /// tools; those of the store.
    pub async fn give(
        &self,
        plugin: &Installed,
        grants: &Grants,
        replace: bool,
        by: (&str, &str),
    ) -> Result<Given> {
        let registry = self.registry().await?;
        if plugin.lifecycle.stage == Stage::Staged {
            let tools = plugin.tools.iter();
            let shapes: Vec<ToolShape> = tools
                .map(|tool| Ok(shape(&tool.to_tool(&plugin.name)?)))
                .collect::<Result<_>>()?;
            if let Some(error) = self.breaks_policies(&shapes).await? {
                let version = format!("{} {}", plugin.name, plugin.version);
                return Err(error
                    .while_doing(format!("granting {version}"))
                    .hint(format!("Change the policies so that they fit {version}, then grant it. Until then nothing changes.")));
            }
        }
        let requests = self
            .installed_manifest(plugin)?
            .requests(&self.paths.variables())?;
        let before = registry.given(&plugin.name, &plugin.digest).await?;
        let grants = match before {
            Some(before) if !replace => grants.and(&before.grants),
            _ => grants.clone(),
        };
        registry
            .give(
                &plugin.name,
                &plugin.digest,
                &grants,
                &requests,
                by,
                |given| self.record_grant(plugin, given),
            )
            .await
    }

    /// Ends what was granted to a plugin, or to one version of it.
    ///
    /// # Errors
    /// Those of the store and of the audit log.
    pub async fn revoke(
        &self,
        plugin: &Installed,
        this_version: bool,
        by: &str,
    ) -> Result<Vec<Given>> {
        let registry = self.registry().await?;
        let digest = this_version.then_some(&plugin.digest);
        registry
            .revoke(&plugin.name, digest, by, |given| {
                self.record(
                    Event::new(EventType::GrantRevoked)
                        .plugin(&given.plugin)
                        .digest(&given.digest)
                        .with("grant", given.id.as_str()),
                )
            })
            .await
    }

    fn record_grant(&self, plugin: &Installed, given: &Given) -> Result<()> {
        self.record(
            Self::plugin_event(EventType::GrantGiven, plugin)
                .with("grant", given.id.as_str())
                .with("terms", given.grants.to_json())
                .with("by", given.given_by.as_str())
                .with("how", given.how.as_str()),
        )
    }

    /// Names everything that a plugin needs and that is not there at all, so that a person can install it in one go.
    fn check_present(
        &self,
        manifest: &Manifest,
        candidates: &BTreeMap<PluginName, Vec<Candidate>>,
    ) -> Result<()> {
        let missing: Vec<String> = manifest
            .dependencies
            .iter()
            .filter(|(needs, _)| !candidates.contains_key(*needs) && **needs != manifest.name)
            .map(|(needs, range)| format!("{needs} {range}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Code::E3101,
            format!(
                "{} {} needs plugins that are not installed: {}",
                manifest.name,
                manifest.version,
                missing.join(", ")
            ),
        )
        .hint("Install each of them with `toolhatch plugin install FILE`, then this one again.")
        .detail("missing", missing))
    }

    /// Puts what the dependencies of an installed version are resolved to now in the place of what they were; false where
    /// that is the same.
    async fn lock_again(
        &self,
        registry: &Registry,
        plugin: &Installed,
        locked: &[Locked],
    ) -> Result<bool> {
        let before = registry.locked(&plugin.name, &plugin.version).await?;
        let is_same = before.len() == locked.len() && before.iter().all(|it| locked.contains(it));
        if is_same {
            return Ok(false);
        }
        let versions = locked.iter();
        let versions: Vec<String> = versions
            .map(|lock| format!("{} {}", lock.needs, lock.version))
            .collect();
        let event = Self::plugin_event(EventType::PluginChanged, plugin).with("locked", versions);
        registry.lock(plugin, locked, || self.record(event)).await?;
        Ok(true)
    }

    async fn lock_dependencies(
        &self,
        registry: &Registry,
        manifest: &Manifest,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Locked>> {
        if manifest.dependencies.is_empty() {
            return Ok(Vec::new());
        }
        let plugins = registry.plugins().await?;
        let mut candidates: BTreeMap<PluginName, Vec<Candidate>> = BTreeMap::new();
        for plugin in plugins.iter().filter(|it| it.lifecycle.stage.runs()) {
            match self.installed_manifest(plugin) {
                Ok(other) => candidates
                    .entry(plugin.name.clone())
                    .or_default()
                    .push(Candidate {
                        version: plugin.version.clone(),
                        dependencies: other.dependencies,
                    }),
                Err(error) => warnings.push(format!(
                    "{} {} is not considered: {error}",
                    plugin.name, plugin.version
                )),
            }
        }
        self.check_present(manifest, &candidates)?;
        let resolved = dependencies::resolve(&manifest.name, &manifest.dependencies, &|name| {
            candidates.get(name).cloned().unwrap_or_default()
        })?;
        let locked = resolved.into_iter().filter_map(|(needs, version)| {
            let found = plugins
                .iter()
                .find(|plugin| plugin.name == needs && plugin.version == version)?;
            Some(Locked {
                range: manifest
                    .dependencies
                    .get(&needs)
                    .cloned()
                    .unwrap_or_default(),
                digest: found.digest,
                needs,
                version,
            })
        });
        Ok(locked.collect())
    }
}
