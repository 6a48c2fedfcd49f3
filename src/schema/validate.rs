//! JSON Schema validation of arguments and results.
//!
//! Schemas come from strangers. A validator reads nothing but the schema itself: a reference to another document is an
//! error, and size, nesting, patterns and backtracking are limited. Of parts that refer to themselves the library remembers
//! what it has checked, of others it does not; and the search for reasons remembers nothing, so that a schema that refers to
//! itself twice doubles it with every level of the value. So the check of a schema with very many ways through its parts,
//! and every search for reasons, is only made where it is known to be short.

mod graph;
mod violation;

use std::fmt;

use jsonschema::PatternOptions;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Json;

use crate::error::{Code, Error, Result};
use graph::Graph;
use violation::Violation;

/// The deepest nesting of a schema.
pub const MAX_SCHEMA_DEPTH: usize = 128;
/// The most values (keywords, names, numbers, …) in a schema.
pub const MAX_SCHEMA_NODES: usize = 50_000;
/// The most text in a schema, in bytes.
pub const MAX_SCHEMA_TEXT: usize = 4 << 20;
/// The most regular expressions in a schema.
pub const MAX_PATTERNS: usize = 200;
/// The largest compiled form of one regular expression, in bytes.
const MAX_PATTERN_BYTES: usize = 2 << 20;
/// The most steps back that matching one regular expression may take.
const MAX_BACKTRACKS: usize = 100_000;
/// The deepest nesting of a value that is checked.
const MAX_VALUE_DEPTH: usize = 128;
/// The most steps, by an upper bound counted beforehand, that the search for reasons may take.
const MAX_SEARCH: u64 = 200_000;
/// A schema with more ways through its parts than this is not checked before the steps of it are counted.
const MAX_WAYS: u64 = 100_000;
/// The most steps, by the same count, that the check with such a schema may take: about a quarter of a second.
const MAX_CHECK: u64 = 20_000_000;
/// The most violations that an error lists.
const LISTED: usize = 10;

/// A compiled JSON Schema: draft 2020-12 where the schema names no other.
pub struct Validator {
    schema: Json,
    compiled: jsonschema::Validator,
    /// There are so many ways through its parts that a small value can take for ever.
    is_costly: bool,
}

/// Makes ready what the first schema of a process would wait for: the schema of schemas.
pub fn warm_up() {
    drop(Validator::new(&serde_json::json!({"type": "object"})));
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator").finish_non_exhaustive()
    }
}

impl Validator {
    /// Compiles a schema.
    ///
    /// # Errors
    /// [`Code::E3105`] where it is not a valid schema, refers to another document, or exceeds a limit of this module.
    pub fn new(schema: &Json) -> Result<Self> {
        check_size(schema)?;
        let graph = Graph::new(schema);
        graph.check()?;
        let is_costly = graph.ways() > MAX_WAYS;
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(MAX_BACKTRACKS)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES);
        let compiled = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .build(schema)
            .map_err(|error| invalid(&error))?;
        Ok(Self {
            schema: schema.clone(),
            compiled,
            is_costly,
        })
    }

    /// Checks the arguments of a call.
    ///
    /// # Errors
    /// [`Code::E3301`] with up to ten violations, also as `details.violations`: each with the JSON Pointer `path`, what was
    /// `expected`, and what was `found`.
    pub fn validate(&self, arguments: &Json) -> Result<()> {
        self.check(
            Code::E3301,
            "the arguments do not fit the input schema",
            arguments,
        )
    }

    /// Checks an answer to what a tool asked.
    ///
    /// # Errors
    /// [`Code::E3216`], otherwise like [`Self::validate`].
    pub fn validate_answer(&self, answer: &Json) -> Result<()> {
        self.check(Code::E3216, "the answer does not fit", answer)
    }

    /// Checks the structured result of a call.
    ///
    /// # Errors
    /// [`Code::E3303`], otherwise like [`Self::validate`].
    pub fn validate_output(&self, output: &Json) -> Result<()> {
        self.check(
            Code::E3303,
            "the result does not fit the output schema",
            output,
        )
    }

    fn check(&self, code: Code, what: &str, instance: &Json) -> Result<()> {
        if depth_of(instance) > MAX_VALUE_DEPTH {
            return Err(Error::new(
                code,
                format!("{what}: it is nested deeper than {MAX_VALUE_DEPTH} levels"),
            ));
        }
        if self.is_costly && Graph::new(&self.schema).cost(instance, MAX_CHECK).is_none() {
            return Err(Error::new(
                code,
                format!("{what}: checking it would take too long, because the schema leads to its own parts in too many ways"),
            )
            .hint("The author of the tool can make its schema simpler."));
        }
        if self.compiled.is_valid(instance) {
            return Ok(());
        }
        if Graph::new(&self.schema)
            .cost(instance, MAX_SEARCH)
            .is_none()
        {
            let violation = Violation::unexplained(instance);
            let message =
                format!("{what}: {violation}; where exactly would take too long to find out");
            return Err(Error::new(code, message).detail("violations", vec![violation.into_json()]));
        }
        let mut errors = self.compiled.iter_errors(instance);
        let violations: Vec<Violation> = errors
            .by_ref()
            .take(LISTED)
            .map(|error| Violation::of(&self.schema, &error))
            .collect();
        let more = errors.count();
        let mut listed: Vec<String> = violations.iter().map(Violation::to_string).collect();
        if more > 0 {
            listed.push(format!("and {more} more"));
        }
        let mut error = Error::new(code, format!("{what}: {}", listed.join("; ")));
        for hint in violations
            .iter()
            .filter_map(|violation| violation.hint.as_ref())
            .take(3)
        {
            error = error.hint(hint.clone());
        }
        let details: Vec<Json> = violations.into_iter().map(Violation::into_json).collect();
        Err(error.detail("violations", details))
    }
}

fn invalid(error: &jsonschema::ValidationError<'_>) -> Error {
    let place = error.instance_path().as_str();
    let at = if place.is_empty() {
        String::new()
    } else {
        format!(" at {place}")
    };
    match error.kind() {
        ValidationErrorKind::Referencing(why) => Error::new(
            Code::E3105,
            format!("the JSON Schema refers to what is not in it: {why}"),
        )
        .hint("Put the schema it refers to under `$defs` and refer to it as `#/$defs/NAME`: nothing is fetched."),
        _ => Error::new(
            Code::E3105,
            format!("the JSON Schema is not valid{at}: {}", violation::shortened(&error.masked().to_string())),
        ),
    }
}

/// How deep arrays and objects are nested.
fn depth_of(value: &Json) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 0)];
    while let Some((value, depth)) = open.pop() {
        deepest = deepest.max(depth);
        match value {
            Json::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Json::Object(members) => {
                open.extend(members.values().map(|member| (member, depth + 1)))
            }
            _ => {}
        }
    }
    deepest
}

fn check_size(schema: &Json) -> Result<()> {
    let too = |what: &str, limit: usize| {
        Err(Error::new(
            Code::E3105,
            format!("the JSON Schema {what} (the limit is {limit})"),
        ))
    };
    let (mut nodes, mut text, mut patterns) = (0_usize, 0_usize, 0_usize);
    let mut open = vec![(schema, 1_usize)];
    while let Some((value, depth)) = open.pop() {
        nodes += 1;
        if depth > MAX_SCHEMA_DEPTH {
            return too("is nested too deeply", MAX_SCHEMA_DEPTH);
        }
        match value {
            Json::String(string) => text += string.len(),
            Json::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            Json::Object(members) => {
                for (key, member) in members {
                    text += key.len();
                    patterns += match (key.as_str(), member) {
                        ("pattern", Json::String(_)) => 1,
                        ("patternProperties", Json::Object(patterns)) => patterns.len(),
                        _ => 0,
                    };
                    open.push((member, depth + 1));
                }
            }
            _ => {}
        }
        if nodes > MAX_SCHEMA_NODES {
            return too("has too many parts", MAX_SCHEMA_NODES);
        }
        if text > MAX_SCHEMA_TEXT {
            return too("has too much text, in bytes", MAX_SCHEMA_TEXT);
        }
        if patterns > MAX_PATTERNS {
            return too("has too many regular expressions", MAX_PATTERNS);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
