//! Everything that can be found out about a package without granting it anything.
//!
//! The component is compiled and linked, which runs nothing of it. Of a plugin that describes its own tools, that
//! description is asked for; it is compared with the manifest, whichever of the two counts in a call.

mod component;
mod parameters;
mod tools;

use std::collections::HashSet;

use serde_json::Value;

use super::asks::Asks;
use super::finding::{Findings, Severity};
use super::rule::Rule;
use crate::app::App;
use crate::cli::text::cut;
use crate::dist::Package;
use crate::error::{Code, Result};
use crate::host::DescribedTool;
use crate::ids::is_tool_name;
use crate::manifest::{Manifest, ToolSpec};
use crate::permission::{Capability, HostPattern, Kind};
use crate::registry::Offers;
use crate::schema::{self, Function, Interface};

/// What every component for our world exports.
const TOOLS_EXPORT: &str = "toolhatch:plugin/tools";
/// How a manifest names our world.
const PLUGIN_WORLD: &str = "toolhatch:plugin/plugin";
/// What the standard libraries and interpreters of languages import, whether a plugin uses it or not.
const BROUGHT_ALONG: [Kind; 5] = [
    Kind::FileRead,
    Kind::FileWrite,
    Kind::Env,
    Kind::NetworkTcp,
    Kind::NetworkUdp,
];
/// The longest name of a tool that models are known to take.
const LONGEST_NAME: usize = 64;

/// A tool with what the manifest says of it, or else the component.
struct Seen {
    name: String,
    description: String,
    input: Option<Value>,
    output: Option<Value>,
}

/// Examines a package.
///
/// # Errors
/// E3405 and E3109 where this machine cannot compile a component. What is wrong with the package is a finding.
pub(super) async fn examine(app: &App, package: &Package) -> Result<Findings> {
    let mut findings = Findings::default();
    let host = app.host()?;
    let interface = read(package, &mut findings);
    let is_linked = match host.prepare(&package.artifact, false).await {
        Ok(()) => true,
        // Whoever could not read it has said why.
        Err(_) if interface.is_none() => false,
        Err(error) => {
            findings.failed(Rule::Component, &error);
            false
        }
    };
    let is_plugin = interface.as_ref().is_some_and(exports_tools);
    let described = if is_plugin && is_linked {
        match host.describe(&package.artifact).await {
            Ok(described) => Some(described),
            Err(error) => {
                findings.failed(Rule::Described, &error);
                None
            }
        }
    } else {
        None
    };
    let specs = package
        .manifest
        .as_ref()
        .map_or(&[][..], |manifest| &manifest.tools);
    // First: where it is for another world, everything else follows from that.
    if let (Some(manifest), Some(interface)) = (&package.manifest, &interface) {
        world(manifest, interface, &mut findings);
    }
    let seen = match (&described, &interface) {
        (Some(described), _) => {
            if let Err(error) = described.offers.check() {
                findings.failed(Rule::Offers, &error);
            }
            of_plugin(&described.tools, specs, &mut findings)
        }
        (None, Some(interface)) if !is_plugin => of_functions(interface, specs, &mut findings),
        // What it has to say of them is not known.
        (None, Some(_)) => containers(specs).collect(),
        _ => specs.iter().map(of_spec).collect(),
    };
    if let (Some(manifest), Some(interface)) = (&package.manifest, &interface) {
        component::world(manifest, interface, &mut findings);
        component::purity(manifest, interface, &mut findings);
    }
    component::bytes(package, &mut findings);
    if let Some(described) = &described {
        component::start(&host, &package.artifact, described, &mut findings).await;
    }
    let is_known = interface.is_some() && is_plugin == described.is_some();
    let has_more = described.is_some_and(|described| described.offers != Offers::default());
    tools::check(&seen, is_known && !has_more, &mut findings);
    permissions(app, package, interface.as_ref(), &mut findings);
    manifest(package.manifest.as_ref(), &mut findings);
    Ok(findings)
}

fn read(package: &Package, findings: &mut Findings) -> Option<Interface> {
    match schema::read_component(&package.artifact.bytes, package.docs.as_ref()) {
        Ok(interface) => {
            for warning in &interface.warnings {
                findings.warning(
                    Rule::Component,
                    warning,
                    "Build the component again with a current toolchain.",
                );
            }
            Some(interface)
        }
        Err(error) => {
            findings.failed(Rule::Component, &error);
            None
        }
    }
}

fn exports_tools(interface: &Interface) -> bool {
    interface
        .exports
        .iter()
        .any(|export| export.starts_with(TOOLS_EXPORT))
}

fn world(manifest: &Manifest, interface: &Interface, findings: &mut Findings) {
    if let Some(world) = &manifest.world
        && world.starts_with(PLUGIN_WORLD)
        && !exports_tools(interface)
    {
        findings.add(
            Severity::Error,
            Some(Code::E3111),
            Rule::World,
            format!("the manifest names the world {world:?}, and the component does not export `{TOOLS_EXPORT}`"),
            "Build the component for that world, or leave `world` out of `[component]`.",
        );
    }
}

/// The tools of a plugin, with what the manifest says of them. Where both list tools, they must be the same.
fn of_plugin(
    described: &[DescribedTool],
    specs: &[ToolSpec],
    findings: &mut Findings,
) -> Vec<Seen> {
    agree(
        specs,
        &described
            .iter()
            .map(|tool| tool.name.as_str())
            .collect::<Vec<_>>(),
        findings,
    );
    let mut names = HashSet::new();
    let mut seen: Vec<Seen> = Vec::new();
    for tool in described {
        if !names.insert(tool.name.as_str()) {
            findings.error(
                Rule::ToolName,
                format!(
                    "the component describes two tools named {:?}",
                    cut(&tool.name, LONGEST_NAME)
                ),
                "Give each tool a name of its own.",
            );
            continue;
        }
        if !is_tool_name(&tool.name) {
            findings.error(
                Rule::ToolName,
                format!("a tool cannot be named {:?}", cut(&tool.name, LONGEST_NAME)),
                "Use 1 to 128 letters, digits, `_`, `-` and `.`.",
            );
        }
        let spec = specs.iter().find(|spec| spec.name == tool.name);
        let own_input = parsed(tool, "input", Some(&tool.input_schema), findings);
        let own_output = parsed(tool, "output", tool.output_schema.as_ref(), findings);
        if let Some(spec) = spec {
            let pairs = [
                ("input schema", &spec.input_schema, &own_input),
                ("output schema", &spec.output_schema, &own_output),
            ];
            for (what, said, own) in pairs {
                if said.is_some() && own.is_some() && said != own {
                    findings.warning(
                        Rule::ToolsDiffer,
                        format!("the manifest gives {:?} another {what} than the component does", tool.name),
                        "Leave it to the component, or make both the same: the manifest's is the one that counts.",
                    );
                }
            }
        }
        seen.push(Seen {
            name: tool.name.clone(),
            description: spec
                .and_then(|spec| spec.description.clone())
                .unwrap_or_else(|| tool.description.clone()),
            input: spec
                .and_then(|spec| spec.input_schema.clone())
                .or(own_input),
            output: spec
                .and_then(|spec| spec.output_schema.clone())
                .or(own_output),
        });
    }
    seen.extend(
        specs
            .iter()
            .filter(|spec| spec.container.is_some())
            .map(of_spec),
    );
    seen
}

fn parsed(
    tool: &DescribedTool,
    which: &str,
    text: Option<&String>,
    findings: &mut Findings,
) -> Option<Value> {
    match schema::parse_strict(text?) {
        Ok(schema) => Some(schema),
        Err(error) => {
            let error = error.while_doing(format!(
                "the {which} schema of {:?} is not JSON",
                cut(&tool.name, LONGEST_NAME)
            ));
            findings.failed(Rule::InputSchema, &error);
            None
        }
    }
}

/// The tools among a component's functions: those that the manifest lists, or all where it lists none.
fn of_functions(interface: &Interface, specs: &[ToolSpec], findings: &mut Findings) -> Vec<Seen> {
    let names: Vec<&str> = interface
        .functions
        .iter()
        .map(|function| function.name.as_str())
        .collect();
    for spec in specs
        .iter()
        .filter(|spec| spec.container.is_none() && !names.contains(&spec.name.as_str()))
    {
        unknown(&spec.name, &names, findings);
    }
    let spec_of = |name: &str| specs.iter().find(|spec| spec.name == name);
    let functions = interface
        .functions
        .iter()
        .filter(|function| specs.is_empty() || spec_of(&function.name).is_some())
        .map(|function| Seen {
            name: function.name.clone(),
            description: spec_of(&function.name)
                .and_then(|spec| spec.description.clone())
                .unwrap_or_else(|| documented(function)),
            input: Some(schema::input_schema(function)),
            output: Some(schema::output_schema(function)),
        });
    functions.chain(containers(specs)).collect()
}

/// What its author says of a function, and not what its types say, where the author says nothing.
fn documented(function: &Function) -> String {
    match &function.docs {
        Some(docs) if !docs.trim().is_empty() => function.description(),
        _ => String::new(),
    }
}

fn containers(specs: &[ToolSpec]) -> impl Iterator<Item = Seen> {
    specs
        .iter()
        .filter(|spec| spec.container.is_some())
        .map(of_spec)
}

fn of_spec(spec: &ToolSpec) -> Seen {
    Seen {
        name: spec.name.clone(),
        description: spec.description.clone().unwrap_or_default(),
        input: spec.input_schema.clone(),
        output: spec.output_schema.clone(),
    }
}

/// A manifest that lists tools must list the ones the component has.
fn agree(specs: &[ToolSpec], names: &[&str], findings: &mut Findings) {
    for spec in specs
        .iter()
        .filter(|spec| spec.container.is_none() && !names.contains(&spec.name.as_str()))
    {
        unknown(&spec.name, names, findings);
    }
    for name in names
        .iter()
        .filter(|name| !specs.is_empty() && !specs.iter().any(|spec| spec.name == **name))
    {
        findings.error(
            Rule::ToolsDiffer,
            format!("the component has the tool {:?}, which the manifest does not list", cut(name, LONGEST_NAME)),
            "Add it to `[[tools]]`, or leave `[[tools]]` out: then the component describes them all.",
        );
    }
}

fn unknown(name: &str, names: &[&str], findings: &mut Findings) {
    let fix = match crate::cli::text::nearest(name, names.iter().copied()) {
        Some(near) => format!("Did you mean {:?}?", cut(near, LONGEST_NAME)),
        None => "Take it out of `[[tools]]`, or export it from the component.".to_owned(),
    };
    let message =
        format!("the manifest lists the tool {name:?}, which the component does not have");
    findings.error(Rule::ToolsDiffer, message, fix);
}

fn permissions(
    app: &App,
    package: &Package,
    interface: Option<&Interface>,
    findings: &mut Findings,
) {
    let Some(interface) = interface else {
        return;
    };
    let manifest = package.manifest.as_ref();
    let asks = match Asks::new(manifest, &interface.imports, &app.paths.variables()) {
        Ok(asks) => asks,
        Err(error) => {
            findings.failed(Rule::Permissions, &error);
            return;
        }
    };
    for ask in asks.asks.iter().filter(|_| manifest.is_some()) {
        let kind = ask.request.kind;
        if !ask.is_usable {
            findings.warning(
                Rule::UnusablePermission,
                format!("it asks for {kind}, and the component does not import what that takes"),
                format!("Take {kind} out of `[permissions]`."),
            );
        }
        if ask.request.broad || ask.request.capabilities.iter().any(is_every_host) {
            // What it can do without, a person can narrow.
            let severity = if ask.request.optional {
                Severity::Note
            } else {
                Severity::Warning
            };
            findings.add(
                severity,
                None,
                Rule::BroadPermission,
                if ask.request.broad {
                    format!("it asks for all of {kind} and names no scope")
                } else {
                    format!("it asks for {kind} of every host")
                },
                format!("Name what it needs, such as `{}`.", kind.example()),
            );
        } else if let Some(warning) = ask.request.warning() {
            findings.warning(
                Rule::SensitivePermission,
                format!("{kind}: {warning}"),
                "Ask for less: people will say no to this.",
            );
        }
    }
    // Standard libraries and interpreters bring these along; the others are there because they are used.
    let (brought, used): (Vec<Kind>, Vec<Kind>) = asks
        .unasked
        .into_iter()
        .partition(|kind| BROUGHT_ALONG.contains(kind));
    for kind in used {
        findings.warning(
            Rule::UnaskedPermission,
            format!("the component imports what {kind} takes, and the manifest does not ask for it"),
            format!(
                "Ask for it in `[permissions]`, such as `{kind} = [{:?}]`, or leave out what imports it; `toolhatch call --learn` \
                 finds out what it needs.",
                kind.example()
            ),
        );
    }
    if !brought.is_empty() {
        let names: Vec<&str> = brought.iter().map(|kind| kind.name()).collect();
        findings.note(
            Rule::UnaskedPermission,
            format!(
                "the component imports what {} take, and the manifest does not ask for it",
                names.join(" and ")
            ),
            "Nothing, if it does without: most toolchains bring these imports along.",
        );
    }
}

fn is_every_host(capability: &Capability) -> bool {
    match capability {
        Capability::NetworkHttp(scope) => matches!(scope.host(), HostPattern::Any),
        Capability::NetworkTcp(scope) | Capability::NetworkUdp(scope) => {
            scope.name().is_none() && scope.network().is_none()
        }
        _ => false,
    }
}

fn manifest(manifest: Option<&Manifest>, findings: &mut Findings) {
    let Some(manifest) = manifest else {
        findings.warning(
            Rule::NoManifest,
            "it has no manifest: it cannot be installed, and it asks for everything its component can use",
            "Write a plugin.toml and pack it in with `toolhatch plugin pack`.",
        );
        return;
    };
    if manifest.license.is_none() {
        findings.warning(
            Rule::License,
            "the manifest does not name a licence",
            "Add one as an SPDX expression, such as `license = \"Apache-2.0\"`.",
        );
    }
    if manifest.description.trim().is_empty() {
        findings.warning(
            Rule::Description,
            "the manifest does not say what the plugin is for",
            "Add a `description` of one sentence.",
        );
    }
}

#[cfg(test)]
mod tests;
