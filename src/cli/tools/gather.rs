//! The tools of installed plugins, of the search paths and of files that are named.
//!
//! Installed plugins answer from the descriptions that were kept when they were installed: nothing is compiled and no guest
//! runs. What lies in the search paths and cannot be used is told and left out, so that it never hides the rest.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use semver::Version;
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::text::{count, cut, one_line};
use crate::dist::MANIFEST_FILE;
use crate::error::{Error, Result};
use crate::ids::{Digest, ToolId};
use crate::invoke::{Caller, Provenance, ToolRef};
use crate::registry::{Installed, Origin, Source, Stage, Tool, sandbox};

/// A tool with the source it belongs to.
pub(super) struct Listed {
    pub(super) tool: Arc<Tool>,
    pub(super) place: Arc<Place>,
}

/// A source of tools.
pub(super) struct Place {
    name: String,
    version: Option<Version>,
    digest: Digest,
    /// Words that a person put on it.
    pub(super) tags: Vec<String>,
    is_deprecated: bool,
    /// Where it lies, if it is not installed.
    file: Option<PathBuf>,
    /// It is part of Toolhatch.
    is_built_in: bool,
}

/// What was found.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) tools: Vec<Listed>,
    left_out: Vec<LeftOut>,
    /// Those that policy hides.
    hidden: Vec<Listed>,
}

/// A source that cannot be used.
struct LeftOut {
    place: String,
    error: Error,
}

impl Place {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            version: source.version().cloned(),
            digest: source.artifact.digest,
            tags: source.tags.iter().cloned().collect(),
            is_deprecated: source.notice.is_some(),
            file: match &source.origin {
                Origin::Installed | Origin::BuiltIn => None,
                Origin::File(path) => Some(path.clone()),
            },
            is_built_in: source.origin == Origin::BuiltIn,
        }
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            is_installed: self.file.is_none() && !self.is_built_in,
            version: self
                .version
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            digest: self.digest,
            is_deprecated: self.is_deprecated,
            tags: self.tags.iter().cloned().collect(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version.as_ref().map(ToString::to_string),
            "digest": self.digest.to_string(),
            "tags": self.tags,
            "installed": self.file.is_none() && !self.is_built_in,
            "built_in": self.is_built_in,
            "file": self.file.as_ref().map(|path| path.to_string_lossy()),
        })
    }

    /// `files 1.0.0, installed`.
    pub(super) fn in_words(&self) -> String {
        let version = self
            .version
            .as_ref()
            .map_or_else(String::new, |version| format!(" {version}"));
        match &self.file {
            Some(path) => format!("{}{version}, {}", self.name, path.display()),
            None if self.is_built_in => format!("{}, built in", self.name),
            None => format!("{}{version}, installed", self.name),
        }
    }
}

impl Listed {
    /// The tool with its source.
    pub(super) fn to_json(&self) -> Value {
        let mut json = self.tool.to_json();
        if let Some(object) = json.as_object_mut() {
            object.insert("source".into(), self.place.to_json());
        }
        json
    }

    /// Its row in a table: id, risk, description.
    pub(super) fn row(&self) -> Vec<String> {
        vec![
            self.tool.id.to_string(),
            self.tool.risk.word().to_owned(),
            self.tool.description.clone(),
        ]
    }
}

impl Gathered {
    /// A sentence for each source that was left out.
    pub(super) fn warnings(&self) -> Vec<String> {
        let hidden = (!self.hidden.is_empty()).then(|| {
            format!(
                "{} hidden by policy (`tool.list`)",
                count(self.hidden.len(), "tool")
            )
        });
        self.left_out
            .iter()
            .map(|left_out| {
                format!(
                    "{} was left out: {}",
                    left_out.place,
                    cut(&one_line(&left_out.error), 300)
                )
            })
            .chain(hidden)
            .collect()
    }

    /// The sources that were left out, for programs.
    pub(super) fn left_out(&self) -> Value {
        self.left_out
            .iter()
            .map(|left_out| json!({"source": left_out.place, "error": left_out.error.to_json()}))
            .collect()
    }

    fn add(&mut self, place: Place, tools: impl IntoIterator<Item = Arc<Tool>>) {
        let place = Arc::new(place);
        self.tools.extend(tools.into_iter().map(|tool| Listed {
            tool,
            place: Arc::clone(&place),
        }));
    }

    /// Every tool, hidden or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &Listed> {
        self.tools.iter().chain(&self.hidden)
    }

    /// The tools that are not hidden; nothing where none is hidden.
    pub(super) fn seen(&self) -> Option<HashSet<ToolId>> {
        let ids = self.tools.iter().map(|listed| listed.tool.id.clone());
        (!self.hidden.is_empty()).then(|| ids.collect())
    }

    /// Leaves out what policy does not let the person see.
    async fn hide(&mut self, app: &App) -> Result<()> {
        let tools: Vec<_> = self
            .tools
            .iter()
            .map(|listed| (listed.place.provenance(), Arc::clone(&listed.tool)))
            .collect();
        let seen = app.visible(&Caller::of_process(), &tools).await?;
        let is_hidden = |listed: &mut Listed| !seen.contains(&listed.tool.id);
        self.hidden = self.tools.extract_if(.., is_hidden).collect();
        Ok(())
    }

    fn leave_out(&mut self, place: impl Into<String>, error: Error) {
        self.left_out.push(LeftOut {
            place: place.into(),
            error,
        });
    }
}

/// The tools of `files`, or, where none are named, of the installed plugins and the search paths.
///
/// # Errors
/// E3109 where the list of installed plugins is damaged; what loading a file gives where that file is named.
pub(super) async fn gather(app: &App, files: &[PathBuf]) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    for path in files {
        match several(path) {
            Some(entries) => {
                for entry in entries {
                    attempt(app, &entry, &mut gathered, |_| true).await;
                }
            }
            None => add_file(app, path, &mut gathered, |_| true).await?,
        }
    }
    if files.is_empty() {
        let mut installed = app.registry().await?.plugins().await?;
        installed.retain(|plugin| plugin.lifecycle.stage.runs());
        let names: Vec<_> = installed.iter().map(|plugin| plugin.name.clone()).collect();
        add_installed(installed, &mut gathered);
        let sandbox = sandbox()?;
        gathered.add(Place::of(&sandbox), sandbox.tools.iter().map(Arc::clone));
        let is_new = |name: &str| !names.iter().any(|other| other.as_str() == name);
        for path in app.search_path_entries() {
            attempt(app, &path, &mut gathered, is_new).await;
        }
    }
    gathered.hide(app).await?;
    Ok(gathered)
}

/// The tools of the highest version of each plugin: the one that a call without a version gets.
fn add_installed(plugins: Vec<Installed>, gathered: &mut Gathered) {
    let mut last = None;
    for plugin in plugins {
        if last.replace(plugin.name.clone()).as_ref() == Some(&plugin.name) {
            continue;
        }
        let tools = plugin
            .tools
            .into_iter()
            .map(|tool| tool.into_tool(&plugin.name).map(Arc::new))
            .collect::<Result<Vec<_>>>();
        match tools {
            Ok(tools) => gathered.add(
                Place {
                    name: plugin.name.to_string(),
                    version: Some(plugin.version.clone()),
                    digest: plugin.digest,
                    tags: plugin.tags.clone(),
                    is_deprecated: plugin.lifecycle.stage == Stage::Deprecated,
                    file: None,
                    is_built_in: false,
                },
                tools,
            ),
            Err(error) => gathered.leave_out(format!("{} {}", plugin.name, plugin.version), error),
        }
    }
}

async fn attempt(app: &App, path: &Path, gathered: &mut Gathered, wanted: impl Fn(&str) -> bool) {
    if let Err(error) = add_file(app, path, gathered, wanted).await {
        gathered.leave_out(path.display().to_string(), error);
    }
}

async fn add_file(
    app: &App,
    path: &Path,
    gathered: &mut Gathered,
    wanted: impl Fn(&str) -> bool,
) -> Result<()> {
    let reference = ToolRef::File {
        path: path.to_owned(),
        tool: None,
    };
    // An installed plugin takes the place of one of the same name: that need not be compiled.
    if !wanted(&app.package(&reference).await?.package.name()) {
        return Ok(());
    }
    let source = app.source(&reference).await?;
    gathered.add(Place::of(&source), source.tools.iter().map(Arc::clone));
    Ok(())
}

/// What lies in a folder that is not itself one plugin: its components, and its folders with a manifest.
fn several(folder: &Path) -> Option<Vec<PathBuf>> {
    if !folder.is_dir() || folder.join(MANIFEST_FILE).is_file() {
        return None;
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
                || path.join(MANIFEST_FILE).is_file()
        })
        .collect();
    entries.sort();
    (!entries.is_empty()).then_some(entries)
}
