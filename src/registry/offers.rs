//! What a plugin has besides tools: prompts, resources, patterns of resources, completions.
//!
//! Their JSON is that of MCP, so that it can be handed on as it is. To the pipeline each is something that is called, like a
//! tool; see [`parts`].

mod check;
mod parts;
mod uri_template;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use parts::{COMPLETION, PROMPT, RESOURCE};
pub use uri_template::UriTemplate;

/// What a plugin has besides tools.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Offers {
    /// Its prompts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<PromptInfo>,
    /// Its resources, as far as their URIs are known beforehand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceInfo>,
    /// The patterns of the URIs of all others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_templates: Vec<TemplateInfo>,
    /// It proposes values for arguments of prompts and patterns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub completions: bool,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromptInfo {
    /// Its name within the plugin.
    pub name: String,
    /// What people are shown in place of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it takes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<PromptArgument>,
}

/// An argument of a prompt: a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PromptArgument {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The prompt cannot do without.
    pub required: bool,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceInfo {
    /// The URI it is read by.
    pub uri: String,
    /// A short name for it.
    pub name: String,
    /// What people are shown in place of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Hints on who it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
}

/// A pattern of resources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TemplateInfo {
    /// The pattern: a URI template.
    pub uri_template: String,
    /// A short name for it.
    pub name: String,
    /// What people are shown in place of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the resources are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Their media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Hints on who they are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Value>,
}

impl Offers {
    /// The prompt of this name.
    #[must_use]
    pub fn prompt(&self, name: &str) -> Option<&PromptInfo> {
        self.prompts.iter().find(|prompt| prompt.name == name)
    }

    /// Leaves out what is called by names for which this is false.
    pub fn retain(&mut self, has: impl Fn(&str) -> bool) {
        self.prompts
            .retain(|prompt| has(&format!("{PROMPT}{}", prompt.name)));
        if !has(RESOURCE) {
            self.resources.clear();
            self.resource_templates.clear();
        }
        self.completions &= has(COMPLETION);
    }

    /// True where there is something to read.
    #[must_use]
    pub fn has_resources(&self) -> bool {
        !self.resources.is_empty() || !self.resource_templates.is_empty()
    }

    /// True for the URI of a resource: one that is listed, or that fits a pattern.
    #[must_use]
    pub fn reads(&self, uri: &str) -> bool {
        self.resources.iter().any(|resource| resource.uri == uri)
            || self.resource_templates.iter().any(|template| {
                UriTemplate::parse(&template.uri_template).is_ok_and(|it| it.matches(uri))
            })
    }
}
