//! JSON that claims to be a stored question: what is read is written back as it was meant, and is answered.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolhatch::policy::{DEFAULT_FILE, DEFAULT_POLICIES, Policies, Question};

static POLICIES: LazyLock<Policies> = LazyLock::new(|| {
    Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &[]).expect("the default loads")
});

fuzz_target!(|text: &str| {
    let Ok(question) = Question::from_json(text) else {
        return;
    };
    let written = question.to_json().to_string();
    let again = Question::from_json(&written).expect("what was written can be read");
    assert_eq!(again, question);
    assert_eq!(POLICIES.decide(&again), POLICIES.decide(&question));
});
