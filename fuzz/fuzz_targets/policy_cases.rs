//! A file of policy cases from anywhere: reading it never panics, and each case comes to an end.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolhatch::policy::cases::Cases;
use toolhatch::policy::{DEFAULT_FILE, DEFAULT_POLICIES, Policies};

static POLICIES: LazyLock<Policies> = LazyLock::new(|| {
    Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &[]).expect("the default loads")
});

fuzz_target!(|text: &str| {
    if let Ok(cases) = Cases::parse("fuzz.toml", text) {
        let results = cases.run(&POLICIES, &|_| None);
        assert_eq!(results.len(), cases.cases.len());
    }
});
