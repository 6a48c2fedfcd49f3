//! The manifest inside a `.wasm` file: a custom section of the outermost component.

use wasm_encoder::{CustomSection, Section as _};
use wasmparser::BinaryReader;

use super::document::MAX_BYTES;
use crate::error::{Code, Error, Result};

/// The name of the custom section; its content is the TOML text.
pub const SECTION: &str = "toolhatch:manifest";

/// The file with `toml` as its manifest, in the place of one that is already there.
///
/// The same file and text always give the same bytes.
///
/// # Errors
/// E3105 where the file is not WebAssembly or the text is larger than a manifest may be.
pub fn embed(wasm: &[u8], toml: &str) -> Result<Vec<u8>> {
    if toml.len() > MAX_BYTES {
        return Err(Error::new(
            Code::E3105,
            format!(
                "packing the manifest: it has {} bytes, at most {MAX_BYTES} can be packed",
                toml.len()
            ),
        ));
    }
    let (header, sections) = split(wasm)?;
    let mut packed = Vec::with_capacity(wasm.len() + toml.len() + 32);
    packed.extend_from_slice(header);
    for section in sections.iter().filter(|section| section.manifest.is_none()) {
        packed.extend_from_slice(section.whole);
    }
    CustomSection {
        name: SECTION.into(),
        data: toml.as_bytes().into(),
    }
    .append_to(&mut packed);
    Ok(packed)
}

/// The manifest of the file, if it has one. Those of components inside it do not count.
///
/// # Errors
/// E3105 where the file is not WebAssembly, or has several manifests, or one that is too large or not UTF-8.
pub fn extract(wasm: &[u8]) -> Result<Option<String>> {
    let (_, sections) = split(wasm)?;
    let mut manifests = sections.iter().filter_map(|section| section.manifest);
    let Some(manifest) = manifests.next() else {
        return Ok(None);
    };
    let refused =
        |why: String| Error::new(Code::E3105, format!("reading the packed manifest: {why}"));
    if manifests.next().is_some() {
        return Err(refused(format!("there are several `{SECTION}` sections"))
            .hint("Pack the manifest again: that leaves one."));
    }
    if manifest.len() > MAX_BYTES {
        return Err(refused(format!(
            "it has {} bytes, at most {MAX_BYTES} are read",
            manifest.len()
        )));
    }
    match std::str::from_utf8(manifest) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => Err(refused(format!(
            "byte {} is not UTF-8",
            error.valid_up_to()
        ))),
    }
}

/// One section of the outermost level.
struct OneSection<'a> {
    /// The section with its id and size.
    whole: &'a [u8],
    /// Its data, where it is a manifest.
    manifest: Option<&'a [u8]>,
}

/// Cuts a file into its header and the sections of the outermost level, without looking into them.
fn split(wasm: &[u8]) -> Result<(&[u8], Vec<OneSection<'_>>)> {
    const HEADER: usize = 8;
    let header = wasm
        .get(..HEADER)
        .filter(|header| header.starts_with(b"\0asm"))
        .ok_or_else(|| {
            Error::new(
                Code::E3105,
                "reading the sections: it is not a WebAssembly file",
            )
            .hint("A `.wasm` file begins with the bytes 00 61 73 6d.")
        })?;
    let broken = |error: wasmparser::BinaryReaderError| {
        Error::new(
            Code::E3105,
            format!(
                "reading the sections: the file is cut off or corrupt at byte {}",
                error.offset()
            ),
        )
        .hint("Fetch or build the file again.")
        .caused_by(error)
    };
    let mut reader = BinaryReader::new(wasm, 0);
    reader.read_bytes(HEADER).map_err(broken)?;
    let mut sections = Vec::new();
    while !reader.eof() {
        let start = reader.original_position();
        let id = reader.read_u8().map_err(broken)?;
        let size = reader.read_var_u32().map_err(broken)?;
        let data = reader.read_bytes(size as usize).map_err(broken)?;
        let whole = wasm
            .get(start..reader.original_position())
            .unwrap_or_default();
        let manifest = if id == 0 {
            let mut content = BinaryReader::new(data, 0);
            let name = content.read_string().map_err(broken)?;
            (name == SECTION).then(|| data.get(content.current_position()..).unwrap_or_default())
        } else {
            None
        };
        sections.push(OneSection { whole, manifest });
    }
    Ok((header, sections))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn component() -> Vec<u8> {
        wat::parse_str(
            "(component (core module $m (func (export \"f\"))) (core instance (instantiate $m)))",
        )
        .expect("valid")
    }

    fn valid(wasm: &[u8]) -> bool {
        wasmparser::Validator::new().validate_all(wasm).is_ok()
    }

    #[test]
    fn what_is_packed_comes_out_again_and_the_component_stays_valid() {
        let packed = embed(&component(), "name = 'ä'").expect("packed");
        assert!(valid(&packed));
        assert_eq!(
            extract(&packed).expect("read").as_deref(),
            Some("name = 'ä'")
        );
        assert_eq!(extract(&component()).expect("read"), None);
        let again = embed(&packed, "x = 1").expect("packed again");
        assert_eq!(again, embed(&component(), "x = 1").expect("packed at once"));
    }

    #[test]
    fn the_manifest_of_an_inner_component_does_not_count() {
        let inner = embed(&component(), "name = 'inner'").expect("packed");
        let mut outer = wasm_encoder::Component::new();
        outer.section(&wasm_encoder::RawSection {
            id: 4,
            data: &inner,
        });
        let outer = outer.finish();
        assert!(valid(&outer));
        assert_eq!(extract(&outer).expect("read"), None);
    }

    #[test]
    fn several_manifests_are_refused_and_packing_again_repairs_them() {
        let mut twice = embed(&component(), "a = 1").expect("packed");
        let section = twice[component().len()..].to_vec();
        twice.extend_from_slice(&section);
        let error = extract(&twice).expect_err("two manifests");
        assert_eq!(error.code(), Code::E3105);
        assert!(
            error.to_string().contains("several `toolhatch:manifest`"),
            "{error}"
        );
        let repaired = embed(&twice, "a = 1").expect("packed");
        assert_eq!(extract(&repaired).expect("read").as_deref(), Some("a = 1"));
    }

    #[test]
    fn manifests_that_cannot_be_are_refused() {
        let error = embed(&component(), &" ".repeat(MAX_BYTES + 1)).expect_err("too large");
        assert_eq!(error.code(), Code::E3105);
        for (data, why) in [
            (vec![b' '; MAX_BYTES + 1], "at most"),
            (vec![b'a', 0xff], "byte 1 is not UTF-8"),
        ] {
            let mut wasm = component();
            CustomSection {
                name: SECTION.into(),
                data: data.into(),
            }
            .append_to(&mut wasm);
            let error = extract(&wasm).expect_err("refused");
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn files_that_are_not_webassembly_are_refused_with_a_sentence() {
        let whole = embed(&component(), "name = 'x'").expect("packed");
        for (bytes, why) in [
            (&b""[..], "not a WebAssembly file"),
            (b"#!/bin/sh\nexit\n", "not a WebAssembly file"),
            (&whole[..whole.len() - 1], "cut off or corrupt at byte"),
            (&whole[..10], "cut off or corrupt at byte"),
        ] {
            let error = extract(bytes).expect_err(why);
            assert_eq!(error.code(), Code::E3105);
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = extract(&bytes);
            bytes.splice(..0, *b"\0asm\x0d\0\x01\0");
            let _ = extract(&bytes);
            if let Ok(packed) = embed(&bytes, "t") {
                prop_assert_eq!(extract(&packed).expect("one"), Some("t".to_owned()));
            }
        }

        #[test]
        fn packing_what_came_out_changes_nothing(text in any::<String>()) {
            let packed = embed(&component(), &text).expect("packed");
            let out = extract(&packed).expect("read").expect("there");
            prop_assert_eq!(embed(&packed, &out).expect("packed"), packed);
        }
    }
}
