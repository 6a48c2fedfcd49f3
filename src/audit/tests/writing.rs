use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[test]
fn a_log_begins_signed_and_ends_signed() {
    let home = Home::new();
    let log = home.open(Options::default());
    log.append(event(1)).expect("taken");
    log.close().expect("closed");
    assert_eq!(
        home.kinds(),
        ["log_opened", "checkpoint", "execution_start", "checkpoint"]
    );
    let report = home.verify().expect("whole");
    assert_eq!((report.records, report.files, report.unsigned), (4, 1, 0));
    assert_eq!(report.head, log.head());
    assert!(report.is_key_trusted);
    let modes = [home.folder(), home.folder().join(file_name(1))]
        .map(|path| std::fs::metadata(path).expect("there").mode() & 0o777);
    assert_eq!(modes, [0o700, 0o600]);
    assert!(log.append(event(2)).is_err(), "it is closed");
}

#[test]
fn the_format_of_a_line_is_the_documented_one() {
    let home = Home::new();
    let log = home.open(Options::default());
    let call = crate::ids::CallId::generate();
    log.append_durable(
        Event::new(EventType::CredentialAccess)
            .call(call)
            .subject("git.push")
            .plugin("git")
            .digest("sha256:00")
            .principal("me")
            .agent("helper")
            .session("s1")
            .masked()
            .at(std::time::UNIX_EPOCH + Duration::from_millis(1500))
            .with("name", "TOKEN"),
    )
    .expect("written");
    let line = lines_of(&home.folder(), 1).pop().expect("a line");
    let record = home.records().pop().expect("a record");
    let Record { id, prev, log, .. } = record;
    assert_eq!(
        line,
        format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{id}\",\"source\":\"toolhatch\",\"type\":\"toolhatch.credential_access\",\
             \"time\":\"1970-01-01T00:00:01.500000Z\",\"seq\":3,\"prev\":\"{prev}\",\"log\":\"{log}\",\
             \"executionid\":\"{call}\",\"subject\":\"git.push\",\"plugin\":\"git\",\"digest\":\"sha256:00\",\
             \"principal\":\"me\",\"agentname\":\"helper\",\"session\":\"s1\",\"masked\":true,\
             \"datacontenttype\":\"application/json\",\"data\":{{\"name\":\"TOKEN\"}}}}\n"
        )
    );
}

#[test]
fn the_chain_goes_on_over_files_and_restarts() {
    let home = Home::new();
    for round in 0..4 {
        let log = home.open(small_files());
        for number in 0..10 {
            log.append(event(round * 10 + number)).expect("taken");
        }
        log.close().expect("closed");
    }
    let report = home.verify().expect("whole");
    assert!(report.files > 3, "{report:?}");
    let numbers: Vec<_> = home
        .records()
        .iter()
        .filter_map(|record| record.data_value()["number"].as_u64())
        .collect();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
}

#[test]
fn an_old_file_is_followed_by_a_new_one() {
    let home = Home::new();
    let options = Options {
        max_age: Some(Duration::ZERO),
        ..Options::default()
    };
    let log = home.open(options);
    log.append_durable(event(1)).expect("written");
    log.append_durable(event(2)).expect("written");
    log.close().expect("closed");
    assert_eq!(home.verify().expect("whole").files, 3);
}

#[test]
fn every_place_that_needs_a_checkpoint_has_one() {
    let home = Home::new();
    let options = Options {
        max_file_bytes: 61_000,
        ..Options::default()
    };
    let log = home.open(options);
    for number in 0..3000 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    let records = home.records();
    assert!(records.len() > 3000);
    for record in records.iter().filter(|record| record.seq % 256 == 0) {
        assert_eq!(record.kind, "checkpoint", "record {}", record.seq);
    }
    home.verify().expect("whole");
}

#[test]
fn a_waiting_record_is_signed_after_a_while() {
    let home = Home::new();
    let log = home.open(Options {
        checkpoint_interval: Duration::from_millis(20),
        ..Options::default()
    });
    log.append(event(1)).expect("taken");
    let waited = std::time::Instant::now();
    while home.kinds().last().map(String::as_str) != Some("checkpoint") || home.kinds().len() < 4 {
        assert!(
            waited.elapsed() < Duration::from_secs(10),
            "{:?}",
            home.kinds()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(home.kinds().len(), 4, "an idle log does not grow");
    drop(log);
}

#[test]
fn retention_removes_whole_files_and_the_rest_verifies() {
    let home = Home::new();
    let log = home.open(Options {
        keep_files: Some(3),
        ..small_files()
    });
    for number in 0..60 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    let report = home.verify().expect("whole");
    assert_eq!(report.files, 3);
    if let Some((is_good, words)) = attacks::python(&home, Some(report.head)) {
        assert!(is_good, "{words}");
    }
    let first = report.first_file.expect("some were removed");
    std::fs::remove_file(home.folder().join(&first)).expect("removed");
    let fault = home
        .verify()
        .expect_err("nothing says that this one may go");
    assert_eq!((fault.kind, fault.file), (FaultKind::MissingFile, first));
}

#[test]
fn many_writers_share_one_log() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                let log = home.open(small_files());
                for number in 0..50 {
                    let event = event(number).principal(writer);
                    if number % 7 == 0 {
                        log.append_durable(event).expect("written");
                    } else {
                        log.append(event).expect("taken");
                    }
                }
                log.close().expect("closed");
            });
        }
    });
    home.verify().expect("whole");
    for writer in 0..4 {
        let numbers: Vec<_> = home
            .records()
            .iter()
            .filter(|record| record.principal == Some(writer.to_string()))
            .filter_map(|record| record.data_value()["number"].as_u64())
            .collect();
        assert_eq!(numbers, (0..50).collect::<Vec<_>>(), "writer {writer}");
    }
}

#[test]
fn sinks_get_every_line_that_is_in_the_files() {
    #[derive(Clone, Default)]
    struct Copy(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Copy {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("free").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let home = Home::new();
    home.open(small_files()).close().expect("begun");
    let begun = lines_of(&home.folder(), 1).concat();
    let copy = Copy::default();
    let outlets = Outlets {
        sinks: vec![Box::new(WriteSink(copy.clone()))],
        on_error: None,
    };
    let log = AuditLog::open(&home.folder(), &home.keys(), small_files(), outlets).expect("open");
    for number in 0..30 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    let files = home.verify().expect("whole").files;
    let written: String = (1..=files)
        .flat_map(|number| lines_of(&home.folder(), number))
        .collect();
    let copied = copy.0.lock().expect("free").clone();
    assert_eq!(begun + &String::from_utf8(copied).expect("UTF-8"), written);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_several_writers_do_in_turn_verifies(
        steps in prop::collection::vec((0usize..3, 0usize..5, 0usize..300), 1..40),
        every in 1u64..40,
        keep in prop::option::of(1u32..5),
    ) {
        let home = Home::new();
        let options = Options { checkpoint_every: every, keep_files: keep, ..small_files() };
        let mut logs: Vec<Option<AuditLog>> = vec![None, None, None];
        let mut written = 0;
        for (writer, what, size) in steps {
            let log = logs[writer].get_or_insert_with(|| home.open(options.clone()));
            let event = event(written).with("text", "\"é\n".repeat(size));
            match what {
                0 => log.append(event).expect("taken"),
                1 => log.append_durable(event).expect("written"),
                2 => log.flush().expect("flushed"),
                3 => log.checkpoint().expect("signed"),
                _ => { logs[writer].take().expect("open").close().expect("closed"); }
            }
            written += usize::from(what < 2);
        }
        logs.clear();
        let report = home.verify();
        prop_assert!(report.is_ok(), "{report:?}");
        if keep.is_none() {
            let events = home.kinds().iter().filter(|kind| *kind == "execution_start").count();
            prop_assert_eq!(events, written);
        }
    }
}
