//! Blocks that are no text: the smallest picture and the smallest sound there are.

use crate::bindings::toolhatch::plugin::types::{
    BlobContent, Content, EmbeddedResource, ResourceBody,
};

/// A PNG of one red pixel.
pub const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53,
    0xde, 0x00, 0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0x00,
    0x00, 0x03, 0x01, 0x01, 0x00, 0x18, 0xdd, 0x8d, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e,
    0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A WAV without a sample.
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0";

/// The picture.
pub fn image() -> Content {
    Content::Image(blob(PNG, "image/png"))
}

/// The sound.
pub fn audio() -> Content {
    Content::Audio(blob(WAV, "audio/wav"))
}

fn blob(data: &[u8], mime_type: &str) -> BlobContent {
    BlobContent {
        data: data.to_vec(),
        mime_type: mime_type.to_owned(),
        annotations: None,
    }
}

/// A document that comes with the result.
pub fn document(uri: &str, mime_type: &str, text: &str) -> Content {
    Content::Resource(EmbeddedResource {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        body: ResourceBody::Text(text.to_owned()),
        annotations: None,
    })
}
