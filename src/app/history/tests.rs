mod made;

use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::audit::{AuditLog, Options, Outlets};
use made::{Attack, Made, Step, attack, record_filter, steps};

/// A home with a log in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn audit(&self) -> PathBuf {
        self.path().join("audit")
    }

    fn log(&self, file_bytes: u64, keep: Option<u32>) -> AuditLog {
        let options = Options {
            max_file_bytes: file_bytes,
            keep_files: keep,
            ..Options::default()
        };
        let keys = self.path().join("keys");
        AuditLog::open(&self.audit(), &keys, options, Outlets::default()).expect("a log")
    }

    /// Appends events to the log, all of them on the disk when this returns.
    fn append(&self, events: &[Made], file_bytes: u64, keep: Option<u32>) {
        let log = self.log(file_bytes, keep);
        for (count, event) in events.iter().enumerate() {
            // A file ends between two batches.
            if count % 3 == 0 {
                log.append_durable(event.event()).expect("appended");
            } else {
                log.append(event.event()).expect("appended");
            }
        }
        log.close().expect("closed");
    }

    async fn indexed(&self) -> History<'static> {
        let history = History::open(self.path(), &self.audit()).await;
        assert!(history.is_indexed());
        history
    }

    /// One that has no index and reads the log.
    fn scanning(&self) -> History<'static> {
        History {
            folder: self.audit(),
            index: None,
            progress: &|_, _| {},
        }
    }

    /// Asks the index and the log, which must say the same.
    async fn compare(&self, records: &RecordFilter, calls: &CallFilter) {
        let (mut index, mut log) = (self.indexed().await, self.scanning());
        let (found, expected) = (index.query(records).await, log.query(records).await);
        assert_eq!(told(&found), told(&expected), "{records:?}");
        // It was the index that said so, wherever the log can be read.
        if expected.is_ok() {
            let kept = index.index.as_ref().expect("an index");
            let found = find::records(kept, &self.audit(), records, &|_, _| {}).await;
            let found = found.expect("an answer of the index");
            assert_eq!(told(&Ok(found)), told(&expected), "{records:?}");
        }
        let (found, expected) = (index.calls(calls).await, log.calls(calls).await);
        let (found, expected) = (numberless(found), numberless(expected));
        assert_eq!(told(&found), told(&expected), "{calls:?}");
        let (found, expected) = (index.costs(calls).await, log.costs(calls).await);
        assert_eq!(told(&found), told(&expected), "{calls:?}");
        index.close().await;
    }

    async fn compare_all(&self) {
        let records = RecordFilter {
            limit: usize::MAX,
            ..RecordFilter::default()
        };
        self.compare(&records, &CallFilter::default()).await;
    }

    fn files(&self) -> Vec<PathBuf> {
        let numbers = read::numbers(&self.audit()).expect("a list");
        let path = |number| self.audit().join(audit::file_name(number));
        numbers.into_iter().map(path).collect()
    }
}

/// The numbers that a history gives records are its own.
fn numberless(calls: Result<Vec<CallRow>>) -> Result<Vec<CallRow>> {
    calls.map(|calls| {
        calls
            .into_iter()
            .map(|call| CallRow { start: 0, ..call })
            .collect()
    })
}

fn told<T: std::fmt::Debug>(result: &Result<T>) -> String {
    match result {
        Ok(found) => format!("{found:#?}"),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

fn strike(home: &Home, attack: Attack, copy: &[(PathBuf, Vec<u8>)]) {
    let files = home.files();
    let pick = |number: usize| files[number % files.len()].clone();
    // The clock of a file system may tick but every few milliseconds.
    std::thread::sleep(Duration::from_millis(15));
    match attack {
        Attack::Edit(number) => {
            let path = pick(number);
            let text = fs::read_to_string(&path).expect("a file");
            put(&path, text.replace("files.read", "files.bead").as_bytes());
        }
        Attack::Truncate(number, at) => {
            let path = pick(number);
            let bytes = fs::read(&path).expect("a file");
            put(&path, &bytes[..at.min(bytes.len())]);
        }
        Attack::Remove(number) => fs::remove_file(pick(number)).expect("removed"),
        Attack::Restore => {
            for path in files {
                fs::remove_file(path).expect("removed");
            }
            for (path, bytes) in copy {
                put(path, bytes);
            }
        }
        Attack::Rubbish(number) => {
            let path = pick(number);
            let mut bytes = fs::read(&path).expect("a file");
            bytes.extend(b"rubbish\n");
            put(&path, &bytes);
        }
    }
}

/// Writes into the file that is there.
fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .expect("opened");
    file.write_all(bytes).expect("written");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn the_index_says_what_the_log_says(
        steps in steps(),
        file_bytes in prop_oneof![Just(3_000_u64), Just(12_000), Just(1 << 20)],
        keep in proptest::option::of(1_u32..4),
        attack in proptest::option::of(attack()),
        last in record_filter(),
    ) {
        let home = Home::new();
        drop(home.log(file_bytes, keep));
        let mut copy = Vec::new();
        block_on(async {
            for step in &steps {
                match step {
                    Step::Append(events) => {
                        copy = home
                            .files()
                            .into_iter()
                            .map(|path| { let bytes = fs::read(&path).expect("a file"); (path, bytes) })
                            .collect();
                        home.append(events, file_bytes, keep);
                    }
                    Step::Ask(records, calls) => home.compare(records, calls).await,
                }
            }
            home.compare_all().await;
            if let Some(attack) = attack {
                strike(&home, attack, &copy);
                home.compare(&last, &CallFilter::default()).await;
                home.compare_all().await;
            }
        });
    }
}

/// A log of several files with 200 calls, of which every tenth failed.
fn filled() -> Home {
    let home = Home::new();
    home.append(&filled_events(), 20_000, None);
    home
}

fn filled_events() -> Vec<Made> {
    (0..400_u16)
        .map(|number| Made {
            kind: usize::from(number % 2),
            call: Some((number / 2 % 90) as u8),
            tool: Some(usize::from(number / 2 % 4)),
            plugin: Some(0),
            session: Some(usize::from(number / 2 % 3)),
            outcome: (number % 2 == 1).then_some(usize::from(number % 20 == 19)),
            code: None,
            decision: None,
            odd: false,
            seconds: u64::from(number / 4),
            duration: 1.5,
        })
        .collect()
}

fn of_tool(tool: &str, limit: usize) -> RecordFilter {
    RecordFilter {
        tool: Some(tool.to_owned()),
        outcome: Some("error".to_owned()),
        limit,
        ..RecordFilter::default()
    }
}

#[tokio::test]
async fn a_question_finds_the_newest_and_a_second_one_reads_no_log() {
    let home = filled();
    let mut history = home.indexed().await;
    let found = history.query(&of_tool("files.*", 3)).await.expect("found");
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|record| record.kind == "execution_end"));
    assert!(found.is_sorted_by_key(|record| record.seq));
    let told = std::sync::atomic::AtomicBool::new(false);
    let tell = |_, _| told.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut history = history.telling(&tell);
    let again = history.query(&of_tool("files.*", 3)).await.expect("found");
    assert_eq!(again, found);
    assert!(!told.load(std::sync::atomic::Ordering::Relaxed));

    let failed = CallFilter {
        failed: true,
        limit: Some(5),
        ..CallFilter::default()
    };
    let calls = history.calls(&failed).await.expect("calls");
    assert_eq!(calls.len(), 5);
    let end = calls[0].end.clone().expect("an end");
    assert_eq!(end.outcome.as_deref(), Some("error"));
    assert_eq!(
        (end.duration_us, end.usage.cpu_us),
        (Some(1_500), Some(250))
    );
    let costs = history.costs(&CallFilter::default()).await.expect("costs");
    assert_eq!(costs.iter().map(|cost| cost.calls).sum::<u64>(), 200);
    assert_eq!(costs.iter().map(|cost| cost.failures).sum::<u64>(), 20);
    history.close().await;
}

#[tokio::test]
async fn a_damaged_index_is_made_anew() {
    let home = filled();
    home.compare_all().await;
    let path = home.path().join("index.db");
    let mut bytes = fs::read(&path).expect("an index");
    let middle = bytes.len() / 3;
    bytes[middle..].fill(0xA5);
    put(&path, &bytes);
    home.compare_all().await;
    home.indexed().await.close().await;
    put(&path, b"this is no database");
    home.compare_all().await;
}

#[tokio::test]
async fn an_index_that_says_what_is_not_there_is_made_anew() {
    let home = filled();
    let mut history = home.indexed().await;
    let expected = history.query(&of_tool("files.*", 9)).await.expect("found");
    let index = history.index.as_ref().expect("an index");
    let (seen, _) = index.history().await.expect("read").expect("a state");
    index.confuse_history().await;
    let found = history.query(&of_tool("files.*", 9)).await.expect("found");
    assert_eq!(found, expected);
    let index = history.index.as_ref().expect("it is still used");
    let (now, _) = index.history().await.expect("read").expect("a state");
    assert_ne!(now.generation, seen.generation);
    history.close().await;
}

#[tokio::test]
async fn where_the_index_cannot_be_used_the_log_answers() {
    let home = filled();
    let mut log = home.scanning();
    let expected = log.query(&of_tool("web.get", 9)).await.expect("found");
    fs::create_dir(home.path().join("index.db")).expect("a folder in its way");
    let mut history = History::open(home.path(), &home.audit()).await;
    assert!(!history.is_indexed());
    let found = history.query(&of_tool("web.get", 9)).await.expect("found");
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_can_catch_up_at_once() {
    let home = std::sync::Arc::new(filled());
    drop(Index::open(home.path()).await.expect("an index"));
    let mut expected = home.scanning();
    let all = RecordFilter {
        limit: usize::MAX,
        ..RecordFilter::default()
    };
    let expected = expected.query(&all).await.expect("found");
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (home, all) = (std::sync::Arc::clone(&home), all.clone());
            tokio::spawn(async move {
                let mut history = home.indexed().await;
                let found = history.query(&all).await.expect("found");
                assert!(history.is_indexed());
                history.close().await;
                found
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("done"), expected);
    }
    home.compare_all().await;
}

#[tokio::test]
async fn what_retention_removed_leaves_the_index_and_the_rest_stays() {
    let home = filled();
    let mut history = home.indexed().await;
    history.catch_up().await;
    let generation =
        |seen: Option<(crate::store::Reached, _)>| seen.map(|(seen, _)| seen.generation);
    let index = history.index.as_ref().expect("an index");
    let before = generation(index.history().await.expect("read"));
    let oldest = home.files().swap_remove(0);
    fs::remove_file(oldest).expect("removed");
    home.compare_all().await;
    let index = history.index.as_ref().expect("an index");
    let after = generation(index.history().await.expect("read"));
    assert_eq!(after, before, "nothing was read again");
    history.close().await;
}

#[tokio::test]
async fn records_that_join_a_chunk_later_are_found_by_their_times() {
    let home = Home::new();
    let event = |seconds| Made {
        kind: 4,
        call: None,
        tool: Some(0),
        plugin: None,
        session: None,
        outcome: None,
        code: None,
        decision: None,
        odd: false,
        seconds,
        duration: 0.0,
    };
    // Records of the log itself are of today: behind the first chunk there are none as long as the log stays open.
    let log = home.log(1 << 20, None);
    let append = |seconds| {
        log.append_durable(event(seconds).event())
            .expect("appended")
    };
    (0..8).for_each(|_| append(50));
    home.compare_all().await;
    append(90);
    append(10);
    for (since, until) in [
        (Some("2023-11-14T22:14:40"), None),
        (None, Some("2023-11-14T22:13:40")),
    ] {
        let filter = RecordFilter {
            kind: Some("error_occurred".to_owned()),
            since: since.map(str::to_owned),
            until: until.map(str::to_owned),
            limit: 9,
            ..RecordFilter::default()
        };
        let mut history = home.indexed().await;
        assert_eq!(history.query(&filter).await.expect("found").len(), 1);
        history.close().await;
        home.compare(&filter, &CallFilter::default()).await;
    }
}

#[tokio::test]
async fn another_history_in_the_same_file_is_read_from_its_beginning() {
    let home = Home::new();
    drop(home.log(1 << 20, None));
    let events = filled_events();
    home.append(&events[..20], 1 << 20, None);
    home.compare_all().await;
    let path = home.files().remove(0);
    let text = fs::read_to_string(&path).expect("a file");
    let mut other = text
        .replace("files.read", "files.bead")
        .replace("toolhatch.checkpoint", "toolhatch.checkpaint");
    let last = other.lines().last().map(str::to_owned).expect("a line");
    other.push_str(&format!("{last}\n"));
    put(&path, other.as_bytes());
    home.compare(&of_tool("files.bead", 9), &CallFilter::default())
        .await;
    home.compare_all().await;
}
