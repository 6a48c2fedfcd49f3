//! Takes out of a component what only a debugger reads.

use std::ops::Range;

use wasm_encoder::{ComponentSectionId, Encode as _, RawSection, Section as _};
use wasmparser::{Encoding, Parser, Payload};

use crate::error::{Code, Error, Result};

/// The component without debugging information, at every level. The names of functions stay: a backtrace is made of them.
///
/// # Errors
/// E3105 where the bytes are not WebAssembly.
pub fn strip(component: &[u8]) -> Result<Vec<u8>> {
    rewrite(component).map_err(|error| {
        Error::new(
            Code::E3105,
            "stripping the component: it is not valid WebAssembly",
        )
        .caused_by(error)
    })
}

fn rewrite(component: &[u8]) -> Result<Vec<u8>, wasmparser::BinaryReaderError> {
    let mut output = Vec::with_capacity(component.len());
    // What was written before the module or component that is being written now, and what that is.
    let mut around: Vec<(Vec<u8>, u8)> = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding, .. } => output.extend_from_slice(match encoding {
                Encoding::Component => &wasm_encoder::Component::HEADER,
                Encoding::Module => &wasm_encoder::Module::HEADER,
            }),
            Payload::ModuleSection { .. } => around.push((
                std::mem::take(&mut output),
                ComponentSectionId::CoreModule.into(),
            )),
            Payload::ComponentSection { .. } => around.push((
                std::mem::take(&mut output),
                ComponentSectionId::Component.into(),
            )),
            Payload::End(_) => {
                if let Some((mut outer, id)) = around.pop() {
                    outer.push(id);
                    output.encode(&mut outer);
                    output = outer;
                }
            }
            Payload::CustomSection(section) if is_for_debuggers(section.name()) => {}
            payload => copy(payload, component, &mut output),
        }
    }
    Ok(output)
}

fn copy(payload: &Payload<'_>, component: &[u8], output: &mut Vec<u8>) {
    let section: Option<(u8, Range<usize>)> = payload.as_section();
    if let Some((id, range)) = section
        && let Some(data) = component.get(range)
    {
        RawSection { id, data }.append_to(output);
    }
}

fn is_for_debuggers(section: &str) -> bool {
    section.starts_with(".debug")
        || section.starts_with("reloc.")
        || section == "linking"
        || section == "sourceMappingURL"
        || section == "external_debug_info"
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAT: &str = "(component
      (core module (@custom \".debug_info\" \"secret path\") (func $named (export \"f\")))
      (component (core module (@custom \".debug_line\" \"deep\") (func $inner)) (@custom \"kept\" \"yes\")))";

    #[test]
    fn debugging_information_goes_and_the_rest_stays() {
        let component = wat::parse_str(WAT).expect("valid");
        let stripped = strip(&component).expect("stripped");
        let has =
            |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|at| at == text.as_bytes());
        assert!(has(&component, "secret path") && has(&component, "deep"));
        assert!(!has(&stripped, "secret path") && !has(&stripped, "deep"));
        for kept in ["named", "inner", "kept"] {
            assert!(has(&stripped, kept), "{kept}");
        }
        wasmparser::Validator::new_with_features(wasmparser::WasmFeatures::all())
            .validate_all(&stripped)
            .expect("still valid");
        assert_eq!(
            strip(&stripped).expect("again"),
            stripped,
            "nothing more to take"
        );
    }

    #[test]
    fn what_is_no_component_is_an_error() {
        for bytes in [&b""[..], b"not wasm at all", b"\0asm\x0d\0\x01\0\x01\xff"] {
            assert_eq!(strip(bytes).expect_err("invalid").code(), Code::E3105);
        }
    }
}
