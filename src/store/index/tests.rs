use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::ids::Digest;

/// A tool whose name is its only text.
fn key(id: &str, words: &str) -> (ToolKey, String) {
    let key = ToolKey {
        id: id.to_owned(),
        digest: Digest::of(words.as_bytes()),
    };
    (key, words.to_owned())
}

/// Indexes these tools; gives whether anything changed, and how many were written.
async fn sync(index: &Index, tools: &[(ToolKey, String)]) -> (bool, usize) {
    let written = AtomicUsize::new(0);
    let keys: Vec<ToolKey> = tools.iter().map(|(key, _)| key.clone()).collect();
    let changed = index
        .sync_tools(&keys, |at| {
            written.fetch_add(1, Ordering::Relaxed);
            let mut fields = <[String; FIELDS]>::default();
            fields[0] = tools[at].1.clone();
            fields
        })
        .await
        .expect("indexed");
    (changed, written.into_inner())
}

async fn ids(index: &Index, word: &str) -> Vec<String> {
    let found = index.tools_with(&[word.to_owned()], None, 100).await;
    found
        .expect("found")
        .into_iter()
        .map(|tool| tool.id)
        .collect()
}

#[tokio::test]
async fn the_index_holds_exactly_the_last_set_and_writes_only_what_changed() {
    let index = Index::in_memory().await.expect("an index");
    let mut tools = vec![
        key("a.one", "apple"),
        key("a.two", "banana apple"),
        key("b.one", "cherry"),
    ];
    assert_eq!(sync(&index, &tools).await, (true, 3));
    assert_eq!(sync(&index, &tools).await, (false, 0));
    tools.reverse();
    assert_eq!(
        sync(&index, &tools).await,
        (false, 0),
        "the order is no matter"
    );

    let tools = [key("a.one", "damson"), key("a.two", "banana apple")];
    assert_eq!(sync(&index, &tools).await, (true, 1));
    assert_eq!(ids(&index, "apple").await, ["a.two"]);
    assert_eq!(ids(&index, "damson").await, ["a.one"]);
    assert!(ids(&index, "cherry").await.is_empty());
    assert_eq!(index.tool_count().await.expect("a count"), 2);
    assert_eq!(sync(&index, &[]).await, (true, 0));
    assert_eq!(index.tool_count().await.expect("a count"), 0);
}

#[tokio::test]
async fn words_are_counted_and_found_by_their_beginning() {
    let index = Index::in_memory().await.expect("an index");
    sync(
        &index,
        &[
            key("a.one", "mongo mongodb mongodb"),
            key("a.two", "mongodb monkey"),
        ],
    )
    .await;
    let counts = index
        .terms(&["mongodb".into(), "absent".into(), "a\"b".into()])
        .await
        .expect("terms");
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [("mongodb".to_owned(), 2)]
    );
    let terms = index.terms_beginning("mongo", 10).await.expect("terms");
    let words: Vec<&str> = terms.iter().map(|term| term.word.as_str()).collect();
    assert_eq!(words, ["mongo", "mongodb"]);
    assert_eq!(
        index
            .terms_beginning("mongo", 1)
            .await
            .expect("terms")
            .len(),
        1
    );
}

#[tokio::test]
async fn nothing_in_a_word_is_taken_for_the_language_of_queries() {
    let index = Index::in_memory().await.expect("an index");
    sync(&index, &[key("a.one", "apple"), key("a.two", "name")]).await;
    for word in [
        "\"",
        "apple\" OR \"name",
        "name : apple",
        "a*",
        "(",
        "NEAR(apple name)",
        "\0",
    ] {
        assert!(ids(&index, word).await.is_empty(), "{word:?}");
    }
    assert!(
        index
            .tools_with(&[], None, 10)
            .await
            .expect("found")
            .is_empty()
    );
}

#[tokio::test]
async fn only_tools_that_are_allowed_are_found_and_they_do_not_take_each_others_places() {
    let index = Index::in_memory().await.expect("an index");
    let tools: Vec<_> = (0..50)
        .map(|n| key(&format!("a.t{n:02}"), "apple"))
        .collect();
    sync(&index, &tools).await;
    let found = index
        .tools_with(&["apple".into()], Some(&["a.t48", "a.t49", "a.absent"]), 2)
        .await
        .expect("found");
    let ids: Vec<&str> = found.iter().map(|tool| tool.id.as_str()).collect();
    assert_eq!(ids, ["a.t48", "a.t49"]);
    let none = index.tools_with(&["apple".into()], Some(&[]), 2).await;
    assert!(none.expect("found").is_empty());
}

#[tokio::test]
async fn it_is_kept_for_its_owner_alone() {
    let home = tempfile::tempdir().expect("a folder");
    let index = Index::open(home.path()).await.expect("an index");
    assert!(index.is_kept());
    sync(&index, &[key("a.one", "apple")]).await;
    index.close().await;
    let mode = std::fs::metadata(home.path().join("index.db"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Index::open(home.path()).await.expect("an index");
    assert_eq!(ids(&again, "apple").await, ["a.one"]);
}

#[tokio::test]
async fn a_damaged_or_older_index_is_made_anew() {
    for damage in [
        "not a database, but longer than a header of SQLite's is, so that it is read as one of these, no?",
        "",
    ] {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("index.db");
        if damage.is_empty() {
            let index = Index::open(home.path()).await.expect("an index");
            sync(&index, &[key("a.one", "apple")]).await;
            sqlx::raw_sql("PRAGMA user_version = 0")
                .execute(&index.pool)
                .await
                .expect("an older one");
            index.close().await;
        } else {
            File::create(&path)
                .and_then(|mut file| std::io::Write::write_all(&mut file, damage.as_bytes()))
                .expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .expect("a mode");
        }
        let index = Index::open(home.path()).await.expect("an index");
        assert!(index.is_kept(), "{:?}", index.why_in_memory());
        assert_eq!(index.tool_count().await.expect("a count"), 0);
        assert_eq!(sync(&index, &[key("a.one", "apple")]).await, (true, 1));
        index.close().await;
        assert_eq!(
            ids(&Index::open(home.path()).await.expect("an index"), "apple").await,
            ["a.one"]
        );
    }
}

#[tokio::test]
async fn a_newer_index_is_left_alone_and_one_in_memory_takes_its_place() {
    let home = tempfile::tempdir().expect("a folder");
    let index = Index::open(home.path()).await.expect("an index");
    sync(&index, &[key("a.one", "apple")]).await;
    sqlx::raw_sql("PRAGMA user_version = 99")
        .execute(&index.pool)
        .await
        .expect("a newer one");
    index.close().await;
    let before = std::fs::read(home.path().join("index.db")).expect("a file");
    let index = Index::open(home.path()).await.expect("an index");
    assert!(!index.is_kept());
    let why = index.why_in_memory().expect("a reason").to_string();
    assert!(why.contains("newer version"), "{why}");
    sync(&index, &[key("b.one", "banana")]).await;
    assert_eq!(ids(&index, "banana").await, ["b.one"]);
    index.close().await;
    assert_eq!(
        std::fs::read(home.path().join("index.db")).expect("a file"),
        before
    );
}

#[tokio::test]
async fn where_no_file_can_be_the_index_is_in_memory() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join("index.db")).expect("something in the way");
    let index = Index::open(home.path()).await.expect("an index");
    assert!(!index.is_kept() && index.why_in_memory().is_some());
    sync(&index, &[key("b.one", "banana")]).await;
    assert_eq!(ids(&index, "banana").await, ["b.one"]);
}

#[tokio::test]
async fn two_that_open_it_at_once_share_it() {
    let home = tempfile::tempdir().expect("a folder");
    let tools = [key("a.one", "apple"), key("a.two", "banana")];
    let work = || async {
        let index = Index::open(home.path()).await.expect("an index");
        assert!(index.is_kept(), "{:?}", index.why_in_memory());
        sync(&index, &tools).await;
        let found = ids(&index, "apple").await;
        index.close().await;
        found
    };
    let (one, other) = tokio::join!(work(), work());
    assert_eq!(
        (one, other),
        (vec!["a.one".to_owned()], vec!["a.one".to_owned()])
    );
}

#[tokio::test]
async fn whoever_finds_it_damaged_second_keeps_what_the_first_made() {
    let home = tempfile::tempdir().expect("a folder");
    let first = Index::open(home.path()).await.expect("an index");
    let second = Index::open(home.path()).await.expect("an index");
    let seen = inode(second.path.as_deref());
    let first = first.rebuilt().await.expect("a new one");
    sync(&first, &[key("a.one", "apple")]).await;
    // As in `rebuilt`, with what was seen before the first one did it.
    second.remove(seen).await.expect("nothing to do");
    first.close().await;
    assert_eq!(
        ids(&Index::open(home.path()).await.expect("an index"), "apple").await,
        ["a.one"]
    );
}

#[tokio::test]
async fn vectors_belong_to_a_text_and_a_model_and_go_with_the_text() {
    let index = Index::in_memory().await.expect("an index");
    let tools = [key("a.one", "apple"), key("a.two", "banana")];
    sync(&index, &tools).await;
    let digest = tools[0].0.digest;
    index
        .keep_tool_vectors("m", &[(digest, vec![1.0, -0.5, f32::MIN_POSITIVE])])
        .await
        .expect("kept");
    assert_eq!(
        index.tool_vectors("m").await.expect("vectors"),
        [("a.one".to_owned(), vec![1.0, -0.5, f32::MIN_POSITIVE])]
    );
    assert_eq!(
        index.tools_without_vector("m").await.expect("ids"),
        ["a.two"]
    );
    assert!(
        index
            .tool_vectors("other")
            .await
            .expect("vectors")
            .is_empty()
    );
    assert_eq!(
        index
            .tools_without_vector("other")
            .await
            .expect("ids")
            .len(),
        2
    );
    // A tool that comes back with the same text has to be looked at by the model again; one that stays has not.
    sync(&index, &[key("a.one", "apple")]).await;
    assert_eq!(index.tool_vectors("m").await.expect("vectors").len(), 1);
    sync(&index, &[]).await;
    sync(&index, &tools).await;
    assert!(index.tool_vectors("m").await.expect("vectors").is_empty());
}
