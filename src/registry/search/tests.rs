mod measure;

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::exec::BoxFuture;
use crate::registry::Tool;
use measure::corpus;

fn document(id: &str, description: &str) -> Document {
    Document {
        id: id.parse().expect("an id"),
        description: description.into(),
        parameters: Vec::new(),
        parameter_text: String::new(),
        tags: Vec::new(),
    }
}

fn some_tools() -> Vec<Document> {
    vec![
        document("disk.list_directory", "Lists what is in a directory"),
        document(
            "disk.delete_directory",
            "Deletes a directory and what is in it",
        ),
        document("mail.send_message", "Sends an email message"),
        document("sky.get_forecast", "Gives the weather of the next days"),
    ]
}

async fn over(documents: &[Document]) -> ToolSearch {
    let mut search = ToolSearch::in_memory().await.expect("an index");
    search.sync(documents).await.expect("indexed");
    search
}

async fn ids(search: &ToolSearch, query: &str) -> Vec<String> {
    let found = search.find(query, None, 10).await.expect("an answer");
    ids_of(&found)
}

fn ids_of(found: &Found) -> Vec<String> {
    found.hits.iter().map(|hit| hit.id.to_string()).collect()
}

/// The plugins of this repository.
fn own() -> Vec<Document> {
    let mut own = corpus();
    own.retain(|document| matches!(document.id.source(), "files" | "analyze-code"));
    own
}

#[tokio::test]
async fn a_job_in_other_words_than_the_tools_finds_the_tool() {
    let search = over(&own()).await;
    for (query, tool) in [
        ("find a word in my project", "files.search"),
        ("what is in this folder", "files.list"),
        ("show me the first lines of main.rs", "files.read"),
        ("replace some text in a file", "files.edit"),
        ("how complex is my source code", "analyze-code.analyze-code"),
    ] {
        assert_eq!(ids(&search, query).await[0], tool, "{query}");
    }
}

#[tokio::test]
async fn synonyms_misspelt_words_and_joined_names_are_understood() {
    let search = over(&some_tools()).await;
    assert_eq!(ids(&search, "folders").await[0], "disk.list_directory");
    assert_eq!(
        ids(&search, "get rid of a folder").await[0],
        "disk.delete_directory"
    );
    assert_eq!(ids(&search, "wether forcast").await[0], "sky.get_forecast");
    assert_eq!(ids(&search, "sendMessage").await[0], "mail.send_message");
    assert_eq!(
        ids(&search, "directo").await[0],
        "disk.list_directory",
        "a word that is not finished"
    );
}

#[tokio::test]
async fn what_nothing_fits_finds_nothing() {
    let search = over(&some_tools()).await;
    for query in ["", "?!", "the of", "zzyzx", "\" OR *", "\u{0}"] {
        assert!(ids(&search, query).await.is_empty(), "{query:?}");
    }
    let long = "directory ".repeat(10_000);
    assert_eq!(ids(&search, &long).await.len(), 2);
}

#[tokio::test]
async fn only_authorised_tools_are_found_and_no_more_than_asked_for() {
    let search = over(&some_tools()).await;
    let allowed = HashSet::from(["disk.delete_directory".parse().expect("an id")]);
    let found = search.find("directory", Some(&allowed), 10).await;
    assert_eq!(
        ids_of(&found.expect("an answer")),
        ["disk.delete_directory"]
    );
    let found = search.find("directory", Some(&HashSet::new()), 10).await;
    assert!(found.expect("an answer").hits.is_empty());
    let found = search.find("directory", None, 1).await;
    assert_eq!(ids_of(&found.expect("an answer")), ["disk.list_directory"]);
}

#[tokio::test]
async fn what_is_not_allowed_takes_no_place_however_much_of_it_there_is() {
    let documents = corpus();
    let search = over(&documents).await;
    for of in [2, 9] {
        let allowed: HashSet<ToolId> = documents
            .iter()
            .step_by(of)
            .map(|document| document.id.clone())
            .collect();
        let found = search
            .find("list the messages of a channel", Some(&allowed), 50)
            .await;
        let found = found.expect("an answer").hits;
        assert_eq!(found.len(), 50, "{of}");
        assert!(found.iter().all(|hit| allowed.contains(&hit.id)));
    }
}

#[tokio::test]
async fn tags_and_parameters_are_searched() {
    let mut tools = some_tools();
    tools[0].tags = vec!["browse-disk".into()];
    tools[2].parameters = vec!["recipientAddress".into()];
    tools[3].parameter_text = "The town it is for".into();
    let search = over(&tools).await;
    assert_eq!(ids(&search, "browse").await, ["disk.list_directory"]);
    assert_eq!(ids(&search, "recipient").await, ["mail.send_message"]);
    assert_eq!(ids(&search, "towns").await, ["sky.get_forecast"]);
}

#[test]
fn a_tool_is_found_by_what_its_schema_says() {
    let tool = Tool {
        input_schema: json!({"properties": {"path": {"description": "Where it lies"}, "deep": true}}),
        ..measure::tool("disk.read", "Reads")
    };
    let document = Document::of(&tool, &["disk".to_owned()]);
    assert_eq!(document.parameters, ["path", "deep"]);
    assert_eq!(document.parameter_text, "Where it lies");
    assert_eq!(document.tags, ["disk"]);
    let bare = Tool {
        input_schema: json!(true),
        ..tool
    };
    assert!(Document::of(&bare, &[]).parameters.is_empty());
}

#[tokio::test]
async fn a_kept_index_answers_again_and_one_that_is_damaged_inside_is_replaced() {
    let home = tempfile::tempdir().expect("a folder");
    let documents = corpus();
    let mut search = ToolSearch::open(home.path()).await.expect("an index");
    let before = search
        .search(&documents, "send an email", None, 5)
        .await
        .expect("an answer");
    search.close().await;
    // Whichever connection closes last puts everything into the one file; threads of the pool may still do so.
    let log = home.path().join("index.db-wal");
    let moved = async {
        while log.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let moved = tokio::time::timeout(Duration::from_secs(30), moved).await;
    moved.expect("an index in one file");
    let path = home.path().join("index.db");
    let mut bytes = std::fs::read(&path).expect("the index");
    // The header, and with it the version, stays whole.
    let length = bytes.len();
    bytes[8192..length].fill(0x5a);
    std::fs::File::create(&path)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes))
        .expect("a damaged index");
    let mut search = ToolSearch::open(home.path()).await.expect("an index");
    let after = search
        .search(&documents, "send an email", None, 5)
        .await
        .expect("an answer");
    assert_eq!(ids_of(&after), ids_of(&before));
    assert!(
        search.index().is_kept(),
        "{:?}",
        search.index().why_in_memory()
    );
    search.close().await;
    let mut search = ToolSearch::open(home.path()).await.expect("an index");
    let again = search
        .search(&documents, "send an email", None, 5)
        .await
        .expect("an answer");
    assert_eq!(again, after);
}

/// Knows one kind of meaning: the letters a text has. Counts how many texts it was given.
#[derive(Debug, Default)]
struct Letters {
    texts: AtomicUsize,
    down: bool,
    slow: bool,
    wrong: bool,
}

impl Embedder for Letters {
    fn model(&self) -> &'static str {
        "letters"
    }

    fn embed<'a>(&'a self, texts: &'a [String]) -> BoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            self.texts.fetch_add(texts.len(), Ordering::Relaxed);
            if self.slow {
                std::future::pending::<()>().await;
            }
            if self.down {
                return Err(Error::new(
                    Code::E3501,
                    "reaching the model: nobody answers",
                ));
            }
            let vector = |text: &String| -> Vec<f32> {
                let of = |letter: u8| text.bytes().filter(|byte| *byte == letter).count() as f32;
                (b'a'..=b'z').map(of).collect()
            };
            let mut vectors: Vec<Vec<f32>> = texts.iter().map(vector).collect();
            vectors.truncate(if self.wrong { 0 } else { texts.len() });
            Ok(vectors)
        })
    }
}

#[tokio::test]
async fn meaning_finds_what_words_do_not_and_is_made_once_for_each_text() {
    let mut tools = some_tools();
    tools.push(document("x.q", "qqqq zzzz"));
    let model = Arc::new(Letters::default());
    let mut search = over(&tools)
        .await
        .with_embedder(Arc::clone(&model) as Arc<dyn Embedder>);
    assert!(
        ids(&search, "zqzq").await.is_empty(),
        "there are no vectors yet"
    );
    assert_eq!(search.embed(&tools).await.expect("embedded"), tools.len());
    assert_eq!(search.embed(&tools).await.expect("embedded"), 0);
    assert_eq!(ids(&search, "zqzq").await[0], "x.q");
    let allowed = HashSet::from(["sky.get_forecast".parse().expect("an id")]);
    let found = search
        .find("zqzq forecast", Some(&allowed), 10)
        .await
        .expect("an answer");
    assert_eq!(ids_of(&found), ["sky.get_forecast"]);
    assert!(found.warnings.is_empty());

    tools[0].description.push_str(", with their sizes");
    tools.pop();
    search.sync(&tools).await.expect("indexed");
    assert_eq!(search.embed(&tools).await.expect("embedded"), 1);
    assert!(!ids(&search, "zqzq").await.contains(&"x.q".to_owned()));
}

#[tokio::test]
async fn without_its_model_the_search_goes_on_by_words_and_says_so() {
    let tools = some_tools();
    let mut search = over(&tools)
        .await
        .with_embedder(Arc::new(Letters::default()));
    search.embed(&tools).await.expect("embedded");
    search.patience = Duration::from_millis(20);
    let by_words = ids(&over(&tools).await, "directory").await;
    for (model, why) in [
        (
            Letters {
                down: true,
                ..Letters::default()
            },
            "nobody answers",
        ),
        (
            Letters {
                slow: true,
                ..Letters::default()
            },
            "no answer within",
        ),
        (
            Letters {
                wrong: true,
                ..Letters::default()
            },
            "did not give one for each text",
        ),
    ] {
        search = search.with_embedder(Arc::new(model));
        let found = search.find("directory", None, 10).await.expect("an answer");
        assert_eq!(ids_of(&found), by_words);
        assert_eq!(found.warnings.len(), 1);
        assert!(found.warnings[0].contains(why), "{:?}", found.warnings);
    }
}
