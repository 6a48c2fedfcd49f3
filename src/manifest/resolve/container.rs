//! `[tools.container]`: the templates, and that they name arguments there are.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Reader, schema};
use crate::manifest::container::{
    CommandTemplate, ContainerLimits, ContainerSpec, Cpus, Element, Exit, Format, Network,
    OutputSpec, Stdin, Stream, Text, User, Verdict, is_variable_name, template::pasted,
};
use crate::manifest::document::{join, quoted};
use crate::manifest::permissions::mount_problem;
use crate::manifest::problem::nearest;

/// The arguments that templates may name; nothing where there is no schema that says.
type Properties<'a> = Option<&'a Map<String, Value>>;

impl Reader<'_> {
    /// Reads the container of a tool; `key` is its key path.
    pub(super) fn container(
        &mut self,
        key: &str,
        written: schema::Container,
        input_schema: Option<&Value>,
    ) -> Option<ContainerSpec> {
        let none = Map::new();
        let known = input_schema.map(|schema| {
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.unwrap_or(&none)
        });
        let image = self.read(&join(key, "image"), &written.image, "");
        let command = self.command(&join(key, "command"), written.command, known);
        let stdin = written
            .stdin
            .and_then(|stdin| self.stdin(&join(key, "stdin"), stdin, known));
        if let (Some(Stdin::Text(text)), Some(command)) = (&stdin, &command)
            && command.runs_stdin()
            && text.literal().is_none()
            && text.sole().is_none()
        {
            self.problem(&join(key, "stdin"), pasted(text));
        }
        if let Some(workdir) = &written.workdir
            && let Some(problem) = mount_problem(workdir)
        {
            let message = format!("{problem}, found {}", quoted(workdir));
            self.problem(&join(key, "workdir"), message);
        }
        let mut env = BTreeMap::new();
        for (name, value) in written.env {
            let key = join(&join(key, "env"), &name);
            if !is_variable_name(&name) {
                let message = "expected the name of an environment variable: letters, digits and `_`, not starting with a digit";
                self.problem(&key, message);
            }
            if let Some(text) = self.joined_text(&key, &value, known) {
                env.insert(name, text);
            }
        }
        let cpus = written.cpus.and_then(Cpus::from_number);
        let limits = ContainerLimits {
            cpus,
            cpu_shares: written.cpu_shares,
            pids: written.pids,
            tmpfs: self.size(&join(key, "tmpfs"), written.tmpfs.as_deref()),
            shm: self.size(&join(key, "shm"), written.shm.as_deref()),
            disk: self.size(&join(key, "disk"), written.disk.as_deref()),
            nofile: written.nofile,
        };
        let output = self.output(&join(key, "output"), written.output);
        let spec = ContainerSpec {
            image: image?,
            command: command?,
            stdin,
            workdir: written.workdir,
            env,
            network: match written.network {
                schema::Network::None => Network::None,
                schema::Network::Bridge => Network::Bridge,
                schema::Network::Host => Network::Host,
                schema::Network::AllowList => Network::AllowList,
            },
            user: match written.user {
                schema::User::Workspace => User::Workspace,
                schema::User::Nobody => User::Nobody,
            },
            limits,
            output,
        };
        if let Err(error) = spec.capability() {
            self.problem(&format!("{key}.command[0]"), error.to_string());
        }
        Some(spec)
    }

    fn command(
        &mut self,
        key: &str,
        written: Vec<schema::Element>,
        known: Properties<'_>,
    ) -> Option<CommandTemplate> {
        let mut program = None;
        let mut elements = Vec::with_capacity(written.len());
        let mut is_whole = true;
        for (index, element) in written.into_iter().enumerate() {
            let key = format!("{key}[{index}]");
            let read = match element {
                schema::Element::Text(text) if index == 0 => {
                    program = self.program(&key, &text);
                    continue;
                }
                schema::Element::When(_) if index == 0 => {
                    self.problem(&key, PROGRAM);
                    continue;
                }
                schema::Element::Text(text) => self.element(&key, &text, known).map(Element::Text),
                schema::Element::When(when) => self.when(&key, when, known),
            };
            is_whole &= read.is_some();
            elements.extend(read);
        }
        if !is_whole {
            return None;
        }
        match CommandTemplate::new(&program?, elements) {
            Ok(command) => Some(command),
            Err(invalid) => {
                let key = format!("{key}[{}]", invalid.element);
                self.problem(&key, invalid.problem);
                None
            }
        }
    }

    fn program(&mut self, key: &str, text: &str) -> Option<String> {
        let text = self.template(key, text)?;
        if text.literal().is_none() {
            self.problem(key, PROGRAM);
        }
        text.literal().map(str::to_owned)
    }

    fn when(&mut self, key: &str, written: schema::When, known: Properties<'_>) -> Option<Element> {
        let when = join(key, "when");
        self.property(&when, &written.when, known);
        let mut then = Vec::with_capacity(written.then.len());
        let mut is_whole = true;
        for (index, text) in written.then.iter().enumerate() {
            let read = self.element(&format!("{key}.then[{index}]"), text, known);
            is_whole &= read.is_some();
            then.extend(read);
        }
        is_whole.then_some(Element::When {
            argument: written.when,
            then,
        })
    }

    /// A text that becomes an element of its own, and takes an array where it is only a placeholder.
    fn element(&mut self, key: &str, text: &str, known: Properties<'_>) -> Option<Text> {
        let text = self.template(key, text)?;
        self.placeholders(key, &text, known, text.sole().is_some());
        Some(text)
    }

    /// A text that stays one text whatever its values are.
    fn joined_text(&mut self, key: &str, text: &str, known: Properties<'_>) -> Option<Text> {
        let text = self.template(key, text)?;
        self.placeholders(key, &text, known, false);
        if text
            .placeholders()
            .any(|placeholder| placeholder.takes_any())
        {
            let message =
                "`:any` is for elements of the command; here a value can begin with `-` anyway";
            self.problem(key, message);
        }
        Some(text)
    }

    fn template(&mut self, key: &str, text: &str) -> Option<Text> {
        match Text::parse(text) {
            Ok(text) => Some(text),
            Err(error) => {
                self.problem(
                    key,
                    format!("expected a template, found {}: {error}", quoted(text)),
                );
                None
            }
        }
    }

    /// Checks that placeholders name arguments there are, and such as can stand there.
    fn placeholders(&mut self, key: &str, text: &Text, known: Properties<'_>, takes_all: bool) {
        for placeholder in text.placeholders() {
            let name = placeholder.name();
            self.property(key, name, known);
            let kind = known
                .and_then(|known| known.get(name))
                .and_then(|schema| schema.get("type"))
                .and_then(Value::as_str);
            if let (false, Some(kind @ ("array" | "object"))) = (takes_all, kind) {
                let shown = placeholder.shown();
                let message = format!(
                    "`{{{shown}}}` is an {kind}: it can be an element of the command on its own, and no part of a text"
                );
                self.problem(key, message);
            }
        }
    }

    fn property(&mut self, key: &str, name: &str, known: Properties<'_>) {
        let Some(known) = known.filter(|known| !known.contains_key(name)) else {
            return;
        };
        if self.problems.is_full() {
            self.problem(key, "not looked at");
            return;
        }
        let mut message = format!("`input_schema` has no property {}", quoted(name));
        match nearest(name, known.keys().map(String::as_str)) {
            Some(near) => message.push_str(&format!("; did you mean {}?", quoted(near))),
            None if known.is_empty() => message.push_str("; it names none"),
            None if known.len() <= 12 => {
                let names: Vec<String> = known.keys().map(|name| quoted(name)).collect();
                message.push_str(&format!("; it has {}", names.join(", ")));
            }
            None => {}
        }
        self.problem(key, message);
    }

    fn stdin(&mut self, key: &str, written: schema::Stdin, known: Properties<'_>) -> Option<Stdin> {
        match written {
            schema::Stdin::Text(text) => self.joined_text(key, &text, known).map(Stdin::Text),
            schema::Stdin::Table(table) => {
                if !table.json {
                    let message =
                        "expected true; leave `stdin` out where the program reads nothing";
                    self.problem(&join(key, "json"), message);
                }
                Some(Stdin::Json)
            }
        }
    }

    fn output(&mut self, key: &str, written: schema::Output) -> OutputSpec {
        let mut exit_codes = BTreeMap::new();
        for (code, exit) in written.exit_codes {
            let key = join(&join(key, "exit_codes"), &code);
            let (is, message) = match exit {
                schema::Exit::Word(is) => (is, None),
                schema::Exit::Table(table) => (table.is, table.message),
            };
            if let Some(message) = &message {
                self.plain_text(&join(&key, "message"), message);
            }
            let exit = Exit {
                is: match is {
                    schema::Verdict::Ok => Verdict::Ok,
                    schema::Verdict::Failed => Verdict::Failed,
                    schema::Verdict::Retryable => Verdict::Retryable,
                    schema::Verdict::NotFound => Verdict::NotFound,
                    schema::Verdict::InvalidArguments => Verdict::InvalidArguments,
                },
                message,
            };
            // Written as numbers are: `01` would be the same code a second time.
            match code.parse::<u8>().ok().filter(|n| n.to_string() == code) {
                Some(code) => {
                    exit_codes.insert(code, exit);
                }
                None => self.problem(&key, "expected an exit code: a number from 0 to 255"),
            }
        }
        OutputSpec {
            format: match written.format {
                schema::Format::Text => Format::Text,
                schema::Format::Json => Format::Json,
                schema::Format::Lines => Format::Lines,
            },
            stream: match written.stream {
                schema::Stream::Stdout => Stream::Stdout,
                schema::Stream::Stderr => Stream::Stderr,
            },
            exit_codes,
        }
    }
}

/// What the first element of a command has to be.
const PROGRAM: &str =
    "the first element is the program: expected a text without placeholders and conditions";
