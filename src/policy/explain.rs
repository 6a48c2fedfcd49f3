//! Why an answer is what it is, and which single change would make it another.
//!
//! Every attribute that a policy for this kind of action names is given its other values, one at a time, and the
//! question is asked again. A change that is not listed was not found; it may exist all the same, above all where two
//! things would have to change together.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::asked::Asked;
use super::decide::{Decision, Outcome};
use super::mention::Mentions;
use super::question::Question;
use super::vocabulary;
use super::{Policies, PolicyRef};

/// How many other questions one explanation asks at most.
const MAX_TRIES: usize = 500;

/// An answer with what would change it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The answer in one word.
    pub outcome: Outcome,
    /// The answer itself, with the policies that made it.
    pub decision: Decision,
    /// Single changes that would give another answer.
    pub changes: Vec<Change>,
    /// How many changes were tried.
    pub tried: usize,
}

/// One change to a question that gives another answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The attribute as a policy names it, such as `context.session.tainted`, or a part of the principal.
    pub what: String,
    /// Its value now; null where it is absent.
    pub from: Value,
    /// The value that gives another answer; null where it would have to be absent.
    pub to: Value,
    /// That answer.
    pub outcome: Outcome,
    /// The policies that would make it.
    pub by: Vec<PolicyRef>,
}

impl Policies {
    /// Answers a question and looks for single changes that would give another answer.
    #[must_use]
    pub fn explain(&self, question: &Question) -> Explanation {
        let decision = self.decide(question);
        let outcome = decision.outcome();
        let mut changes = Vec::new();
        let mut tried = 0;
        for (what, from, to, changed) in self.alternatives(question) {
            if tried >= MAX_TRIES {
                break;
            }
            tried += 1;
            let other = self.decide(&changed);
            // An argument out of range makes the question unanswerable, which is no answer anybody wants.
            if other.outcome() != outcome && other.errors.is_empty() {
                changes.push(Change {
                    what,
                    from,
                    to,
                    outcome: other.outcome(),
                    by: other
                        .determining
                        .iter()
                        .map(|one| one.as_ref().clone())
                        .collect(),
                });
            }
        }
        Explanation {
            outcome,
            decision,
            changes,
            tried,
        }
    }

    /// Other questions, each one change away: what is changed, from, to, and the question.
    fn alternatives(&self, question: &Question) -> Vec<(String, Value, Value, Question)> {
        let stored = question.to_json();
        let mut found = Vec::new();
        let mut add = |what: &str, pointer: &str, from: &Value, to: Value| {
            if let Some(changed) = with(&stored, pointer, &to) {
                found.push((what.to_owned(), from.clone(), to, changed));
            }
        };
        for part in ["plugin", "session", "agent", "user"] {
            let pointer = format!("/principal/{part}");
            if let Some(from) = stored.pointer(&pointer) {
                add(&format!("principal {part}"), &pointer, from, Value::Null);
            }
        }
        for (path, literals) in self.mentioned(question).iter() {
            let what = path.join(".");
            if let ["context", "time", part] = words(path).as_slice() {
                for (from, to, unix) in other_times(question.time, part, literals) {
                    if let Some(changed) = with(&stored, "/time", &json!(unix)) {
                        found.push((what.clone(), from, to, changed));
                    }
                }
                continue;
            }
            let Some(pointer) = pointer_of(path) else {
                continue;
            };
            let from = stored.pointer(&pointer).cloned().unwrap_or_default();
            for to in other_values(path, &from, literals) {
                if let Some(changed) = with(&stored, &pointer, &to) {
                    found.push((what.clone(), from.clone(), to, changed));
                }
            }
        }
        found
    }

    /// What the policies that can concern this question name.
    fn mentioned(&self, question: &Question) -> Mentions {
        let mut mentions = Mentions::default();
        match Asked::of(question) {
            Ok(asked) => {
                for sliced in self.slices.in_scope(&asked) {
                    if let Some(about) = self.about.get(sliced.policy.id()) {
                        mentions.merge(&about.mentions);
                    }
                }
            }
            // A question that cannot be put may still be repaired by another principal.
            Err(_) => self
                .about
                .values()
                .for_each(|about| mentions.merge(&about.mentions)),
        }
        mentions
    }
}

fn words(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// Where an attribute lies in the stored form of a question.
fn pointer_of(path: &[String]) -> Option<String> {
    let below = |root: &str, rest: &[&str]| {
        let mut pointer = root.to_owned();
        for name in rest {
            pointer.push('/');
            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        pointer
    };
    match words(path).as_slice() {
        ["context", "args", rest @ ..] if !rest.is_empty() => Some(below("/ask/args", rest)),
        ["context", "session", "id"] => Some("/principal/session".to_owned()),
        ["context", part @ ("session" | "environment" | "tool"), name] => {
            Some(below(&format!("/{part}"), &[name]))
        }
        ["resource", name] => Some(below("/ask/resource", &[name])),
        _ => None,
    }
}

/// The stored question with one value replaced, or taken away where the new one is null; `None` where that is no
/// question any more.
fn with(stored: &Value, pointer: &str, to: &Value) -> Option<Question> {
    let mut changed = stored.clone();
    let (parent, name) = pointer.rsplit_once('/')?;
    let name = name.replace("~1", "/").replace("~0", "~");
    let parent = changed.pointer_mut(parent)?.as_object_mut()?;
    if to.is_null() {
        parent.remove(&name)?;
    } else {
        parent.insert(name, to.clone());
    }
    serde_json::from_value(changed).ok()
}

/// The values worth trying instead of this one.
fn other_values(path: &[String], from: &Value, literals: &[Value]) -> Vec<Value> {
    let mut others: Vec<Value> = Vec::new();
    match from {
        Value::Bool(flag) => others.push((!flag).into()),
        Value::Array(items) => {
            others.push(json!([]));
            for literal in literals.iter().filter(|literal| !items.contains(literal)) {
                let mut more = items.clone();
                more.push(literal.clone());
                others.push(more.into());
            }
        }
        Value::Null => {
            // An absent attribute: what it is compared with, or else either truth.
            others.extend(literals.iter().cloned());
            if literals.is_empty() {
                others.extend([true.into(), false.into()]);
            }
        }
        _ => {}
    }
    if let Some(known) = vocabulary::closed_words(path) {
        others.extend(known.iter().map(|word| Value::from(*word)));
    } else if from.is_string() || from.is_number() {
        for literal in literals {
            others.push(literal.clone());
            if let Some(number) = literal.as_i64() {
                // Either side of a bound.
                others.extend([
                    number.saturating_sub(1).into(),
                    number.saturating_add(1).into(),
                ]);
            }
        }
    }
    if let ["context", "args", ..] = words(path).as_slice()
        && !from.is_null()
    {
        others.push(Value::Null);
    }
    let mut told = BTreeSet::new();
    others.retain(|other| other != from && told.insert(other.to_string()));
    others
}

/// Other times of the same week: what a policy reads now, what it would read, and the time in seconds since 1970.
fn other_times(unix: i64, part: &str, literals: &[Value]) -> Vec<(Value, Value, i64)> {
    let hour = unix.rem_euclid(86_400) / 3_600;
    match part {
        "hour" => (0..24)
            .filter(|other| *other != hour)
            .map(|other| {
                let moved = unix.saturating_add((other - hour) * 3_600);
                (hour.into(), other.into(), moved)
            })
            .collect(),
        "weekday" => (1..7)
            .map(|days| {
                let moved = unix.saturating_add(days * 86_400);
                let now = vocabulary::weekday(unix);
                (now.into(), vocabulary::weekday(moved).into(), moved)
            })
            .collect(),
        _ => literals
            .iter()
            .filter_map(Value::as_i64)
            .flat_map(|bound| [bound.saturating_sub(1), bound, bound.saturating_add(1)])
            .filter(|other| *other != unix)
            .map(|other| (unix.into(), other.into(), other))
            .collect(),
    }
}
