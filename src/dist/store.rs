//! The installed plugins: their bytes by digest, and one small list of which there are.
//!
//! ```text
//! TOOLHATCH_HOME/blobs/sha256/<hex>   the artifact, 0444, never changed
//! TOOLHATCH_HOME/plugins.json         names, versions, digests and a snapshot of the tools
//! TOOLHATCH_HOME/plugins.lock         held while the list is changed
//! ```
//!
//! The blob is written before the list names it, and the list is replaced whole, so a crash at any point leaves the old
//! list or the new one. Bytes are hashed again whenever they are read.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Package;
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, Entry};
use crate::fsx;
use crate::ids::{Digest, PluginName, ToolId};
use crate::manifest::Risk;
use crate::registry::{Tool, Validators};
use crate::schema::artifact::MAX_BYTES;

/// The version of the list; a newer one is never overwritten.
const FORMAT: u32 = 1;
/// The list of a thousand plugins with large schemas stays below this.
const MAX_LIST: u64 = 64 << 20;

/// One installed version of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Its tools, as the component described them when it was installed.
    pub tools: Vec<InstalledTool>,
}

/// The snapshot of one tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledTool {
    /// Its name within the plugin.
    pub name: String,
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
}

impl InstalledTool {
    /// The snapshot of a tool.
    #[must_use]
    pub fn of(tool: &Tool) -> Self {
        Self {
            name: tool.id.tool().to_owned(),
            description: tool.description.clone(),
            input_schema: tool.input_schema.clone(),
            output_schema: tool.output_schema.clone(),
            idempotent: tool.idempotent,
            pure: tool.pure,
            risk: tool.risk.word().to_owned(),
            untrusted_output: tool.untrusted_output,
        }
    }

    /// The tool of an installed plugin, without reading the plugin. A word for the risk that is not known here counts as
    /// the highest.
    ///
    /// # Errors
    /// E3109 where the list of installed plugins holds a name that no tool can have.
    pub fn to_tool(&self, plugin: &PluginName) -> Result<Tool> {
        let id = ToolId::new(plugin.as_str(), &self.name).map_err(|error| {
            Error::new(Code::E3109, "reading the list of installed plugins").caused_by(error)
        })?;
        let risk = [Risk::Low, Risk::Medium, Risk::High]
            .into_iter()
            .find(|risk| risk.word() == self.risk)
            .unwrap_or(Risk::High);
        Ok(Tool {
            id,
            description: self.description.clone(),
            input_schema: self.input_schema.clone(),
            output_schema: self.output_schema.clone(),
            entry: Entry::Plugin {
                tool: self.name.clone(),
            },
            idempotent: self.idempotent,
            pure: self.pure,
            risk,
            untrusted_output: self.untrusted_output,
            validators: Validators::default(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct List {
    format: u32,
    plugins: Vec<Installed>,
}

impl Default for List {
    fn default() -> Self {
        Self {
            format: FORMAT,
            plugins: Vec::new(),
        }
    }
}

/// The installed plugins below one Toolhatch home.
#[derive(Debug, Clone)]
pub struct Store {
    home: PathBuf,
}

impl Store {
    /// The store below `home`; nothing is made before something is installed.
    #[must_use]
    pub fn new(home: &Path) -> Self {
        Self {
            home: home.to_owned(),
        }
    }

    fn list_path(&self) -> PathBuf {
        self.home.join("plugins.json")
    }

    /// Where the bytes of an artifact are.
    #[must_use]
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.home.join("blobs/sha256").join(digest.hex())
    }

    fn read(&self) -> Result<List> {
        let path = self.list_path();
        if !path.exists() {
            return Ok(List::default());
        }
        let text = fsx::read_text(&path, MAX_LIST)?;
        let unreadable = |why: String| {
            Error::new(
                Code::E3109,
                format!("the list of installed plugins {} {why}", path.display()),
            )
        };
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| unreadable("is damaged".into()).caused_by(error))?;
        match value.get("format").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) if format > u64::from(FORMAT) => {
                return Err(unreadable(format!(
                    "was written by a newer version of Toolhatch (format {format})"
                ))
                .hint("Use that version, or another TOOLHATCH_HOME."));
            }
            _ => return Err(unreadable("does not say which format it has".into())),
        }
        serde_json::from_value(value)
            .map_err(|error| unreadable("is damaged".into()).caused_by(error))
    }

    /// Every installed version, by name and then by version, the highest first.
    ///
    /// # Errors
    /// E3109 where the list is damaged or newer than this program.
    pub fn list(&self) -> Result<Vec<Installed>> {
        let mut plugins = self.read()?.plugins;
        plugins.sort_by(|a, b| {
            a.name
                .cmp(&b.name)
                .then_with(|| b.version.cmp_precedence(&a.version))
        });
        Ok(plugins)
    }

    /// The highest installed version of a plugin that `range` allows, by precedence. Pre-releases count only where the range
    /// names one.
    ///
    /// # Errors
    /// E3101 where the plugin is not installed, E3102 where no installed version fits.
    pub fn find(&self, name: &PluginName, range: &VersionReq) -> Result<Installed> {
        let versions: Vec<Installed> = self
            .list()?
            .into_iter()
            .filter(|plugin| plugin.name == *name)
            .collect();
        if versions.is_empty() {
            return Err(
                Error::new(Code::E3101, format!("the plugin {name} is not installed")).hint(
                    "`toolhatch plugin list` shows what is; a file can be called by its path.",
                ),
            );
        }
        let found = versions
            .iter()
            .find(|plugin| range.matches(&plugin.version) || *range == VersionReq::STAR);
        found.cloned().ok_or_else(|| {
            let have: Vec<String> = versions.iter().map(|p| p.version.to_string()).collect();
            Error::new(
                Code::E3102,
                format!("no installed version of {name} fits {range}"),
            )
            .hint(format!("Installed: {}.", have.join(", ")))
        })
    }

    /// Reads the artifact of an installed plugin and hashes it again.
    ///
    /// # Errors
    /// E3109 where the bytes are not the ones that were installed.
    pub fn artifact(&self, plugin: &Installed) -> Result<Artifact> {
        let path = self.blob_path(&plugin.digest);
        let artifact = Artifact::new(fsx::read_capped(&path, MAX_BYTES)?.into());
        if artifact.digest == plugin.digest {
            return Ok(artifact);
        }
        Err(Error::new(
            Code::E3109,
            format!(
                "the bytes of {} {} are not the ones that were installed",
                plugin.name, plugin.version
            ),
        )
        .hint(format!(
            "Remove it with `toolhatch plugin remove {}` and install it again from a source you trust.",
            plugin.name
        ))
        .detail("expected", plugin.digest.to_string())
        .detail("found", artifact.digest.to_string()))
    }

    /// Installs a package; says whether it was new. The same version with the same bytes is no change.
    ///
    /// # Errors
    /// E3105 where it has no manifest, E3108 where that version is installed with other bytes.
    pub fn install(
        &self,
        package: &Package,
        tools: Vec<InstalledTool>,
    ) -> Result<(Installed, bool)> {
        let manifest = package.manifest.as_ref().ok_or_else(|| {
            Error::new(
                Code::E3105,
                format!("{} has no manifest, so it has no name and version to be installed under", package.file.display()),
            )
            .hint("Write a plugin.toml and pack it in with `toolhatch plugin pack`, or call the file by its path.")
        })?;
        let plugin = Installed {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: package.artifact.digest,
            size: package.artifact.bytes.len() as u64,
            description: manifest.description.clone(),
            tools,
        };
        self.change(|list| {
            let same_version = list
                .plugins
                .iter()
                .find(|other| other.name == plugin.name && other.version == plugin.version);
            match same_version {
                Some(other) if other.digest == plugin.digest => return Ok((plugin.clone(), false)),
                Some(other) => {
                    return Err(Error::new(
                        Code::E3108,
                        format!(
                            "{} {} is already installed with other content ({})",
                            plugin.name,
                            plugin.version,
                            other.digest.short()
                        ),
                    ));
                }
                None => {}
            }
            let blob = self.blob_path(&plugin.digest);
            if let Some(folder) = blob.parent() {
                fsx::create_private_dir(folder)?;
            }
            fsx::write_atomic(&blob, &package.artifact.bytes, 0o444)?;
            list.plugins.push(plugin.clone());
            Ok((plugin.clone(), true))
        })
    }

    /// Removes one version of a plugin, or all of them; returns what was removed.
    ///
    /// # Errors
    /// E3101 where nothing fits.
    pub fn remove(&self, name: &PluginName, version: Option<&Version>) -> Result<Vec<Installed>> {
        let removed = self.change(|list| {
            let (removed, kept): (Vec<_>, Vec<_>) = list.plugins.drain(..).partition(|plugin| {
                plugin.name == *name && version.is_none_or(|version| plugin.version == *version)
            });
            list.plugins = kept;
            if removed.is_empty() {
                return Err(Error::new(
                    Code::E3101,
                    format!("the plugin {name} is not installed"),
                ));
            }
            Ok(removed)
        })?;
        // Only after the list no longer names them; a crash in between leaves a blob that nothing uses.
        let still_used: Vec<Digest> = self.list()?.iter().map(|plugin| plugin.digest).collect();
        for plugin in &removed {
            if !still_used.contains(&plugin.digest)
                && let Err(error) = std::fs::remove_file(self.blob_path(&plugin.digest))
            {
                tracing::warn!(%error, digest = %plugin.digest, "could not remove an artifact");
            }
        }
        Ok(removed)
    }

    /// Changes the list under a lock that other processes respect.
    fn change<T>(&self, work: impl FnOnce(&mut List) -> Result<T>) -> Result<T> {
        fsx::create_private_dir(&self.home)?;
        let lock_path = self.home.join("plugins.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|error| fsx::io_error("opening", &lock_path, error))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| fsx::io_error("locking", &lock_path, error.into()))?;
        let mut list = self.read()?;
        let result = work(&mut list)?;
        let text = serde_json::to_vec_pretty(&list).map_err(|error| {
            Error::new(Code::E3000, "writing the list of installed plugins").caused_by(error)
        })?;
        fsx::write_atomic(&self.list_path(), &text, 0o600)?;
        Ok(result)
    }
}
