//! What a file is before anything reads its insides, and the custom sections of a component.
//!
//! Only the outermost layer is looked at: the sections of nested modules and components are their own.

use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::BinaryReader;

use crate::error::{Code, Error, Result};

/// The largest component that is read where nothing else is said: 256 MiB.
pub const MAX_BYTES: u64 = 256 << 20;

/// The eight bytes every component begins with: magic, version 13, layer 1.
pub const COMPONENT_HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// Checks that the bytes claim to be a component, by their size and first bytes alone.
///
/// # Errors
/// [`Code::E3105`] with a sentence on what they are instead: empty, too large, WebAssembly text, a core module, a
/// component of another version, a native program, an archive, cut off in the header, or no WebAssembly at all.
pub fn sniff(bytes: &[u8], max_bytes: u64) -> Result<()> {
    let refused = |why: String| Err(Error::new(Code::E3105, why));
    if bytes.is_empty() {
        return refused("the file is empty, not a component".into());
    }
    if bytes.len() as u64 > max_bytes {
        return refused(format!(
            "the file has {} bytes, more than the {max_bytes} a component may have",
            bytes.len()
        ));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(not_wasm(bytes));
    }
    let Some((header, _)) = bytes.split_first_chunk::<8>() else {
        return refused(format!(
            "the file is cut off: it ends after {} bytes, within the header",
            bytes.len()
        ));
    };
    let [_, _, _, _, version_low, version_high, layer_low, layer_high] = *header;
    let version = u16::from_le_bytes([version_low, version_high]);
    let layer = u16::from_le_bytes([layer_low, layer_high]);
    match (layer, version) {
        (1, 13) => Ok(()),
        (0, 1) => Err(Error::new(
            Code::E3105,
            "this is a core module, not a component",
        )
        .hint("Build for a component target such as `wasm32-wasip2`, or wrap it with `wasm-tools component new`.")),
        (1, version) => refused(format!(
            "this is a component in version {version} of the binary format, and only version 13 is understood"
        )),
        (layer, version) => refused(format!(
            "this is WebAssembly of an unknown kind (layer {layer}, version {version}), not a component"
        )),
    }
}

fn not_wasm(bytes: &[u8]) -> Error {
    let refused = |why: &str| Error::new(Code::E3105, why);
    let start = bytes.get(..64.min(bytes.len())).unwrap_or_default();
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if text.starts_with("(module")
        || text.starts_with("(component")
        || text.starts_with(";;")
        || text.starts_with("(;")
    {
        return refused("this is WebAssembly text, not a binary component")
            .hint("Turn it into a binary with `wasm-tools parse FILE -o OUT.wasm`.");
    }
    if b"\0asm".starts_with(bytes) {
        return refused("the file is cut off: it ends within the first four bytes");
    }
    let kinds: [(&[u8], &str); 7] = [
        (
            b"\x7fELF",
            "a native program or a precompiled artifact (ELF)",
        ),
        (b"MZ", "a Windows program"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b", "gzip data"),
        (b"\x28\xb5\x2f\xfd", "zstd data"),
        (b"#!", "a script"),
        (b"package ", "WIT text"),
    ];
    match kinds.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        Some((_, kind)) => refused(&format!("this is {kind}, not a WebAssembly component")),
        None => refused("this is not WebAssembly: it does not begin with `\\0asm`"),
    }
}

/// A section of the outermost layer.
struct Section<'a> {
    /// The number of its kind; 0 is a custom section.
    id: u8,
    /// Where its content begins, counted from the start of the file.
    offset: usize,
    /// Everything, with the number and the length in front.
    whole: &'a [u8],
    /// What is inside.
    content: &'a [u8],
}

impl<'a> Section<'a> {
    /// The name and data of a custom section; nothing for another kind, or where the name cannot be read.
    fn custom(&self) -> Option<(&'a str, &'a [u8])> {
        if self.id != 0 {
            return None;
        }
        let mut reader = BinaryReader::new(self.content, self.offset);
        let name = reader.read_string().ok()?;
        let data = self.content.get(reader.current_position()..)?;
        Some((name, data))
    }
}

/// The sections of the outermost layer, in order.
fn sections(bytes: &[u8]) -> Result<Vec<Section<'_>>> {
    let cut_off = |offset: usize| {
        Error::new(
            Code::E3105,
            format!(
                "the file is cut off or damaged: the section at byte {offset} reaches past its end at byte {}",
                bytes.len()
            ),
        )
    };
    let mut sections = Vec::new();
    let mut offset = COMPONENT_HEADER.len();
    while let Some((&id, rest)) = bytes.get(offset..).and_then(<[u8]>::split_first) {
        let mut reader = BinaryReader::new(rest, offset + 1);
        let length = reader.read_var_u32().map_err(|_| cut_off(offset))? as usize;
        let head = 1 + reader.current_position();
        let content_at = offset + head;
        let end = content_at
            .checked_add(length)
            .ok_or_else(|| cut_off(offset))?;
        let whole = bytes.get(offset..end).ok_or_else(|| cut_off(offset))?;
        sections.push(Section {
            id,
            offset: content_at,
            whole,
            content: whole.get(head..).unwrap_or_default(),
        });
        offset = end;
    }
    Ok(sections)
}

/// Checks that every section of the outermost layer ends within the file.
pub(super) fn check_sections(bytes: &[u8]) -> Result<()> {
    sections(bytes).map(drop)
}

/// The contents of every custom section of this name, in order.
///
/// # Errors
/// [`Code::E3105`] where a section reaches past the end of the file.
pub fn custom_sections<'a>(component: &'a [u8], name: &str) -> Result<Vec<&'a [u8]>> {
    Ok(sections(component)?
        .iter()
        .filter_map(Section::custom)
        .filter(|(section, _)| *section == name)
        .map(|(_, data)| data)
        .collect())
}

/// The component without its custom sections of these names, and with one more at its end for each of `added` (name
/// and content). Everything else keeps its bytes and its order.
///
/// # Errors
/// [`Code::E3105`] where a section reaches past the end of the file.
pub fn with_custom_sections(
    component: &[u8],
    removed: &[&str],
    added: &[(&str, &[u8])],
) -> Result<Vec<u8>> {
    let extra: usize = added
        .iter()
        .map(|(name, data)| name.len() + data.len() + 16)
        .sum();
    let mut out = Vec::with_capacity(component.len() + extra);
    out.extend_from_slice(component.get(..COMPONENT_HEADER.len()).unwrap_or(component));
    for section in sections(component)? {
        let is_removed = section
            .custom()
            .is_some_and(|(name, _)| removed.contains(&name));
        if !is_removed {
            out.extend_from_slice(section.whole);
        }
    }
    for (name, data) in added {
        CustomSection {
            name: (*name).into(),
            data: (*data).into(),
        }
        .append_to_component(&mut out);
    }
    Ok(out)
}

#[cfg(test)]
mod tests;
