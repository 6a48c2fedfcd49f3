//! The component itself: which world it is for, how large it is, and how it starts.

use std::time::{Duration, Instant};

use super::super::finding::Findings;
use super::super::rule::Rule;
use super::{PLUGIN_WORLD, TOOLS_EXPORT};
use crate::author::strip::strip;
use crate::cli::text::size;
use crate::dist::Package;
use crate::exec::Artifact;
use crate::host::{Description, Host};
use crate::manifest::Manifest;
use crate::permission::Kind;
use crate::registry::importable;
use crate::schema::Interface;

/// Larger ones are worth a word: an engine of a language comes with them.
const LARGE: u64 = 4 << 20;
/// Larger ones are worth a warning.
const VERY_LARGE: u64 = 32 << 20;
/// Every call waits for its instance; one that takes longer is felt.
const SLOW_START: Duration = Duration::from_millis(100);

/// The version in the name of a world or an interface: `0.1.0` of `toolhatch:plugin/plugin@0.1.0`.
fn version(name: &str) -> Option<&str> {
    name.split_once('@').map(|(_, version)| version)
}

/// Holds the version of the world that the manifest names against the one that the component was built for.
pub(super) fn world(manifest: &Manifest, interface: &Interface, findings: &mut Findings) {
    let named = manifest
        .world
        .as_deref()
        .filter(|world| world.starts_with(PLUGIN_WORLD))
        .and_then(version);
    let built = interface
        .exports
        .iter()
        .find(|export| export.starts_with(TOOLS_EXPORT))
        .and_then(|export| version(export));
    if let (Some(named), Some(built)) = (named, built)
        && named != built
    {
        findings.warning(
            Rule::WorldVersion,
            format!("the manifest names version {named} of the world, and the component was built for {built}"),
            format!("Write `world = \"{PLUGIN_WORLD}@{built}\"`, or build the component again."),
        );
    }
}

/// Looks at how large it is, and at what of it nobody needs.
pub(super) fn bytes(package: &Package, findings: &mut Findings) {
    let bytes = &package.artifact.bytes;
    let length = bytes.len() as u64;
    if length > VERY_LARGE {
        findings.warning(
            Rule::Size,
            format!("it has {}", size(length)),
            "Leave out what it does not use, or split it.",
        );
    } else if length > LARGE {
        findings.note(
            Rule::Size,
            format!("it has {}", size(length)),
            "Nothing, where the engine of its language takes that much; a tool that is called often is better small.",
        );
    }
    // Whoever could not read it has said why.
    if let Ok(stripped) = strip(bytes) {
        let more = length.saturating_sub(stripped.len() as u64);
        if more > 0 {
            findings.warning(
                Rule::DebugInfo,
                format!("{} of it are debugging information", size(more)),
                "Build it with `toolhatch plugin build`, or strip it with the tools of its language.",
            );
        }
    }
}

/// Asks a plugin once more what it has, this time by a running clock and with random numbers.
pub(super) async fn start(
    host: &Host,
    artifact: &Artifact,
    first: &Description,
    findings: &mut Findings,
) {
    let started = Instant::now();
    // That it answers at all was seen before.
    let Ok(second) = host.describe_awake(artifact).await else {
        findings.warning(
            Rule::Unstable,
            "asked for its tools a second time, by a running clock, it does not answer",
            "Let `list-tools` depend on nothing but the component itself.",
        );
        return;
    };
    let took = started.elapsed();
    if second != *first {
        findings.warning(
            Rule::Unstable,
            "asked for its tools a second time, it describes others",
            "Let `list-tools` depend on nothing but the component itself: neither on clocks nor on random numbers.",
        );
    }
    if took > SLOW_START {
        findings.warning(
            Rule::StartTime,
            format!(
                "an instance of it takes {} ms to start and to say what it has",
                took.as_millis()
            ),
            "Do less when it starts: leave for later what only some calls need.",
        );
    }
}

/// Tools that are called pure, in a component that can do more than compute.
pub(super) fn purity(manifest: &Manifest, interface: &Interface, findings: &mut Findings) {
    let pure: Vec<String> = manifest
        .tools
        .iter()
        .filter(|tool| tool.pure)
        .map(|tool| format!("{:?}", tool.name))
        .collect();
    if pure.is_empty() || manifest.permissions.deterministic {
        return;
    }
    let pure = pure.join(", ");
    let asked: Vec<&str> = manifest
        .permissions
        .entries
        .iter()
        .map(|entry| entry.ask.kind())
        .filter(|kind| importable(&interface.imports).contains(kind))
        .map(Kind::name)
        .collect();
    if let Some(kind) = asked.first() {
        findings.warning(
            Rule::Impure,
            format!("{pure} is called pure, and the plugin asks for {kind}"),
            "Take `pure` away, or put the tools that only compute into a plugin of their own.",
        );
    }
    let moving = ["wasi:random/", "wasi:clocks/"];
    if let Some(import) = interface
        .imports
        .iter()
        .find(|import| moving.iter().any(|prefix| import.starts_with(prefix)))
    {
        findings.note(
            Rule::Impure,
            format!("{pure} is called pure, and the component imports {import}"),
            "Write `deterministic = true` into `[permissions]`, where nothing of it needs the time or random numbers.",
        );
    }
}
