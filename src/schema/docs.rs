//! Documentation of functions and types: from WIT text beside a component, and from the sections inside it.
//!
//! Two custom sections carry it. `package-docs` is the one the WebAssembly tools know: a version byte (0 or 1) and JSON.
//! Ordinary toolchains do not write it into components, and where it is there with other names than those a decoder
//! expects, decoders refuse the component; so it is read here with patience, and written in a form that decoders take:
//! under the world `root`. That form has no place for the documentation of interfaces from named packages. Those go into
//! a section of our own, `toolhatch:docs`, in the same JSON.

mod section;
mod text;

use std::collections::HashMap;
use std::path::Path;

use crate::error::Result;
use crate::schema::artifact;

pub use section::write_package_docs;

/// The section that WebAssembly tools know.
pub(super) const SECTION: &str = "package-docs";
/// The section for what the other one has no place for.
pub(super) const OWN_SECTION: &str = "toolhatch:docs";

/// The longest documentation of a function, in bytes.
const MAX_FUNCTION_TEXT: usize = 8 << 10;
/// The longest documentation of a type, field, case or flag, in bytes.
const MAX_TYPE_TEXT: usize = 2 << 10;

/// Documentation by the names that WIT gives to interfaces, functions, types and their members.
///
/// Names that a component does not have are ignored: documentation never changes what a tool is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Docs {
    /// What is in the component itself, outside of any interface.
    root: Scope,
    /// By interface: `namespace:package/name@version`, or only the name.
    interfaces: Vec<(String, Scope)>,
}

/// The documentation of one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scope {
    docs: Option<String>,
    functions: HashMap<String, String>,
    types: HashMap<String, TypeDocs>,
}

/// The documentation of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TypeDocs {
    docs: Option<String>,
    items: HashMap<String, String>,
}

impl TypeDocs {
    /// What the type is for.
    pub(super) fn text(&self) -> Option<String> {
        self.docs.clone()
    }

    /// What a field, case or label of the type is for.
    pub(super) fn item(&self, name: &str) -> Option<String> {
        self.items.get(name).cloned()
    }

    fn is_empty(&self) -> bool {
        self.docs.is_none() && self.items.is_empty()
    }
}

impl Docs {
    /// The documentation in a WIT text: one package in one file. What the text refers to in other packages need not be
    /// there.
    ///
    /// # Errors
    /// [`crate::error::Code::E3105`] where the text is too large or is not WIT.
    pub fn from_wit_text(text: &str) -> Result<Self> {
        text::read_text("a WIT text", text)
    }

    /// The documentation in a `.wit` file, or in a folder with the `.wit` files of one package.
    ///
    /// # Errors
    /// [`crate::error::Code::E3105`] where there is nothing to read, or it is too large or is not WIT.
    pub fn from_wit_path(path: &Path) -> Result<Self> {
        text::read_path(path)
    }

    /// The documentation a component carries in its custom sections; what cannot be understood is left out with a warning.
    pub(super) fn from_component(component: &[u8], warnings: &mut Vec<String>) -> Self {
        let mut docs = Self::default();
        // Our own section comes first: where both say something it is the more precise one.
        for name in [OWN_SECTION, SECTION] {
            for data in artifact::custom_sections(component, name).unwrap_or_default() {
                if let Err(why) = section::read(data, &mut docs) {
                    warnings.push(format!("the section `{name}` was left out: {why}"));
                }
            }
        }
        docs
    }

    /// True where nothing is documented.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.root == Scope::default() && self.interfaces.is_empty()
    }

    /// The documentation of a function, in an interface or outside of all.
    pub(super) fn function(&self, scope: Option<&str>, name: &str) -> Option<String> {
        self.scopes(scope)
            .into_iter()
            .find_map(|scope| scope.functions.get(name))
            .cloned()
    }

    /// The documentation of a type, in an interface or outside of all.
    pub(super) fn ty(&self, scope: Option<&str>, name: &str) -> Option<&TypeDocs> {
        self.scopes(scope)
            .into_iter()
            .find_map(|scope| scope.types.get(name))
    }

    /// The documentation of an interface that goes by this name, best match first: with the same version, without regard
    /// to the version, then without regard to the package, where one of the two does not say it.
    fn scopes(&self, wanted: Option<&str>) -> Vec<&Scope> {
        let Some(wanted) = wanted else {
            return vec![&self.root];
        };
        let likeness = |name: &str| {
            if name == wanted {
                return Some(0);
            }
            let (name, wanted) = (unversioned(name), unversioned(wanted));
            let one_is_bare = !name.contains('/') || !wanted.contains('/');
            match name == wanted {
                true => Some(1),
                false if one_is_bare && bare(name) == bare(wanted) => Some(2),
                false => None,
            }
        };
        let mut found: Vec<(u8, &Scope)> = self
            .interfaces
            .iter()
            .filter_map(|(name, scope)| Some((likeness(name)?, scope)))
            .collect();
        found.sort_by_key(|(likeness, _)| *likeness);
        found.into_iter().map(|(_, scope)| scope).collect()
    }

    fn interface_mut(&mut self, name: &str) -> &mut Scope {
        let position = match self.interfaces.iter().position(|(known, _)| known == name) {
            Some(position) => position,
            None => {
                self.interfaces.push((name.to_owned(), Scope::default()));
                self.interfaces.len() - 1
            }
        };
        match self.interfaces.get_mut(position) {
            Some((_, scope)) => scope,
            // The position was found or made just above.
            None => &mut self.root,
        }
    }
}

impl Scope {
    fn document(&mut self, docs: Option<&str>) {
        if self.docs.is_none() {
            self.docs = docs.and_then(|docs| clean(docs, MAX_FUNCTION_TEXT));
        }
    }

    fn document_function(&mut self, name: &str, docs: Option<&str>) {
        if let Some(docs) = docs.and_then(|docs| clean(docs, MAX_FUNCTION_TEXT)) {
            self.functions.entry(name.to_owned()).or_insert(docs);
        }
    }

    fn document_type<'a>(
        &mut self,
        name: &str,
        docs: Option<&str>,
        items: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let found = TypeDocs {
            docs: docs.and_then(|docs| clean(docs, MAX_TYPE_TEXT)),
            items: items
                .filter_map(|(item, docs)| Some((item.to_owned(), clean(docs, MAX_TYPE_TEXT)?)))
                .collect(),
        };
        if !found.is_empty() {
            self.types.entry(name.to_owned()).or_insert(found);
        }
    }
}

fn unversioned(name: &str) -> &str {
    name.split_once('@').map_or(name, |(name, _)| name)
}

fn bare(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

/// The text without control characters, blanks at its ends and excess length; nothing where nothing is left.
fn clean(text: &str, max: usize) -> Option<String> {
    let mut cleaned = String::new();
    for c in text.trim().chars() {
        if cleaned.len() >= max {
            cleaned.push('…');
            break;
        }
        match c {
            '\n' => cleaned.push('\n'),
            '\t' => cleaned.push(' '),
            c if c.is_control() => {}
            c => cleaned.push(c),
        }
    }
    (!cleaned.is_empty()).then_some(cleaned)
}

#[cfg(test)]
mod tests;
