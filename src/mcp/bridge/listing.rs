//! The tools of a server, page by page: however the list is, it ends, and what is wrong in it does not lose the rest.

use std::collections::HashSet;

use serde_json::Value;

use super::tool::{LeftOut, ServerTool};

/// The most pages that are read.
pub(super) const MAX_PAGES: usize = 200;
/// The most tools of one server.
pub(super) const MAX_TOOLS: usize = 4096;
/// The longest a list may be in all, in bytes.
pub(super) const MAX_BYTES: usize = 32 << 20;

/// What a server listed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The tools that can be used, in the order of the server.
    pub tools: Vec<ServerTool>,
    /// Those that cannot.
    pub left_out: Vec<LeftOut>,
    /// What was wrong with the list itself, as sentences.
    pub warnings: Vec<String>,
    /// How many pages it had.
    pub pages: usize,
    /// How long it was, in bytes of compact JSON.
    pub bytes: usize,
}

impl Listing {
    /// The tool of this name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&ServerTool> {
        self.tools.iter().find(|tool| tool.name == name)
    }
}

/// Reads a list page by page.
#[derive(Debug, Default)]
pub(super) struct Pages {
    listing: Listing,
    names: HashSet<String>,
    cursors: HashSet<String>,
}

impl Pages {
    /// Takes a page, and gives the cursor of the next one where there is one to be read.
    pub(super) fn take(&mut self, page: &Value) -> Option<String> {
        self.listing.pages += 1;
        self.listing.bytes += page.to_string().len();
        match page.get("tools") {
            Some(Value::Array(tools)) => {
                for raw in tools {
                    if self.listing.tools.len() >= MAX_TOOLS {
                        self.warn(format!(
                            "it lists more than {MAX_TOOLS} tools; the rest is left out"
                        ));
                        return None;
                    }
                    self.add(raw);
                }
            }
            _ => self.warn(format!(
                "page {} has no list of tools in it",
                self.listing.pages
            )),
        }
        self.next(page.get("nextCursor"))
    }

    fn warn(&mut self, text: String) {
        self.listing.warnings.push(text);
    }

    fn add(&mut self, raw: &Value) {
        match ServerTool::read(raw) {
            Ok(tool) if !self.names.insert(tool.name.clone()) => {
                self.listing.left_out.push(LeftOut {
                    name: tool.name,
                    why: "another tool before it has the same name".to_owned(),
                });
            }
            Ok(tool) => self.listing.tools.push(tool),
            Err(left_out) if self.listing.left_out.len() < MAX_TOOLS => {
                self.listing.left_out.push(left_out);
            }
            Err(_) => {}
        }
    }

    fn next(&mut self, cursor: Option<&Value>) -> Option<String> {
        let listing = &mut self.listing;
        let cursor = match cursor {
            None | Some(Value::Null) => return None,
            Some(Value::String(cursor)) if cursor.is_empty() => return None,
            Some(Value::String(cursor)) => cursor.clone(),
            Some(_) => {
                let text = "the cursor of the next page is not a text; the list ends here";
                listing.warnings.push(text.to_owned());
                return None;
            }
        };
        let wrong = if !self.cursors.insert(cursor.clone()) {
            "it repeats the cursor of a page".to_owned()
        } else if listing.pages >= MAX_PAGES {
            format!("it has more than {MAX_PAGES} pages")
        } else if listing.bytes >= MAX_BYTES {
            format!("it is longer than {MAX_BYTES} bytes")
        } else {
            return Some(cursor);
        };
        listing
            .warnings
            .push(format!("{wrong}; the list ends here"));
        None
    }

    /// What was read.
    pub(super) fn finish(self) -> Listing {
        self.listing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn named(name: &str) -> Value {
        json!({"name": name, "inputSchema": {"type": "object"}})
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing
            .tools
            .iter()
            .map(|tool| tool.name.as_str())
            .collect()
    }

    #[test]
    fn one_bad_tool_loses_none_of_the_others() {
        let mut pages = Pages::default();
        let next =
            pages.take(&json!({"tools": [named("a"), {"name": "bad"}, 5, named("b"), named("a")]}));
        assert_eq!(next, None);
        let listing = pages.finish();
        assert_eq!(names(&listing), ["a", "b"]);
        let left: Vec<&str> = listing.left_out.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(left, ["bad", "", "a"]);
    }

    #[test]
    fn every_list_ends() {
        let mut pages = Pages::default();
        assert_eq!(
            pages.take(&json!({"tools": [named("a")], "nextCursor": "x"})),
            Some("x".into())
        );
        assert_eq!(
            pages.take(&json!({"tools": [named("b")], "nextCursor": "x"})),
            None
        );
        let listing = pages.finish();
        assert_eq!(names(&listing), ["a", "b"]);
        assert!(
            listing.warnings.iter().any(|it| it.contains("repeats")),
            "{listing:?}"
        );

        for cursor in [json!(""), json!(null), json!(7)] {
            let mut pages = Pages::default();
            assert_eq!(
                pages.take(&json!({"tools": [], "nextCursor": cursor})),
                None
            );
        }

        let mut pages = Pages::default();
        let mut count = 0;
        while pages
            .take(&json!({"tools": [], "nextCursor": format!("c{count}")}))
            .is_some()
        {
            count += 1;
            assert!(count <= MAX_PAGES);
        }
        assert!(
            pages
                .finish()
                .warnings
                .iter()
                .any(|it| it.contains("pages"))
        );

        let many: Vec<Value> = (0..=MAX_TOOLS).map(|n| named(&format!("t{n}"))).collect();
        let mut pages = Pages::default();
        assert_eq!(
            pages.take(&json!({"tools": many, "nextCursor": "more"})),
            None
        );
        assert_eq!(pages.finish().tools.len(), MAX_TOOLS);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z$#/]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let key = prop_oneof![
                "[a-z]{1,4}",
                prop::sample::select(vec![
                    "name",
                    "title",
                    "description",
                    "inputSchema",
                    "outputSchema",
                    "annotations",
                    "type",
                    "properties",
                    "items",
                    "$ref",
                    "$defs",
                    "allOf",
                    "readOnlyHint",
                ])
                .prop_map(str::to_owned),
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((key, inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever stands beside them, good tools are there, in order; and nothing is both there and left out.
        #[test]
        fn good_tools_survive_beside_anything(before in prop::collection::vec(any_json(), 0..4), after in any_json()) {
            let mut tools = before.clone();
            tools.push(named("good.1"));
            tools.push(after);
            tools.push(named("good.2"));
            let mut pages = Pages::default();
            pages.take(&json!({"tools": tools}));
            let listing = pages.finish();
            let good: Vec<&str> = names(&listing).into_iter().filter(|name| name.starts_with("good.")).collect();
            prop_assert_eq!(good, ["good.1", "good.2"]);
            prop_assert_eq!(listing.tools.len() + listing.left_out.len(), before.len() + 3);
        }

        #[test]
        fn any_page_is_read(page in any_json()) {
            Pages::default().take(&page);
        }
    }
}
