//! The resources.

use toolhatch_plugin::ResourceBody;
use toolhatch_plugin::bindings::toolhatch::plugin::types::{CallContext, ToolError};

use crate::bindings::exports::toolhatch::plugin::resources::{
    Guest, ResourceContents, ResourceInfo, TemplateInfo,
};
use crate::{Component, content};

fn info(uri: &str, name: &str, description: &str, mime_type: &str) -> ResourceInfo {
    ResourceInfo {
        uri: uri.to_owned(),
        name: name.to_owned(),
        title: None,
        description: Some(description.to_owned()),
        mime_type: Some(mime_type.to_owned()),
        size: None,
        annotations: None,
    }
}

fn text(uri: String, mime_type: &str, text: impl Into<String>) -> ResourceContents {
    ResourceContents {
        uri,
        mime_type: Some(mime_type.to_owned()),
        body: ResourceBody::Text(text.into()),
    }
}

impl Guest for Component {
    fn list_resources() -> Vec<ResourceInfo> {
        vec![
            info(
                "test://static-text",
                "static-text",
                "A text that never changes",
                "text/plain",
            ),
            info(
                "test://static-binary",
                "static-binary",
                "A picture that never changes",
                "image/png",
            ),
            info(
                "test://watched-resource",
                "watched-resource",
                "A text to subscribe to",
                "text/plain",
            ),
        ]
    }

    fn list_resource_templates() -> Vec<TemplateInfo> {
        vec![TemplateInfo {
            uri_template: "test://template/{id}/data".to_owned(),
            name: "template".to_owned(),
            title: None,
            description: Some("Data by its id".to_owned()),
            mime_type: Some("application/json".to_owned()),
            annotations: None,
        }]
    }

    fn read_resource(uri: String, _: CallContext) -> Result<Vec<ResourceContents>, ToolError> {
        let contents = match uri.as_str() {
            "test://static-text" => {
                let content = "This is the content of the static text resource.";
                text(uri, "text/plain", content)
            }
            "test://static-binary" => ResourceContents {
                uri,
                mime_type: Some("image/png".to_owned()),
                body: ResourceBody::Blob(content::PNG.to_vec()),
            },
            "test://watched-resource" => text(uri, "text/plain", "Watched resource content"),
            other => {
                let id = other
                    .strip_prefix("test://template/")
                    .and_then(|rest| rest.strip_suffix("/data"))
                    .ok_or_else(|| ToolError::NotFound(format!("there is nothing at {other}")))?;
                let data = serde_json::json!({
                    "id": id,
                    "templateTest": true,
                    "data": format!("Data for ID: {id}"),
                });
                let data = data.to_string();
                text(uri, "application/json", data)
            }
        };
        Ok(vec![contents])
    }
}
