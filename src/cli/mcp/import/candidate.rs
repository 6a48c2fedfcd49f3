//! A server that may be added: what it is, what it could do where it stands, and what that comes to here.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::gather::Gathered;
use crate::app::App;
use crate::cli::text::section;
use crate::config::{McpServer, McpValue, NamePattern, kebab_case, masked};
use crate::ids::PluginName;

/// What becomes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It can be added.
    New,
    /// It was added.
    Added,
    /// The person did not want it.
    Declined,
    /// There is a server of this name.
    There,
    /// Another file has the same one.
    Same,
    /// It cannot be added as it is.
    Unusable,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Added => "added",
            Self::Declined => "declined",
            Self::There => "there",
            Self::Same => "same",
            Self::Unusable => "unusable",
        }
    }

    /// True where a person was asked about it.
    pub(super) const fn was_asked(self) -> bool {
        matches!(self, Self::Added | Self::Declined)
    }
}

/// A server of a file.
pub(super) struct Candidate {
    /// What it is called here.
    pub(super) name: PluginName,
    given: String,
    pub(super) path: PathBuf,
    key: String,
    program: &'static str,
    pub(super) declared: McpServer,
    could: Vec<String>,
    /// Grants that a person can give it.
    pub(super) proposed: Vec<String>,
    notes: Vec<String>,
    pub(super) state: State,
    /// Why it is not added.
    why: Option<String>,
}

/// All servers of the files, those whose names fit, each with a name of its own.
pub(super) fn all(app: &App, gathered: &Gathered, only: &[NamePattern]) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for read in &gathered.read {
        for server in &read.file.servers {
            let plain = kebab_case(&server.given).unwrap_or_else(|| "server".to_owned());
            let names = [server.given.as_str(), plain.as_str()];
            let fits = |pattern: &NamePattern| names.iter().any(|name| pattern.matches(name));
            if !only.is_empty() && !only.iter().any(fits) {
                continue;
            }
            let Ok(name) = plain.parse::<PluginName>() else {
                continue;
            };
            let mut candidate = Candidate {
                name,
                given: server.given.clone(),
                path: read.path.clone(),
                key: server.key.clone(),
                program: read.file.program.word(),
                declared: server.declared.clone(),
                could: server.could.clone(),
                proposed: Vec::new(),
                notes: server.notes.clone(),
                state: State::New,
                why: None,
            };
            if read.of_project {
                candidate.notes.insert(
                    0,
                    "it stands in a file of the project, which somebody else can have written"
                        .to_owned(),
                );
            }
            candidate.propose(&server.proposed);
            candidate.settle(app, server.unusable.clone(), &candidates);
            candidates.push(candidate);
        }
    }
    candidates
}

impl Candidate {
    /// Proposes what is there; what is not cannot be granted.
    fn propose(&mut self, grants: &[String]) {
        for grant in grants {
            let path = grant
                .split_once("=/")
                .map(|(_, rest)| format!("/{}", rest.split(':').next().unwrap_or_default()));
            match path {
                Some(path) if std::fs::metadata(&path).is_err() => {
                    let note = format!("{path} is not there: it cannot be allowed");
                    if !self.notes.contains(&note) {
                        self.notes.push(note);
                    }
                }
                _ => self.proposed.push(grant.clone()),
            }
        }
    }

    /// Decides on its name, and whether it can be added.
    fn settle(&mut self, app: &App, unusable: Option<String>, before: &[Self]) {
        let namesake = |name: &PluginName| before.iter().find(|other| other.name == *name);
        let plain = self.name.to_string();
        for number in 2.. {
            let Some(other) = namesake(&self.name) else {
                break;
            };
            if other.form() == self.form() {
                self.state = State::Same;
                self.why = Some(format!("{} has the same", other.path.display()));
                return;
            }
            let Ok(name) = format!("{plain}-{number}").parse() else {
                break;
            };
            self.name = name;
        }
        if self.name.as_str() != plain {
            let note = format!(
                "another server is called {plain} too: this one is {}",
                self.name
            );
            self.notes.push(note);
        }
        let servers = &app.config.mcp.servers;
        if let Some(there) = servers.get(&self.name) {
            self.state = State::There;
            self.why = Some(format!(
                "there is a server {} already, of {}",
                self.name, there.origin
            ));
        } else if let Some(why) = unusable {
            self.refuse(why);
        } else if let Err(error) = app.declared_server(&self.name, &self.declared) {
            self.refuse(error.to_string());
        }
    }

    /// Says why it is not added.
    pub(super) fn refuse(&mut self, why: String) {
        self.state = State::Unusable;
        self.why = Some(why);
    }

    /// Allows it what is proposed.
    pub(super) fn allow_proposed(&mut self) {
        self.declared.allow.clone_from(&self.proposed);
    }

    /// What tells one declaration from another.
    fn form(&self) -> Option<Value> {
        serde_json::to_value(&self.declared).ok()
    }

    /// The server as people read it. Nothing of it is a secret.
    pub(super) fn text(&self) -> String {
        let mut text = match (&self.declared.command, &self.declared.url) {
            (Some(command), _) => {
                let image = self.declared.image.as_ref();
                let image = image.map_or_else(String::new, |image| format!(" in {image}"));
                format!(
                    "\n{} is the command `{}`{image}",
                    self.name,
                    masked(command).join(" ")
                )
            }
            (None, Some(url)) => format!("\n{} is a service at {}", self.name, shown_url(url)),
            (None, None) => format!("\n{} is nothing that can be used", self.name),
        };
        let place = match self.key.as_str() {
            "" => self.path.display().to_string(),
            key => format!("{}, {key}", self.path.display()),
        };
        text.push_str(&format!("\n  from {place} ({})\n", self.program));
        if let Some(why) = &self.why {
            let verb = match self.state {
                State::Unusable => "It cannot be added as it is",
                _ => "It is not added",
            };
            text.push_str(&format!("  {verb}: {why}\n"));
        }
        if self.state == State::Same {
            return text;
        }
        text.push_str(&section("There it could", &self.could));
        text.push_str(&section("Here it may", &[self.may()]));
        text.push_str(&section("To know", &self.notes));
        text.push_str(&section("By hand", &[self.command_line()]));
        text
    }

    fn may(&self) -> String {
        let variables: Vec<&str> = self.declared.env.keys().map(String::as_str).collect();
        let read = match variables.as_slice() {
            [] => String::new(),
            variables => format!(", and see {}", variables.join(", ")),
        };
        if self.declared.url.is_some() {
            return "do nothing on this machine".to_owned();
        }
        match self.declared.allow.as_slice() {
            [] => format!("do nothing but compute{read}; all else is denied until you allow it"),
            allow => format!("do {}{read}", allow.join(", ")),
        }
    }

    /// What adds it with all that is proposed.
    fn command_line(&self) -> String {
        let declared = &self.declared;
        let mut words = vec!["toolhatch".to_owned(), "mcp".to_owned(), "add".to_owned()];
        words.push(self.name.to_string());
        let mut flag = |flag: &str, value: &str| words.extend([flag.to_owned(), quoted(value)]);
        for grant in &self.proposed {
            flag("--allow", grant);
        }
        for (texts, of_text, of_file) in [
            (&declared.env, "--env", "--env-file"),
            (&declared.headers, "--header", "--header-file"),
        ] {
            for (name, value) in texts {
                match value {
                    McpValue::Text(_) => flag(of_text, &format!("{name}=…")),
                    McpValue::Source(source) if source.env.as_ref() == Some(name) => {
                        flag(of_text, name);
                    }
                    McpValue::Source(_) => flag(of_file, &format!("{name}=FILE")),
                }
            }
        }
        if let Some(run) = declared.run {
            flag("--run", run.word());
        }
        if let Some(image) = &declared.image {
            flag("--image", image);
        }
        if let Some(folder) = &declared.workdir {
            flag("--workdir", folder);
        }
        if let Some(protocol) = declared.protocol {
            flag("--protocol", protocol.word());
        }
        for pattern in declared.tools.iter().flatten() {
            flag("--tool", pattern);
        }
        if let Some(url) = &declared.url {
            words.push(quoted(&shown_url(url)));
        }
        if let Some(command) = &declared.command {
            words.push("--".to_owned());
            words.extend(masked(command).iter().map(|word| quoted(word)));
        }
        words.join(" ")
    }

    /// The server for programs. Nothing of it is a secret.
    pub(super) fn json(&self) -> Value {
        let declared = &self.declared;
        let sources = |texts: &std::collections::BTreeMap<String, McpValue>| -> Value {
            let texts = texts.iter().map(|(name, value)| {
                let from = match value {
                    McpValue::Text(_) => json!("copied"),
                    McpValue::Source(source) => json!({"env": source.env, "file": source.file}),
                };
                (name.clone(), from)
            });
            Value::Object(texts.collect())
        };
        json!({
            "name": self.name.as_str(),
            "given": self.given,
            "file": self.path.to_string_lossy(),
            "key": self.key,
            "program": self.program,
            "state": self.state.word(),
            "why": self.why,
            "command": declared.command.as_deref().map(masked),
            "url": declared.url.as_deref().map(shown_url),
            "image": declared.image,
            "env": sources(&declared.env),
            "headers": sources(&declared.headers),
            "allow": declared.allow,
            "could": self.could,
            "may": self.may(),
            "proposed": self.proposed,
            "notes": self.notes,
            "add": self.command_line(),
        })
    }
}

/// A URL without what can be a secret: who asks, and the query.
fn shown_url(url: &str) -> String {
    let (url, query) = match url.split_once('?') {
        Some((url, _)) => (url, "?…"),
        None => (url, ""),
    };
    let shown = match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match authority.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://…@{host}{path}"),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    };
    format!("{shown}{query}")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,%+…".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
