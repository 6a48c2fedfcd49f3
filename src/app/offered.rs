//! The tools of installed plugins, of the search paths and of files that are named.
//!
//! Installed plugins answer from the descriptions that were kept when they were installed: nothing is compiled and no guest
//! runs. What lies in the search paths and cannot be used is told and left out, so that it never hides the rest.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use semver::{Version, VersionReq};
use serde_json::{Value, json};

use super::App;
use crate::dist::MANIFEST_FILE;
use crate::error::{Code, Error, Result};
use crate::ids::{Digest, ToolId};
use crate::invoke::{Caller, Provenance, ToolRef};
use crate::registry::{Installed, Offers, Origin, Source, Stage, Tool, sandbox};

/// A tool with the source it belongs to.
pub struct OfferedTool {
    /// The tool.
    pub tool: Arc<Tool>,
    /// Where it comes from.
    pub place: Arc<Place>,
}

/// A source of tools.
#[derive(Clone)]
pub struct Place {
    name: String,
    version: Option<Version>,
    digest: Digest,
    /// Words that a person put on it.
    pub tags: Vec<String>,
    is_deprecated: bool,
    /// Where it lies, if it is not installed.
    file: Option<PathBuf>,
    /// It is part of Toolhatch.
    is_built_in: bool,
    /// It is a server that somebody else wrote.
    is_server: bool,
    /// What it has besides tools.
    pub offers: Offers,
}

/// What was found.
#[derive(Default)]
pub struct Offered {
    /// The tools that may be seen.
    pub tools: Vec<OfferedTool>,
    /// Sources that cannot be used.
    pub left_out: Vec<LeftOut>,
    /// Those that policy hides.
    pub hidden: Vec<OfferedTool>,
}

/// A source that cannot be used.
pub struct LeftOut {
    /// What it is, as people know it.
    pub place: String,
    /// Why not.
    pub error: Error,
}

impl Place {
    /// The place of a source that was read.
    #[must_use]
    pub fn of(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            version: source.version().cloned(),
            digest: source.artifact.digest,
            tags: source.tags.iter().cloned().collect(),
            is_deprecated: source.notice.is_some(),
            file: match &source.origin {
                Origin::Installed | Origin::BuiltIn | Origin::Server { .. } => None,
                Origin::File(path) => Some(path.clone()),
            },
            is_built_in: source.origin == Origin::BuiltIn,
            is_server: matches!(source.origin, Origin::Server { .. }),
            offers: source.offers.clone(),
        }
    }

    fn is_installed(&self) -> bool {
        self.file.is_none() && !self.is_built_in && !self.is_server
    }

    fn provenance(&self) -> Provenance {
        Provenance {
            is_installed: self.is_installed(),
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

    /// How a call names this tool of it, or what is called like one.
    ///
    /// # Errors
    /// E3105 where it has a name that nothing can be called by.
    pub fn reference(&self, tool: &str) -> Result<ToolRef> {
        let tool = Some(tool.to_owned());
        if let Some(path) = &self.file {
            return Ok(ToolRef::File {
                path: path.clone(),
                tool,
            });
        }
        let plugin = self.name.parse().map_err(|error| {
            Error::new(Code::E3105, format!("naming a tool of {}", self.name)).caused_by(error)
        })?;
        Ok(ToolRef::Installed {
            plugin,
            range: VersionReq::STAR,
            tool,
        })
    }

    /// True where it is a server that somebody else wrote.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.is_server
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The JSON form of lists.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "version": self.version.as_ref().map(ToString::to_string),
            "digest": self.digest.to_string(),
            "tags": self.tags,
            "installed": self.is_installed(),
            "built_in": self.is_built_in,
            "server": self.is_server,
            "file": self.file.as_ref().map(|path| path.to_string_lossy()),
        })
    }

    /// As people read it: `files 1.0.0, installed`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let version = self
            .version
            .as_ref()
            .map_or_else(String::new, |version| format!(" {version}"));
        match &self.file {
            Some(path) => format!("{}{version}, {}", self.name, path.display()),
            None if self.is_built_in => format!("{}, built in", self.name),
            None if self.is_server => format!("{}, an MCP server", self.name),
            None => format!("{}{version}, installed", self.name),
        }
    }
}

impl OfferedTool {
    /// The tool with its source.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = self.tool.to_json();
        if let Some(object) = json.as_object_mut() {
            object.insert("source".into(), self.place.to_json());
        }
        json
    }

    /// How a call names it.
    ///
    /// # Errors
    /// E3105 where its source has a name that nothing can be called by.
    pub fn reference(&self) -> Result<ToolRef> {
        self.place.reference(self.tool.id.tool())
    }
}

impl Offered {
    /// The sources that were left out, for programs.
    #[must_use]
    pub fn left_out_json(&self) -> Value {
        self.left_out
            .iter()
            .map(|left_out| json!({"source": left_out.place, "error": left_out.error.to_json()}))
            .collect()
    }

    fn add(&mut self, place: Place, tools: impl IntoIterator<Item = Arc<Tool>>) {
        let place = Arc::new(place);
        self.tools.extend(tools.into_iter().map(|tool| OfferedTool {
            tool,
            place: Arc::clone(&place),
        }));
    }

    /// Every tool, hidden or not.
    pub fn all(&self) -> impl Iterator<Item = &OfferedTool> {
        self.tools.iter().chain(&self.hidden)
    }

    /// The tools that are not hidden; nothing where none is hidden.
    #[must_use]
    pub fn seen(&self) -> Option<HashSet<ToolId>> {
        let ids = self.tools.iter().map(|listed| listed.tool.id.clone());
        (!self.hidden.is_empty()).then(|| ids.collect())
    }

    /// Leaves out what policy does not let the caller see, of tools and of what there is besides.
    async fn hide(&mut self, app: &App, caller: &Caller) -> Result<()> {
        let mut listed: Vec<_> = self
            .tools
            .iter()
            .map(|offered| (offered.place.provenance(), Arc::clone(&offered.tool)))
            .collect();
        for place in self.places() {
            let of = self
                .tools
                .iter()
                .filter(|tool| tool.place.name == place.name);
            let tools = of.map(|offered| &*offered.tool);
            let parts = place.offers.parts(&place.name, tools).unwrap_or_default();
            let of = place.provenance();
            listed.extend(parts.into_iter().map(|part| (of.clone(), Arc::new(part))));
        }
        let seen = app.visible(caller, &listed).await?;
        if listed.iter().all(|(_, tool)| seen.contains(&tool.id)) {
            return Ok(());
        }
        for place in self.places() {
            let has =
                |part: &str| ToolId::new(&place.name, part).is_ok_and(|id| seen.contains(&id));
            let mut shown = Place::clone(&place);
            shown.offers.retain(has);
            let shown = Arc::new(shown);
            for offered in &mut self.tools {
                if offered.place.name == shown.name {
                    offered.place = Arc::clone(&shown);
                }
            }
        }
        let is_hidden = |offered: &mut OfferedTool| !seen.contains(&offered.tool.id);
        self.hidden = self.tools.extract_if(.., is_hidden).collect();
        Ok(())
    }

    /// The tools of the servers, from what is written down of them: side by side where one was never connected to, so that
    /// one that does not answer delays no other.
    async fn add_servers(&mut self, app: &App) {
        let names: Vec<_> = app.used_servers().map(|(name, _)| name.clone()).collect();
        let sources = names.iter().map(|name| app.server_source_soon(name));
        for (name, source) in names.iter().zip(join_all(sources).await) {
            match source {
                Ok(source) => match app.put_aside(name) {
                    Ok(aside) => {
                        let tools = source.tools.iter();
                        let usable = tools.filter(|tool| !aside.contains(tool.id.tool()));
                        self.add(Place::of(&source), usable.map(Arc::clone));
                    }
                    Err(error) => self.leave_out(format!("the server {name}"), error),
                },
                Err(error) => self.leave_out(format!("the server {name}"), error),
            }
        }
    }

    /// Each place that has more than tools, once.
    fn places(&self) -> Vec<Arc<Place>> {
        let mut places: Vec<Arc<Place>> = Vec::new();
        for offered in &self.tools {
            let is_known = places.iter().any(|place| place.name == offered.place.name);
            if !is_known && offered.place.offers != Offers::default() {
                places.push(Arc::clone(&offered.place));
            }
        }
        places
    }

    fn leave_out(&mut self, place: impl Into<String>, error: Error) {
        self.left_out.push(LeftOut {
            place: place.into(),
            error,
        });
    }
}

impl App {
    /// The tools that this caller may see: those of `files`, or, where none are named, of the installed plugins and the
    /// search paths.
    ///
    /// # Errors
    /// E3109 where the list of installed plugins is damaged; what loading a file gives where that file is named.
    pub async fn offered(&self, files: &[PathBuf], caller: &Caller) -> Result<Offered> {
        let mut offered = Offered::default();
        for path in files {
            match several(path) {
                Some(entries) => {
                    for entry in entries {
                        attempt(self, &entry, &mut offered, |_| true).await;
                    }
                }
                None => add_file(self, path, &mut offered, |_| true).await?,
            }
        }
        if files.is_empty() {
            let mut installed = self.registry().await?.plugins().await?;
            installed.retain(|plugin| plugin.lifecycle.stage.runs());
            let names: Vec<_> = installed.iter().map(|plugin| plugin.name.clone()).collect();
            add_installed(installed, &mut offered);
            let sandbox = sandbox()?;
            offered.add(Place::of(&sandbox), sandbox.tools.iter().map(Arc::clone));
            offered.add_servers(self).await;
            let is_new = |name: &str| !names.iter().any(|other| other.as_str() == name);
            for path in self.search_path_entries() {
                attempt(self, &path, &mut offered, is_new).await;
            }
        }
        offered.hide(self, caller).await?;
        Ok(offered)
    }
}

/// The tools of the highest version of each plugin: the one that a call without a version gets.
fn add_installed(plugins: Vec<Installed>, offered: &mut Offered) {
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
            Ok(tools) => offered.add(
                Place {
                    name: plugin.name.to_string(),
                    version: Some(plugin.version.clone()),
                    digest: plugin.digest,
                    tags: plugin.tags.clone(),
                    is_deprecated: plugin.lifecycle.stage == Stage::Deprecated,
                    file: None,
                    is_built_in: false,
                    is_server: false,
                    offers: plugin.offers.clone(),
                },
                tools,
            ),
            Err(error) => offered.leave_out(format!("{} {}", plugin.name, plugin.version), error),
        }
    }
}

async fn attempt(app: &App, path: &Path, offered: &mut Offered, wanted: impl Fn(&str) -> bool) {
    if let Err(error) = add_file(app, path, offered, wanted).await {
        offered.leave_out(path.display().to_string(), error);
    }
}

async fn add_file(
    app: &App,
    path: &Path,
    offered: &mut Offered,
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
    offered.add(Place::of(&source), source.tools.iter().map(Arc::clone));
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
