use super::*;
use crate::error::Code;
use crate::ids::CallId;

/// A log of calls that run at the same time, and the id of one of them.
fn calls() -> (Home, String) {
    let home = Home::new();
    let calls: Vec<CallId> = (0..5).map(|_| CallId::generate()).collect();
    let log = home.open(Options {
        checkpoint_every: 8,
        ..small_files()
    });
    for number in 0..40 {
        log.append(event(number).call(calls[number % 5]))
            .expect("taken");
    }
    log.close().expect("closed");
    (home, calls[2].to_string())
}

#[test]
fn a_call_is_proved_to_somebody_without_the_log() {
    let (home, call) = calls();
    let proof = prove(&home.folder(), &call).expect("made");
    let text = serde_json::to_string(&proof).expect("written");
    let read: Proof = serde_json::from_str(&text).expect("read");
    let proven = check_proof(&read, &home.key()).expect("sound");
    let numbers: Vec<_> = proven
        .records
        .iter()
        .map(|record| record.data_value()["number"].clone())
        .collect();
    assert_eq!(numbers, [2, 7, 12, 17, 22, 27, 32, 37]);
    assert_eq!(proven.log, home.verify().expect("whole").log);

    let one = prove(&home.folder(), &proven.records[3].id).expect("made");
    let lines: usize = one.runs.iter().map(Vec::len).sum();
    assert!(lines <= 9, "only up to the next checkpoint: {lines}");
    let proven_one = check_proof(&one, &home.key()).expect("sound");
    assert_eq!(proven_one.records, [proven.records[3].clone()]);
    assert!(proven_one.is_gapless);
}

#[test]
fn a_proof_that_was_changed_proves_nothing() {
    let (home, call) = calls();
    let proof = prove(&home.folder(), &call).expect("made");
    let key = home.key();
    let refused = |change: &dyn Fn(&mut Proof)| {
        let mut changed = proof.clone();
        change(&mut changed);
        check_proof(&changed, &key).expect_err("changed").code()
    };
    let codes = [
        refused(&|proof| proof.runs[0][0] = proof.runs[0][0].replace("files", "filed")),
        refused(&|proof| drop(proof.runs[0].remove(1))),
        refused(&|proof| proof.runs.swap(0, 1)),
        refused(&|proof| proof.runs.clear()),
        refused(&|proof| proof.runs[0].clear()),
        refused(&|proof| proof.subject = CallId::generate().to_string()),
        refused(&|proof| proof.format = 2),
    ];
    assert_eq!(codes, [Code::E3109; 7]);
    assert_eq!(
        refused(&|proof| drop(proof.runs[0].pop())),
        Code::E3110,
        "no checkpoint"
    );
    let other = Home::new();
    other.open(small_files()).close().expect("closed");
    let error = check_proof(&proof, &other.key()).expect_err("another key");
    assert_eq!(error.code(), Code::E3110);
}

#[test]
fn there_is_no_proof_of_what_is_not_there_or_not_signed() {
    let (home, _) = calls();
    let error = prove(&home.folder(), &CallId::generate().to_string()).expect_err("none");
    assert_eq!(error.code(), Code::E3101);
    let call = CallId::generate();
    let log = home.open(small_files());
    log.append_durable(event(1).call(call)).expect("written");
    let error = prove(&home.folder(), &call.to_string()).expect_err("not yet");
    assert!(error.to_string().contains("no checkpoint"), "{error}");
    log.checkpoint().expect("signed");
    prove(&home.folder(), &call.to_string()).expect("now");
}
