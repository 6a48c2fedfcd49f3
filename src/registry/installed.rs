//! The installed plugins: which versions there are, what is known of each, and which one a call means.

use std::collections::HashMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lifecycle::{Day, Lifecycle, Stage};
use super::{Effects, Offers, Registry, Tool, Validators};
use crate::error::{Code, Error, Result};
use crate::exec::Entry;
use crate::ids::{Digest, PluginName, ToolId};
use crate::manifest::Risk;
use crate::store::{LockRow, PluginRow, ToolRow, now_ms};

/// One installed version of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    /// The plugin.
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// Its artifact.
    pub digest: Digest,
    /// The size of the artifact in bytes.
    pub size: u64,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where it stands.
    pub lifecycle: Lifecycle,
    /// Its tools, in the order its author gave them.
    pub tools: Vec<Descriptor>,
    /// What it has besides.
    pub offers: Offers,
}

/// The snapshot of one tool, as the component described it when it was installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// Its name within the plugin.
    pub name: String,
    /// What people are shown in place of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// A JSON Schema of its arguments.
    pub input_schema: Value,
    /// A JSON Schema of its structured result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// Calling it twice has the effect of calling it once.
    pub idempotent: bool,
    /// It only computes.
    pub pure: bool,
    /// How much harm a call can do: the word of the manifest.
    pub risk: String,
    /// Its results carry text from strangers.
    pub untrusted_output: bool,
    /// Arguments of nearly the right type are taken for what they clearly stand for.
    #[serde(default)]
    pub coerce: bool,
    /// What a call can do, as far as the plugin asks for it.
    #[serde(default)]
    pub effects: Effects,
}

/// A dependency and what it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// The plugin that is needed.
    pub needs: PluginName,
    /// The versions that would do.
    pub range: VersionReq,
    /// The version that was found.
    pub version: Version,
    /// Its artifact.
    pub digest: Digest,
}

impl Descriptor {
    /// The snapshot of a tool.
    #[must_use]
    pub fn of(tool: &Tool) -> Self {
        Self {
            name: tool.id.tool().to_owned(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            input_schema: tool.input_schema.clone(),
            output_schema: tool.output_schema.clone(),
            idempotent: tool.idempotent,
            pure: tool.pure,
            risk: tool.risk.word().to_owned(),
            untrusted_output: tool.untrusted_output,
            coerce: tool.coerce,
            effects: tool.effects,
        }
    }

    /// The tool of an installed plugin, without reading the plugin. A word for the risk that is not known here counts as
    /// the highest.
    ///
    /// # Errors
    /// E3109 where the name is one that no tool can have.
    pub fn to_tool(&self, plugin: &PluginName) -> Result<Tool> {
        self.clone().into_tool(plugin)
    }

    /// The same, of a descriptor that is not needed any more.
    ///
    /// # Errors
    /// As [`Descriptor::to_tool`].
    pub fn into_tool(self, plugin: &PluginName) -> Result<Tool> {
        let id = ToolId::new(plugin.as_str(), &self.name)
            .map_err(|error| damaged(plugin.as_str()).caused_by(error))?;
        let risk = [Risk::Low, Risk::Medium, Risk::High]
            .into_iter()
            .find(|risk| risk.word() == self.risk)
            .unwrap_or(Risk::High);
        Ok(Tool {
            id,
            title: self.title,
            description: self.description,
            input_schema: self.input_schema,
            output_schema: self.output_schema,
            entry: Entry::Plugin { tool: self.name },
            idempotent: self.idempotent,
            pure: self.pure,
            risk,
            untrusted_output: self.untrusted_output,
            coerce: self.coerce,
            effects: self.effects,
            validators: Validators::default(),
        })
    }
}

impl Installed {
    /// Its tools and all else that is called, without reading the plugin.
    ///
    /// # Errors
    /// E3109 where what is kept of it is damaged.
    pub fn callables(&self) -> Result<Vec<Tool>> {
        let tools = self.tools.iter().map(|tool| tool.to_tool(&self.name));
        let mut tools = tools.collect::<Result<Vec<_>>>()?;
        let parts = self.offers.parts(self.name.as_str(), tools.iter());
        tools.extend(parts.map_err(|error| damaged(self.name.as_str()).caused_by(error))?);
        Ok(tools)
    }
}

fn damaged(plugin: &str) -> Error {
    Error::new(
        Code::E3109,
        format!("what is kept about the plugin {plugin} is damaged"),
    )
}

fn installed(row: PluginRow) -> Result<Installed> {
    let fault =
        |error: Box<dyn std::error::Error + Send + Sync>| damaged(&row.name).caused_by(error);
    let day = |text: &Option<String>| -> Result<Option<Day>> {
        text.as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error: String| fault(error.into()))
    };
    Ok(Installed {
        name: row.name.parse().map_err(|error| fault(Box::new(error)))?,
        version: row
            .version
            .parse()
            .map_err(|error| fault(Box::new(error)))?,
        digest: row.digest.parse().map_err(|error| fault(Box::new(error)))?,
        size: row.size.try_into().unwrap_or_default(),
        tags: serde_json::from_str(&row.tags).map_err(|error| fault(Box::new(error)))?,
        lifecycle: Lifecycle {
            stage: row
                .stage
                .parse()
                .map_err(|error: String| fault(error.into()))?,
            deprecated_on: day(&row.deprecated_on)?,
            sunset_on: day(&row.sunset_on)?,
            replacement: row
                .replacement
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(|error| fault(Box::new(error)))?,
            note: row.note.clone(),
        },
        offers: serde_json::from_str(&row.offers).map_err(|error| fault(Box::new(error)))?,
        description: row.description,
        tools: Vec::new(),
    })
}

fn row_of(plugin: &Installed) -> PluginRow {
    let life = &plugin.lifecycle;
    PluginRow {
        name: plugin.name.to_string(),
        version: plugin.version.to_string(),
        digest: plugin.digest.to_string(),
        size: i64::try_from(plugin.size).unwrap_or(i64::MAX),
        description: plugin.description.clone(),
        tags: serde_json::to_string(&plugin.tags).unwrap_or_default(),
        // What has texts, numbers and lists can be written.
        offers: serde_json::to_string(&plugin.offers).unwrap_or_default(),
        stage: life.stage.word().to_owned(),
        deprecated_on: life.deprecated_on.map(|day| day.to_string()),
        sunset_on: life.sunset_on.map(|day| day.to_string()),
        replacement: life.replacement.as_ref().map(ToString::to_string),
        note: life.note.clone(),
        installed_at: now_ms(),
    }
}

impl Registry {
    /// Every version that is not removed, by name and then by version, the highest first.
    ///
    /// # Errors
    /// E3109 where what is kept is damaged; those of the store.
    pub async fn plugins(&self) -> Result<Vec<Installed>> {
        let mut plugins = self.all_plugins().await?;
        plugins.retain(|plugin| plugin.lifecycle.stage != Stage::Removed);
        Ok(plugins)
    }

    /// Every version there ever was, by name and then by version, the highest first.
    ///
    /// # Errors
    /// E3109 where what is kept is damaged; those of the store.
    pub async fn all_plugins(&self) -> Result<Vec<Installed>> {
        let mut plugins = self.read(None).await?;
        plugins.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| by_precedence(a, b)));
        Ok(plugins)
    }

    async fn read(&self, name: Option<&PluginName>) -> Result<Vec<Installed>> {
        let name = name.map(PluginName::as_str);
        let rows = self.store.plugins(name).await?;
        let mut tools: HashMap<(String, String), Vec<Descriptor>> = HashMap::new();
        for row in self.store.tools(name).await? {
            let descriptor = serde_json::from_str(&row.descriptor)
                .map_err(|error| damaged(&row.plugin).caused_by(error))?;
            let of = tools.entry((row.plugin, row.version)).or_default();
            of.push(descriptor);
        }
        rows.into_iter()
            .map(|row| {
                let key = (row.name.clone(), row.version.clone());
                let mut plugin = installed(row)?;
                plugin.tools = tools.remove(&key).unwrap_or_default();
                Ok(plugin)
            })
            .collect()
    }

    /// The versions of one plugin, the highest first.
    ///
    /// # Errors
    /// E3101 where there is none and never was; E3109 where what is kept is damaged.
    pub async fn versions(&self, name: &PluginName) -> Result<Vec<Installed>> {
        let mut versions = self.read(Some(name)).await?;
        if versions.is_empty() {
            return Err(not_installed(name));
        }
        versions.sort_by(by_precedence);
        Ok(versions)
    }

    /// The version a call means: the highest by precedence that runs and that `range` allows. Pre-releases count only
    /// where the range names one, or where there is nothing else.
    ///
    /// # Errors
    /// E3101 where the plugin is not installed, E3102 where no version fits, E3104 where all that fit are past their day,
    /// E3107 where they were removed, E3213 where they wait for a person.
    pub async fn find(&self, name: &PluginName, range: &VersionReq) -> Result<Installed> {
        let versions = self.versions(name).await?;
        let today = Day::of_ms(now_ms());
        let fits =
            |plugin: &&Installed| range.matches(&plugin.version) || *range == VersionReq::STAR;
        let fitting: Vec<&Installed> = versions.iter().filter(fits).collect();
        if let Some(found) = fitting.iter().find(|it| it.lifecycle.on(today).runs()) {
            return Ok((*found).clone());
        }
        let of = |stage| {
            fitting
                .iter()
                .find(|it| it.lifecycle.on(today) == stage)
                .map(|it| (it.version.clone(), it.lifecycle.advice()))
        };
        if let Some((version, _)) = of(Stage::Staged) {
            return Err(Error::new(
                Code::E3213,
                format!("{name} {version} asks for more than was granted, and waits for a person"),
            )
            .hint(format!(
                "`toolhatch grants diff {name}` shows what is new, `toolhatch grant {name}` grants it."
            )));
        }
        if let Some((version, advice)) = of(Stage::Sunset) {
            return Err(Error::new(
                Code::E3104,
                format!("{name} {version} {advice}"),
            ));
        }
        if let Some((version, advice)) = of(Stage::Removed)
            && versions
                .iter()
                .all(|it| it.lifecycle.stage == Stage::Removed)
        {
            return Err(
                Error::new(Code::E3107, format!("{name} {version} {advice}")).hint(format!(
                    "Install it again with `toolhatch plugin install`, if you want {name} back."
                )),
            );
        }
        let have: Vec<String> = versions
            .iter()
            .filter(|it| it.lifecycle.stage != Stage::Removed)
            .map(|it| it.version.to_string())
            .collect();
        Err(Error::new(
            Code::E3102,
            format!("no installed version of {name} fits {range}"),
        )
        .hint(format!("Installed: {}.", have.join(", "))))
    }

    /// Adds a version; false where the same one is there already, with the same bytes. `recorded` runs before it is added.
    ///
    /// # Errors
    /// E3108 where the version is, or was, installed with other bytes; those of the store and of `recorded`.
    pub async fn add(
        &self,
        plugin: &Installed,
        locked: &[Locked],
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<bool> {
        let row = row_of(plugin);
        let mut tool_rows = Vec::with_capacity(plugin.tools.len());
        for tool in &plugin.tools {
            let descriptor = serde_json::to_string(tool).map_err(|error| {
                Error::new(Code::E3000, format!("describing {}", tool.name)).caused_by(error)
            })?;
            tool_rows.push(ToolRow {
                plugin: row.name.clone(),
                version: row.version.clone(),
                name: tool.name.clone(),
                descriptor,
            });
        }
        let locks: Vec<LockRow> = locked.iter().map(lock_row).collect();
        let added = self.store.add_plugin(&row, &tool_rows, &locks, recorded);
        let Some(there) = added.await? else {
            return Ok(true);
        };
        let there = installed(there)?;
        if there.digest == plugin.digest {
            return Ok(there.lifecycle.stage == Stage::Removed);
        }
        let how = if there.lifecycle.stage == Stage::Removed {
            "was installed before"
        } else {
            "is already installed"
        };
        Err(Error::new(
            Code::E3108,
            format!(
                "{} {} {how} with other content ({})",
                plugin.name,
                plugin.version,
                there.digest.short()
            ),
        ))
    }

    /// What the dependencies of a version were resolved to.
    ///
    /// # Errors
    /// E3109 where what is kept is damaged; those of the store.
    pub async fn locked(&self, name: &PluginName, version: &Version) -> Result<Vec<Locked>> {
        let rows = self
            .store
            .locked(name.as_str(), &version.to_string())
            .await?;
        rows.into_iter()
            .map(|row| {
                let fault = |error: Box<dyn std::error::Error + Send + Sync>| {
                    damaged(name.as_str()).caused_by(error)
                };
                Ok(Locked {
                    needs: row.needs.parse().map_err(|error| fault(Box::new(error)))?,
                    range: row.range.parse().map_err(|error| fault(Box::new(error)))?,
                    version: row.locked.parse().map_err(|error| fault(Box::new(error)))?,
                    digest: row.digest.parse().map_err(|error| fault(Box::new(error)))?,
                })
            })
            .collect()
    }

    /// Puts what the dependencies of a version are resolved to in the place of what they were. `recorded` runs before they
    /// change.
    ///
    /// # Errors
    /// Those of the store and of `recorded`.
    pub async fn lock(
        &self,
        plugin: &Installed,
        locked: &[Locked],
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let rows = locked.iter().map(lock_row).collect::<Vec<_>>();
        self.store
            .set_locked(&row_of(plugin), &rows, recorded)
            .await
    }

    /// Moves a version to another stage. `recorded` runs before it is moved.
    ///
    /// # Errors
    /// Those of the store and of `recorded`.
    pub async fn set_lifecycle(
        &self,
        plugin: &Installed,
        lifecycle: Lifecycle,
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        let changed = Installed {
            lifecycle,
            ..plugin.clone()
        };
        self.store.set_stage(&row_of(&changed), recorded).await
    }

    /// Keeps the tags of a version. `recorded` runs before they change.
    ///
    /// # Errors
    /// Those of the store and of `recorded`.
    pub async fn set_tags(
        &self,
        plugin: &Installed,
        recorded: impl FnOnce() -> Result<()> + Send,
    ) -> Result<()> {
        self.store.set_tags(&row_of(plugin), recorded).await
    }
}

fn lock_row(lock: &Locked) -> LockRow {
    LockRow {
        needs: lock.needs.to_string(),
        range: lock.range.to_string(),
        locked: lock.version.to_string(),
        digest: lock.digest.to_string(),
    }
}

fn not_installed(name: &PluginName) -> Error {
    Error::new(Code::E3101, format!("the plugin {name} is not installed"))
        .hint("`toolhatch plugin list` shows what is; a file can be called by its path.")
}

/// The highest first; build metadata, which has no precedence, decides last so that the order is always the same.
fn by_precedence(a: &Installed, b: &Installed) -> std::cmp::Ordering {
    b.version
        .cmp_precedence(&a.version)
        .then_with(|| b.version.cmp(&a.version))
}
