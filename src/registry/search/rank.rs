//! How well a tool fits a query: BM25F over the fields, with what plain BM25 cannot know.
//!
//! The index finds candidates by BM25 over every word that could be meant. Here they are put in order, by
//!
//! * the words they have, where a synonym, a longer word or a corrected one counts for less than the word itself, and a word
//!   counts once, whichever of its forms is found;
//! * how much of the query they cover: two words found once say more than one found twice;
//! * how much of the tool's own name the query explains: for `read file`, `read_file` is before `read_file_history`;
//! * whether the name's verb does what the query wants done; tools that delete come late unless that is asked for.
//!
//! The numbers were chosen on the tuning half of the judged corpus.

use std::collections::HashMap;

use super::synonyms::{Action, action};
use super::words::is_stop_word;
use crate::store::{FIELDS, ToolText};

/// What a word is worth by where it stands: name, source, summary, rest of the description, parameters, what is said of them,
/// tags.
const WEIGHTS: [f64; FIELDS] = [2.0, 5.0, 2.0, 0.7, 0.5, 0.3, 2.0];
/// How much less it is worth in a long field.
const LENGTH: [f64; FIELDS] = [0.5, 0.0, 0.3, 0.3, 0.5, 0.5, 0.0];
/// How many words the fields of a usual tool have.
const USUAL: [f64; FIELDS] = [3.0, 1.5, 8.0, 16.0, 8.0, 25.0, 3.0];
/// How soon the same word again stops to matter.
const SATURATION: f64 = 1.2;
/// What verbs are worth: there are few of them, and every tool has one.
const VERB: f64 = 0.6;
/// The share of the score that depends on how much of the query is covered.
const COVERAGE: f64 = 0.7;
/// What is added for a name that the query explains entirely.
const NAME: f64 = 0.6;
/// What is added where the tool does what is wanted, and taken away where it does something else.
const SAME_ACTION: f64 = 0.15;
const OTHER_ACTION: f64 = 0.1;
/// What is taken away from tools that delete where that is not asked for.
const DANGER: f64 = 0.3;

/// One word of the query, with all that may stand for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// The word itself.
    pub(super) stem: String,
    /// How rare it is.
    pub(super) rarity: f64,
    /// What may stand for it, itself among them.
    pub(super) forms: Vec<Form>,
}

/// A word that is in the index and may stand for one of the query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    pub(super) stem: String,
    /// 1 for the word itself, less for others.
    pub(super) weight: f64,
    /// How rare it is.
    pub(super) rarity: f64,
    /// How many tools have it.
    pub(super) tools: u64,
}

/// How rare a word is that this many of all tools have (the inverse document frequency of BM25); never below 0.
#[expect(
    clippy::cast_precision_loss,
    reason = "there are fewer than 2^52 tools"
)]
pub(super) fn rarity(tools: u64, all: u64) -> f64 {
    let (tools, all) = (tools as f64, all.max(tools) as f64);
    (1.0 + (all - tools + 0.5) / (tools + 0.5)).ln()
}

/// The fit of each candidate, in their order; more is better, and 0 is none. Of the words of their names, `known` gives how
/// many of all tools have them.
pub(super) fn fits(
    groups: &[Group],
    wanted: Option<Action>,
    known: &HashMap<String, u64>,
    all: u64,
    candidates: &[ToolText],
) -> Vec<f64> {
    let mut asked: HashMap<&str, f64> = HashMap::new();
    for form in groups.iter().flat_map(|group| &group.forms) {
        let weight = asked.entry(&form.stem).or_default();
        *weight = weight.max(form.weight);
    }
    let rarity_of = |word: &str| rarity(known.get(word).copied().unwrap_or(1), all);
    candidates
        .iter()
        .map(|candidate| {
            let tool = Fields::of(candidate, &asked);
            let score = tool.words_found(groups);
            if score <= 0.0 {
                return 0.0;
            }
            score
                * (1.0 + NAME * tool.name_explained(&asked, rarity_of))
                * action_factor(wanted, tool.action())
        })
        .collect()
}

fn action_factor(wanted: Option<Action>, does: Option<Action>) -> f64 {
    let fits = match (wanted, does) {
        (Some(wanted), Some(does)) if wanted == does => 1.0 + SAME_ACTION,
        (Some(_), Some(_)) => 1.0 - OTHER_ACTION,
        _ => 1.0,
    };
    if does == Some(Action::Delete) && wanted != Some(Action::Delete) {
        return fits * (1.0 - DANGER);
    }
    fits
}

/// A candidate, read once.
struct Fields<'a> {
    name: Vec<&'a str>,
    source: Vec<&'a str>,
    /// The first word of what is said of it.
    verb: Option<&'a str>,
    /// How much there is of each word that may be meant, over all fields.
    found: HashMap<&'a str, f64>,
}

impl<'a> Fields<'a> {
    fn of(tool: &'a ToolText, asked: &HashMap<&str, f64>) -> Self {
        let mut found: HashMap<&str, f64> = HashMap::new();
        for (field, ((worth, length), usual)) in tool
            .fields
            .iter()
            .zip(WEIGHTS.iter().zip(LENGTH).zip(USUAL))
        {
            let (mut words, mut times) = (0.0, Vec::new());
            for word in field.split_ascii_whitespace() {
                words += 1.0;
                if asked.contains_key(word) {
                    times.push(word);
                }
            }
            let each = worth / (1.0 - length + length * words / usual);
            for word in times {
                *found.entry(word).or_default() += each;
            }
        }
        let [name, source, summary, ..] = &tool.fields;
        Self {
            name: name.split_ascii_whitespace().collect(),
            source: source.split_ascii_whitespace().collect(),
            verb: summary.split_ascii_whitespace().next(),
            found,
        }
    }

    /// The sum of what each word of the query found, by how much of the query was found at all.
    fn words_found(&self, groups: &[Group]) -> f64 {
        let (mut score, mut found, mut sought) = (0.0, 0.0, 0.0);
        for group in groups {
            if group.forms.is_empty() {
                continue;
            }
            let verb = if action(&group.stem).is_some() {
                VERB
            } else {
                1.0
            };
            sought += verb * group.rarity;
            let (mut best, mut share) = (0.0_f64, 0.0_f64);
            for form in &group.forms {
                let here = form.weight * self.saturated(&form.stem);
                // A rare synonym of a common word must not count like a rare word that was said.
                best = best.max(here * (form.rarity * group.rarity).sqrt());
                share = share.max(here);
            }
            score += verb * best;
            found += verb * group.rarity * share.sqrt();
        }
        if sought <= 0.0 {
            return 0.0;
        }
        score * (1.0 - COVERAGE + COVERAGE * found / sought)
    }

    /// How much there is of a word, from 0 to 1.
    fn saturated(&self, stem: &str) -> f64 {
        let weight = self.found.get(stem).copied().unwrap_or_default();
        weight / (weight + SATURATION)
    }

    /// The share of the name's words that the query asks for, rarer ones counting more, from 0 to 1. What only repeats the
    /// source's name, as in `github.github_search`, is left out.
    fn name_explained(&self, asked: &HashMap<&str, f64>, rarity_of: impl Fn(&str) -> f64) -> f64 {
        let own = |repeated: bool| {
            let (mut explained, mut all) = (0.0, 0.0);
            for word in self.name.iter().filter(|word| !is_stop_word(word)) {
                if repeated || !self.source.contains(word) {
                    let rarity = rarity_of(word);
                    all += rarity;
                    explained += rarity * asked.get(word).copied().unwrap_or_default();
                }
            }
            (all > 0.0).then(|| explained / all)
        };
        own(false).or_else(|| own(true)).unwrap_or_default()
    }

    /// What it does: the first verb of its name, or else the first word of what is said of it.
    fn action(&self) -> Option<Action> {
        self.name
            .iter()
            .chain(&self.verb)
            .find_map(|word| action(word))
    }
}

#[cfg(test)]
mod tests;
