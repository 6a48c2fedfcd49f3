//! A file of pins that somebody else may have written: reading it never panics, what is read is written as it was meant,
//! and no tool of it is usable in another form than the pinned one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::error::Code;
use toolhatch::pins::{Lock, State, verdicts};

fuzz_target!(|bytes: &[u8]| {
    let lock = match Lock::parse(bytes) {
        Ok(lock) => lock,
        Err(error) => return assert!(matches!(error.code(), Code::E3109 | Code::E3910)),
    };
    let text = lock.to_text().expect("it was in a file");
    assert_eq!(Lock::parse(text.as_bytes()).expect("our own"), lock);
    for (_, server) in lock.servers() {
        let seen = server.last_seen();
        let pending = server.pending();
        let _ = (pending.diff(), pending.to_json(), pending.summary());
        for (name, verdict) in verdicts(Some(server), &seen) {
            if verdict.is_usable() {
                let tool = server.tools.get(&name).expect("pinned");
                assert_ne!(tool.state, State::New);
                assert_eq!(seen.tools.get(&name), Some(&tool.descriptor));
            }
        }
    }
});
