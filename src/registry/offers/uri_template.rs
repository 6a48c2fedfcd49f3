//! URI templates (RFC 6570), as far as it takes to tell which URIs one stands for.

/// A URI template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Expression(Expression),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Expression {
    operator: Option<char>,
    variables: Vec<String>,
}

/// The longest template, and the longest URI that is compared with one, in bytes.
pub(super) const MAX: usize = 2048;
/// The most expressions of a template.
const EXPRESSIONS: usize = 16;

impl UriTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// The rule it breaks, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX {
            return Err(format!("it is longer than {MAX} bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            parts.extend(literal_of(literal)?);
            let (expression, after) = after
                .split_once('}')
                .ok_or_else(|| "a brace is not closed".to_owned())?;
            parts.push(Part::Expression(Expression::parse(expression)?));
            rest = after;
        }
        parts.extend(literal_of(rest)?);
        let expressions = parts
            .iter()
            .filter(|part| matches!(part, Part::Expression(_)));
        if expressions.count() > EXPRESSIONS {
            return Err(format!("it has more than {EXPRESSIONS} expressions"));
        }
        Ok(Self(parts))
    }

    /// The names of its variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let expressions = self.0.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(&expression.variables),
            Part::Literal(_) => None,
        });
        expressions.flatten().map(String::as_str)
    }

    /// True for a URI that some values of the variables give. Where that would take more than comparing characters, it is
    /// generous: who reads the URI decides in the end.
    #[must_use]
    pub fn matches(&self, uri: &str) -> bool {
        if uri.len() > MAX {
            return false;
        }
        // The positions in the URI that the parts so far can lead to; there is nothing to go back on.
        let bytes = uri.as_bytes();
        let mut reached = vec![false; bytes.len() + 1];
        if let Some(start) = reached.first_mut() {
            *start = true;
        }
        for part in &self.0 {
            let mut next = vec![false; bytes.len() + 1];
            match part {
                Part::Literal(literal) => {
                    for (at, _) in reached.iter().enumerate().filter(|(_, is)| **is) {
                        let begins = bytes
                            .get(at..)
                            .is_some_and(|rest| rest.starts_with(literal.as_bytes()));
                        if begins && let Some(place) = next.get_mut(at + literal.len()) {
                            *place = true;
                        }
                    }
                }
                Part::Expression(expression) => {
                    let mut is_open = false;
                    for (at, place) in next.iter_mut().enumerate() {
                        let byte = at.checked_sub(1).and_then(|before| bytes.get(before));
                        is_open &= byte.is_some_and(|byte| expression.takes(*byte));
                        is_open |= reached.get(at).copied().unwrap_or_default();
                        *place = is_open;
                    }
                }
            }
            reached = next;
        }
        reached.last().copied().unwrap_or_default()
    }
}

fn literal_of(text: &str) -> Result<Option<Part>, String> {
    if text.contains('}') {
        return Err("a brace is closed that was not opened".to_owned());
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it has spaces or control characters".to_owned());
    }
    Ok((!text.is_empty()).then(|| Part::Literal(text.to_owned())))
}

impl Expression {
    fn parse(text: &str) -> Result<Self, String> {
        let operator = text.chars().next().filter(|c| "+#./;?&".contains(*c));
        let list = text.strip_prefix(|c| Some(c) == operator).unwrap_or(text);
        let variables = list.split(',').map(|variable| {
            let name = variable.strip_suffix('*').unwrap_or(variable);
            let (name, length) = name.split_once(':').unwrap_or((name, "1"));
            let is_name = !name.is_empty()
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.%".contains(c));
            if !is_name || length.parse::<u16>().is_err() {
                return Err(format!("{{{text}}} is no expression"));
            }
            Ok(name.to_owned())
        });
        Ok(Self {
            operator,
            variables: variables.collect::<Result<_, _>>()?,
        })
    }

    /// True for what may come out of the expression.
    fn takes(&self, byte: u8) -> bool {
        match self.operator {
            // Reserved characters are taken over as they are.
            Some('+' | '#') => true,
            // These write their own separators.
            Some('/') => !matches!(byte, b'?' | b'#'),
            Some('?' | '&') => byte != b'#',
            Some(_) => !matches!(byte, b'/' | b'?' | b'#'),
            None => !matches!(byte, b'/' | b'?' | b'#' | b'&' | b'='),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(template: &str, uri: &str) -> bool {
        UriTemplate::parse(template)
            .expect("a template")
            .matches(uri)
    }

    #[test]
    fn a_uri_fits_where_values_give_it() {
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/123/data"),
            ("test://template/{id}/data", "test://template//data"),
            ("file:///{+path}", "file:///a/b/c.txt"),
            ("notes://{year}/{title}", "notes://2026/a%20b"),
            ("x://y{/a,b}", "x://y/1/2"),
            ("x://y{?q,r}", "x://y?q=1&r=2"),
            ("x://y{?q,r}", "x://y"),
            ("x://{a}{b}", "x://12"),
            ("x://plain", "x://plain"),
            ("x://{a:3}", "x://abc"),
        ] {
            assert!(matches(template, uri), "{template} {uri}");
        }
        for (template, uri) in [
            ("test://template/{id}/data", "test://template/1/2/data"),
            ("test://template/{id}/data", "test://template/1/data/"),
            ("test://template/{id}/data", "best://template/1/data"),
            ("x://plain", "x://plain2"),
            ("x://plain", "x://plai"),
            ("x://{a}", "x://a?b"),
            ("x://{a}", ""),
        ] {
            assert!(!matches(template, uri), "{template} {uri}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "x://{",
            "x://}",
            "x://{}",
            "x://{a b}",
            "x://{a,}",
            "x://{{a}}",
            "x y",
            "x://{!a}",
        ] {
            assert!(UriTemplate::parse(text).is_err(), "{text}");
        }
        assert!(UriTemplate::parse(&"{a}".repeat(EXPRESSIONS + 1)).is_err());
        let names = UriTemplate::parse("x://{a}{?b*,c:4}").expect("a template");
        assert_eq!(names.variables().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    proptest! {
        #[test]
        fn whatever_is_filled_in_fits(literals in prop::collection::vec("[a-z:/]{0,4}", 1..5), value in "[A-Za-z0-9%._~-]{0,6}") {
            let template = literals.join("{v}");
            let uri = literals.join(&value);
            prop_assert!(matches(&template, &uri));
        }

        #[test]
        fn no_text_is_too_odd(template in ".{0,40}", uri in ".{0,40}") {
            if let Ok(template) = UriTemplate::parse(&template) {
                let _ = template.matches(&uri);
            }
        }
    }
}
