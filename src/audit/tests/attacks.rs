//! The attacker has the folder and not the key.

use std::process::Command;

use super::super::head::{hex, sha256};
use super::*;

/// Several files of several records.
fn victim() -> Home {
    let home = Home::new();
    let log = home.open(small_files());
    for number in 0..40 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    assert!(home.verify().expect("whole").files >= 4);
    home
}

fn edit(home: &Home, file: u32, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines = lines_of(&home.folder(), file);
    change(&mut lines);
    write(&home.folder().join(file_name(file)), lines.concat());
}

/// Chains everything anew, as somebody who knows the format can: numbers and hashes fit again, signatures do not.
fn rechain(home: &Home) {
    let mut prev = "0".repeat(64);
    let mut seq = 0;
    let files = (1..).take_while(|number| home.folder().join(file_name(*number)).exists());
    for file in files {
        edit(home, file, |lines| {
            for line in lines {
                let old = Record::parse(line.trim_end().as_bytes()).expect("a record");
                seq += 1;
                *line = line
                    .replace(&old.prev, &prev)
                    .replace(&format!("\"seq\":{}", old.seq), &format!("\"seq\":{seq}"));
                prev = hex(&sha256(line.trim_end_matches('\n').as_bytes()));
            }
        });
    }
}

/// What the Python script says: whether the log is good, and its words. `None` where there is no Python.
pub(super) fn python(home: &Home, head: Option<Head>) -> Option<(bool, String)> {
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/verify-audit/verify.py"
    );
    let mut command = Command::new("python3");
    command.arg(script).arg(home.folder());
    command.args(["--key", &home.key().to_string()]);
    if let Some(head) = head {
        command.args(["--head", &head.to_string()]);
    }
    let output = command.output().ok()?;
    let words = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    ))
}

/// Both verifiers find the same file bad.
fn detect(home: &Home, head: Option<Head>) -> Fault {
    let fault = verify(&home.folder(), Some(&home.key()), head).expect_err("tampered with");
    assert!(!fault.file.is_empty(), "{fault}");
    if let Some((is_good, words)) = python(home, head) {
        assert!(!is_good, "{fault}; {words}");
        assert!(words.starts_with("BAD: "), "{words}");
        // One that looks only ahead names the record after a changed one, which may stand in the next file.
        let number = file_number(&fault.file).expect("a file");
        let near = [number, number + 1].map(file_name);
        assert!(
            near.iter().any(|name| words.contains(name)),
            "{fault}; {words}"
        );
    }
    fault
}

#[test]
fn what_nobody_touched_is_good_for_both() {
    let home = victim();
    let report = verify(
        &home.folder(),
        Some(&home.key()),
        Some(home.open(small_files()).head()),
    );
    let report = report.expect("whole");
    assert!(report.is_head_confirmed);
    if let Some((is_good, words)) = python(&home, Some(report.head)) {
        assert!(is_good, "{words}");
        assert!(words.contains(&report.head.to_string()), "{words}");
    }
}

#[test]
fn an_edited_record() {
    let home = victim();
    edit(&home, 2, |lines| {
        lines[3] = lines[3].replace("files.search", "files.delete")
    });
    let fault = detect(&home, None);
    assert_eq!(
        (fault.kind, fault.file.as_str(), fault.line),
        (FaultKind::Edited, "000002.jsonl", 4)
    );
    assert!(fault.id.is_some() && fault.seq.is_some());

    rechain(&home);
    assert_eq!(detect(&home, None).kind, FaultKind::BadSignature);
}

#[test]
fn the_first_signature_that_does_not_fit_is_named() {
    let home = Home::new();
    for number in 0..10 {
        let log = home.open(Options::default());
        log.append(event(number)).expect("taken");
        log.close().expect("closed");
    }
    // Lines 3, 5, 7 and so on are events, each with a checkpoint after it.
    edit(&home, 1, |lines| {
        lines[8] = lines[8].replace("files.search", "files.delete");
    });
    rechain(&home);
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::BadSignature, 10));
}

#[test]
fn an_edited_hash_is_told_from_an_edited_record() {
    let home = victim();
    let forged = "f".repeat(64);
    edit(&home, 2, |lines| {
        let prev = Record::parse(lines[4].trim_end().as_bytes())
            .expect("a record")
            .prev;
        lines[4] = lines[4].replace(&prev, &forged);
    });
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::Edited, 5));
}

#[test]
fn every_edited_byte_is_found() {
    let home = victim();
    let path = home.folder().join(file_name(1));
    let whole = std::fs::read(&path).expect("read");
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        write(&path, &bytes);
        let fault = home.verify().expect_err("one bit is another");
        let bad = whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        assert!(
            fault.line.abs_diff(bad) <= 1,
            "byte {at} of line {bad}: {fault}"
        );
        assert_eq!(fault.file, file_name(1));
    }
}

#[test]
fn a_deleted_record() {
    let home = victim();
    edit(&home, 2, |lines| drop(lines.remove(4)));
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::Deleted, 5));
    rechain(&home);
    assert_eq!(detect(&home, None).kind, FaultKind::BadSignature);
}

#[test]
fn an_inserted_record() {
    let home = victim();
    edit(&home, 2, |lines| lines.insert(5, lines[3].clone()));
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::Inserted, 6));
    rechain(&home);
    assert_eq!(detect(&home, None).kind, FaultKind::BadSignature);

    // Put in with the number and the hash that belong there.
    let home = victim();
    edit(&home, 2, |lines| {
        let forged = lines[4].replace("files.search", "files.delete");
        lines.insert(4, forged);
    });
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::Inserted, 5));
}

#[test]
fn reordered_records() {
    let home = victim();
    edit(&home, 2, |lines| lines.swap(3, 4));
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::Reordered, 4));
    rechain(&home);
    assert_eq!(detect(&home, None).kind, FaultKind::BadSignature);
}

#[test]
fn truncated_records() {
    let home = victim();
    edit(&home, 2, |lines| drop(lines.pop()));
    let fault = detect(&home, None);
    assert_eq!(
        (fault.kind, fault.file.as_str()),
        (FaultKind::Truncated, "000002.jsonl")
    );

    let home = victim();
    edit(&home, 2, |lines| lines[4].truncate(40));
    assert_eq!(detect(&home, None).kind, FaultKind::Malformed);

    let home = victim();
    let last = home.verify().expect("whole").files;
    edit(&home, last, |lines| {
        if let Some(line) = lines.last_mut() {
            line.truncate(40);
        }
    });
    assert_eq!(detect(&home, None).kind, FaultKind::Truncated);

    let home = victim();
    write(&home.folder().join(file_name(2)), "");
    assert_eq!(detect(&home, None).kind, FaultKind::Truncated);
}

#[test]
fn a_truncation_exactly_at_a_checkpoint() {
    let home = victim();
    let head = home.open(small_files()).head();
    let last = home.verify().expect("whole").files;
    edit(&home, last, |lines| lines.truncate(2));
    home.verify()
        .expect("it ends with a checkpoint: nothing in the log can tell");
    assert_eq!(detect(&home, Some(head)).kind, FaultKind::Behind);
}

#[test]
fn swapped_and_missing_files() {
    let home = victim();
    let [two, three, temporary] = [2, 3, 99].map(|number| home.folder().join(file_name(number)));
    std::fs::rename(&two, &temporary).expect("moved");
    let fault = detect_missing(&home);
    assert_eq!(fault.file, "000002.jsonl");
    std::fs::rename(&three, &two).expect("moved");
    std::fs::rename(&temporary, &three).expect("moved");
    let fault = detect(&home, None);
    assert_eq!(
        (fault.kind, fault.file.as_str()),
        (FaultKind::SwappedFile, "000002.jsonl")
    );

    // A file of another log of the same machine.
    let home = victim();
    let other = victim();
    std::fs::copy(
        other.folder().join(file_name(2)),
        home.folder().join(file_name(2)),
    )
    .expect("copied");
    let fault = detect(&home, None);
    assert_eq!(
        (fault.kind, fault.file.as_str()),
        (FaultKind::SwappedFile, "000002.jsonl")
    );

    // The newest or the oldest file is gone.
    let home = victim();
    let last = home.verify().expect("whole").files;
    std::fs::remove_file(home.folder().join(file_name(last))).expect("removed");
    assert_eq!(detect_missing(&home).file, file_name(last));
    let home = victim();
    std::fs::remove_file(home.folder().join(file_name(1))).expect("removed");
    assert_eq!(detect_missing(&home).file, file_name(1));
}

fn detect_missing(home: &Home) -> Fault {
    let fault = home.verify().expect_err("a file is missing");
    assert_eq!(fault.kind, FaultKind::MissingFile, "{fault}");
    if let Some((is_good, words)) = python(home, None) {
        assert!(!is_good, "{words}");
    }
    fault
}

#[test]
fn a_forged_removal_is_not_believed() {
    // Somebody writes a new file on their own that says the older ones were removed.
    let home = victim();
    let last = home.verify().expect("whole").files;
    let folder = home.folder();
    let log = home.open(Options {
        max_file_bytes: 1,
        keep_files: Some(1),
        ..Options::default()
    });
    log.append_durable(event(1)).expect("written");
    drop(log);
    home.verify().expect("a removal that was signed");
    let newest = file_name(last + 1);
    let lines = lines_of(&folder, last + 1);
    write(&folder.join(&newest), &lines[0]);
    assert_eq!(detect_missing(&home).kind, FaultKind::MissingFile);
}

#[test]
fn stripped_and_foreign_signatures() {
    let home = victim();
    edit(&home, 2, |lines| {
        let signature = lines[1].find(",\"signature\"").expect("a checkpoint");
        lines[1].truncate(signature);
        lines[1].push_str("}}\n");
    });
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::UnsignedRecords, 2));
    rechain(&home);
    assert_eq!(detect(&home, None).kind, FaultKind::UnsignedRecords);

    let home = victim();
    edit(&home, 2, |lines| drop(lines.remove(1)));
    rechain(&home);
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::UnsignedRecords, 2));

    // The whole log made anew with another key: good in itself, and not with the key that is trusted.
    let home = victim();
    let forger = victim();
    for file in 1..=home
        .verify()
        .expect("whole")
        .files
        .max(forger.verify().expect("whole").files)
    {
        let name = file_name(file);
        let _ = std::fs::remove_file(home.folder().join(&name));
        let _ = std::fs::copy(forger.folder().join(&name), home.folder().join(&name));
    }
    assert!(
        !verify(&home.folder(), None, None)
            .expect("good in itself")
            .is_key_trusted
    );
    let fault = detect(&home, None);
    assert_eq!((fault.kind, fault.line), (FaultKind::BadSignature, 2));
}

#[test]
fn a_restored_older_copy() {
    let home = victim();
    let copy = tempfile::tempdir().expect("folder");
    for file in 1.. {
        let name = file_name(file);
        if std::fs::copy(home.folder().join(&name), copy.path().join(&name)).is_err() {
            break;
        }
    }
    let yesterday = home.open(small_files()).head();
    let log = home.open(small_files());
    for number in 0..20 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    let today = log.head();
    verify(&home.folder(), Some(&home.key()), Some(yesterday)).expect("it only grew");

    for file in (1..99).map(file_name) {
        let _ = std::fs::remove_file(home.folder().join(&file));
        let _ = std::fs::copy(copy.path().join(&file), home.folder().join(&file));
    }
    home.verify().expect("the copy was whole");
    assert_eq!(detect(&home, Some(today)).kind, FaultKind::Behind);

    // Written on past the head, it has another record there.
    let log = home.open(small_files());
    for number in 0..40 {
        log.append(event(number)).expect("taken");
    }
    log.close().expect("closed");
    let fault = detect(&home, Some(today));
    assert_eq!(
        (fault.kind, fault.seq),
        (FaultKind::OtherHistory, Some(today.seq))
    );
}
