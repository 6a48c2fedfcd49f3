//! The first thing a policy's condition asks, where that is a plain comparison of a fact with literals.
//!
//! A condition is tried from the left. Where its first conjunct is false, the policy is not satisfied, whatever follows;
//! and comparing a fact that is always there cannot fail.

use serde_json::Value;

use super::super::question::{Ask, Question, Tool};

/// A fact about a question that is always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fact {
    Risk,
    Lifecycle,
    Plugin,
    Name,
    Signed,
    Pure,
    Idempotent,
    UntrustedOutput,
    /// One of the tags; a tool has any number.
    Tag,
    Path,
    Access,
    Reference,
    Tainted,
    Egress,
    Interactive,
    Headless,
}

impl Fact {
    fn from_path(expression: &Value) -> Option<Self> {
        let path = super::super::mention::path_of(expression)?;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match path.as_slice() {
            ["resource", "risk"] => Self::Risk,
            ["resource", "lifecycle"] => Self::Lifecycle,
            ["resource", "plugin"] => Self::Plugin,
            ["resource", "name"] => Self::Name,
            ["resource", "signed"] => Self::Signed,
            ["resource", "pure"] => Self::Pure,
            ["resource", "idempotent"] => Self::Idempotent,
            ["resource", "untrusted_output"] => Self::UntrustedOutput,
            ["resource", "path"] => Self::Path,
            ["resource", "access"] => Self::Access,
            ["resource", "reference"] => Self::Reference,
            ["context", "session", "tainted"] => Self::Tainted,
            ["context", "session", "egress"] => Self::Egress,
            ["context", "environment", "interactive"] => Self::Interactive,
            ["context", "environment", "headless"] => Self::Headless,
            _ => return None,
        })
    }

    /// The fact of a question as texts, of which there can be several tags or none; `None` where its resource has no such
    /// attribute.
    pub(super) fn of(self, question: &Question) -> Option<Vec<&str>> {
        match (self, &question.ask) {
            (Self::Tag, Ask::Invoke { resource, .. } | Ask::List { resource }) => {
                Some(resource.tags.iter().map(String::as_str).collect())
            }
            _ => self.single(question).map(|value| vec![value]),
        }
    }

    fn single(self, question: &Question) -> Option<&str> {
        let word = |flag: bool| Some(if flag { "true" } else { "false" });
        match self {
            Self::Tainted => return word(question.session.tainted),
            Self::Egress => return word(question.session.egress),
            Self::Interactive => return word(question.environment.interactive),
            Self::Headless => return word(question.environment.headless),
            _ => {}
        }
        match &question.ask {
            Ask::Invoke { resource, .. } | Ask::List { resource } => self.of_tool(resource),
            Ask::Mount { resource } => match self {
                Self::Path => Some(resource.path.as_str()),
                Self::Access => Some(resource.access.word()),
                _ => None,
            },
            Ask::Container { resource } => {
                (self == Self::Reference).then_some(resource.reference.as_str())
            }
            Ask::Connect { resource } => (self == Self::Name).then_some(resource.name.as_str()),
            Ask::Secret { resource } => (self == Self::Name).then_some(resource.name.as_str()),
            // The name of a server is not certain to be there.
            Ask::Register { .. } => None,
        }
    }

    fn of_tool(self, tool: &Tool) -> Option<&str> {
        let word = |flag: bool| Some(if flag { "true" } else { "false" });
        match self {
            Self::Risk => Some(tool.risk.word()),
            Self::Lifecycle => Some(tool.lifecycle.word()),
            Self::Plugin => Some(tool.id.source()),
            Self::Name => Some(tool.id.tool()),
            Self::Signed => word(tool.signed),
            Self::Pure => word(tool.pure),
            Self::Idempotent => word(tool.idempotent),
            Self::UntrustedOutput => word(tool.untrusted_output),
            _ => None,
        }
    }
}

fn is_tags(expression: &Value) -> bool {
    super::super::mention::path_of(expression)
        .is_some_and(|path| path.iter().map(String::as_str).eq(["resource", "tags"]))
}

/// A fact and the values without which a policy is not satisfied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guard {
    pub(super) fact: Fact,
    pub(super) values: Vec<String>,
}

impl Guard {
    /// The guard of a policy in Cedar's JSON form, if it has one.
    pub(super) fn of(policy: &Value) -> Option<Self> {
        let first = policy.get("conditions")?.as_array()?.first()?;
        if first.get("kind")? != "when" {
            return None;
        }
        let mut asked = first.get("body")?;
        while let Some(both) = asked.get("&&") {
            asked = both.get("left")?;
        }
        if let Some(fact) = Fact::from_path(asked) {
            return Some(Self::new(fact, [&Value::Bool(true)]));
        }
        if let Some(not) = asked.get("!") {
            let fact = Fact::from_path(not.get("arg")?)?;
            return Some(Self::new(fact, [&Value::Bool(false)]));
        }
        if let Some(equal) = asked.get("==") {
            let (left, right) = (equal.get("left")?, equal.get("right")?);
            let (fact, other) = match Fact::from_path(left) {
                Some(fact) => (fact, right),
                None => (Fact::from_path(right)?, left),
            };
            return Some(Self::new(fact, [other.get("Value")?]));
        }
        let contains = asked.get("contains")?;
        if is_tags(contains.get("left")?) {
            return Some(Self::new(Fact::Tag, [contains.get("right")?.get("Value")?]));
        }
        let fact = Fact::from_path(contains.get("right")?)?;
        let items = contains.get("left")?.get("Set")?.as_array()?;
        let values: Option<Vec<&Value>> = items.iter().map(|item| item.get("Value")).collect();
        Some(Self::new(fact, values?))
    }

    fn new<'a>(fact: Fact, values: impl IntoIterator<Item = &'a Value>) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut values: Vec<String> = values.into_iter().map(text).collect();
        values.sort();
        values.dedup();
        Self { fact, values }
    }
}
