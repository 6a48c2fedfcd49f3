//! Finding tools by what they are to do.
//!
//! ```text
//! query ─ words, wanted action ─ forms of each word ─ candidates (FTS5, BM25) ─ order (rank) ─┐
//!       └ vector, where there is a model ─ order by cosine ───────────────────────────────────┴ reciprocal rank fusion
//! ```
//!
//! The index is derived: where it cannot be used it is made anew, and where that does not work either it is kept in memory.
//! Nobody is refused an answer for its sake.

mod document;
mod expand;
mod query;
mod rank;
mod synonyms;
mod vectors;
mod words;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use document::Document;
pub use vectors::Embedder;

use crate::error::{Code, Error, Result};
use crate::ids::ToolId;
use crate::store::{Index, ToolKey, ToolText};
use query::Query;
use rank::{Form, Group};
use vectors::{cosine, embedded, fused};

/// How many tools the index gives to be put in order; more do not make the first ones better.
const CANDIDATES: u32 = 100;
/// The most that are ever found.
const MOST: u32 = 200;
/// Among this many tools, a word that one in eight has finds nothing when it only stands for another.
const MANY: u64 = 1000;
const COMMON: f64 = 2.0;
/// How many places of words are looked at, the words that say most first: a word that every tool has says next to nothing,
/// and looking at each of them takes most of the time.
const PLACES: u64 = 4000;
/// The same, times the number of words: BM25 asks of each tool that has one how often it has each of the others.
const LOOKS: u64 = 40_000;
/// How long a model may think about a query before it is answered without.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many texts a model is given at once.
const BATCH: usize = 64;

/// A tool that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The tool.
    pub id: ToolId,
    /// How well it fits; more is better, and only numbers of one answer can be compared.
    pub score: f64,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The tools that fit, the best first: at most as many as were asked for, and never more than 200.
    pub hits: Vec<Hit>,
    /// What could not be used to find them, as sentences for people.
    pub warnings: Vec<String>,
}

type Vectors = Arc<Vec<(ToolId, Vec<f32>)>>;

/// The search over a set of tools.
#[derive(Debug)]
pub struct ToolSearch {
    index: Index,
    embedder: Option<Arc<dyn Embedder>>,
    /// How long the model may think about a query.
    patience: Duration,
    /// The vectors of the indexed tools, once they were read.
    vectors: Mutex<Option<Vectors>>,
}

impl ToolSearch {
    /// Opens the search whose index lies below `home`.
    ///
    /// # Errors
    /// Those of [`Index::open`].
    pub async fn open(home: &Path) -> Result<Self> {
        Ok(Self::over(Index::open(home).await?))
    }

    /// A search over a set that is not kept, such as the tools of a file.
    ///
    /// # Errors
    /// Those of [`Index::in_memory`].
    pub async fn in_memory() -> Result<Self> {
        Ok(Self::over(Index::in_memory().await?))
    }

    fn over(index: Index) -> Self {
        Self {
            index,
            embedder: None,
            patience: PATIENCE,
            vectors: Mutex::default(),
        }
    }

    /// Looks for what texts mean as well, with vectors that this model makes.
    #[must_use]
    pub fn with_embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedder = Some(embedder);
        self.forget_vectors();
        self
    }

    /// Searches by words alone from now on.
    #[must_use]
    pub fn without_embedder(mut self) -> Self {
        self.embedder = None;
        self
    }

    /// The index below it.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Ends its threads.
    pub async fn close(&self) {
        self.index.close().await;
    }

    /// Makes the tools that can be found exactly these. Cheap where nothing changed.
    ///
    /// # Errors
    /// E3000 where not even memory can be used.
    pub async fn sync(&mut self, documents: &[Document]) -> Result<()> {
        let keys: Vec<ToolKey> = documents
            .iter()
            .map(|document| ToolKey {
                id: document.id.to_string(),
                digest: document.digest(),
            })
            .collect();
        let words = |at: usize| documents.get(at).map(Document::words).unwrap_or_default();
        for _ in 0..2 {
            match self.index.sync_tools(&keys, words).await {
                Ok(changed) => {
                    if changed {
                        self.forget_vectors();
                    }
                    return Ok(());
                }
                Err(error) => self.replace_index(error).await?,
            }
        }
        self.index.sync_tools(&keys, words).await.map(drop)
    }

    /// Makes the vectors that are still missing, of indexed tools among these; gives how many. Nothing without a model.
    ///
    /// # Errors
    /// Those of the model, and of keeping vectors. What was made before an error is kept.
    pub async fn embed(&self, documents: &[Document]) -> Result<usize> {
        let Some(embedder) = &self.embedder else {
            return Ok(0);
        };
        let missing: HashSet<String> = self
            .index
            .tools_without_vector(embedder.model())
            .await?
            .into_iter()
            .collect();
        let missing: Vec<&Document> = documents
            .iter()
            .filter(|document| missing.contains(&document.id.to_string()))
            .collect();
        for batch in missing.chunks(BATCH) {
            let texts: Vec<String> = batch.iter().map(|document| document.for_model()).collect();
            let vectors = embedded(embedder.as_ref(), &texts).await?;
            let kept: Vec<_> = batch
                .iter()
                .map(|document| document.digest())
                .zip(vectors)
                .collect();
            self.index
                .keep_tool_vectors(embedder.model(), &kept)
                .await?;
            self.forget_vectors();
        }
        Ok(missing.len())
    }

    /// Finds tools, among `allowed` where that is given.
    ///
    /// # Errors
    /// Those of reading the index; [`ToolSearch::search`] has none of these.
    pub async fn find(
        &self,
        query: &str,
        allowed: Option<&HashSet<ToolId>>,
        limit: usize,
    ) -> Result<Found> {
        let wanted = u32::try_from(limit).unwrap_or(MOST).clamp(CANDIDATES, MOST);
        let by_words = self.by_words(&Query::parse(query), allowed, wanted).await?;
        let mut found = Found::default();
        match self.by_meaning(query, allowed).await {
            Ok(None) => found.hits = by_words,
            Ok(Some(by_meaning)) => {
                let by_words = by_words.into_iter().map(|hit| hit.id).collect();
                found.hits = fused(&[by_words, by_meaning])
                    .into_iter()
                    .map(|(id, score)| Hit { id, score })
                    .collect();
            }
            Err(error) => {
                found.warnings.push(format!(
                    "Searched by words only: {}",
                    std::iter::once(error.to_string())
                        .chain(error.causes())
                        .collect::<Vec<_>>()
                        .join(": ")
                ));
                found.hits = by_words;
            }
        }
        found.hits.truncate(limit.min(MOST as usize));
        Ok(found)
    }

    /// Finds tools among exactly these documents, or among those of them that are `allowed`, whatever becomes of the index.
    ///
    /// # Errors
    /// E3000 where not even memory can be used.
    pub async fn search(
        &mut self,
        documents: &[Document],
        query: &str,
        allowed: Option<&HashSet<ToolId>>,
        limit: usize,
    ) -> Result<Found> {
        self.sync(documents).await?;
        match self.find(query, allowed, limit).await {
            Err(error) if self.index.is_kept() => {
                self.replace_index(error).await?;
                self.sync(documents).await?;
                self.find(query, allowed, limit).await
            }
            found => found,
        }
    }

    /// Another index in the place of one that failed: made anew where it was damaged, else in memory.
    async fn replace_index(&mut self, error: Error) -> Result<()> {
        if !self.index.is_kept() {
            return Err(error);
        }
        let damaged = matches!(error.code(), Code::E3109 | Code::E3000);
        let spare = Index::in_place_of(error).await?;
        let failed = std::mem::replace(&mut self.index, spare);
        if damaged {
            self.index = failed.rebuilt().await?;
        } else {
            failed.close().await;
        }
        self.forget_vectors();
        Ok(())
    }

    async fn by_words(
        &self,
        query: &Query,
        allowed: Option<&HashSet<ToolId>>,
        wanted: u32,
    ) -> Result<Vec<Hit>> {
        let all = self.index.tool_count().await?;
        let groups = expand::expand(&self.index, query, all).await?;
        let sought = sought(&groups, all);
        let candidates = self.candidates(&sought, allowed, all, wanted).await?;
        let known = self.index.terms(&name_words(&candidates)).await?;
        let fits = rank::fits(&groups, query.action, &known, all, &candidates);
        let mut hits: Vec<Hit> = candidates
            .iter()
            .zip(fits)
            .filter(|(_, score)| *score > 0.0)
            .filter_map(|(tool, score)| {
                let id = tool.id.parse().ok()?;
                Some(Hit { id, score })
            })
            .collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
        Ok(hits)
    }

    /// The tools with any of these words, those that fit best by BM25 first.
    async fn candidates(
        &self,
        words: &[String],
        allowed: Option<&HashSet<ToolId>>,
        all: u64,
        wanted: u32,
    ) -> Result<Vec<ToolText>> {
        let Some(allowed) = allowed else {
            return self.index.tools_with(words, None, wanted).await;
        };
        let allowed: HashSet<String> = allowed.iter().map(ToString::to_string).collect();
        // Where many are allowed, it is quicker to leave out the others than to look for each.
        if allowed.len() as u64 * 4 >= all {
            let mut candidates = self.index.tools_with(words, None, wanted * 4).await?;
            candidates.retain(|tool| allowed.contains(&tool.id));
            if candidates.len() >= wanted as usize {
                candidates.truncate(wanted as usize);
                return Ok(candidates);
            }
        }
        let among: Vec<&str> = allowed.iter().map(String::as_str).collect();
        self.index.tools_with(words, Some(&among), wanted).await
    }

    /// The tools whose texts mean something near the query, the nearest first; nothing without a model or its vectors.
    async fn by_meaning(
        &self,
        query: &str,
        allowed: Option<&HashSet<ToolId>>,
    ) -> Result<Option<Vec<ToolId>>> {
        let Some(embedder) = &self.embedder else {
            return Ok(None);
        };
        let vectors = self.vectors(embedder.model()).await?;
        if vectors.is_empty() {
            return Ok(None);
        }
        let texts = [query.to_owned()];
        let asked = tokio::time::timeout(self.patience, embedded(embedder.as_ref(), &texts));
        let asked = asked.await.map_err(|_| {
            Error::new(
                Code::E3402,
                format!(
                    "asking model {} for a vector: no answer within {} s",
                    embedder.model(),
                    self.patience.as_secs()
                ),
            )
        })??;
        let asked = asked.into_iter().next().unwrap_or_default();
        let mut near: Vec<(f32, &ToolId)> = vectors
            .iter()
            .filter(|(id, _)| allowed.is_none_or(|allowed| allowed.contains(id)))
            .map(|(id, vector)| (cosine(&asked, vector), id))
            .filter(|(cosine, _)| *cosine > 0.0)
            .collect();
        near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
        near.truncate(MOST as usize);
        Ok(Some(near.into_iter().map(|(_, id)| id.clone()).collect()))
    }

    async fn vectors(&self, model: &str) -> Result<Vectors> {
        if let Some(vectors) = self.lock_vectors().clone() {
            return Ok(vectors);
        }
        let rows = self.index.tool_vectors(model).await?;
        let vectors: Vectors = Arc::new(
            rows.into_iter()
                .filter_map(|(id, vector)| Some((id.parse().ok()?, vector)))
                .collect(),
        );
        *self.lock_vectors() = Some(Arc::clone(&vectors));
        Ok(vectors)
    }

    fn forget_vectors(&self) {
        *self.lock_vectors() = None;
    }

    fn lock_vectors(&self) -> std::sync::MutexGuard<'_, Option<Vectors>> {
        self.vectors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words by which candidates are looked for.
fn sought(groups: &[Group], all: u64) -> Vec<String> {
    let forms = groups.iter().flat_map(|group| &group.forms);
    let mut forms: Vec<&Form> = forms
        .filter(|form| all < MANY || form.weight >= 1.0 || form.rarity >= COMMON)
        .collect();
    forms.sort_by(|a, b| (b.weight * b.rarity).total_cmp(&(a.weight * a.rarity)));
    let mut sought: Vec<String> = Vec::new();
    let mut places = 0;
    for form in forms {
        if sought.contains(&form.stem) {
            continue;
        }
        places += form.tools;
        let looks = places * (sought.len() as u64 + 1);
        if (places > PLACES || looks > LOOKS) && !sought.is_empty() {
            break;
        }
        sought.push(form.stem.clone());
    }
    sought
}

/// The distinct words of the names of these tools.
fn name_words(tools: &[ToolText]) -> Vec<String> {
    let mut words: Vec<&str> = tools
        .iter()
        .flat_map(|tool| tool.fields.first())
        .flat_map(|name| name.split_ascii_whitespace())
        .collect();
    words.sort_unstable();
    words.dedup();
    words.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
