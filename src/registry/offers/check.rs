//! The rules that prompts and resources of a plugin keep to.

use std::collections::HashSet;

use super::{Offers, UriTemplate, uri_template};
use crate::error::{Code, Error, Result};
use crate::ids::is_tool_name;

/// The most prompts, resources or patterns of a plugin.
const MOST: usize = 1000;
/// The most arguments of a prompt.
const ARGUMENTS: usize = 64;
/// The longest name or title, in bytes.
const SHORT: usize = 256;
/// The longest description, in bytes.
const LONG: usize = 16 << 10;

impl Offers {
    /// Checks numbers, sizes, names and URIs.
    ///
    /// # Errors
    /// E3105 with the first rule that is broken, and by what.
    pub fn check(&self) -> Result<()> {
        for (what, count) in [
            ("prompts", self.prompts.len()),
            ("resources", self.resources.len()),
            ("patterns of resources", self.resource_templates.len()),
        ] {
            if count > MOST {
                return broken(format!("there are more than {MOST} {what}"));
            }
        }
        self.check_prompts()?;
        self.check_resources()?;
        self.check_templates()
    }

    fn check_prompts(&self) -> Result<()> {
        let mut names = HashSet::new();
        for prompt in &self.prompts {
            let name = &prompt.name;
            if !is_tool_name(name) {
                return broken(format!(
                    "a prompt cannot be named {}: use 1 to 128 letters, digits, `_`, `-` and `.`",
                    cut(name)
                ));
            }
            if !names.insert(name) {
                return broken(format!("there are two prompts named {name:?}"));
            }
            let of = format!("the prompt {name:?}");
            texts(&of, [&prompt.title], &prompt.description)?;
            if prompt.arguments.len() > ARGUMENTS {
                return broken(format!("{of} has more than {ARGUMENTS} arguments"));
            }
            let mut arguments = HashSet::new();
            for argument in &prompt.arguments {
                let is_name = !argument.name.is_empty()
                    && argument.name.len() <= SHORT
                    && !argument.name.chars().any(char::is_control);
                if !is_name || !arguments.insert(&argument.name) {
                    return broken(format!(
                        "{of} has an argument {}, which is no name or is there twice",
                        cut(&argument.name)
                    ));
                }
                texts(&of, [], &argument.description)?;
            }
        }
        Ok(())
    }

    fn check_resources(&self) -> Result<()> {
        let mut uris = HashSet::new();
        for resource in &self.resources {
            let of = format!("the resource {}", cut(&resource.uri));
            if !is_uri(&resource.uri) {
                return broken(format!("{of} has a URI that is none"));
            }
            if !uris.insert(&resource.uri) {
                return broken(format!("{of} is there twice"));
            }
            if resource.name.is_empty() || resource.name.len() > SHORT {
                return broken(format!("{of} has no name, or too long a one"));
            }
            texts(
                &of,
                [&resource.title, &resource.mime_type],
                &resource.description,
            )?;
        }
        Ok(())
    }

    fn check_templates(&self) -> Result<()> {
        let mut seen = HashSet::new();
        for template in &self.resource_templates {
            let of = format!("the pattern {}", cut(&template.uri_template));
            if let Err(why) = UriTemplate::parse(&template.uri_template) {
                return broken(format!("{of} is no URI template: {why}"));
            }
            if !has_scheme(&template.uri_template) {
                return broken(format!("{of} does not begin with a scheme"));
            }
            if !seen.insert(&template.uri_template) {
                return broken(format!("{of} is there twice"));
            }
            if template.name.is_empty() || template.name.len() > SHORT {
                return broken(format!("{of} has no name, or too long a one"));
            }
            texts(
                &of,
                [&template.title, &template.mime_type],
                &template.description,
            )?;
        }
        Ok(())
    }
}

fn texts<const N: usize>(
    of: &str,
    short: [&Option<String>; N],
    long: &Option<String>,
) -> Result<()> {
    let is_too_long =
        |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.len() > most);
    if short.iter().any(|text| is_too_long(text, SHORT)) || is_too_long(long, LONG) {
        return broken(format!(
            "{of} has a title or a description that is too long"
        ));
    }
    Ok(())
}

/// True for what begins with a scheme and has no spaces.
fn is_uri(text: &str) -> bool {
    text.len() <= uri_template::MAX
        && has_scheme(text)
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

fn cut(text: &str) -> String {
    let shown: String = text.chars().take(80).collect();
    format!("{shown:?}")
}

fn broken(rule: String) -> Result<()> {
    Err(Error::new(Code::E3105, rule))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(offers: serde_json::Value) -> Result<()> {
        serde_json::from_value::<Offers>(offers)
            .expect("offers")
            .check()
    }

    #[test]
    fn what_keeps_to_the_rules_is_taken() {
        let sound = json!({
            "prompts": [{"name": "test_prompt", "arguments": [{"name": "a b", "required": true}]}],
            "resources": [{"uri": "test://static-text", "name": "x", "mimeType": "text/plain"}],
            "resourceTemplates": [{"uriTemplate": "test://template/{id}/data", "name": "x"}],
            "completions": true,
        });
        assert!(check(sound).is_ok());
        assert!(check(json!({})).is_ok());
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let cases = [
            (json!({"prompts": [{"name": "a b"}]}), "a b"),
            (json!({"prompts": [{"name": "a:b"}]}), "a:b"),
            (
                json!({"prompts": [{"name": "a"}, {"name": "a"}]}),
                "two prompts",
            ),
            (
                json!({"prompts": [{"name": "a", "arguments": [{"name": "x", "required": true}, {"name": "x", "required": false}]}]}),
                "twice",
            ),
            (
                json!({"prompts": [{"name": "a", "description": "x".repeat(LONG + 1)}]}),
                "too long",
            ),
            (
                json!({"resources": [{"uri": "no-scheme", "name": "x"}]}),
                "no-scheme",
            ),
            (
                json!({"resources": [{"uri": "a:b c", "name": "x"}]}),
                "is none",
            ),
            (
                json!({"resources": [{"uri": "a:b", "name": ""}]}),
                "no name",
            ),
            (
                json!({"resources": [{"uri": "a:b", "name": "x"}, {"uri": "a:b", "name": "y"}]}),
                "twice",
            ),
            (
                json!({"resourceTemplates": [{"uriTemplate": "a:{", "name": "x"}]}),
                "no URI template",
            ),
            (
                json!({"resourceTemplates": [{"uriTemplate": "{a}", "name": "x"}]}),
                "scheme",
            ),
        ];
        for (offers, said) in cases {
            let error = check(offers.clone()).expect_err("broken").to_string();
            assert!(error.contains(said), "{offers}: {error}");
        }
        let many: Vec<_> = (0..=MOST).map(|n| json!({"name": n.to_string()})).collect();
        assert!(check(json!({"prompts": many})).is_err());
    }
}
