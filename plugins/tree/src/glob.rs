//! Globs over `/`-separated relative paths: `*` and `?` stay within one component, `**` spans any number of them,
//! `[a-z]` and `[!a-z]` match one character, `{a,b}` matches either, `\` takes the next character as it is.
//!
//! A glob without a `/` is matched against the last component, as people expect of `*.rs`.

use std::fmt;

/// How many patterns the braces of one glob may multiply to.
const MAX_ALTERNATIVES: usize = 256;

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    alternatives: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// Matched against the last component of a path only.
    name_only: bool,
    components: Vec<Component>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// `**`: any number of components, none included.
    AnyDepth,
    One(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Char(char),
    AnyChar,
    AnyText,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Why a text is no glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobError {
    /// A `[` without its `]`.
    UnclosedClass,
    /// A `{` without its `}`.
    UnclosedBrace,
    /// A `\` at the end.
    TrailingBackslash,
    /// Braces that multiply to more than 256 patterns.
    TooManyAlternatives,
}

impl fmt::Display for GlobError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnclosedClass => "`[` is never closed",
            Self::UnclosedBrace => "`{` is never closed",
            Self::TrailingBackslash => "it ends in `\\`",
            Self::TooManyAlternatives => "its braces make more than 256 patterns",
        })
    }
}

impl std::error::Error for GlobError {}

impl Glob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// Brackets or braces that are never closed, a trailing backslash, too many alternatives.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let alternatives = expand_braces(text)?
            .iter()
            .map(|pattern| Pattern::parse(pattern))
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Says whether a relative path, its components separated by `/`, matches.
    pub fn matches(&self, path: &str) -> bool {
        self.alternatives
            .iter()
            .any(|pattern| pattern.matches(path))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, GlobError> {
        let text = text.strip_prefix("./").unwrap_or(text);
        let mut components = Vec::new();
        for component in text.split('/').filter(|component| !component.is_empty()) {
            if component == "**" {
                // Two in a row match what one matches, and would only cost time.
                if components.last() != Some(&Component::AnyDepth) {
                    components.push(Component::AnyDepth);
                }
            } else {
                components.push(Component::One(parse_component(component)?));
            }
        }
        Ok(Self {
            name_only: !text.contains('/'),
            components,
        })
    }

    fn matches(&self, path: &str) -> bool {
        let components: Vec<&str> = if self.name_only {
            path.rsplit('/').take(1).collect()
        } else {
            path.split('/').collect()
        };
        wildcard(
            &self.components,
            &components,
            |pattern| *pattern == Component::AnyDepth,
            |pattern, name| match pattern {
                Component::AnyDepth => false,
                Component::One(parts) => {
                    let name: Vec<char> = name.chars().collect();
                    wildcard(
                        parts,
                        &name,
                        |part| *part == Part::AnyText,
                        |part, char| part.matches(*char),
                    )
                }
            },
        )
    }
}

impl Part {
    fn matches(&self, char: char) -> bool {
        match self {
            Self::Char(expected) => *expected == char,
            Self::AnyChar | Self::AnyText => true,
            Self::Class { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&char))
                    != *negated
            }
        }
    }
}

/// Matches a sequence against a pattern in which some elements stand for any number of items. Only the last such
/// element is ever tried again, so the work is at most the product of the lengths.
fn wildcard<P, T>(
    pattern: &[P],
    items: &[T],
    is_star: impl Fn(&P) -> bool,
    matches: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut in_pattern, mut in_items) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(in_pattern), items.get(in_items)) {
            (Some(star), _) if is_star(star) => {
                in_pattern += 1;
                retry = Some((in_pattern, in_items));
            }
            (Some(one), Some(item)) if matches(one, item) => {
                in_pattern += 1;
                in_items += 1;
            }
            (None, None) => return true,
            _ => match retry {
                Some((after_star, taken)) if taken < items.len() => {
                    (in_pattern, in_items) = (after_star, taken + 1);
                    retry = Some((after_star, taken + 1));
                }
                _ => return false,
            },
        }
    }
}

fn parse_component(text: &str) -> Result<Vec<Part>, GlobError> {
    let mut parts = Vec::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        parts.push(match char {
            '*' => Part::AnyText,
            '?' => Part::AnyChar,
            '\\' => Part::Char(chars.next().ok_or(GlobError::TrailingBackslash)?),
            '[' => {
                let (class, rest) = parse_class(chars.as_str())?;
                chars = rest.chars();
                class
            }
            other => Part::Char(other),
        });
    }
    Ok(parts)
}

/// Parses what follows a `[`, and returns the rest after its `]`.
fn parse_class(text: &str) -> Result<(Part, &str), GlobError> {
    let (negated, text) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut chars = text.chars();
    let mut ranges = Vec::new();
    loop {
        match chars.next().ok_or(GlobError::UnclosedClass)? {
            ']' if !ranges.is_empty() => {
                return Ok((Part::Class { negated, ranges }, chars.as_str()));
            }
            low => {
                let mut ahead = chars.clone();
                let high = match (ahead.next(), ahead.next()) {
                    (Some('-'), Some(high)) if high != ']' => {
                        chars = ahead;
                        high
                    }
                    _ => low,
                };
                ranges.push((low, high));
            }
        }
    }
}

/// Multiplies out `{a,b}`, innermost last, so that a pattern has no braces left.
fn expand_braces(text: &str) -> Result<Vec<String>, GlobError> {
    let mut finished = Vec::new();
    let mut waiting = vec![text.to_owned()];
    while let Some(pattern) = waiting.pop() {
        match first_brace(&pattern)? {
            None => finished.push(pattern),
            Some((open, close, commas)) => {
                let before = pattern.get(..open).unwrap_or_default();
                let after = pattern.get(close + 1..).unwrap_or_default();
                let mut start = open + 1;
                for end in commas.into_iter().chain([close]) {
                    let middle = pattern.get(start..end).unwrap_or_default();
                    waiting.push(format!("{before}{middle}{after}"));
                    start = end + 1;
                }
            }
        }
        if finished.len() + waiting.len() > MAX_ALTERNATIVES {
            return Err(GlobError::TooManyAlternatives);
        }
    }
    Ok(finished)
}

/// Finds the first `{`, its `}`, and the commas between them that belong to it.
fn first_brace(pattern: &str) -> Result<Option<(usize, usize, Vec<usize>)>, GlobError> {
    let (mut open, mut depth, mut commas) = (None, 0_usize, Vec::new());
    let mut escaped = false;
    for (position, char) in pattern.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (char, open) {
            ('\\', _) => escaped = true,
            ('{', None) => open = Some(position),
            ('{', Some(_)) => depth += 1,
            ('}', Some(open)) if depth == 0 => return Ok(Some((open, position, commas))),
            ('}', Some(_)) => depth -= 1,
            (',', Some(_)) if depth == 0 => commas.push(position),
            _ => {}
        }
    }
    match open {
        Some(_) => Err(GlobError::UnclosedBrace),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
