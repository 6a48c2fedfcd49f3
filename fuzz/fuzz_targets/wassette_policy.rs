//! A policy of Wassette from anywhere: reading it never panics, and whatever is proposed is something that a manifest takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::author::wassette;
use toolhatch::manifest::parse_toml;

fuzz_target!(|text: &str| {
    if let Ok(imported) = wassette::read(text, "fuzz") {
        let head = "schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n";
        let manifest = imported.amend(head).expect("what was read can be written");
        parse_toml(&manifest, "fuzz").expect("what is proposed is valid");
    }
});
