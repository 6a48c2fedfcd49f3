//! Servers in containers: `docker run …` as a command, and what it says of the container.

use std::path::Path;

use super::ForeignServer;
use super::secret::{Texts, has_reference};
use crate::config::schema::McpRun;

/// What stands for the program of an image where nobody says what it is.
pub(super) const UNKNOWN: &str = "PROGRAM-OF-THE-IMAGE";

/// Flags of `docker run` that have no value.
const WITHOUT_VALUE: [&str; 9] = [
    "-i",
    "-t",
    "-it",
    "-ti",
    "-d",
    "--rm",
    "--init",
    "--interactive",
    "--tty",
];

/// A container that another program starts.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) image: String,
    /// What is started instead of what the image says.
    pub(super) entrypoint: Option<String>,
    pub(super) arguments: Vec<String>,
    /// `HOST:CONTAINER[:OPTIONS]`.
    pub(super) volumes: Vec<String>,
    /// Variables with their values, and those that are handed on.
    variables: Vec<(String, Option<String>)>,
    /// Its network: any host where this says nothing.
    network: Option<String>,
    notes: Vec<String>,
}

impl Run {
    /// A command line of Docker or Podman; nothing where it is something else.
    pub(super) fn of(command: &str, arguments: &[String]) -> Option<Self> {
        let program = Path::new(command).file_name()?.to_str()?;
        let mut words = arguments.iter().map(String::as_str);
        if !["docker", "podman"].contains(&program) || words.next() != Some("run") {
            return None;
        }
        let mut run = Self::default();
        while let Some(word) = words.next() {
            if !word.starts_with('-') {
                word.clone_into(&mut run.image);
                break;
            }
            if WITHOUT_VALUE.contains(&word) {
                continue;
            }
            if ["--privileged", "--read-only"].contains(&word) {
                run.notes.push(format!(
                    "`{word}` is not taken: containers are hardened here"
                ));
                continue;
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, value),
                None => (word, words.next().unwrap_or_default()),
            };
            run.flag(flag, value);
        }
        run.arguments = words.map(str::to_owned).collect();
        Some(run).filter(|run| !run.image.is_empty())
    }

    fn flag(&mut self, flag: &str, value: &str) {
        match flag {
            "-e" | "--env" => self.variables.push(match value.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (value.to_owned(), None),
            }),
            "-v" | "--volume" => self.volumes.push(value.to_owned()),
            "--mount" => self.mount(value),
            "--entrypoint" => self.entrypoint = Some(value.to_owned()),
            "--network" | "--net" => self.network = Some(value.to_owned()),
            "--name" | "--pull" | "--platform" => {}
            // Its value may be anything.
            _ => self
                .notes
                .push(format!("`{flag}` of `docker run` is not taken")),
        }
    }

    fn mount(&mut self, value: &str) {
        let parts: Vec<(&str, &str)> = value
            .split(',')
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        let part = |names: &[&str]| {
            let found = parts.iter().find(|(name, _)| names.contains(name));
            found.map(|(_, value)| *value)
        };
        match (
            part(&["src", "source"]),
            part(&["dst", "target", "destination"]),
        ) {
            (Some(host), Some(guest)) => {
                let read_only = part(&["ro", "readonly"]).is_some_and(|value| value != "false");
                let end = if read_only { ":ro" } else { "" };
                self.volumes.push(format!("{host}:{guest}{end}"));
            }
            _ => self
                .notes
                .push("a `--mount` without a source is not taken".to_owned()),
        }
    }

    /// Writes it down as a server. Its variables may be there already.
    pub(super) fn into_server(self, server: &mut ForeignServer, with_secrets: bool) {
        server.notes.extend(self.notes);
        let given = server.given.clone();
        let mut texts = Texts::new(&given, false, with_secrets);
        for (name, value) in self.variables {
            match value {
                _ if server.declared.env.contains_key(&name) => {}
                Some(value) => texts.take(&name, &value),
                None => texts.take(&name, &format!("${{{name}}}")),
            }
        }
        server.keep(texts);
        match self.network.as_deref() {
            Some("none") => server.could.push("reach no host".to_owned()),
            Some("host") => server
                .could
                .push("reach every host, and this machine itself".to_owned()),
            _ => server.could.push("reach every host".to_owned()),
        }
        container(server, &self.image, self.entrypoint, self.arguments);
        for volume in &self.volumes {
            mounted(server, volume);
        }
    }
}

/// A server in a container of this image.
pub(super) fn container(
    server: &mut ForeignServer,
    image: &str,
    entrypoint: Option<String>,
    arguments: Vec<String>,
) {
    server.declared.run = Some(McpRun::Container);
    server.declared.image = Some(image.to_owned());
    if entrypoint.is_none() {
        server.refuse(format!(
            "what its image starts does not stand there, and has to be named here: `docker image inspect --format \
             '{{{{json .Config.Entrypoint}}}} {{{{json .Config.Cmd}}}}' {image}` shows it, to be put in the place of {UNKNOWN}"
        ));
    }
    let mut command = vec![entrypoint.unwrap_or_else(|| UNKNOWN.to_owned())];
    if command
        .iter()
        .chain(&arguments)
        .any(|word| has_reference(word))
    {
        server.refuse("its arguments have variables in them, which are not replaced here");
    }
    command.extend(arguments);
    server.declared.command = Some(command);
}

/// What a volume lets it do, and which grants that is.
pub(super) fn mounted(server: &mut ForeignServer, volume: &str) {
    let mut parts = volume.split(':');
    let host = parts.next().unwrap_or_default();
    if !host.starts_with('/') {
        let note = format!("the volume `{volume}` is no folder of this machine: it is not taken");
        server.notes.push(note);
        return;
    }
    let guest = parts.next().unwrap_or(host);
    let read_only = parts
        .next()
        .is_some_and(|options| options.split(',').any(|option| option == "ro"));
    let what = if read_only { "read" } else { "read and write" };
    server.could.push(format!("{what} {host}, as {guest}"));
    server.propose(format!("file_read={host}:{guest}"));
    if !read_only {
        server.propose(format!("file_write={host}:{guest}"));
    }
}
