//! The result of a call: blocks of content, and what is structured.

use serde_json::{Map, Value, json};

/// The result of a tool.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Output {
    /// A JSON value that fits the tool's output schema, where it has one.
    pub structured: Option<Value>,
    /// Blocks of content, in order. Of a prompt one for each message; of a resource that was read its contents, each a
    /// [`Content::Resource`].
    pub content: Vec<Content>,
    /// What makes a prompt of the content.
    pub prompt: Option<PromptFrame>,
}

/// What a prompt is besides its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptFrame {
    /// What it is for.
    pub description: Option<String>,
    /// Who says each block of the content.
    pub roles: Vec<Role>,
}

/// Who says something in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The agent.
    Assistant,
}

impl Role {
    /// The word of MCP.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl Output {
    /// The JSON form of results and records: `structured` and `content`, or of a prompt what MCP has for it, `description`
    /// and `messages`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        if let Some(structured) = &self.structured {
            object.insert("structured".into(), structured.clone());
        }
        if let Some(prompt) = &self.prompt {
            if let Some(description) = &prompt.description {
                object.insert("description".into(), description.clone().into());
            }
            let messages = self
                .messages()
                .map(|(role, content)| json!({"role": role.word(), "content": content.to_json()}));
            object.insert("messages".into(), messages.collect());
        } else {
            let content = self.content.iter().map(Content::to_json);
            object.insert("content".into(), content.collect());
        }
        Value::Object(object)
    }

    /// The messages of a prompt; none where it is not one.
    pub fn messages(&self) -> impl Iterator<Item = (Role, &Content)> {
        let roles = self.prompt.iter().flat_map(|prompt| &prompt.roles).copied();
        roles.zip(&self.content)
    }
}

/// One block of content.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Plain text or Markdown.
    Text {
        /// The text.
        text: String,
        /// Hints on who it is for, in MCP's form.
        annotations: Option<Value>,
    },
    /// A picture.
    Image {
        /// The bytes.
        data: Vec<u8>,
        /// The media type.
        mime_type: String,
        /// Hints on who it is for, in MCP's form.
        annotations: Option<Value>,
    },
    /// A sound.
    Audio {
        /// The bytes.
        data: Vec<u8>,
        /// The media type.
        mime_type: String,
        /// Hints on who it is for, in MCP's form.
        annotations: Option<Value>,
    },
    /// A pointer to a resource.
    ResourceLink {
        /// Where it is.
        uri: String,
        /// A short name.
        name: String,
        /// What it is.
        description: Option<String>,
        /// Its media type.
        mime_type: Option<String>,
        /// Its size in bytes.
        size: Option<u64>,
        /// Hints on who it is for, in MCP's form.
        annotations: Option<Value>,
    },
    /// A resource that comes with the result.
    Resource {
        /// The URI that identifies it.
        uri: String,
        /// Its media type.
        mime_type: Option<String>,
        /// Its content.
        body: ResourceBody,
        /// Hints on who it is for, in MCP's form.
        annotations: Option<Value>,
    },
}

/// The content of an embedded resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl Content {
    /// A block of plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            annotations: None,
        }
    }

    /// The JSON form MCP gives a content block.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (mut object, annotations) = match self {
            Self::Text { text, annotations } => {
                (json!({"type": "text", "text": text}), annotations)
            }
            Self::Image {
                data,
                mime_type,
                annotations,
            } => (
                json!({"type": "image", "data": base64(data), "mimeType": mime_type}),
                annotations,
            ),
            Self::Audio {
                data,
                mime_type,
                annotations,
            } => (
                json!({"type": "audio", "data": base64(data), "mimeType": mime_type}),
                annotations,
            ),
            Self::ResourceLink {
                uri,
                name,
                description,
                mime_type,
                size,
                annotations,
            } => (
                without_nulls(json!({
                    "type": "resource_link", "uri": uri, "name": name,
                    "description": description, "mimeType": mime_type, "size": size,
                })),
                annotations,
            ),
            Self::Resource {
                uri,
                mime_type,
                body,
                annotations,
            } => {
                let (key, value) = match body {
                    ResourceBody::Text(text) => ("text", text.clone()),
                    ResourceBody::Blob(bytes) => ("blob", base64(bytes)),
                };
                let inner = without_nulls(json!({"uri": uri, "mimeType": mime_type, key: value}));
                (json!({"type": "resource", "resource": inner}), annotations)
            }
        };
        if let (Some(object), Some(annotations)) = (object.as_object_mut(), annotations) {
            object.insert("annotations".into(), annotations.clone());
        }
        object
    }
}

fn base64(data: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(data)
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    value
}
