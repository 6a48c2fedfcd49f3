//! What a component exports as tools and what it imports, read from its types.
//!
//! The types come from the validator, in one pass over the file that skips the code; nothing is compiled. Documentation
//! comes from [`Docs`]: a WIT text beside the component first, then what the component carries.
//!
//! Exports that are a contract with a host and not meant as tools are left out: every interface of the `wasi` namespace
//! (`wasi:cli/run`, `wasi:http/incoming-handler`, …) and Toolhatch's own `toolhatch:plugin`. So are exports that are no
//! functions or instances of functions, instances within instances, and what toolchains are known to leave behind: the
//! initialisers of componentize-py (`exports.init`) and componentize-qjs (`init`), which have done their work when the
//! component is built. Names such as `_initialize` or `cabi_realloc` need no mention, for they cannot be exports of a
//! component.

mod measure;
mod names;
mod types;

use std::collections::HashSet;

use wasmparser::component_types::{ComponentEntityType, ComponentFuncTypeId, ComponentItem};
use wasmparser::{Parser, Payload, ValidPayload, Validator, WasmFeatures};

use super::artifact;
use super::docs::Docs;
use super::wit::{Function, Ty};
use crate::error::{Code, Error, Result};
use measure::{MAX_DOCS, Unusable};
use types::TypeReader;

/// What componentize-py 0.25 and componentize-qjs 0.4 leave in a component, with some of its parameters.
const BUILD_STEPS: [(&[&str], [&str; 2]); 2] = [
    (&["exports", "init"], ["app-name", "symbols"]),
    (&["init"], ["shim", "entry-path"]),
];
/// The deepest type of a tool, in types within types: its schema, four JSON levels a type at most, can still be read by
/// the usual JSON readers.
pub const MAX_TYPE_DEPTH: usize = 28;
/// The largest type signature of one tool: types, fields, cases and labels, each counted wherever it is used.
pub const MAX_TYPE_NODES: usize = 10_000;
/// The largest sum of the signatures of all tools of one component.
pub const MAX_TOTAL_NODES: usize = 100_000;
/// The most tools one component may have.
pub const MAX_TOOLS: usize = 1_000;

/// How deep modules and components may lie in components.
pub const MAX_NESTING: usize = 100;

/// What a component gives and needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// The tools: every exported function that is not a contract with a host.
    pub functions: Vec<Function>,
    /// The names of what is imported, as written; types are not among them.
    pub imports: Vec<String>,
    /// The names of the instances and functions that are exported, as written.
    pub exports: Vec<String>,
    /// What is odd but does no harm, as sentences.
    pub warnings: Vec<String>,
}

/// Reads a component: its tools with types and documentation, its imports and exports.
///
/// `sidecar` documents what the component itself does not; it never changes a type.
///
/// # Errors
/// [`Code::E3105`] where the bytes are not a valid component. [`Code::E3111`] where a tool takes or gives what has no JSON
/// form (resources, futures, streams, error contexts) or is larger than the limits of this module; the error names the
/// tools.
pub fn read_component(bytes: &[u8], sidecar: Option<&Docs>) -> Result<Interface> {
    artifact::sniff(bytes, artifact::MAX_BYTES)?;
    artifact::check_sections(bytes)?;
    let outline = Outline::read(bytes)?;
    if outline.is_wit_package() {
        return Err(Error::new(
            Code::E3105,
            "this is a WIT package in binary form: it describes interfaces, but there is no code in it to run",
        ));
    }
    let mut warnings = Vec::new();
    let own = Docs::from_component(bytes, &mut warnings);
    let mut functions = outline.functions(&[sidecar, Some(&own)])?;
    if functions.documentation_bytes > MAX_DOCS {
        warnings.push("the documentation of types is too large and was left out".to_owned());
        functions = outline.functions(&[])?;
    }
    let mut functions = functions.functions;
    names::assign(&mut functions);
    Ok(Interface {
        functions,
        imports: outline.imports,
        exports: outline
            .exports
            .iter()
            .filter(|(_, item)| {
                matches!(
                    item.ty,
                    ComponentEntityType::Func(_) | ComponentEntityType::Instance(_)
                )
            })
            .map(|(name, _)| name.clone())
            .collect(),
        warnings,
    })
}

/// True for an export that is a contract with a host and not a set of tools.
fn is_host_contract(export: &str) -> bool {
    export.starts_with("wasi:") || export.starts_with("toolhatch:plugin/")
}

/// The outermost layer of a validated component.
pub(super) struct Outline {
    types: wasmparser::types::Types,
    /// Names of imported instances and functions, as written.
    imports: Vec<String>,
    /// Names and types of everything imported.
    pub(super) imported: Vec<(String, ComponentItem)>,
    /// Names and types of everything exported.
    pub(super) exports: Vec<(String, ComponentItem)>,
    /// True where a component within this one has a `package-docs` section.
    pub(super) has_nested_docs: bool,
}

/// The tools found, with what their documentation weighs.
struct Found {
    functions: Vec<Function>,
    documentation_bytes: usize,
}

impl Outline {
    /// Validates everything but the code of functions, which the engine checks when it compiles.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let invalid = |error: wasmparser::BinaryReaderError| {
            Error::new(Code::E3105, "this is not a valid component").caused_by(error)
        };
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut outline = None;
        let (mut imports, mut exports) = (Vec::new(), Vec::new());
        let mut has_nested_docs = false;
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(invalid)?;
            match &payload {
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section.clone() {
                        imports.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section.clone() {
                        exports.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if depth > 1 => {
                    has_nested_docs |= section.name() == super::docs::SECTION;
                }
                Payload::Version { .. } => {
                    depth += 1;
                    if depth > MAX_NESTING {
                        return Err(Error::new(
                            Code::E3105,
                            format!("components are nested in it deeper than {MAX_NESTING} levels"),
                        ));
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
            if let ValidPayload::End(types) = validator.payload(&payload).map_err(invalid)?
                && depth == 0
            {
                outline = Some(types);
            }
        }
        let types = outline.ok_or_else(|| {
            Error::new(Code::E3105, "this is not a valid component: it has no end")
        })?;
        let imported: Vec<_> = imports
            .into_iter()
            .filter_map(|name| {
                let item = types.as_ref().component_item_for_import(&name)?.clone();
                Some((name, item))
            })
            .collect();
        let exports = exports
            .into_iter()
            .filter_map(|name| {
                let item = types.as_ref().component_item_for_export(&name)?.clone();
                Some((name, item))
            })
            .collect();
        Ok(Self {
            imports: imported
                .iter()
                .filter(|(_, item)| !matches!(item.ty, ComponentEntityType::Type { .. }))
                .map(|(name, _)| name.clone())
                .collect(),
            imported,
            exports,
            types,
            has_nested_docs,
        })
    }

    fn is_wit_package(&self) -> bool {
        use wasmparser::component_types::ComponentAnyTypeId::Component;
        !self.exports.is_empty()
            && self.exports.iter().all(|(_, item)| {
                matches!(
                    item.ty,
                    ComponentEntityType::Type {
                        created: Component(_),
                        ..
                    }
                )
            })
    }

    /// The members of an exported or imported instance.
    pub(super) fn instance_members(&self, item: &ComponentItem) -> Vec<(&str, &ComponentItem)> {
        let ComponentEntityType::Instance(id) = item.ty else {
            return Vec::new();
        };
        let Some(instance) = self.types.as_ref().get(id) else {
            return Vec::new();
        };
        instance
            .exports
            .iter()
            .map(|(name, item)| (name.as_str(), item))
            .collect()
    }

    /// The names of the members of a type: fields, cases or labels.
    pub(super) fn type_members(&self, item: &ComponentItem) -> Option<HashSet<String>> {
        types::members(&self.types, item)
    }

    /// The exported functions and instances that are tools, with the id that documentation knows an instance by.
    pub(super) fn tool_exports(&self) -> impl Iterator<Item = (&str, &str, &ComponentItem)> {
        self.exports
            .iter()
            .map(|(name, item)| {
                let id = item.implements.as_deref().unwrap_or(name);
                (name.as_str(), id, item)
            })
            .filter(|(_, id, _)| !is_host_contract(id))
    }

    /// True for the initialisers that toolchains leave behind, known by the names of their parameters.
    fn is_build_step(&self, export: &[String], function: ComponentFuncTypeId) -> bool {
        let Some((_, known)) = BUILD_STEPS.iter().find(|(name, _)| export == *name) else {
            return false;
        };
        let ty = self.types.as_ref().get(function);
        let names: HashSet<&str> = ty
            .iter()
            .flat_map(|ty| ty.params.iter().map(|(name, _)| name.as_str()))
            .collect();
        known.iter().all(|name| names.contains(name))
    }

    fn functions(&self, docs: &[Option<&Docs>]) -> Result<Found> {
        let docs: Vec<&Docs> = docs.iter().copied().flatten().collect();
        let mut reader = TypeReader::new(&self.types, &docs);
        for (name, item) in self.imported.iter().chain(&self.exports) {
            let scope = item.implements.as_deref().unwrap_or(name);
            reader.name_type(None, name, item);
            for (member, item) in self.instance_members(item) {
                reader.name_type(Some(scope), member, item);
            }
        }
        let mut found = Found {
            functions: Vec::new(),
            documentation_bytes: 0,
        };
        let mut unusable = Vec::new();
        let mut total = 0;
        for (name, id, item) in self.tool_exports() {
            let functions: Vec<(Vec<String>, Option<&str>, &str, &ComponentItem)> = match item.ty {
                ComponentEntityType::Func(_) => vec![(vec![name.to_owned()], None, name, item)],
                _ => self
                    .instance_members(item)
                    .into_iter()
                    .map(|(member, item)| {
                        (
                            vec![name.to_owned(), member.to_owned()],
                            Some(id),
                            member,
                            item,
                        )
                    })
                    .collect(),
            };
            for (export, scope, function, item) in functions {
                let ComponentEntityType::Func(ty) = item.ty else {
                    continue;
                };
                if self.is_build_step(&export, ty) {
                    continue;
                }
                match reader.function(function, ty) {
                    Ok(signature) => {
                        total += signature.nodes;
                        found.documentation_bytes += signature.docs;
                        found.functions.push(Function {
                            name: function.to_owned(),
                            docs: docs.iter().find_map(|docs| docs.function(scope, function)),
                            export,
                            params: signature.params,
                            result: signature.result,
                            is_async: signature.is_async,
                        });
                    }
                    Err(why) => unusable.push((export.join("."), why)),
                }
            }
        }
        if let Some(error) = refusal(&unusable) {
            return Err(error);
        }
        if found.functions.len() > MAX_TOOLS || total > MAX_TOTAL_NODES {
            return Err(Error::new(
                Code::E3111,
                format!(
                    "the component exports {} functions with {total} types in all, more than the {MAX_TOOLS} functions \
                     and {MAX_TOTAL_NODES} types that can be offered as tools",
                    found.functions.len()
                ),
            ));
        }
        Ok(found)
    }
}

fn refusal(unusable: &[(String, Unusable)]) -> Option<Error> {
    let (first, why) = unusable.first()?;
    let mut message = format!("the function `{first}` cannot be a tool: {why}");
    if unusable.len() > 1 {
        let others: Vec<String> = unusable
            .iter()
            .skip(1)
            .map(|(name, _)| name.clone())
            .collect();
        message.push_str(&format!(
            " (nor can {})",
            super::preview::list(others.iter())
        ));
    }
    let names: Vec<&str> = unusable
        .iter()
        .take(100)
        .map(|(name, _)| name.as_str())
        .collect();
    Some(
        Error::new(Code::E3111, message)
            .hint("A tool takes and gives values that JSON can say: leave such functions out of the world it exports.")
            .detail("functions", names),
    )
}

/// A signature, with what it weighs.
struct Signature {
    params: Vec<(String, Ty)>,
    result: Option<Ty>,
    is_async: bool,
    nodes: usize,
    docs: usize,
}

#[cfg(test)]
pub(super) mod tests;
