//! Blocks of content, by their parts.

use crate::{
    Annotations, Audience, BlobContent, Content, EmbeddedResource, ResourceBody, ResourceLink,
    TextContent,
};

impl Content {
    /// Plain text or Markdown.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent {
            text: text.into(),
            annotations: None,
        })
    }

    /// A picture of this media type, such as `image/png`.
    pub fn image(data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        Self::Image(blob(data.into(), mime_type.into()))
    }

    /// A sound of this media type, such as `audio/wav`.
    pub fn audio(data: impl Into<Vec<u8>>, mime_type: impl Into<String>) -> Self {
        Self::Audio(blob(data.into(), mime_type.into()))
    }

    /// A pointer to something that can be read elsewhere. [`ResourceLink::new`] says more about it.
    pub fn resource_link(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self::ResourceLink(ResourceLink::new(uri, name))
    }

    /// Says who the block is for; everybody, where nothing is said.
    #[must_use]
    pub fn audience(mut self, audience: impl IntoIterator<Item = Audience>) -> Self {
        self.annotations().audience = audience.into_iter().collect();
        self
    }

    /// Says how much the block matters, from 0 (may be left out) to 1 (must be shown).
    #[must_use]
    pub fn priority(mut self, priority: f64) -> Self {
        self.annotations().priority = Some(priority);
        self
    }

    /// Says when what is in the block last changed, in RFC 3339.
    #[must_use]
    pub fn last_modified(mut self, time: impl Into<String>) -> Self {
        self.annotations().last_modified = Some(time.into());
        self
    }

    fn annotations(&mut self) -> &mut Annotations {
        let annotations = match self {
            Self::Text(content) => &mut content.annotations,
            Self::Image(content) | Self::Audio(content) => &mut content.annotations,
            Self::ResourceLink(link) => &mut link.annotations,
            Self::Resource(resource) => &mut resource.annotations,
        };
        annotations.get_or_insert_with(|| Annotations {
            audience: Vec::new(),
            priority: None,
            last_modified: None,
        })
    }
}

fn blob(data: Vec<u8>, mime_type: String) -> BlobContent {
    BlobContent {
        data,
        mime_type,
        annotations: None,
    }
}

impl ResourceLink {
    /// A pointer to what this URI names, with a short name for it.
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            name: name.into(),
            description: None,
            mime_type: None,
            size: None,
            annotations: None,
        }
    }

    /// Says what it is.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Says its media type.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// Says its size in bytes.
    #[must_use]
    pub fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}

impl EmbeddedResource {
    /// A text that comes with the result, and the URI that names it.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(uri.into(), ResourceBody::Text(text.into()))
    }

    /// Bytes that come with the result, and the URI that names them.
    pub fn blob(uri: impl Into<String>, data: impl Into<Vec<u8>>) -> Self {
        Self::new(uri.into(), ResourceBody::Blob(data.into()))
    }

    fn new(uri: String, body: ResourceBody) -> Self {
        Self {
            uri,
            mime_type: None,
            body,
            annotations: None,
        }
    }

    /// Says its media type.
    #[must_use]
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }
}

impl From<ResourceLink> for Content {
    fn from(link: ResourceLink) -> Self {
        Self::ResourceLink(link)
    }
}

impl From<EmbeddedResource> for Content {
    fn from(resource: EmbeddedResource) -> Self {
        Self::Resource(resource)
    }
}
