//! What a plugin asks for, in plain words, against what its component is able to do.

use serde_json::{Value, json};

use crate::cli::text::section;
use crate::error::Result;
use crate::manifest::{Manifest, Variables};
use crate::permission::{Kind, Request};
use crate::registry::importable;

/// Everything a plugin asks for, and what it could use besides.
pub(in crate::cli) struct Asks {
    pub(in crate::cli) asks: Vec<Ask>,
    /// Permissions that its component imports interfaces for and that it does not ask for.
    pub(in crate::cli) unasked: Vec<Kind>,
}

/// One request, and whether the component imports anything it could be used through.
pub(in crate::cli) struct Ask {
    pub(in crate::cli) request: Request,
    pub(in crate::cli) is_usable: bool,
}

impl Asks {
    /// Compares a manifest with the imports of its component. A component without a manifest asks for all it can use.
    ///
    /// # Errors
    /// E3105 and E3004 where a path in the manifest cannot be read as a scope.
    pub(in crate::cli) fn new(
        manifest: Option<&Manifest>,
        imports: &[String],
        variables: &Variables,
    ) -> Result<Self> {
        let can_use = importable(imports);
        let requests = match manifest {
            Some(manifest) => manifest.requests(variables)?,
            None => can_use.iter().copied().map(Request::broad).collect(),
        };
        // What a container needs is not imported by the component.
        let has_container = manifest
            .is_some_and(|manifest| manifest.tools.iter().any(|tool| tool.container.is_some()));
        let unasked = can_use
            .iter()
            .copied()
            .filter(|kind| !requests.iter().any(|request| request.kind == *kind))
            .collect();
        let asks = requests.into_iter().map(|request| Ask {
            is_usable: has_container || can_use.contains(&request.kind),
            request,
        });
        Ok(Self {
            asks: asks.collect(),
            unasked,
        })
    }

    /// The sections of a text for people.
    pub(in crate::cli) fn text(&self) -> String {
        let mut asked: Vec<String> = self.asks.iter().flat_map(Ask::lines).collect();
        if asked.is_empty() {
            asked.push("nothing".to_owned());
        }
        let unasked: Vec<&str> = self.unasked.iter().map(|kind| kind.name()).collect();
        let unasked = match unasked.as_slice() {
            [] => Vec::new(),
            names => vec![
                names.join(", "),
                "The component imports what these take; without a request they stay denied."
                    .to_owned(),
            ],
        };
        format!(
            "{}{}",
            section("Asks for", &asked),
            section("Could use, and does not ask for", &unasked)
        )
    }

    /// The form for programs.
    pub(in crate::cli) fn to_json(&self) -> (Value, Value) {
        let requests = self.asks.iter().map(|ask| {
            let mut json = request_json(&ask.request);
            if let Some(object) = json.as_object_mut() {
                object.insert("usable".into(), ask.is_usable.into());
            }
            json
        });
        let unasked = self.unasked.iter().map(|kind| kind.name());
        (requests.collect(), unasked.collect())
    }
}

impl Ask {
    fn lines(&self) -> Vec<String> {
        let mut lines = lines(&self.request);
        if !self.is_usable {
            lines.push("    of no use: the component does not import what this takes".to_owned());
        }
        lines
    }
}

/// A request in plain words, and what a person should know before saying yes.
pub(in crate::cli) fn lines(request: &Request) -> Vec<String> {
    let mut lines = vec![format!("- {}", request.in_plain_words())];
    lines.extend(
        request
            .warning()
            .map(|warning| format!("    careful: {warning}")),
    );
    lines
}

/// A request for programs.
pub(in crate::cli) fn request_json(request: &Request) -> Value {
    let scopes: Vec<Value> = request
        .capabilities
        .iter()
        .map(|capability| json!({"scope": capability.to_string(), "flag": capability.flag()}))
        .collect();
    json!({
        "permission": request.kind.name(),
        "scopes": scopes,
        "mount": request.mount,
        "optional": request.optional,
        "broad": request.broad,
        "in_words": request.in_plain_words(),
        "warning": request.warning(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::manifest::parse_toml;

    fn asks(text: Option<&str>, imports: &[&str]) -> Asks {
        let manifest = text.map(|text| {
            let head = "schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n[permissions]\n";
            parse_toml(&format!("{head}{text}"), "plugin.toml").expect("valid")
        });
        let imports: Vec<String> = imports.iter().map(|import| (*import).to_owned()).collect();
        let variables = Variables {
            workspace: PathBuf::from("/w"),
            home: None,
        };
        Asks::new(manifest.as_ref(), &imports, &variables).expect("valid")
    }

    #[test]
    fn requests_are_held_against_imports() {
        let asks = asks(
            Some("file_read = [{ path = \"/w\" }]\nnetwork_tcp = [\"db.example.com:5432\"]"),
            &["wasi:filesystem/types@0.2.0", "wasi:cli/environment@0.2.0"],
        );
        let usable: Vec<(Kind, bool)> = asks
            .asks
            .iter()
            .map(|ask| (ask.request.kind, ask.is_usable))
            .collect();
        assert_eq!(usable, [(Kind::FileRead, true), (Kind::NetworkTcp, false)]);
        assert_eq!(asks.unasked, [Kind::FileWrite, Kind::Env]);
        assert!(asks.text().contains("of no use"), "{}", asks.text());
    }

    #[test]
    fn what_a_container_needs_is_of_use_without_an_import() {
        let asks = asks(
            Some(
                "file_read = [\"/w\"]\n[[tools]]\nname = \"t\"\ndescription = \"x\"\n\
                 input_schema = { type = \"object\" }\ncontainer = { image = \"alpine\", command = [\"ls\"] }",
            ),
            &[],
        );
        let text = asks.text();
        assert!(
            text.contains(
                "run the command ls in containers of the image docker.io/library/alpine:latest"
            ),
            "{text}"
        );
        assert!(!text.contains("of no use"), "{text}");
        assert!(asks.unasked.is_empty());
    }

    #[test]
    fn a_component_without_a_manifest_asks_for_all_it_can_use() {
        let asks = asks(None, &["wasi:cli/environment@0.2.0"]);
        assert_eq!(asks.asks.len(), 1);
        assert!(
            asks.asks
                .iter()
                .all(|ask| ask.is_usable && ask.request.broad)
        );
        assert!(asks.unasked.is_empty());
    }
}
