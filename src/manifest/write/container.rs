//! Writing `[tools.container]`: what is as it would be anyway is left out.

use super::{inline_table, key, line, string, strings};
use crate::manifest::ByteSize;
use crate::manifest::container::{
    CommandTemplate, ContainerSpec, Element, Exit, Format, Network, OutputSpec, Stdin, Stream,
    Text, User,
};

/// Writes the container of the tool that was written last.
pub(super) fn write(out: &mut String, spec: &ContainerSpec) {
    out.push_str("\n[tools.container]\n");
    line(out, "image", &string(&spec.image.to_string()));
    line(out, "command", &command(&spec.command));
    match &spec.stdin {
        None => {}
        Some(Stdin::Text(text)) => line(out, "stdin", &template(text)),
        Some(Stdin::Json) => line(out, "stdin", "{ json = true }"),
    }
    if let Some(workdir) = &spec.workdir {
        line(out, "workdir", &string(workdir));
    }
    if spec.network != Network::default() {
        line(out, "network", &string(spec.network.word()));
    }
    if spec.user != User::default() {
        line(out, "user", &string(spec.user.word()));
    }
    let limits = &spec.limits;
    let count = |count: Option<u32>| count.map(|count| count.to_string());
    let size = |bytes: Option<u64>| bytes.map(|bytes| string(&ByteSize(bytes).to_string()));
    for (name, value) in [
        ("cpus", limits.cpus.map(|cpus| cpus.to_string())),
        ("cpu_shares", count(limits.cpu_shares)),
        ("pids", count(limits.pids)),
        ("tmpfs", size(limits.tmpfs)),
        ("shm", size(limits.shm)),
        ("disk", size(limits.disk)),
        ("nofile", count(limits.nofile)),
    ] {
        if let Some(value) = value {
            line(out, name, &value);
        }
    }
    if !spec.env.is_empty() {
        out.push_str("\n[tools.container.env]\n");
        for (name, value) in &spec.env {
            line(out, &key(name), &template(value));
        }
    }
    output(out, &spec.output);
}

fn template(text: &Text) -> String {
    string(&text.to_string())
}

fn command(command: &CommandTemplate) -> String {
    let mut elements = vec![string(&command.program_text())];
    elements.extend(command.elements().iter().map(|element| match element {
        Element::Text(text) => template(text),
        Element::When { argument, then } => {
            let then: Vec<String> = then.iter().map(ToString::to_string).collect();
            inline_table(&[
                ("when", Some(string(argument))),
                ("then", Some(strings(&then))),
            ])
        }
    }));
    format!("[{}]", elements.join(", "))
}

fn output(out: &mut String, spec: &OutputSpec) {
    if *spec == OutputSpec::default() {
        return;
    }
    out.push_str("\n[tools.container.output]\n");
    if spec.format != Format::default() {
        line(out, "format", &string(spec.format.word()));
    }
    if spec.stream != Stream::default() {
        line(out, "stream", &string(spec.stream.word()));
    }
    if spec.exit_codes.is_empty() {
        return;
    }
    out.push_str("\n[tools.container.output.exit_codes]\n");
    for (code, Exit { is, message }) in &spec.exit_codes {
        let is = string(is.word());
        let value = match message {
            None => is,
            Some(message) => inline_table(&[("is", Some(is)), ("message", Some(string(message)))]),
        };
        line(out, &code.to_string(), &value);
    }
}
