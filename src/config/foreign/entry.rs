//! One server in the form that most programs share: `command`, `args` and `env`, or `url` and `headers`.

use std::path::Path;

use serde_json::{Map, Value};

use super::secret::{Texts, has_reference, is_named_secret, masked};
use super::{ForeignServer, docker_run};
use crate::config::schema::{McpProtocol, McpServer};

/// What a program may do that another one starts without confining it.
const UNCONFINED: [&str; 3] = [
    "read and write every file that you can",
    "reach every host",
    "start other programs, and see what your others do",
];
/// What fetches a program from a registry before it starts it.
const FETCHING: [&str; 7] = ["npx", "uvx", "bunx", "pipx", "pnpm", "yarn", "bun"];

impl ForeignServer {
    /// A server of which nothing is known yet.
    pub(super) fn new(given: &str, key: String) -> Self {
        Self {
            given: given.to_owned(),
            key,
            declared: McpServer::default(),
            could: Vec::new(),
            proposed: Vec::new(),
            notes: Vec::new(),
            unusable: None,
        }
    }

    /// Says why it cannot be added as it is. The first reason counts.
    pub(super) fn refuse(&mut self, why: impl Into<String>) {
        self.unusable.get_or_insert_with(|| why.into());
    }

    pub(super) fn propose(&mut self, grant: String) {
        if !self.proposed.contains(&grant) {
            self.proposed.push(grant);
        }
    }

    /// Takes variables, or headers.
    pub(super) fn texts(&mut self, tree: &Value, headers: bool, with_secrets: bool) {
        let key = if headers { "headers" } else { "env" };
        let written = match tree {
            Value::Null => return,
            Value::Object(written) => written,
            _ => return self.refuse(format!("`{key}` is not a table of texts")),
        };
        let given = self.given.clone();
        let mut texts = Texts::new(&given, headers, with_secrets);
        for (name, value) in written {
            match value {
                Value::String(text) => texts.take(name, text),
                Value::Number(_) | Value::Bool(_) => texts.take(name, &value.to_string()),
                Value::Null => {}
                // What stands there may be a secret: it is not shown.
                Value::Array(_) | Value::Object(_) => {
                    self.refuse(format!("`{key}.{name}` is not a text"));
                }
            }
        }
        self.keep(texts);
    }

    /// Keeps what became of texts.
    pub(super) fn keep(&mut self, texts: Texts<'_>) {
        self.notes.extend(texts.notes);
        let kept = if texts.headers {
            &mut self.declared.headers
        } else {
            &mut self.declared.env
        };
        kept.extend(texts.values);
    }

    /// A program with its arguments, which nothing confined.
    fn program(&mut self, command: &str, arguments: Vec<String>) {
        self.could = UNCONFINED.map(str::to_owned).to_vec();
        let name = Path::new(command)
            .file_name()
            .and_then(|name| name.to_str());
        let name = name.unwrap_or_default();
        if FETCHING.contains(&name) {
            self.notes.push(format!(
                "`{name}` fetches the program at each start, for which it needs a host of the network and a folder to write: \
                 install the program, and start that"
            ));
        }
        for argument in &arguments {
            if has_reference(argument) {
                self.refuse("its arguments have variables in them, which are not replaced here");
            } else if argument.starts_with('/') && argument.len() > 1 {
                self.propose(format!("file_read={argument}"));
            }
        }
        if masked(&arguments) != arguments {
            self.notes.push(
                "an argument may be a secret: everybody on this machine can see arguments"
                    .to_owned(),
            );
        }
        let mut whole = vec![command.to_owned()];
        whole.extend(arguments);
        self.declared.command = Some(whole);
    }

    /// A service behind a URL.
    pub(super) fn service(&mut self, url: &str) {
        self.could = vec!["do nothing on this machine: it sees what is sent to it".to_owned()];
        if has_reference(url) {
            self.refuse("its URL has variables in it, which are not replaced here");
        }
        let query = url.split_once('?').map_or("", |(_, query)| query);
        if is_named_secret(query) || url.split('/').nth(2).is_some_and(|host| host.contains('@')) {
            self.notes
                .push("its URL may have a secret in it, which is copied".to_owned());
        }
        self.declared.url = Some(url.to_owned());
    }
}

/// Reads one server.
pub(super) fn server(given: &str, key: String, tree: &Value, with_secrets: bool) -> ForeignServer {
    let mut server = ForeignServer::new(given, key);
    let Value::Object(entry) = tree else {
        server.refuse("it is not a table");
        return server;
    };
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let url = ["url", "serverUrl", "httpUrl"].into_iter().find_map(text);
    match (text("command"), url) {
        (Some(command), _) if !command.is_empty() => {
            server.texts(
                entry.get("env").unwrap_or(&Value::Null),
                false,
                with_secrets,
            );
            match arguments(entry) {
                Some(arguments) => match docker_run::Run::of(command, &arguments) {
                    Some(run) => run.into_server(&mut server, with_secrets),
                    None => server.program(command, arguments),
                },
                None => server.refuse("`args` is not a list of texts"),
            }
            match text("cwd") {
                Some(folder) if folder.starts_with('/') || folder.starts_with("~/") => {
                    server.declared.workdir = Some(folder.to_owned());
                    server.propose(format!("file_read={folder}"));
                }
                Some(folder) => server.notes.push(format!(
                    "it started in the folder {folder}, which means nothing here: name one with `--workdir`"
                )),
                None => {}
            }
        }
        (_, Some(url)) => {
            server.service(url);
            server.texts(
                entry.get("headers").unwrap_or(&Value::Null),
                true,
                with_secrets,
            );
            if text("type").or_else(|| text("transport")) == Some("sse") {
                server.declared.protocol = Some(McpProtocol::Sse);
            }
        }
        _ => server.refuse("it has neither a `command` nor a `url`"),
    }
    if let Some(file) = text("envFile") {
        server.notes.push(format!(
            "variables of the file {file} are not taken: name those it needs with `--env` or `--env-file`"
        ));
    }
    if entry.contains_key("headersHelper") {
        let note = "a program made headers of requests there, which nothing does here";
        server.notes.push(note.to_owned());
    }
    let is = |name: &str, value: bool| entry.get(name).and_then(Value::as_bool) == Some(value);
    if is("disabled", true) || is("enabled", false) {
        server.declared.enabled = Some(false);
        server
            .notes
            .push("it is switched off there, and here".to_owned());
    }
    server
}

/// The arguments of a command; nothing where they are no texts.
pub(super) fn arguments(entry: &Map<String, Value>) -> Option<Vec<String>> {
    match entry.get("args") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(args) => texts(args),
    }
}

/// A list of texts; nothing where it is something else.
pub(super) fn texts(list: &Value) -> Option<Vec<String>> {
    let items = list.as_array()?.iter();
    items.map(|item| item.as_str().map(str::to_owned)).collect()
}

/// Every server of a table, below this key.
pub(super) fn servers(
    table: &Value,
    key: &str,
    with_secrets: bool,
) -> Result<Vec<ForeignServer>, (String, String)> {
    let Value::Object(entries) = table else {
        return Err((key.to_owned(), "expected a table of servers".to_owned()));
    };
    let servers = entries
        .iter()
        .map(|(name, tree)| server(name, format!("{key}.{name}"), tree, with_secrets));
    Ok(servers.collect())
}
