//! Bytes that claim to be a component: reading their interface never panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = toolhatch::schema::read_component(bytes, None);
    let _ = toolhatch::manifest::extract(bytes);
});
