//! Facts about a question, as far as they need no Cedar to be looked up.

use crate::policy::question::{Ask, Question, Tool};
use crate::policy::shape::Typed;
use crate::policy::vocabulary;

/// Where the facts come from: a question, and its arguments where it has typed ones.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The question.
    pub question: &'a Question,
    /// Its arguments: a record, as far as any policy sees them.
    pub arguments: Option<&'a Typed<'a>>,
}

/// A plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain<'a> {
    Bool(bool),
    Long(i64),
    String(&'a str),
}

/// An attribute that policies name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute {
    Risk,
    Lifecycle,
    Plugin,
    Name,
    Version,
    Signed,
    Pure,
    Idempotent,
    UntrustedOutput,
    Path,
    Access,
    Reference,
    Port,
    Tainted,
    Egress,
    Calls,
    Interactive,
    Headless,
    Unix,
    Hour,
    Weekday,
    /// An argument, or a part of one.
    Argument(Vec<String>),
}

impl Attribute {
    /// The attribute at a path, where it is one of these.
    pub(super) fn of_path(path: &[String]) -> Option<Self> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        Some(match names.as_slice() {
            ["resource", "risk"] => Self::Risk,
            ["resource", "lifecycle"] => Self::Lifecycle,
            ["resource", "plugin"] => Self::Plugin,
            ["resource", "name"] => Self::Name,
            ["resource", "version"] => Self::Version,
            ["resource", "signed"] => Self::Signed,
            ["resource", "pure"] => Self::Pure,
            ["resource", "idempotent"] => Self::Idempotent,
            ["resource", "untrusted_output"] => Self::UntrustedOutput,
            ["resource", "path"] => Self::Path,
            ["resource", "access"] => Self::Access,
            ["resource", "reference"] => Self::Reference,
            ["resource", "port"] => Self::Port,
            ["context", "session", "tainted"] => Self::Tainted,
            ["context", "session", "egress"] => Self::Egress,
            ["context", "session", "calls"] => Self::Calls,
            ["context", "environment", "interactive"] => Self::Interactive,
            ["context", "environment", "headless"] => Self::Headless,
            ["context", "time", "unix"] => Self::Unix,
            ["context", "time", "hour"] => Self::Hour,
            ["context", "time", "weekday"] => Self::Weekday,
            ["context", "args", _, ..] => Self::Argument(path.get(2..)?.to_vec()),
            _ => return None,
        })
    }

    /// Its value for a question; `None` where it is absent, or no plain value.
    pub(super) fn of<'a>(&self, facts: Facts<'a>) -> Option<Plain<'a>> {
        let question = facts.question;
        Some(match self {
            Self::Tainted => Plain::Bool(question.session.tainted),
            Self::Egress => Plain::Bool(question.session.egress),
            Self::Calls => Plain::Long(question.session.calls.into()),
            Self::Interactive => Plain::Bool(question.environment.interactive),
            Self::Headless => Plain::Bool(question.environment.headless),
            Self::Unix => Plain::Long(question.time),
            Self::Hour => Plain::Long(vocabulary::hour(question.time)),
            Self::Weekday => Plain::String(vocabulary::weekday(question.time)),
            Self::Argument(path) => return argument(facts, path),
            _ => return self.of_resource(&question.ask),
        })
    }

    fn of_resource<'a>(&self, ask: &'a Ask) -> Option<Plain<'a>> {
        Some(match (self, ask) {
            (_, Ask::Invoke { resource, .. } | Ask::List { resource }) => {
                return self.of_tool(resource);
            }
            (Self::Path, Ask::Mount { resource }) => Plain::String(&resource.path),
            (Self::Access, Ask::Mount { resource }) => Plain::String(resource.access.word()),
            (Self::Name, Ask::Connect { resource }) => Plain::String(&resource.name),
            (Self::Port, Ask::Connect { resource }) => Plain::Long(resource.port.into()),
            (Self::Reference, Ask::Container { resource }) => Plain::String(&resource.reference),
            (Self::Name, Ask::Secret { resource }) => Plain::String(&resource.name),
            (Self::Name, Ask::Register { resource }) => Plain::String(&resource.name),
            _ => return None,
        })
    }

    fn of_tool<'a>(&self, tool: &'a Tool) -> Option<Plain<'a>> {
        Some(match self {
            Self::Risk => Plain::String(tool.risk.word()),
            Self::Lifecycle => Plain::String(tool.lifecycle.word()),
            Self::Plugin => Plain::String(tool.id.source()),
            Self::Name => Plain::String(tool.id.tool()),
            Self::Version => Plain::String(&tool.version),
            Self::Signed => Plain::Bool(tool.signed),
            Self::Pure => Plain::Bool(tool.pure),
            Self::Idempotent => Plain::Bool(tool.idempotent),
            Self::UntrustedOutput => Plain::Bool(tool.untrusted_output),
            _ => return None,
        })
    }
}

fn argument<'a>(facts: Facts<'a>, path: &[String]) -> Option<Plain<'a>> {
    let mut value = facts.arguments?;
    for name in path {
        value = value.get(name)?;
    }
    match value {
        Typed::Bool(flag) => Some(Plain::Bool(*flag)),
        Typed::Long(number) => Some(Plain::Long(*number)),
        Typed::String(text) => Some(Plain::String(text)),
        Typed::Decimal(_) | Typed::Set(_) | Typed::Record(_) => None,
    }
}

/// Whether a part of the arguments has an attribute, which has an attribute, and so on; `None` where something on the way
/// is no record, or where that part is absent itself.
pub(super) fn has(facts: Facts<'_>, of: &[String], names: &[String]) -> Option<bool> {
    let mut value = facts.arguments?;
    for name in of {
        value = value.get(name)?;
    }
    for name in names {
        if !matches!(value, Typed::Record(_)) {
            return None;
        }
        let Some(found) = value.get(name) else {
            return Some(false);
        };
        value = found;
    }
    Some(true)
}

/// The texts of a set of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Tags,
    Labels,
}

impl Words {
    pub(super) fn of_path(path: &[String]) -> Option<Self> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["resource", "tags"] => Some(Self::Tags),
            ["context", "session", "labels"] => Some(Self::Labels),
            _ => None,
        }
    }

    /// Whether one of them is this; `None` where the resource has none.
    pub(super) fn contain(self, facts: Facts<'_>, word: &str) -> Option<bool> {
        let words = match (self, &facts.question.ask) {
            (Self::Labels, _) => &facts.question.session.labels,
            (Self::Tags, Ask::Invoke { resource, .. } | Ask::List { resource }) => &resource.tags,
            (Self::Tags, _) => return None,
        };
        Some(words.contains(word))
    }
}
