//! A component from anywhere: stripping it never panics, gives what can be read again, and has nothing left to do then.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::author::strip::strip;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(stripped) = strip(bytes) {
        assert!(stripped.len() <= bytes.len() + 16);
        assert_eq!(strip(&stripped).expect("it was read before"), stripped);
    }
});
