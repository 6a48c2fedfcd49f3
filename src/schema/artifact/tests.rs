use super::*;

fn why(bytes: &[u8]) -> String {
    let error = sniff(bytes, MAX_BYTES).expect_err("is refused");
    assert_eq!(error.code(), Code::E3105);
    error.to_string()
}

#[test]
fn each_thing_that_is_no_component_is_called_by_its_name() {
    for (bytes, expected) in [
        (&b""[..], "empty"),
        (b"\0as", "cut off"),
        (b"\0asm\x0d\0", "cut off: it ends after 6 bytes"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0c\0\x01\0", "version 12"),
        (b"\0asm\x0d\0\x02\0", "unknown kind"),
        (b"(component)", "text"),
        (b"  \n;; hi\n(module)", "text"),
        (b"\x7fELF\x02", "ELF"),
        (b"PK\x03\x04", "ZIP"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"#!/bin/sh", "script"),
        (b"package a:b;", "WIT text"),
        (b"\xff\xfe\0\0", "not WebAssembly"),
    ] {
        let why = why(bytes);
        assert!(why.contains(expected), "{bytes:?}: {why}");
    }
    assert!(sniff(&COMPONENT_HEADER, MAX_BYTES).is_ok());
}

#[test]
fn a_core_module_comes_with_the_way_to_make_a_component_of_it() {
    let error = sniff(b"\0asm\x01\0\0\0", MAX_BYTES).expect_err("is refused");
    assert!(error.hints().join(" ").contains("wasm-tools component new"));
}

#[test]
fn size_is_limited() {
    assert!(sniff(&COMPONENT_HEADER, 8).is_ok());
    let error = sniff(&COMPONENT_HEADER, 7).expect_err("is refused");
    assert!(error.to_string().contains("more than the 7"), "{error}");
}

#[test]
fn custom_sections_are_added_found_and_removed() {
    let empty = COMPONENT_HEADER.to_vec();
    let with = with_custom_sections(&empty, &[], &[("a", b"one"), ("b", b""), ("a", b"two")])
        .expect("adds");
    assert_eq!(
        custom_sections(&with, "a").expect("reads"),
        [&b"one"[..], b"two"]
    );
    assert_eq!(custom_sections(&with, "b").expect("reads"), [&b""[..]]);
    assert!(custom_sections(&with, "c").expect("reads").is_empty());
    wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
        .validate_all(&with)
        .expect("is still a component");

    let replaced = with_custom_sections(&with, &["a"], &[("a", b"three")]).expect("replaces");
    assert_eq!(
        custom_sections(&replaced, "a").expect("reads"),
        [&b"three"[..]]
    );
    assert_eq!(
        with_custom_sections(&with, &["a", "b"], &[]).expect("removes"),
        empty
    );
}

#[test]
fn a_section_past_the_end_is_an_error_and_not_a_panic() {
    for tail in [
        &[0, 5, 1][..],
        &[0, 0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0, 0xff],
        &[7],
    ] {
        let mut bytes = COMPONENT_HEADER.to_vec();
        bytes.extend_from_slice(tail);
        let error = custom_sections(&bytes, "a").expect_err("is refused");
        assert!(error.to_string().contains("cut off or damaged"), "{error}");
        assert!(with_custom_sections(&bytes, &[], &[]).is_err());
    }
    // A name that is longer than its section is not ours to judge: the section is kept as it is.
    let mut odd = COMPONENT_HEADER.to_vec();
    odd.extend_from_slice(&[0, 1, 9]);
    assert!(custom_sections(&odd, "").expect("reads").is_empty());
    assert_eq!(with_custom_sections(&odd, &[""], &[]).expect("copies"), odd);
}
