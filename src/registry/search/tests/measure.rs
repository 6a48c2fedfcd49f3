//! The quality of the search over the judged corpus of `tests/fixtures/search`.

use std::path::Path;

use serde_json::{Value, json};

use super::super::*;
use crate::exec::Entry;
use crate::manifest::Risk;
use crate::registry::{Effects, Tool, Validators};
use crate::store::PlainIndex;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/search");

const HALVES: [&str; 2] = ["tune", "test"];

/// A query of the corpus, with the tools that answer it.
struct Judged {
    query: String,
    relevant: HashSet<String>,
    half: String,
}

fn lines(file: &str) -> Vec<Value> {
    std::fs::read_to_string(Path::new(CORPUS).join(file))
        .expect("the corpus")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().expect("an array").iter();
    texts
        .map(|text| text.as_str().expect("a text").to_owned())
        .collect()
}

/// The tools of the corpus.
pub(super) fn corpus() -> Vec<Document> {
    lines("tools.jsonl")
        .iter()
        .map(|tool| Document {
            id: tool["id"].as_str().expect("an id").parse().expect("an id"),
            description: tool["description"].as_str().expect("a text").to_owned(),
            parameters: texts(&tool["parameters"]),
            parameter_text: tool["parameter_descriptions"]
                .as_str()
                .expect("a text")
                .to_owned(),
            tags: Vec::new(),
        })
        .collect()
}

/// A tool that does nothing.
pub(super) fn tool(id: &str, description: &str) -> Tool {
    Tool {
        id: id.parse().expect("an id"),
        title: None,
        description: description.into(),
        input_schema: json!({}),
        output_schema: None,
        entry: Entry::Plugin { tool: id.into() },
        idempotent: false,
        pure: false,
        risk: Risk::Low,
        untrusted_output: false,
        coerce: false,
        effects: Effects::UNKNOWN,
        validators: Validators::default(),
    }
}

fn judged(half: &str) -> Vec<Judged> {
    lines("queries.jsonl")
        .iter()
        .map(|query| Judged {
            query: query["query"].as_str().expect("a query").to_owned(),
            relevant: texts(&query["relevant"]).into_iter().collect(),
            half: query["half"].as_str().expect("a half").to_owned(),
        })
        .filter(|judged| judged.half == half)
        .collect()
}

/// The shares of queries with a relevant tool at the first place, and among the first five.
struct Recall {
    at_1: f64,
    at_5: f64,
}

fn recall(answers: &[(Judged, Vec<String>)]) -> Recall {
    let share = |k: usize| {
        let hit = answers
            .iter()
            .filter(|(judged, found)| found.iter().take(k).any(|id| judged.relevant.contains(id)));
        hit.count() as f64 / answers.len() as f64
    };
    Recall {
        at_1: share(1),
        at_5: share(5),
    }
}

async fn ours(search: &ToolSearch, half: &str) -> Recall {
    let mut answers = Vec::new();
    for judged in judged(half) {
        let found = search
            .find(&judged.query, None, 100)
            .await
            .expect("an answer");
        let ids: Vec<String> = found.hits.iter().map(|hit| hit.id.to_string()).collect();
        answers.push((judged, ids));
    }
    recall(&answers)
}

/// One FTS5 table with the texts as they are, its default tokenizer and weights, and a query that is the OR of the words.
async fn plain(half: &str) -> Recall {
    let rows: Vec<[String; 6]> = corpus()
        .into_iter()
        .map(|document| {
            [
                document.id.to_string(),
                document.id.tool().to_owned(),
                document.id.source().to_owned(),
                document.description,
                document.parameters.join(" "),
                document.parameter_text,
            ]
        })
        .collect();
    let index = PlainIndex::of(&rows).await;
    let mut answers = Vec::new();
    for judged in judged(half) {
        let ids = index.find(&judged.query).await;
        answers.push((judged, ids));
    }
    recall(&answers)
}

/// Weights and synonyms were chosen on the tuning half; what they are worth is measured on the other.
#[tokio::test]
async fn it_is_clearly_better_than_plain_full_text_search() {
    let mut search = ToolSearch::in_memory().await.expect("an index");
    search.sync(&corpus()).await.expect("indexed");
    let mut measured = Vec::new();
    for half in HALVES {
        let (ours, plain) = (ours(&search, half).await, plain(half).await);
        measured.push((half, ours, plain));
    }
    for (half, ours, plain) in measured {
        let told = format!(
            "{half}: R@1 {:.3}, R@5 {:.3}; plain FTS5: R@1 {:.3}, R@5 {:.3}",
            ours.at_1, ours.at_5, plain.at_1, plain.at_5
        );
        assert!(ours.at_1 > plain.at_1 + 0.10, "{told}");
        assert!(ours.at_5 > plain.at_5 + 0.12, "{told}");
    }
}
