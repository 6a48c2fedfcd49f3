//! Texts of other programs that may be secrets, and references to where they are.

use std::collections::BTreeMap;

use crate::config::credential::CredentialSource;
use crate::config::schema::{McpSource, McpValue};

/// Parts of names that only secrets have.
const WORDS: [&str; 11] = [
    "TOKEN",
    "KEY",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTHORIZATION",
    "COOKIE",
    "_PAT",
    "DATABASE_URL",
];
/// How well-known secrets begin.
const BEGINNINGS: [&str; 9] = [
    "ghp_",
    "github_pat_",
    "glpat-",
    "sk-",
    "xoxb-",
    "xoxp-",
    "Bearer ",
    "Basic ",
    "AKIA",
];

/// How the names of what is no variable of the environment begin, in editors.
const EDITORS: [&str; 3] = ["workspaceFolder", "userHome", "pathSeparator"];

/// True for the name of a variable, a header or a flag whose value is a secret, as far as a name tells.
pub(super) fn is_named_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace('-', "_");
    WORDS.iter().any(|word| name.contains(word))
}

/// True for what looks like a secret by itself: a known beginning, or a password within a URL.
fn looks_secret(text: &str) -> bool {
    let has_user = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .is_some_and(|authority| authority.contains('@') && authority.contains(':'));
    has_user
        || BEGINNINGS
            .iter()
            .any(|beginning| text.starts_with(beginning))
}

/// True where another program would put something else into the text: `${NAME}`, `${input:NAME}`, `{{NAME}}`. What only a
/// shell knows, such as `${NAME#x}`, is none of these.
pub(super) fn has_reference(text: &str) -> bool {
    let is_name = |inner: &str| {
        let name = inner.split(":-").next().unwrap_or_default();
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-:./".contains(c))
    };
    let mut rest = text.split("${").skip(1);
    text.contains("{{")
        || rest.any(|rest| {
            rest.split_once('}')
                .is_some_and(|(inner, _)| is_name(inner))
        })
}

/// Arguments of a program with `…` in the place of what looks like a secret.
#[must_use]
pub fn masked(arguments: &[String]) -> Vec<String> {
    let mut next_is_secret = false;
    let mask = |argument: &String| {
        let flag = argument.starts_with('-');
        let shown = match argument.split_once('=') {
            Some((name, value)) if is_named_secret(name) || looks_secret(value) => {
                format!("{name}=…")
            }
            _ if looks_secret(argument) || (next_is_secret && !flag) => "…".to_owned(),
            _ => argument.clone(),
        };
        next_is_secret = flag && !argument.contains('=') && is_named_secret(argument);
        shown
    };
    arguments.iter().map(mask).collect()
}

/// Variables or headers on their way from one program to the other.
pub(super) struct Texts<'a> {
    /// The name of the server there.
    pub(super) server: &'a str,
    /// Headers, and not variables.
    pub(super) headers: bool,
    /// Secrets that stand in the file are copied.
    pub(super) with_secrets: bool,
    /// What became of them.
    pub(super) values: BTreeMap<String, McpValue>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(server: &'a str, headers: bool, with_secrets: bool) -> Self {
        Self {
            server,
            headers,
            with_secrets,
            values: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Takes one text, and where it may be a secret, where it is read from instead.
    pub(super) fn take(&mut self, name: &str, text: &str) {
        let text = text.trim_end_matches(['\r', '\n']);
        match Reference::of(text) {
            Reference::None if !is_named_secret(name) && !looks_secret(text) => {
                self.put(name, McpValue::Text(text.to_owned()));
            }
            Reference::None if self.with_secrets => {
                self.put(name, McpValue::Text(text.to_owned()));
                let note = format!(
                    "{name} may be a secret: its value is copied into the file of the server"
                );
                self.notes.push(note);
            }
            Reference::None => {
                self.refer(
                    name,
                    "may be a secret, which stands in that file: its value is not copied",
                );
            }
            Reference::Variable {
                name: variable,
                default,
            } => {
                self.put(name, of_variable(&variable));
                if default {
                    self.notes.push(format!(
                        "{name} had a value where the variable {variable} is not set; here it has to be set"
                    ));
                }
            }
            Reference::Input(input) => {
                self.refer(name, &format!("was asked of you there (`{input}`)"));
            }
            Reference::Within => {
                let why = "is put together from a variable there, which is not done here";
                self.refer(name, why);
            }
        }
    }

    /// A text that the other program keeps, and that a variable has to hold here.
    pub(super) fn refer(&mut self, name: &str, why: &str) {
        let variable = if self.headers {
            let server = self
                .server
                .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let header = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            format!("MCP_{server}_{header}").to_ascii_uppercase()
        } else {
            name.to_owned()
        };
        let (what, flag) = if self.headers {
            ("the header ", "--header-file")
        } else {
            ("", "--env-file")
        };
        self.notes.push(format!(
            "{what}{name} {why}. It is read from the variable {variable} when the server starts; `{flag} {name}=FILE` reads it \
             from a file"
        ));
        self.put(name, of_variable(&variable));
    }

    fn put(&mut self, name: &str, value: McpValue) {
        self.values.insert(name.to_owned(), value);
    }
}

fn of_variable(name: &str) -> McpValue {
    McpValue::Source(McpSource {
        env: Some(name.to_owned()),
        file: None,
    })
}

/// What a text of another program refers to.
enum Reference {
    /// Nothing: it stands for itself.
    None,
    /// It is a variable, and nothing else; some have a default.
    Variable { name: String, default: bool },
    /// It is what a person is asked for.
    Input(String),
    /// One of these stands within it.
    Within,
}

impl Reference {
    fn of(text: &str) -> Self {
        let inner = text
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'));
        match inner {
            Some(inner) if !inner.contains(['{', '}']) => {
                if let Some(input) = inner.strip_prefix("input:") {
                    return Self::Input(input.to_owned());
                }
                let inner = inner.strip_prefix("env:").unwrap_or(inner);
                let (name, default) = match inner.split_once(":-") {
                    Some((name, _)) => (name, true),
                    None => (inner, false),
                };
                let is_editors = EDITORS.iter().any(|own| name.starts_with(own));
                if CredentialSource::is_variable(name) && !is_editors {
                    let name = name.to_owned();
                    return Self::Variable { name, default };
                }
                Self::Within
            }
            _ if has_reference(text) => Self::Within,
            _ => Self::None,
        }
    }
}
