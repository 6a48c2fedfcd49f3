//! Texts of scopes and grants: reading them never panics, and what is valid is written back as it was meant.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::permission::{Allow, Capability, Kind};

fuzz_target!(|text: &str| {
    let _ = Allow::parse(text);
    for kind in Kind::ALL {
        if let Ok(capability) = Capability::parse(kind, text) {
            let again =
                Capability::parse(kind, &capability.to_string()).expect("its own text is valid");
            assert_eq!(capability, again);
        }
    }
});
