//! What each word of a query may stand for among the words that the index has.

use std::collections::HashMap;

use super::query::{Asked, Query};
use super::rank::{Form, Group, rarity};
use super::synonyms::others;
use crate::error::Result;
use crate::store::{Index, Term};

/// What a synonym, a longer word that begins so, a part of a name, and a word spelt like it are worth.
const SYNONYM: f64 = 0.7;
const LONGER: f64 = 0.5;
const PART: f64 = 0.7;
const MISSPELT: f64 = 0.7;
/// Shorter words begin too many others, and are like too many.
const SHORTEST: usize = 4;
/// How many longer words are looked at, and how many that may be meant by a misspelt one.
const MOST_LONGER: u32 = 50;
const MOST_LIKE: u32 = 5000;

/// The words of the query with what may stand for them; a word that nothing stands for has no forms.
pub(super) async fn expand(index: &Index, query: &Query, all: u64) -> Result<Vec<Group>> {
    let mut asked: Vec<String> = Vec::new();
    for word in &query.words {
        asked.push(word.stem.clone());
        asked.extend(word.parts.iter().cloned());
        let stems = std::iter::once(&word.stem).chain(&word.parts);
        asked.extend(stems.flat_map(|stem| others(stem)).cloned());
    }
    let mut known = index.terms(&asked).await?;
    let mut groups = Vec::new();
    for word in &query.words {
        groups.push(group(index, word, &mut known, all).await?);
    }
    Ok(groups)
}

async fn group(
    index: &Index,
    word: &Asked,
    known: &mut HashMap<String, u64>,
    all: u64,
) -> Result<Group> {
    let mut forms: Vec<(String, f64)> = vec![(word.stem.clone(), 1.0)];
    forms.extend(
        others(&word.stem)
            .iter()
            .map(|other| (other.clone(), SYNONYM)),
    );
    let long = word.stem.chars().count() >= SHORTEST;
    if long && word.stem.starts_with(char::is_alphabetic) {
        for term in index.terms_beginning(&word.stem, MOST_LONGER).await? {
            add(&mut forms, known, term, LONGER);
        }
    }
    if !forms.iter().any(|(stem, _)| known.contains_key(stem)) {
        if !word.parts.is_empty() {
            forms.extend(word.parts.iter().map(|part| (part.clone(), PART)));
        } else if long && let Some(meant) = meant(index, &word.stem).await? {
            let synonyms = others(&meant.word);
            known.extend(index.terms(synonyms).await?);
            forms.extend(
                synonyms
                    .iter()
                    .map(|other| (other.clone(), SYNONYM * MISSPELT)),
            );
            add(&mut forms, known, meant, MISSPELT);
        }
    }
    let forms: Vec<Form> = forms
        .into_iter()
        .filter_map(|(stem, weight)| {
            let tools = *known.get(&stem)?;
            Some(Form {
                stem,
                weight,
                rarity: rarity(tools, all),
                tools,
            })
        })
        .collect();
    // A word that no tool has is as rare as what stands for it.
    let own = known.get(&word.stem).map(|tools| rarity(*tools, all));
    let others = forms.iter().map(|form| form.rarity * form.weight);
    Ok(Group {
        stem: word.stem.clone(),
        rarity: own.unwrap_or_else(|| others.fold(0.0, f64::max)),
        forms,
    })
}

fn add(forms: &mut Vec<(String, f64)>, known: &mut HashMap<String, u64>, term: Term, weight: f64) {
    known.insert(term.word.clone(), term.tools);
    if !forms.iter().any(|(stem, _)| *stem == term.word) {
        forms.push((term.word, weight));
    }
}

/// The word that was meant by one that no tool has: one with the same first letter that differs by a letter or two; the
/// nearest, and of several the commonest.
async fn meant(index: &Index, stem: &str) -> Result<Option<Term>> {
    let Some(first) = stem.chars().next().filter(|first| first.is_alphabetic()) else {
        return Ok(None);
    };
    let length = stem.chars().count();
    let most = if length < 6 { 1 } else { 2 };
    let terms = index.terms_beginning(&first.to_string(), MOST_LIKE).await?;
    Ok(terms
        .into_iter()
        .filter(|term| term.word.chars().count().abs_diff(length) <= most)
        .map(|term| (strsim::osa_distance(stem, &term.word), term))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, term)| (*distance, u64::MAX - term.tools))
        .map(|(_, term)| term))
}
