//! From a package to a source with its tools.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{App, Found};
use crate::dist::Package;
use crate::error::{Code, Error, Result};
use crate::exec::Entry;
use crate::host::DescribedTool;
use crate::ids::{ToolId, is_tool_name};
use crate::manifest::{Ask, Manifest, PermissionEntry, Risk, ToolSpec};
use crate::permission::{Access, Capability};
use crate::registry::{
    Descriptor, Effects, KnownRequests, Offers, Source, Stage, Tool, Validators, importable,
};
use crate::schema::{self, Function};

/// What every component for our world exports.
const TOOLS_EXPORT: &str = "toolhatch:plugin/tools";
/// What some of them export besides.
const MORE_EXPORTS: [&str; 3] = [
    "toolhatch:plugin/prompts",
    "toolhatch:plugin/resources",
    "toolhatch:plugin/completions",
];
/// How a manifest names our world.
const PLUGIN_WORLD: &str = "toolhatch:plugin/plugin";

/// Builds a source. The tools of an installed plugin are those that it described when it was installed.
pub(super) async fn build(app: &App, found: Found) -> Result<Source> {
    let Found {
        package,
        origin,
        installed,
    } = found;
    let name = package.name();
    let mut manifest = package.manifest.clone();
    if let Some(manifest) = &mut manifest
        && app.learning.get().is_some()
        && installed.is_none()
    {
        let interface = schema::read_component(&package.artifact.bytes, package.docs.as_ref())?;
        ask_for_everything(manifest, &interface.imports);
    }
    let manifest = manifest.map(Arc::new);
    let mut imports = Vec::new();
    let mut offers = Offers::default();
    let tools = if let Some(manifest) = manifest.as_deref().filter(|manifest| is_plugin(manifest)) {
        match &installed {
            Some(installed) => {
                offers = installed.offers.clone();
                installed
                    .tools
                    .iter()
                    .map(|tool| installed_tool(tool, manifest))
                    .collect::<Result<_>>()?
            }
            None if is_complete(manifest) && !has_more(&package.artifact.bytes) => manifest
                .tools
                .iter()
                .map(|spec| manifest_tool(&name, spec))
                .collect::<Result<_>>()?,
            None => described(app, &package, &name, &mut offers).await?,
        }
    } else if let Some(manifest) = manifest
        .as_deref()
        .filter(|manifest| manifest.is_contained())
    {
        // The component is empty: nothing in it is ever run.
        manifest
            .tools
            .iter()
            .map(|spec| manifest_tool(&name, spec))
            .collect::<Result<_>>()?
    } else {
        let interface = schema::read_component(&package.artifact.bytes, package.docs.as_ref())?;
        let is_plugin = interface
            .exports
            .iter()
            .any(|export| export.starts_with(TOOLS_EXPORT));
        imports = interface.imports;
        if is_plugin {
            described(app, &package, &name, &mut offers).await?
        } else {
            let specs = manifest.as_deref().map_or(&[][..], |it| &it.tools);
            custom_tools(&name, interface.functions, specs)?
        }
    };
    let mut names = HashSet::new();
    if let Some(twice) = tools.iter().find(|tool| !names.insert(tool.id.tool())) {
        return Err(Error::new(
            Code::E3105,
            format!("{name} has two tools named {:?}", twice.id.tool()),
        ));
    }
    let parts = offers.parts(&name, tools.iter()).map_err(|error| {
        Error::new(Code::E3105, format!("naming the prompts of {name}")).caused_by(error)
    })?;
    let mut source = Source {
        offers,
        parts: parts.into_iter().map(Arc::new).collect(),
        name,
        origin,
        artifact: package.artifact,
        manifest,
        imports,
        tags: installed
            .iter()
            .flat_map(|installed| installed.tags.iter().cloned())
            .collect(),
        notice: installed.and_then(|installed| {
            let life = installed.lifecycle;
            (life.stage == Stage::Deprecated)
                .then(|| format!("{} {} {}", installed.name, installed.version, life.advice()))
        }),
        tools: Vec::new(),
        requested: KnownRequests::default(),
    };
    // What cannot be read is told to whoever calls a tool of it; until then it counts as everything.
    let effects = source
        .requested(&app.paths.variables())
        .map_or(Effects::UNKNOWN, |requested| Effects::of(&requested.scope));
    source.tools = tools
        .into_iter()
        .map(|tool| Arc::new(Tool { effects, ..tool }))
        .collect();
    Ok(source)
}

/// Adds requests for all that the component can use. Where things appear in the guest stays as the manifest has it.
fn ask_for_everything(manifest: &mut Manifest, imports: &[String]) {
    let broadest = importable(imports)
        .into_iter()
        .flat_map(Capability::broadest);
    let entries = &mut manifest.permissions.entries;
    entries.extend(broadest.map(|capability| PermissionEntry {
        ask: match capability {
            Capability::FileRead(_) => any_file(Access::Read),
            Capability::FileWrite(_) => any_file(Access::Write),
            other => Ask::Scope(other),
        },
        optional: true,
    }));
}

fn any_file(access: Access) -> Ask {
    Ask::File {
        access,
        path: "*".to_owned(),
        mount: None,
    }
}

fn is_plugin(manifest: &Manifest) -> bool {
    manifest
        .world
        .as_ref()
        .is_some_and(|world| world.starts_with(PLUGIN_WORLD))
}

/// True where the manifest says everything about its tools, so that the component need not be asked.
fn is_complete(manifest: &Manifest) -> bool {
    !manifest.tools.is_empty()
        && manifest
            .tools
            .iter()
            .all(|tool| tool.description.is_some() && tool.input_schema.is_some())
}

/// True where a component may have more than tools, so that it has to be asked.
fn has_more(component: &[u8]) -> bool {
    MORE_EXPORTS.iter().any(|export| {
        let export = export.as_bytes();
        component.windows(export.len()).any(|at| at == export)
    })
}

fn manifest_tool(source: &str, spec: &ToolSpec) -> Result<Tool> {
    Ok(Tool {
        id: id(source, &spec.name)?,
        title: None,
        description: spec.description.clone().unwrap_or_default(),
        input_schema: spec.input_schema.clone().unwrap_or_default(),
        output_schema: spec.output_schema.clone(),
        entry: match &spec.container {
            Some(container) => Entry::Container(Arc::new(container.clone())),
            None => Entry::Plugin {
                tool: spec.name.clone(),
            },
        },
        idempotent: spec.idempotent,
        pure: spec.pure,
        risk: spec.risk,
        untrusted_output: spec.untrusted_output,
        coerce: spec.coerce,
        effects: Effects::UNKNOWN,
        validators: Validators::default(),
    })
}

/// A tool as it was described when it was installed. Of a container the manifest has more.
fn installed_tool(known: &Descriptor, manifest: &Manifest) -> Result<Tool> {
    let mut tool = known.to_tool(&manifest.name)?;
    let spec = manifest.tools.iter().find(|spec| spec.name == known.name);
    if let Some(container) = spec.and_then(|spec| spec.container.as_ref()) {
        tool.entry = Entry::Container(Arc::new(container.clone()));
    }
    Ok(tool)
}

fn id(source: &str, tool: &str) -> Result<ToolId> {
    ToolId::new(source, tool).map_err(|error| {
        Error::new(Code::E3105, format!("naming a tool of {source}")).caused_by(error)
    })
}

/// Tools as the component describes them, with what only the manifest says.
async fn described(
    app: &App,
    package: &Package,
    source: &str,
    offers: &mut Offers,
) -> Result<Vec<Tool>> {
    let described = app.host()?.describe(&package.artifact).await?;
    let tools = described.tools;
    *offers = described.offers;
    offers
        .check()
        .map_err(|error| error.while_doing(format!("what {source} says of itself")))?;
    if let Some(tool) = tools.iter().find(|tool| !is_tool_name(&tool.name)) {
        let shown: String = tool.name.chars().take(80).collect();
        return Err(Error::new(
            Code::E3105,
            format!("a tool of {source} cannot be named {shown:?}"),
        )
        .hint("Use 1 to 128 letters, digits, `_`, `-` and `.`."));
    }
    let specs = package
        .manifest
        .as_ref()
        .map_or(&[][..], |manifest| &manifest.tools);
    check_against(specs, &tools)?;
    let in_containers = specs.iter().filter(|spec| spec.container.is_some());
    tools
        .into_iter()
        .map(|tool| described_tool(source, tool, specs))
        .chain(in_containers.map(|spec| manifest_tool(source, spec)))
        .collect()
}

/// A manifest that lists tools must list the ones the component has.
fn check_against(specs: &[ToolSpec], tools: &[DescribedTool]) -> Result<()> {
    for spec in specs.iter().filter(|spec| spec.container.is_none()) {
        if !tools.iter().any(|tool| tool.name == spec.name) {
            return Err(unknown_to_component(&spec.name));
        }
    }
    let unlisted = tools
        .iter()
        .find(|tool| !specs.is_empty() && !specs.iter().any(|spec| spec.name == tool.name));
    match unlisted {
        Some(tool) => Err(Error::new(
            Code::E3105,
            format!(
                "the component has the tool {:?}, which the manifest does not list",
                tool.name
            ),
        )),
        None => Ok(()),
    }
}

fn unknown_to_component(tool: &str) -> Error {
    Error::new(
        Code::E3105,
        format!("the manifest lists the tool {tool:?}, which the component does not have"),
    )
}

fn described_tool(source: &str, tool: DescribedTool, specs: &[ToolSpec]) -> Result<Tool> {
    let parse = |which: &str, text: &str| -> Result<Value> {
        schema::parse_strict(text).map_err(|error| {
            Error::new(
                Code::E3105,
                format!("the {which} schema of {source}.{} is not JSON", tool.name),
            )
            .caused_by(error)
        })
    };
    let spec = specs.iter().find(|spec| spec.name == tool.name);
    let input_schema = match spec.and_then(|spec| spec.input_schema.clone()) {
        Some(schema) => schema,
        None => parse("input", &tool.input_schema)?,
    };
    let output_schema = match spec.and_then(|spec| spec.output_schema.clone()) {
        Some(schema) => Some(schema),
        None => tool
            .output_schema
            .as_deref()
            .map(|text| parse("output", text))
            .transpose()?,
    };
    Ok(Tool {
        id: id(source, &tool.name)?,
        title: tool.title,
        description: spec
            .and_then(|spec| spec.description.clone())
            .unwrap_or(tool.description),
        input_schema,
        output_schema,
        entry: Entry::Plugin { tool: tool.name },
        idempotent: spec.is_some_and(|spec| spec.idempotent),
        pure: spec.is_some_and(|spec| spec.pure),
        risk: spec.map_or(Risk::default(), |spec| spec.risk),
        untrusted_output: spec.is_some_and(|spec| spec.untrusted_output),
        coerce: spec.is_some_and(|spec| spec.coerce),
        effects: Effects::UNKNOWN,
        validators: Validators::default(),
    })
}

/// The functions of a component as tools: those that the manifest lists, or all where it lists none.
fn custom_tools(source: &str, functions: Vec<Function>, specs: &[ToolSpec]) -> Result<Vec<Tool>> {
    for spec in specs.iter().filter(|spec| spec.container.is_none()) {
        if !functions.iter().any(|function| function.name == spec.name) {
            return Err(unknown_to_component(&spec.name));
        }
    }
    functions
        .into_iter()
        .filter_map(|function| {
            let spec = specs.iter().find(|spec| spec.name == function.name);
            (specs.is_empty() || spec.is_some()).then(|| custom_tool(source, function, spec))
        })
        .collect()
}

fn custom_tool(source: &str, function: Function, spec: Option<&ToolSpec>) -> Result<Tool> {
    Ok(Tool {
        id: id(source, &function.name)?,
        title: None,
        description: spec
            .and_then(|spec| spec.description.clone())
            .unwrap_or_else(|| function.description()),
        input_schema: schema::input_schema(&function),
        output_schema: Some(schema::output_schema(&function)),
        idempotent: spec.is_some_and(|spec| spec.idempotent),
        pure: spec.is_some_and(|spec| spec.pure),
        risk: spec.map_or(Risk::default(), |spec| spec.risk),
        untrusted_output: spec.is_some_and(|spec| spec.untrusted_output),
        coerce: spec.is_some_and(|spec| spec.coerce),
        entry: Entry::Function(Arc::new(function)),
        effects: Effects::UNKNOWN,
        validators: Validators::default(),
    })
}
