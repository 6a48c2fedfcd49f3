//! What stands in the brackets of `#[tool(…)]`.

use proc_macro2::TokenStream;
use syn::parse::Parser as _;
use syn::{LitStr, meta};

/// The longest name that a host takes.
const MAX_NAME: usize = 128;

/// The names and values of the attribute.
#[derive(Default)]
pub struct Attribute {
    /// The name of the tool, where it is not that of the function.
    pub name: Option<LitStr>,
    /// What people are shown in place of the name.
    pub title: Option<LitStr>,
}

impl Attribute {
    /// Reads the attribute.
    ///
    /// # Errors
    /// Where something else stands there, or a value that a host would refuse.
    pub fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut attribute = Self::default();
        let parser = meta::parser(|meta| {
            let place = if meta.path.is_ident("name") {
                &mut attribute.name
            } else if meta.path.is_ident("title") {
                &mut attribute.title
            } else {
                return Err(meta.error("expected `name = \"…\"` or `title = \"…\"`"));
            };
            if place.is_some() {
                return Err(meta.error("this is said twice"));
            }
            *place = Some(meta.value()?.parse()?);
            Ok(())
        });
        parser.parse2(tokens)?;
        if let Some(name) = &attribute.name {
            if let Some(problem) = problem_of_name(&name.value()) {
                return Err(syn::Error::new_spanned(name, problem));
            }
        }
        match &attribute.title {
            Some(title) if title.value().trim().is_empty() => {
                let problem = "a title says something: leave it out, and people are shown the name";
                Err(syn::Error::new_spanned(title, problem))
            }
            _ => Ok(attribute),
        }
    }
}

/// Says why a tool cannot have this name.
pub fn problem_of_name(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Some(format!("the name of a tool has 1 to {MAX_NAME} characters"));
    }
    let is_odd = |c: &char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let odd = name.chars().find(is_odd)?;
    Some(format!(
        "the name of a tool has no {odd:?}, only `A-Z a-z 0-9 _ - .`; give it one with `#[tool(name = \"…\")]`"
    ))
}
