//! Finding tools by words.

use std::sync::Arc;

use super::Tool;

/// A tool that was found, and how well it fits.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The tool.
    pub tool: Arc<Tool>,
    /// The sum of what each word of the query found; higher fits better.
    pub score: f64,
}

/// What a word is worth by where it stands: the name says most, a parameter least.
const NAME: f64 = 4.0;
const SOURCE: f64 = 2.0;
const DESCRIPTION: f64 = 1.0;
const PARAMETER: f64 = 0.5;
/// A word that only begins like the one asked for counts this much of a whole one.
const PREFIX: f64 = 0.5;

/// Ranks tools by the words of `query`; tools that none of them fits are left out.
///
/// Each word counts by how rare it is among the tools (its inverse document frequency) and by where it stands.
#[must_use]
pub fn search(tools: &[Arc<Tool>], query: &str) -> Vec<Hit> {
    let words = words(query);
    let fields: Vec<_> = tools.iter().map(|tool| fields(tool)).collect();
    let mut scores = vec![0.0; tools.len()];
    for word in &words {
        let found: Vec<f64> = fields.iter().map(|fields| weight(fields, word)).collect();
        let matching = found.iter().filter(|weight| **weight > 0.0).count();
        if matching == 0 {
            continue;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "there are fewer than 2^52 tools"
        )]
        let rarity = (1.0 + tools.len() as f64 / matching as f64).ln();
        for (score, weight) in scores.iter_mut().zip(found) {
            *score += weight * rarity;
        }
    }
    let mut hits: Vec<Hit> = tools
        .iter()
        .zip(scores)
        .filter(|(_, score)| *score > 0.0)
        .map(|(tool, score)| Hit {
            tool: Arc::clone(tool),
            score,
        })
        .collect();
    hits.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| a.tool.id.cmp(&b.tool.id))
    });
    hits
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn fields(tool: &Tool) -> Vec<(f64, Vec<String>)> {
    let parameters: String = tool
        .input_schema
        .get("properties")
        .and_then(|properties| properties.as_object())
        .map(|properties| {
            properties
                .keys()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .unwrap_or_default();
    vec![
        (NAME, words(tool.id.tool())),
        (SOURCE, words(tool.id.source())),
        (DESCRIPTION, words(&tool.description)),
        (PARAMETER, words(&parameters)),
    ]
}

fn weight(fields: &[(f64, Vec<String>)], word: &str) -> f64 {
    fields
        .iter()
        .filter_map(|(weight, words)| {
            if words.iter().any(|other| other == word) {
                return Some(*weight);
            }
            let begins = word.len() >= 3 && words.iter().any(|other| other.starts_with(word));
            begins.then_some(*weight * PREFIX)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::exec::Entry;
    use crate::manifest::Risk;

    fn tool(id: &str, description: &str) -> Arc<Tool> {
        Arc::new(Tool {
            id: id.parse().expect("an id"),
            description: description.into(),
            input_schema: json!({"properties": {"path": {}}}),
            output_schema: None,
            entry: Entry::Plugin { tool: id.into() },
            idempotent: false,
            pure: false,
            risk: Risk::Low,
            untrusted_output: false,
            validators: crate::registry::Validators::default(),
        })
    }

    #[test]
    fn the_name_counts_more_than_the_description() {
        let tools = [
            tool("a.read", "Gives the text of a file"),
            tool("b.list", "Lists what one could read"),
            tool("c.other", "Nothing of the kind"),
        ];
        let hits = search(&tools, "read");
        let ids: Vec<String> = hits.iter().map(|hit| hit.tool.id.to_string()).collect();
        assert_eq!(ids, ["a.read", "b.list"]);
    }

    #[test]
    fn rare_words_count_more_than_common_ones() {
        let tools = [
            tool("a.x", "file file"),
            tool("b.x", "file regex"),
            tool("c.x", "file"),
        ];
        let hits = search(&tools, "file regex");
        assert_eq!(hits[0].tool.id.to_string(), "b.x");
        assert!(search(&tools, "nothing").is_empty());
    }
}
