//! A manifest from anywhere: reading it never panics, and what is valid survives being written out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::manifest::{parse_toml, parse_yaml, to_toml};

fuzz_target!(|text: &str| {
    if let Ok(manifest) = parse_toml(text, "fuzz") {
        let again = parse_toml(&to_toml(&manifest), "fuzz").expect("what was written is valid");
        assert_eq!(manifest, again);
    }
    let _ = parse_yaml(text, "fuzz");
});
