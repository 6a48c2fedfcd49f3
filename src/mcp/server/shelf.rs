//! The tools that are served, under the names that clients know them by.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::Tool as McpTool;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::describe::describe;
use super::names::{Naming, names};
use crate::app::{App, OfferedTool};
use crate::error::{Error, Result};
use crate::ids::{Digest, ToolId};
use crate::invoke::{Caller, ToolRef};
use crate::permission::ToolInvokeScope;
use crate::registry::{Document, Offers, ToolSearch};

/// How many tools a search looks at.
const MOST_FOUND: usize = 200;

/// Which of the tools are served.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The tools of these files; of all that is installed and lies in the search paths where none is named.
    pub files: Vec<PathBuf>,
    /// Only those whose ids are among these; all of them where there is none.
    pub ids: Vec<ToolInvokeScope>,
    /// The same, of the profile.
    pub of_profile: Vec<ToolInvokeScope>,
    /// What they are called.
    pub naming: Naming,
}

impl Selection {
    /// True where nothing was chosen, so that all there is belongs to it.
    pub(super) fn is_everything(&self) -> bool {
        self.files.is_empty() && self.ids.is_empty() && self.of_profile.is_empty()
    }

    fn has(&self, id: &ToolId) -> bool {
        [&self.ids, &self.of_profile]
            .into_iter()
            .all(|ids| ids.is_empty() || ids.iter().any(|chosen| chosen.allows(id.as_str())))
    }
}

/// One tool as it is served.
pub(super) struct Served {
    /// What clients are told.
    pub(super) described: McpTool,
    /// How a call names it.
    pub(super) reference: ToolRef,
    /// What it is found by.
    offered: OfferedTool,
}

/// What a source has besides tools.
pub(super) struct Page {
    of: String,
    pub(super) offers: Offers,
    /// How a call names its tools; the tool itself is left out.
    base: ToolRef,
}

impl Page {
    /// How a call names this of it.
    pub(super) fn reference(&self, tool: &str) -> ToolRef {
        let mut reference = self.base.clone();
        match &mut reference {
            ToolRef::Installed { tool: slot, .. } | ToolRef::File { tool: slot, .. } => {
                *slot = Some(tool.to_owned());
            }
        }
        reference
    }
}

/// The tools of one moment, in the order of their ids.
#[derive(Default)]
pub(super) struct Shelf {
    served: Vec<Served>,
    by_name: HashMap<String, usize>,
    by_id: HashMap<ToolId, usize>,
    /// Differs where what clients are told does.
    digest: Option<Digest>,
    /// What there is besides tools, a page for each source that has any.
    pages: Vec<Page>,
    /// The prompts, by the names that clients know them by: the page, and its own name.
    prompts: BTreeMap<String, (usize, String)>,
    /// Why tools are missing, for people.
    pub(super) left_out: Vec<String>,
    /// What finds them by words, made when it is first needed.
    search: OnceCell<(tokio::sync::Mutex<ToolSearch>, Vec<Document>)>,
}

/// The shelf of now, filled when it is first looked at.
pub(super) struct Shelves {
    selection: Selection,
    now: Mutex<Option<Arc<Shelf>>>,
}

impl Shelf {
    async fn fill(app: &App, selection: &Selection, caller: &Caller) -> Result<Self> {
        let offered = app.offered(&selection.files, caller).await?;
        let left_out = offered
            .left_out
            .iter()
            .map(|left_out| format!("{}: {}", left_out.place, left_out.error))
            .collect();
        let mut tools: Vec<_> = offered
            .tools
            .into_iter()
            .filter(|offered| selection.has(&offered.tool.id))
            .collect();
        tools.sort_by(|one, other| one.tool.id.cmp(&other.tool.id));
        let names = names(
            tools.iter().map(|offered| &offered.tool.id),
            selection.naming,
        );
        let mut shelf = Self {
            left_out,
            ..Self::default()
        };
        let mut told = String::new();
        for offered in tools {
            let Some(name) = names.get(&offered.tool.id) else {
                continue;
            };
            let reference = offered.reference()?;
            let described = describe(name, &offered.tool);
            told.push_str(&serde_json::to_string(&described).unwrap_or_default());
            let index = shelf.served.len();
            shelf.by_name.insert(name.clone(), index);
            shelf.by_id.insert(offered.tool.id.clone(), index);
            shelf.served.push(Served {
                described,
                reference,
                offered,
            });
        }
        shelf.turn_pages(selection.naming)?;
        for page in &shelf.pages {
            told.push_str(&serde_json::to_string(&page.offers).unwrap_or_default());
        }
        shelf.digest = Some(Digest::of(told.as_bytes()));
        Ok(shelf)
    }

    /// Takes up what the sources of the tools have besides.
    fn turn_pages(&mut self, naming: Naming) -> Result<()> {
        let mut ids = Vec::new();
        for served in &self.served {
            let place = &served.offered.place;
            if place.offers == Offers::default()
                || self.pages.iter().any(|page| page.of == place.name())
            {
                continue;
            }
            for prompt in &place.offers.prompts {
                if let Ok(id) = ToolId::new(place.name(), &prompt.name) {
                    ids.push((id, self.pages.len(), prompt.name.clone()));
                }
            }
            self.pages.push(Page {
                of: place.name().to_owned(),
                offers: place.offers.clone(),
                base: place.reference("")?,
            });
        }
        let names = names(ids.iter().map(|(id, _, _)| id), naming);
        for (id, page, own) in ids {
            if let Some(name) = names.get(&id) {
                self.prompts.insert(name.clone(), (page, own));
            }
        }
        Ok(())
    }

    /// The page that has this prompt, and the name it has there.
    pub(super) fn prompt(&self, name: &str) -> Option<(&Page, &str)> {
        let (page, own) = self.prompts.get(name)?;
        Some((self.pages.get(*page)?, own))
    }

    /// The page that this resource is read from: the first that has it.
    pub(super) fn page_of(&self, uri: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.offers.reads(uri))
    }

    /// The page that has this pattern of resources.
    pub(super) fn page_of_template(&self, template: &str) -> Option<&Page> {
        self.pages.iter().find(|page| {
            let templates = &page.offers.resource_templates;
            templates.iter().any(|other| other.uri_template == template)
        })
    }

    /// All prompts, under the names that clients know them by.
    pub(super) fn prompts<T: DeserializeOwned>(&self) -> Vec<T> {
        let told = self.prompts.iter().filter_map(|(name, (page, own))| {
            let prompt = self.pages.get(*page)?.offers.prompt(own)?;
            let mut json = serde_json::to_value(prompt).ok()?;
            json.as_object_mut()?
                .insert("name".to_owned(), name.as_str().into());
            serde_json::from_value(json).ok()
        });
        told.collect()
    }

    /// All resources whose URIs are known.
    pub(super) fn resources<T: DeserializeOwned>(&self) -> Vec<T> {
        let resources = self.pages.iter().flat_map(|page| &page.offers.resources);
        resources.filter_map(typed).collect()
    }

    /// All patterns of resources.
    pub(super) fn templates<T: DeserializeOwned>(&self) -> Vec<T> {
        let pages = self.pages.iter();
        let templates = pages.flat_map(|page| &page.offers.resource_templates);
        templates.filter_map(typed).collect()
    }

    /// All tools.
    pub(super) fn served(&self) -> &[Served] {
        &self.served
    }

    /// The tools of other servers, each with the name of its server.
    pub(super) fn of_servers(&self) -> impl Iterator<Item = (&str, &McpTool)> {
        let of_servers = self.served.iter().filter(|it| it.offered.place.is_server());
        of_servers.map(|served| (served.offered.place.name(), &served.described))
    }

    /// The tool that a client means: by the name it was told, or by its id.
    pub(super) fn find(&self, name: &str) -> Option<&Served> {
        let by_id = || self.by_id.get(&name.parse::<ToolId>().ok()?);
        let index = self.by_name.get(name).or_else(by_id)?;
        self.served.get(*index)
    }

    /// The name that is most like this one.
    pub(super) fn nearest(&self, name: &str) -> Option<&str> {
        self.by_name
            .keys()
            .map(|other| (strsim::jaro_winkler(other, name), other))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, name)| name.as_str())
    }

    /// The tools that fit these words best, and how many fit at all.
    ///
    /// # Errors
    /// Those of the search.
    pub(super) async fn search(&self, words: &str, limit: usize) -> Result<(Vec<&McpTool>, usize)> {
        let made = self.search.get_or_try_init(async || {
            let documents: Vec<Document> = self
                .served
                .iter()
                .map(|served| Document::of(&served.offered.tool, &served.offered.place.tags))
                .collect();
            // The index of the home is that of all that is installed; this one goes with the shelf.
            let mut search = ToolSearch::in_memory().await?;
            search.sync(&documents).await?;
            Ok::<_, Error>((tokio::sync::Mutex::new(search), documents))
        });
        let (search, documents) = made.await?;
        let found = search
            .lock()
            .await
            .search(documents, words, None, MOST_FOUND)
            .await?;
        let tools = found
            .hits
            .iter()
            .take(limit)
            .filter_map(|hit| self.served.get(*self.by_id.get(&hit.id)?))
            .map(|served| &served.described)
            .collect();
        Ok((tools, found.hits.len()))
    }

    /// True where clients are told the same of both.
    pub(super) fn tells_the_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// What a plugin has is in the form of the protocol already.
fn typed<T: DeserializeOwned>(info: &impl Serialize) -> Option<T> {
    serde_json::from_value(serde_json::to_value(info).ok()?).ok()
}

impl Shelves {
    pub(super) fn new(selection: Selection) -> Self {
        Self {
            selection,
            now: Mutex::default(),
        }
    }

    /// The shelf as it was last filled, if it was.
    pub(super) fn known(&self) -> Option<Arc<Shelf>> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.clone()
    }

    /// The shelf as it was last filled; filled now where it never was.
    pub(super) async fn get(&self, app: &App, caller: &Caller) -> Result<Arc<Shelf>> {
        match self.known() {
            Some(shelf) => Ok(shelf),
            None => self.refill(app, caller).await,
        }
    }

    /// Fills it anew.
    pub(super) async fn refill(&self, app: &App, caller: &Caller) -> Result<Arc<Shelf>> {
        let shelf = Arc::new(Shelf::fill(app, &self.selection, caller).await?);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // One that says the same has perhaps been searched already.
        if let Some(before) = now.as_ref().filter(|before| shelf.tells_the_same(before)) {
            return Ok(Arc::clone(before));
        }
        *now = Some(Arc::clone(&shelf));
        Ok(shelf)
    }
}
