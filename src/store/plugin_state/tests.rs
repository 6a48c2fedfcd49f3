//! The state of plugins, in a folder of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(200);

fn owner() -> StateOwner {
    StateOwner::Installed("some".parse().expect("a name"))
}

async fn opened(home: &TempDir) -> PluginState {
    let opened = PluginState::open(home.path(), &owner(), LONG).await;
    opened.expect("it opens")
}

fn set(key: &str, value: &[u8]) -> KeyWrite {
    KeyWrite {
        key: key.to_owned(),
        value: Some(value.to_vec()),
        expected: None,
    }
}

const MADE: StateWritten = StateWritten::Done(Written::Made { was_there: false });

#[tokio::test]
async fn a_value_is_there_for_whoever_opens_it_next() {
    let home = TempDir::new().expect("a folder");
    let state = opened(&home).await;
    let written = state.write(&set("a", b"1"), 100, LONG).await;
    assert_eq!(written.expect("written"), MADE);
    state.close().await;
    let again = opened(&home).await;
    assert_eq!(
        again.get("a", LONG).await.expect("read"),
        Some(b"1".to_vec())
    );
    assert_eq!(again.get("b", LONG).await.expect("read"), None);
    assert_eq!(again.owner().await.expect("read"), "some");
}

#[tokio::test]
async fn keys_and_values_count_and_making_less_of_them_is_always_allowed() {
    let home = TempDir::new().expect("a folder");
    let state = opened(&home).await;
    let write = async |key: &str, value: &[u8], quota| {
        let write = set(key, value);
        state.write(&write, quota, LONG).await.expect("no trouble")
    };
    assert_eq!(write("key", b"seven!!", 10).await, MADE);
    assert_eq!(
        write("key", b"eight!!!", 10).await,
        StateWritten::Full { needed: 11 }
    );
    assert_eq!(write("x", b"", 10).await, StateWritten::Full { needed: 11 });
    // The quota was made smaller meanwhile: what is there stays, and can be made smaller.
    assert_eq!(
        write("key", b"six!!!", 5).await,
        StateWritten::Done(Written::Made { was_there: true })
    );
    let removed = KeyWrite {
        key: "key".to_owned(),
        value: None,
        expected: None,
    };
    let removed = state.write(&removed, 0, LONG).await.expect("no trouble");
    assert_eq!(
        removed,
        StateWritten::Done(Written::Made { was_there: true })
    );
    assert_eq!(write("0123456789", b"", 10).await, MADE);
}

#[tokio::test]
async fn a_change_that_expects_something_else_changes_nothing() {
    let home = TempDir::new().expect("a folder");
    let state = opened(&home).await;
    let replace = async |expected: Option<&[u8]>, value: Option<&[u8]>| {
        let write = KeyWrite {
            key: "k".to_owned(),
            value: value.map(<[u8]>::to_vec),
            expected: Some(expected.map(<[u8]>::to_vec)),
        };
        let written = state.write(&write, 100, LONG).await.expect("no trouble");
        written != StateWritten::Done(Written::Other)
    };
    assert!(!replace(Some(b"1"), Some(b"2")).await);
    assert!(replace(None, Some(b"1")).await);
    assert!(!replace(None, Some(b"2")).await);
    assert!(replace(Some(b"1"), Some(b"2")).await);
    assert!(!replace(Some(b"1"), None).await);
    assert!(replace(Some(b"2"), None).await);
    assert!(replace(None, None).await);
    assert_eq!(state.get("k", LONG).await.expect("read"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_at_the_same_time_lose_nothing() {
    let home = TempDir::new().expect("a folder");
    let mut tasks = Vec::new();
    for _ in 0..4 {
        // Each with connections of its own, as processes have.
        let state = opened(&home).await;
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let before = state.get("n", LONG).await.expect("read");
                    let number = before.as_ref().map_or(0, |it| it[0]);
                    let write = KeyWrite {
                        key: "n".to_owned(),
                        value: Some(vec![number + 1]),
                        expected: Some(before),
                    };
                    let written = state.write(&write, 100, LONG).await.expect("no trouble");
                    if written != StateWritten::Done(Written::Other) {
                        break;
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.expect("done");
    }
    let state = opened(&home).await;
    assert_eq!(state.get("n", LONG).await.expect("read"), Some(vec![100]));
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_lock_is_told() {
    let home = TempDir::new().expect("a folder");
    let other = opened(&home).await;
    let state = opened(&home).await;
    let held = other.begin().await.expect("locked");
    let begun = Instant::now();
    let error = state
        .write(&set("a", b"1"), 100, SHORT)
        .await
        .expect_err("locked");
    assert_eq!(error.code(), Code::E3001);
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG);
    // Whoever only reads does not wait.
    assert_eq!(state.get("a", SHORT).await.expect("read"), None);
    held.rollback().await.expect("let go");
    let written = state.write(&set("a", b"1"), 100, LONG).await;
    assert_eq!(written.expect("written"), MADE);
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    let home = TempDir::new().expect("a folder");
    let path = owner().path(home.path());
    let state = opened(&home).await;
    for key in 0..200 {
        let write = set(&format!("key {key}"), &[1; 100]);
        state.write(&write, u64::MAX, LONG).await.expect("written");
    }
    state.close().await;
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[100..].fill(0x5a);
    fsx::write_atomic(&path, &bytes, 0o600).expect("written");
    let opened = PluginState::open(home.path(), &owner(), SHORT).await;
    let error = match opened {
        Err(error) => error,
        Ok(state) => state.get("key 7", SHORT).await.expect_err("damaged"),
    };
    assert_eq!(error.code(), Code::E3109);
    assert!(error.to_string().contains(&*path.to_string_lossy()));
    assert!(error.hints()[0].contains("begins anew"), "{error:?}");
}

#[tokio::test]
async fn a_newer_format_is_left_alone() {
    let home = TempDir::new().expect("a folder");
    let state = opened(&home).await;
    sqlx::raw_sql("PRAGMA user_version = 2")
        .execute(&state.pool)
        .await
        .expect("changed");
    state.close().await;
    let opened = PluginState::open(home.path(), &owner(), SHORT).await;
    let error = opened.expect_err("newer");
    assert_eq!(error.code(), Code::E3109);
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn removing_leaves_no_file_unless_it_is_in_use() {
    let home = TempDir::new().expect("a folder");
    let path = owner().path(home.path());
    let state = opened(&home).await;
    state
        .write(&set("secret", b"hidden"), 100, LONG)
        .await
        .expect("written");
    let other = opened(&home).await;
    assert!(other.get("secret", LONG).await.expect("read").is_some());
    state.remove(LONG).await.expect("removed");
    assert!(path.exists(), "another one uses it");
    assert_eq!(other.get("secret", LONG).await.expect("read"), None);
    other.remove(LONG).await.expect("removed");
    assert!(!path.exists());
    let left = std::fs::read_dir(path.parent().expect("a folder")).expect("readable");
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn what_is_removed_is_not_left_in_the_file() {
    let home = TempDir::new().expect("a folder");
    let path = owner().path(home.path());
    let state = opened(&home).await;
    state
        .write(&set("k", b"hidden words"), 100, LONG)
        .await
        .expect("written");
    state.clear(LONG).await.expect("cleared");
    state.close().await;
    let bytes = std::fs::read(&path).expect("readable");
    assert!(!bytes.windows(12).any(|at| at == b"hidden words"));
}

#[test]
fn files_of_a_plugin_and_of_a_path_are_apart() {
    let home = Path::new("/home");
    let installed = owner().path(home);
    let file = StateOwner::File("/some".into()).path(home);
    assert_ne!(installed, file);
    assert_ne!(file, StateOwner::File("/other".into()).path(home));
    assert_ne!(installed.parent(), file.parent());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is written in whatever order, it holds what a map would, and counts what it holds.
    #[test]
    fn it_is_a_map_that_counts(
        writes in proptest::collection::vec(
            ("[a-cé\u{10ffff}]{1,3}", proptest::option::of(proptest::collection::vec(any::<u8>(), 0..6))),
            1..24,
        ),
        prefix in "[a-cé\u{10ffff}]{0,2}",
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let home = TempDir::new().expect("a folder");
            let state = opened(&home).await;
            let mut map = BTreeMap::new();
            for (key, value) in writes {
                let write = KeyWrite { key: key.clone(), value: value.clone(), expected: None };
                state.write(&write, u64::MAX, LONG).await.expect("written");
                match value {
                    Some(value) => { map.insert(key, value); }
                    None => { map.remove(&key); }
                }
            }
            let keys = state.keys(&prefix, LONG).await.expect("read");
            let expected: Vec<&String> = map.keys().filter(|key| key.starts_with(&prefix)).collect();
            assert_eq!(keys.iter().collect::<Vec<_>>(), expected);
            let size: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
            let counted: i64 = sqlx::query_scalar("SELECT bytes FROM owner").fetch_one(&state.pool).await.expect("read");
            assert_eq!(counted, i64::try_from(size).expect("small"));
        });
    }
}
