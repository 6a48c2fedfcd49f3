//! What is wrong with policy files, each problem with its file, line and column.

use std::collections::HashMap;

use cedar_policy::ffi::DetailedError;
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};

/// How many problems are told; more than that is noise from one cause.
const MAX: usize = 50;

/// How much alike a name must be to be offered instead.
const ALIKE: f64 = 0.8;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    file: String,
    /// Line and column, from 1 on.
    at: Option<(usize, usize)>,
    policy: Option<String>,
    message: String,
}

/// The problems of some files.
#[derive(Debug)]
pub(super) struct Problems<'a> {
    texts: HashMap<&'a str, &'a str>,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    /// No problems yet, in these files.
    pub(super) fn new(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            texts: sources.collect(),
            found: Vec::new(),
        }
    }

    /// Notes a problem; `at` is the place in the file, in bytes.
    pub(super) fn add(
        &mut self,
        file: &str,
        at: Option<usize>,
        policy: Option<&str>,
        message: impl Into<String>,
    ) {
        let text = self.texts.get(file).copied().unwrap_or_default();
        let problem = Problem {
            file: file.to_owned(),
            at: at.map(|at| position(text, at)),
            policy: policy.map(str::to_owned),
            message: message.into(),
        };
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// Notes what Cedar found, with all it found beside it.
    pub(super) fn add_cedar(&mut self, file: &str, policy: Option<String>, error: DetailedError) {
        let at = error.source_locations.first().map(|label| label.loc.start);
        let mut message = error.message;
        // The place and the policy are told beside the message.
        if let Some(policy) = &policy
            && let Some(rest) = message.strip_prefix(&format!("for policy `{policy}`, "))
        {
            message = rest.to_owned();
        }
        if let Some(label) = error
            .source_locations
            .into_iter()
            .next()
            .and_then(|label| label.label)
        {
            message = format!("{message} ({label})");
        }
        if let Some(help) = error.help {
            message = format!("{message}; {help}");
        }
        self.add(file, at, policy.as_deref(), message);
        for related in error.related {
            self.add_cedar(file, policy.clone(), related);
        }
    }

    /// True where something is wrong with this policy already.
    pub(super) fn names(&self, policy: &str) -> bool {
        let mut named = self.found.iter().filter_map(|one| one.policy.as_deref());
        named.any(|other| other == policy)
    }

    /// Nothing, or one E3004 with every problem in the order of the files.
    pub(super) fn into_result(mut self, doing: &str) -> Result<()> {
        self.found.sort();
        // One mistake in a policy for every action comes once for each of them.
        self.found.dedup_by(|later, first| {
            (&later.file, later.at, &later.policy) == (&first.file, first.at, &first.policy)
                && without_action(&later.message) == without_action(&first.message)
        });
        let count = self.found.len();
        let mut policies: Vec<&str> = self
            .found
            .iter()
            .filter_map(|problem| problem.policy.as_deref())
            .collect();
        policies.dedup();
        let lines: Vec<String> = self.found.iter().take(MAX).map(line).collect();
        let message = match lines.as_slice() {
            [] => return Ok(()),
            [one] => format!("{doing}: {one}"),
            many => format!("{doing}: {count} problems\n  {}", many.join("\n  ")),
        };
        let problems: Vec<Value> = self.found.iter().take(MAX).map(as_json).collect();
        Err(Error::new(Code::E3004, message)
            .detail("policies", policies)
            .detail("problems", problems)
            .hint("`toolhatch policy check FILE` checks a policy file without using it."))
    }
}

/// A message up to the action it is about.
fn without_action(message: &str) -> &str {
    message
        .split_once(" in context for ")
        .map_or(message, |(before, _)| before)
}

fn line(problem: &Problem) -> String {
    let mut text = problem.file.clone();
    if let Some((line, column)) = problem.at {
        text.push_str(&format!(":{line}:{column}"));
    }
    if let Some(policy) = &problem.policy {
        text.push_str(&format!(": policy `{policy}`"));
    }
    format!("{text}: {}", problem.message)
}

fn as_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": problem.at.map(|at| at.0),
        "column": problem.at.map(|at| at.1),
        "policy": problem.policy,
        "message": problem.message,
    })
}

/// The line and column of a byte, both from 1 on; columns count characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |tail| tail.chars().count())
        + 1;
    (line, column)
}

/// `; did you mean …?` where one of the known names is like the unknown one, else nothing.
pub(super) fn did_you_mean<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
