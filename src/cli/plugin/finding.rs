//! One thing that is wrong with a plugin.

use serde_json::{Value, json};

use super::rule::Rule;
use crate::cli::text::one_line;
use crate::error::{Code, Error};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It cannot be used like this.
    Error,
    /// It works, and somebody will stumble over it.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// The word in text and JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// One thing that was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    /// The error it would be in a call, where there is one.
    pub(super) code: Option<Code>,
    /// What was looked for.
    pub(super) rule: Rule,
    pub(super) message: String,
    pub(super) fix: String,
}

impl Finding {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.word(),
            "code": self.code.map(Code::name),
            "rule": self.rule.id(),
            "message": self.message,
            "reason": self.rule.reason(),
            "fix": self.fix,
        })
    }

    /// One line for people: `error[tool-name]: …`, `warning[license]: …`.
    pub(super) fn text(&self) -> String {
        format!(
            "{}[{}]: {}",
            self.severity.word(),
            self.rule.id(),
            self.message
        )
    }
}

/// What was found, each thing once.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Notes something.
    pub(super) fn add(
        &mut self,
        severity: Severity,
        code: Option<Code>,
        rule: Rule,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let finding = Finding {
            severity,
            code,
            rule,
            message: message.into(),
            fix: fix.into(),
        };
        if !self.0.iter().any(|other| other.message == finding.message) {
            self.0.push(finding);
        }
    }

    /// Notes something that keeps the plugin from being used.
    pub(super) fn error(&mut self, rule: Rule, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Error, Some(Code::E3105), rule, message, fix);
    }

    /// Notes something somebody will stumble over.
    pub(super) fn warning(
        &mut self,
        rule: Rule,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(Severity::Warning, None, rule, message, fix);
    }

    /// Notes something that is good to know.
    pub(super) fn note(&mut self, rule: Rule, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Severity::Note, None, rule, message, fix);
    }

    /// Notes every problem that an error tells of.
    pub(super) fn failed(&mut self, rule: Rule, error: &Error) {
        // The hint of this code leads here.
        let fix = match error.hints().join(" ") {
            hint if hint == Code::E3105.hint() => "Build it or fetch it again.".to_owned(),
            hint => hint,
        };
        let details = error.details();
        let problems = details.get("problems").and_then(Value::as_array);
        let Some(problems) = problems.filter(|problems| !problems.is_empty()) else {
            self.add(
                Severity::Error,
                Some(error.code()),
                rule,
                one_line(error),
                fix,
            );
            return;
        };
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let file = text(details.get("file"));
        for problem in problems {
            let number = |key| problem.get(key).and_then(Value::as_u64);
            let place = match (number("line"), number("column")) {
                (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
                _ => file.clone(),
            };
            let key = text(problem.get("key"));
            let key = if key.is_empty() {
                key
            } else {
                format!("{key}: ")
            };
            let message = format!("{place}: {key}{}", text(problem.get("message")));
            self.add(
                Severity::Error,
                Some(error.code()),
                rule,
                message,
                "`toolhatch schema manifest` prints what a manifest can hold.",
            );
        }
    }

    /// How many findings of one severity there are.
    pub(super) fn count(&self, severity: Severity) -> usize {
        self.of(severity).count()
    }

    /// The findings of one severity, in the order in which they were found.
    pub(super) fn of(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.0
            .iter()
            .filter(move |finding| finding.severity == severity)
    }

    /// All of them, the worst first.
    pub(super) fn sorted(&self) -> Vec<&Finding> {
        let mut sorted: Vec<&Finding> = self.0.iter().collect();
        sorted.sort_by_key(|finding| finding.severity);
        sorted
    }

    /// What keeps the plugin from being used, as one error.
    ///
    /// # Errors
    /// With the code of the first finding, where there are any such findings.
    pub(super) fn into_result(self, doing: &str) -> crate::error::Result<()> {
        let errors: Vec<&Finding> = self.of(Severity::Error).collect();
        let Some(first) = errors.first() else {
            return Ok(());
        };
        let message = match errors.as_slice() {
            [only] => format!("{doing}: {}", only.message),
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|finding| format!("\n  {}", finding.message))
                    .collect();
                format!(
                    "{doing}: there are {} problems{}",
                    several.len(),
                    lines.concat()
                )
            }
        };
        let list: Vec<Value> = errors.iter().map(|finding| finding.to_json()).collect();
        Err(Error::new(first.code.unwrap_or(Code::E3105), message)
            .hint(first.fix.clone())
            .detail("findings", list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_several_problems_becomes_several_findings() {
        let error = Error::new(Code::E3105, "p.toml has 2 problems")
            .detail("file", "p.toml")
            .detail(
                "problems",
                json!([
                    {"key": "name", "message": "expected a string", "line": 3, "column": 8},
                    {"key": "", "message": "it is empty", "line": null, "column": null},
                ]),
            );
        let mut findings = Findings::default();
        findings.failed(Rule::Manifest, &error);
        findings.failed(Rule::Manifest, &error);
        let messages: Vec<&str> = findings
            .sorted()
            .iter()
            .map(|finding| finding.message.as_str())
            .collect();
        assert_eq!(
            messages,
            ["p.toml:3:8: name: expected a string", "p.toml: it is empty"]
        );
    }

    #[test]
    fn only_errors_stop_and_the_worst_comes_first() {
        let mut findings = Findings::default();
        findings.note(Rule::Size, "a note", "do nothing");
        findings.warning(Rule::License, "a warning", "do something");
        assert_eq!(findings.count(Severity::Error), 0);
        findings.error(Rule::ToolName, "an error", "do it");
        let rules: Vec<&str> = findings
            .sorted()
            .iter()
            .map(|finding| finding.rule.id())
            .collect();
        assert_eq!(rules, ["tool-name", "license", "size"]);
        let error = findings.into_result("packing x").expect_err("an error");
        assert_eq!(error.to_string(), "packing x: an error");
        assert_eq!(error.hints(), ["do it"]);
        assert!(Findings::default().into_result("x").is_ok());
    }
}
