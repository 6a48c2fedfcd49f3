use super::*;
use crate::error::Code;

fn written(events: usize) -> Home {
    let home = Home::new();
    let log = home.open(small_files());
    for number in 0..events {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    home
}

#[test]
fn a_tail_torn_at_any_byte_is_recovered_and_said_so() {
    let home = Home::new();
    let log = home.open(small_files());
    log.append_durable(event(1)).expect("written");
    let path = home.folder().join(file_name(1));
    let whole = std::fs::read(&path).expect("read");
    drop(log);
    write(&path, &whole);
    let last = lines_of(&home.folder(), 1).pop().expect("a line").len();
    for torn in 1..last {
        write(&path, &whole[..whole.len() - last + torn]);
        let fault = home.verify().expect_err("torn");
        assert_eq!(fault.kind, FaultKind::Truncated, "{fault}");
        home.open(small_files()).close().expect("closed");
        let report = home.verify().expect("whole again");
        assert_eq!(report.recoveries, 1);
        let records = home.records();
        let recovered = records
            .iter()
            .find(|record| record.kind == "log_recovered")
            .expect("a record")
            .data_value();
        assert_eq!(recovered["torn_bytes"], torn);
        let kept = &whole[whole.len() - last..][..torn];
        assert_eq!(recovered["torn_hex"], head::hex(&kept[..torn.min(1024)]));
    }
}

#[test]
fn a_log_torn_in_any_of_its_first_or_last_bytes_goes_on() {
    // Every state a crash leaves while the first file is begun, and while the second is.
    let home = written(40);
    let first = lines_of(&home.folder(), 1).concat();
    let second: String = lines_of(&home.folder(), 2)[..2].concat();
    for number in (2..20).map(file_name) {
        let _ = std::fs::remove_file(home.folder().join(number));
    }
    for length in (0..second.len()).step_by(13) {
        write(&home.folder().join(file_name(1)), &first);
        write(&home.folder().join(file_name(2)), &second[..length]);
        let log = home.open(Options::default());
        log.append_durable(event(100)).expect("written");
        log.close().expect("closed");
        let report = home.verify().expect("whole");
        assert_eq!(report.files, 2, "{length}");
        std::fs::remove_file(home.folder().join(file_name(2))).expect("removed");
    }
    for length in (0..lines_of(&home.folder(), 1)[..2].concat().len()).step_by(13) {
        write(&home.folder().join(file_name(1)), &first[..length]);
        home.open(Options::default()).close().expect("closed");
        assert_eq!(home.verify().expect("whole").files, 1, "{length}");
    }
}

#[test]
fn rubbish_that_a_power_failure_left_is_cut_off() {
    let home = written(3);
    let path = home.folder().join(file_name(1));
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.extend_from_slice(&[0; 5000]);
    bytes.extend_from_slice(b"end of a record}\n\0\0");
    write(&path, &bytes);
    home.open(small_files()).close().expect("closed");
    assert_eq!(home.verify().expect("whole").recoveries, 1);
}

#[test]
fn a_newer_format_is_neither_written_to_nor_cut() {
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("\"specversion\":\"1.0\"", "\"specversion\":\"2.0\""),
    ] {
        let home = written(3);
        let path = home.folder().join(file_name(1));
        let newer = lines_of(&home.folder(), 1).concat().replace(from, to);
        write(&path, &newer);
        let error = home.try_open(small_files()).expect_err("refused");
        assert_eq!(error.code(), Code::E3801);
        assert_eq!(std::fs::read_to_string(&path).expect("read"), newer);
    }
}

#[test]
fn records_that_vanish_under_a_writer_are_noticed() {
    let home = written(3);
    let log = home.open(small_files());
    log.append_durable(event(4)).expect("written");
    let lines = lines_of(&home.folder(), 1);
    write(
        &home.folder().join(file_name(1)),
        lines[..lines.len() - 1].concat(),
    );
    let error = log.append_durable(event(5)).expect_err("refused");
    assert_eq!(error.code(), Code::E3801);
    assert!(error.to_string().contains("was there before"), "{error}");
    let rest = lines_of(&home.folder(), 1).len();
    assert_eq!(rest, lines.len() - 1, "nothing was written");
}

#[test]
fn while_the_log_cannot_be_written_strict_callers_are_told_and_others_wait() {
    let home = written(3);
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = std::sync::Arc::clone(&told);
    let outlets = Outlets {
        sinks: Vec::new(),
        on_error: Some(Box::new(move |error| {
            hears.lock().expect("free").push(error.code());
        })),
    };
    let options = Options {
        queue: 4,
        ..small_files()
    };
    let log = AuditLog::open(&home.folder(), &home.keys(), options, outlets).expect("open");
    // A folder in the place of the lock: nobody can write.
    let lock = home.folder().join("lock");
    std::fs::remove_file(&lock).expect("removed");
    std::fs::create_dir(&lock).expect("made");
    let error = log.append_durable(event(100)).expect_err("refused");
    assert_eq!(error.code(), Code::E3801);
    for number in 0..4 {
        log.append(event(200 + number)).expect("kept");
    }
    let full = (0..5)
        .find_map(|_| log.append(event(300)).err())
        .expect("no room");
    assert_eq!(full.code(), Code::E3803);
    // The caller may hear of it before the outlet does.
    while !told.lock().expect("free").contains(&Code::E3801) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    std::fs::remove_dir(&lock).expect("removed");
    let written_again = || log.flush();
    while written_again().is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    log.close().expect("closed");
    home.verify().expect("whole");
    let numbers: Vec<_> = home
        .records()
        .iter()
        .filter_map(|record| record.data_value()["number"].as_u64())
        .filter(|number| (100..204).contains(number))
        .collect();
    assert_eq!(
        numbers,
        [200, 201, 202, 203],
        "what was refused is not there, what was kept is"
    );
}

#[test]
fn a_key_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = written(1);
    let key = home.keys().join("audit.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o604)).expect("set");
    let error = home.try_open(small_files()).expect_err("refused");
    assert_eq!(error.code(), Code::E3109);
    std::fs::remove_file(&key).expect("removed");
    let error = home
        .try_open(small_files())
        .expect_err("a log is not continued with a new key");
    assert_eq!(error.code(), Code::E3109);
}
