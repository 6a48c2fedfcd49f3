//! What came of an example call, against what was to come of it.

use serde_json::{Value, json};

use super::Expect;
use crate::error::Error;
use crate::exec::{Content, Output};

/// How an example call ended.
#[derive(Debug)]
pub enum Ending<'a> {
    /// With a result.
    Done(&'a Output),
    /// With an error.
    Failed(&'a Error),
}

/// What is said of an example call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it was to be.
    Passed,
    /// It is not; each reason is a sentence.
    Failed(Vec<String>),
}

impl Ending<'_> {
    /// What a snapshot keeps of it. An error's text may name paths of this machine, its code does not.
    #[must_use]
    pub fn to_snapshot(&self) -> Value {
        match self {
            Self::Done(output) => output.to_json(),
            Self::Failed(error) => json!({"error": error.code().name()}),
        }
    }

    /// Holds it against what was expected; `snapshot` is the one that was kept, where there is one and it counts.
    #[must_use]
    pub fn judge(&self, expect: &Expect, snapshot: Option<&Value>) -> Verdict {
        let mut wrong = Vec::new();
        match self {
            Self::Done(output) => of_result(output, expect, &mut wrong),
            Self::Failed(error) => of_error(error, expect, &mut wrong),
        }
        if expect.snapshot && snapshot.is_none() {
            wrong.push(
                "there is no snapshot of it yet: look at it, and write one with `--update`"
                    .to_owned(),
            );
        }
        if let Some(kept) = snapshot
            && wrong.is_empty()
            && *kept != self.to_snapshot()
        {
            wrong.push(format!(
                "it is not what the snapshot has: {}; if it is right, write the snapshot anew with `--update`",
                difference(kept, &self.to_snapshot())
            ));
        }
        if wrong.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(wrong)
        }
    }
}

fn of_result(output: &Output, expect: &Expect, wrong: &mut Vec<String>) {
    if let Some(code) = &expect.error {
        wrong.push(format!("it was to fail with {code}, and succeeded"));
        return;
    }
    let structured = output.structured.as_ref().unwrap_or(&Value::Null);
    if let Some(expected) = &expect.result
        && !same(expected, structured)
    {
        wrong.push(format!(
            "the result is not the expected one: {}",
            difference(expected, structured)
        ));
    }
    if let Some(expected) = &expect.contains
        && let Err(why) = contains(structured, expected, "the result")
    {
        wrong.push(why);
    }
    if let Some(expected) = &expect.text {
        let text = text_of(output);
        if !text.contains(expected.as_str()) {
            wrong.push(format!("its text does not contain {expected:?}: {text:?}"));
        }
    }
}

fn of_error(error: &Error, expect: &Expect, wrong: &mut Vec<String>) {
    let whole = std::iter::once(error.to_string())
        .chain(error.causes())
        .collect::<Vec<_>>()
        .join(": ");
    let Some(code) = &expect.error else {
        if !expect.snapshot
            || expect.result.is_some()
            || expect.contains.is_some()
            || expect.text.is_some()
        {
            wrong.push(format!("it failed with {}: {whole}", error.code()));
        }
        return;
    };
    if error.code().name() != code {
        wrong.push(format!(
            "it was to fail with {code}, and failed with {}: {whole}",
            error.code()
        ));
    } else if let Some(message) = &expect.message
        && !whole.contains(message.as_str())
    {
        wrong.push(format!(
            "the error's message does not contain {message:?}: {whole:?}"
        ));
    }
}

/// The text that people read of a result; that of the structured part where there is no other.
fn text_of(output: &Output) -> String {
    let texts: Vec<&str> = output
        .content
        .iter()
        .filter_map(|block| match block {
            Content::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    match (&output.structured, texts.is_empty()) {
        (Some(structured), true) => structured.to_string(),
        _ => texts.join("\n"),
    }
}

/// True for the same values: numbers by their value, objects in any order.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.as_f64() == b.as_f64() && a.is_f64() != b.is_f64())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Says where `found` lacks something of `wanted`.
fn contains(found: &Value, wanted: &Value, place: &str) -> Result<(), String> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().try_for_each(|(key, wanted)| {
                let place = format!("{place}.{key}");
                match found.get(key) {
                    Some(found) => contains(found, wanted, &place),
                    None => Err(format!("{place} is missing")),
                }
            })
        }
        (Value::Array(found), Value::Array(wanted)) => {
            wanted.iter().enumerate().try_for_each(|(index, wanted)| {
                let place = format!("{place}[{index}]");
                match found.get(index) {
                    Some(found) => contains(found, wanted, &place),
                    None => Err(format!("{place} is missing")),
                }
            })
        }
        (found, wanted) if same(wanted, found) => Ok(()),
        (found, wanted) => Err(format!("{place} is {found}, not {wanted}")),
    }
}

/// The first place where two values differ.
fn difference(expected: &Value, found: &Value) -> String {
    fn walk(expected: &Value, found: &Value, place: &str) -> Option<String> {
        let within = if place.is_empty() { "the whole" } else { place };
        match (expected, found) {
            (Value::Object(a), Value::Object(b)) => a
                .iter()
                .find_map(|(key, a)| {
                    let place = format!("{place}.{key}");
                    match b.get(key) {
                        Some(b) => walk(a, b, &place),
                        None => Some(format!("{place} is missing")),
                    }
                })
                .or_else(|| {
                    let more = b.keys().find(|key| !a.contains_key(*key))?;
                    Some(format!("{place}.{more} was not expected"))
                }),
            (Value::Array(a), Value::Array(b)) => a
                .iter()
                .zip(b)
                .enumerate()
                .find_map(|(index, (a, b))| walk(a, b, &format!("{place}[{index}]")))
                .or_else(|| {
                    (a.len() != b.len())
                        .then(|| format!("{within} has {} elements, not {}", b.len(), a.len()))
                }),
            (a, b) if same(a, b) => None,
            (a, b) => Some(format!("{within} is {b}, not {a}")),
        }
    }
    walk(expected, found, "").unwrap_or_else(|| "their order differs".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn output(structured: Value) -> Output {
        Output {
            structured: Some(structured),
            ..Output::default()
        }
    }

    fn reasons(ending: &Ending<'_>, expect: Value, snapshot: Option<&Value>) -> Vec<String> {
        let expect: Expect = serde_json::from_value(expect).expect("valid");
        match ending.judge(&expect, snapshot) {
            Verdict::Passed => Vec::new(),
            Verdict::Failed(reasons) => reasons,
        }
    }

    #[test]
    fn a_result_is_held_against_what_was_expected() {
        let output = output(json!({"words": 3, "list": [1, {"a": "x", "b": 2.5}]}));
        let done = Ending::Done(&output);
        let none: [&str; 0] = [];
        for good in [
            json!({}),
            json!({"result": {"list": [1, {"b": 2.5, "a": "x"}], "words": 3.0}}),
            json!({"contains": {"list": [1]}}),
            json!({"contains": {"list": [1, {"a": "x"}]}}),
            json!({"text": "\"words\":3"}),
        ] {
            assert_eq!(reasons(&done, good.clone(), None), none, "{good}");
        }
        for (bad, why) in [
            (json!({"result": {"words": 3}}), ".list was not expected"),
            (
                json!({"result": {"words": 4, "list": []}}),
                ".words is 3, not 4",
            ),
            (
                json!({"result": {"words": 3, "list": []}}),
                ".list has 2 elements, not 0",
            ),
            (
                json!({"contains": {"list": [1, {"c": 1}]}}),
                "the result.list[1].c is missing",
            ),
            (
                json!({"contains": {"words": "3"}}),
                "the result.words is 3, not \"3\"",
            ),
            (json!({"text": "four"}), "does not contain \"four\""),
            (
                json!({"error": "E3301"}),
                "was to fail with E3301, and succeeded",
            ),
        ] {
            let reasons = reasons(&done, bad.clone(), None);
            assert!(
                reasons.len() == 1 && reasons[0].contains(why),
                "{bad}: {reasons:?}"
            );
        }
    }

    #[test]
    fn an_error_is_held_against_its_code_and_message() {
        let error = Error::new(Code::E3301, "checking the arguments").caused_by("`times` is 11");
        let failed = Ending::Failed(&error);
        let none: [&str; 0] = [];
        assert_eq!(reasons(&failed, json!({"error": "E3301"}), None), none);
        assert_eq!(
            reasons(&failed, json!({"error": "E3301", "message": "is 11"}), None),
            none
        );
        assert_eq!(
            reasons(
                &failed,
                json!({"snapshot": true}),
                Some(&json!({"error": "E3301"}))
            ),
            none
        );
        for bad in [
            json!({}),
            json!({"error": "E3401"}),
            json!({"error": "E3301", "message": "is 12"}),
            json!({"result": {}, "snapshot": true}),
        ] {
            let kept = json!({"error": "E3301"});
            assert_eq!(reasons(&failed, bad.clone(), Some(&kept)).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_snapshot_that_differs_is_told() {
        let output = output(json!({"a": 1}));
        let done = Ending::Done(&output);
        let kept = done.to_snapshot();
        assert!(reasons(&done, json!({"snapshot": true}), Some(&kept)).is_empty());
        let missing = reasons(&done, json!({"snapshot": true}), None);
        assert!(
            missing.len() == 1 && missing[0].contains("--update"),
            "{missing:?}"
        );
        let other = Ending::Failed(&Error::new(Code::E3401, "no")).to_snapshot();
        let told = reasons(&done, json!({"snapshot": true}), Some(&other));
        assert!(told.len() == 1 && told[0].contains("--update"), "{told:?}");
    }
}
