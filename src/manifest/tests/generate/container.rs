//! Arbitrary containers of tools.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::text;
use crate::manifest::container::{
    CommandTemplate, ContainerLimits, ContainerSpec, Cpus, Element, Exit, Format, Network,
    OutputSpec, Stdin, Stream, Text, User, Verdict,
};

/// Names of arguments, some of them odd.
const NAMES: [&str; 4] = ["path", "n-1", "odd name:\"'", "ä"];

/// The properties that the templates name.
pub(super) fn properties() -> Value {
    NAMES
        .iter()
        .map(|name| ((*name).to_owned(), json!({})))
        .collect()
}

fn template(is_element: bool) -> impl Strategy<Value = Text> {
    let name = select(&NAMES[..]);
    let part = prop_oneof![
        name.clone().prop_map(|name| format!("{{{name}}}")),
        any::<String>()
            .prop_map(|text| text.replace('\0', "").replace('{', "{{").replace('}', "}}")),
        Just("--".to_owned()),
    ];
    (of(name), vec(part, 0..4)).prop_map(move |(first, parts)| {
        let first = first
            .filter(|_| is_element)
            .map(|name| format!("{{{name}:any}}"))
            .unwrap_or_default();
        Text::parse(&format!("{first}{}", parts.concat())).expect("a template")
    })
}

fn command() -> impl Strategy<Value = CommandTemplate> {
    let name = select(&NAMES[..]);
    let element = prop_oneof![
        template(true).prop_map(Element::Text),
        (name, vec(template(true), 1..3)).prop_map(|(argument, then)| Element::When {
            argument: argument.to_owned(),
            then,
        }),
    ];
    let program = prop_oneof![Just("sh".to_owned()), "[a-z/{} ä]{1,8}"];
    (program, vec(element, 0..4)).prop_filter_map("pastes into a script", |(program, elements)| {
        CommandTemplate::new(&program, elements).ok()
    })
}

fn limits() -> impl Strategy<Value = ContainerLimits> {
    let size = || of(1..=u64::MAX);
    (
        of((10_u32..=1_024_000).prop_map(|n| Cpus::from_thousandths(n).expect("in range"))),
        of(2_u32..=262_144),
        of(1_u32..=4_194_304),
        [size(), size(), size()],
        of(16_u32..=1_048_576),
    )
        .prop_map(
            |(cpus, cpu_shares, pids, [tmpfs, shm, disk], nofile)| ContainerLimits {
                cpus,
                cpu_shares,
                pids,
                tmpfs,
                shm,
                disk,
                nofile,
            },
        )
}

fn output() -> impl Strategy<Value = OutputSpec> {
    let format = [Format::Text, Format::Json, Format::Lines];
    let verdict = [
        Verdict::Ok,
        Verdict::Failed,
        Verdict::Retryable,
        Verdict::NotFound,
        Verdict::InvalidArguments,
    ];
    let exit =
        (select(verdict.to_vec()), of(text())).prop_map(|(is, message)| Exit { is, message });
    (
        select(format.to_vec()),
        any::<bool>(),
        btree_map(any::<u8>(), exit, 0..3),
    )
        .prop_map(|(format, is_stderr, exit_codes)| OutputSpec {
            format,
            stream: if is_stderr {
                Stream::Stderr
            } else {
                Stream::Stdout
            },
            exit_codes,
        })
}

/// A container whose templates name [`properties`].
pub(super) fn container() -> impl Strategy<Value = ContainerSpec> {
    let image = prop_oneof![
        "[a-z]{1,5}(:[A-Z]{1,3})?",
        "ghcr\\.io/[a-z]{1,3}/[a-z]{1,3}@sha256:[0-9a-f]{64}",
    ];
    let stdin = prop_oneof![Just(Stdin::Json), template(false).prop_map(Stdin::Text)];
    let network = [
        Network::None,
        Network::Bridge,
        Network::Host,
        Network::AllowList,
    ];
    let place = (
        of("/[a-z ]{0,5}(/[a-z]{1,3})?"),
        select(network.to_vec()),
        any::<bool>(),
    );
    (
        image,
        command(),
        of(stdin),
        place,
        btree_map("[A-Za-z_][A-Za-z0-9_]{0,5}", template(false), 0..3),
        limits(),
        output(),
    )
        .prop_map(
            |(image, command, stdin, (workdir, network, is_nobody), env, limits, output)| {
                ContainerSpec {
                    // A text for a shell to run is refused, where it has placeholders.
                    stdin: stdin.filter(|_| !command.runs_stdin()),
                    workdir,
                    env,
                    network,
                    user: if is_nobody {
                        User::Nobody
                    } else {
                        User::Workspace
                    },
                    limits,
                    output,
                    ..ContainerSpec::new(image.parse().expect("an image"), command)
                }
            },
        )
}
