//! JSON that claims to prove records of an audit log: checking it never panics, and what it proves is about what it
//! names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolhatch::audit::{Proof, PublicKey, check_proof};

/// The public key of the proof in `seeds/proof`.
static KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    include_str!("../seeds/proof.pub")
        .trim_end()
        .parse()
        .expect("a public key")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(proof) = serde_json::from_slice::<Proof>(bytes) else {
        return;
    };
    let Ok(proven) = check_proof(&proof, &KEY) else {
        return;
    };
    assert!(!proven.records.is_empty());
    for record in &proven.records {
        assert_eq!(record.log, proven.log);
        assert!(record.id == proof.subject || record.call.as_ref() == Some(&proof.subject));
    }
});
