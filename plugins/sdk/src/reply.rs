//! A value together with blocks of content.

use crate::Content;

/// What a tool returns where a value alone does not do: the value for programs, and blocks of content for agents and
/// people. Where there are no blocks, hosts show the value as JSON.
///
/// ```
/// use toolhatch_plugin::{Reply, tool};
///
/// /// Adds two numbers.
/// #[tool]
/// fn add(
///     /// The first one.
///     left: i64,
///     /// The second one.
///     right: i64,
/// ) -> Reply<i64> {
///     let sum = left + right;
///     Reply::new(sum).text(format!("{left} and {right} are {sum}"))
/// }
/// ```
///
/// `Reply` without a type has no value: `Reply::default().text("…").image(png, "image/png")`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T = ()> {
    /// The structured result.
    pub value: T,
    /// The blocks of content, in order.
    pub content: Vec<Content>,
}

// For `()` alone, so that `Reply::default()` needs no type.
impl Default for Reply {
    fn default() -> Self {
        Self::new(())
    }
}

impl<T> Reply<T> {
    /// A reply with this value, and no content yet.
    pub fn new(value: T) -> Self {
        Self {
            value,
            content: Vec::new(),
        }
    }

    /// Adds a block.
    #[must_use]
    pub fn block(mut self, block: impl Into<Content>) -> Self {
        self.content.push(block.into());
        self
    }

    /// Adds blocks.
    #[must_use]
    pub fn blocks(mut self, blocks: impl IntoIterator<Item = Content>) -> Self {
        self.content.extend(blocks);
        self
    }

    /// Adds plain text or Markdown.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.block(Content::text(text))
    }

    /// Adds a picture of this media type, such as `image/png`.
    #[must_use]
    pub fn image(self, data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        self.block(Content::image(data, mime_type))
    }

    /// Adds a sound of this media type, such as `audio/wav`.
    #[must_use]
    pub fn audio(self, data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        self.block(Content::audio(data, mime_type))
    }
}
