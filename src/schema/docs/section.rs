//! Documentation in custom sections: a version byte and JSON.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};
use wasmparser::component_types::{ComponentEntityType, ComponentItem};

use super::{Docs, OWN_SECTION, SECTION, Scope};
use crate::error::Result;
use crate::schema::artifact;
use crate::schema::component::Outline;

/// The largest section that is read, in bytes.
const MAX_SECTION: usize = 4 << 20;
/// The version that is written. Version 0 differs in that a function is a plain string; both are read.
const VERSION: u8 = 1;

/// Adds what a section says; gives a reason where it says nothing that can be read.
pub(super) fn read(data: &[u8], docs: &mut Docs) -> std::result::Result<(), String> {
    if data.len() > MAX_SECTION {
        return Err(format!("it is larger than {} MiB", MAX_SECTION >> 20));
    }
    let text = match data.split_first() {
        Some((&(0 | VERSION), text)) => text,
        Some((version, _)) => return Err(format!("its version is {version}, not 0 or 1")),
        None => return Err("it is empty".to_owned()),
    };
    let json: Json =
        serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))?;
    for (name, interface) in members(&json, "interfaces") {
        read_scope(interface, docs.interface_mut(name));
    }
    // A world by the name that decoders expect speaks for the component; any other is what its author called it.
    let worlds = members(&json, "worlds");
    let (root, others): (Vec<_>, Vec<_>) = worlds.partition(|(name, _)| *name == "root");
    for (_, world) in root.into_iter().chain(others) {
        read_scope(world, &mut docs.root);
        for (name, function) in members(world, "func_exports") {
            docs.root.document_function(name, function_text(function));
        }
        for key in ["interface_exports", "interfaces"] {
            for (name, interface) in members(world, key) {
                read_scope(interface, docs.interface_mut(name));
            }
        }
    }
    Ok(())
}

fn members<'a>(json: &'a Json, key: &str) -> impl Iterator<Item = (&'a String, &'a Json)> {
    json.get(key)
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
}

fn read_scope(json: &Json, scope: &mut Scope) {
    scope.document(text(json));
    for (name, function) in members(json, "funcs") {
        scope.document_function(name, function_text(function));
    }
    for (name, ty) in members(json, "types") {
        let items =
            members(ty, "items").filter_map(|(item, docs)| Some((item.as_str(), docs.as_str()?)));
        scope.document_type(name, text(ty), items);
    }
}

fn text(json: &Json) -> Option<&str> {
    json.get("docs").and_then(Json::as_str)
}

fn function_text(json: &Json) -> Option<&str> {
    json.as_str().or_else(|| text(json))
}

/// Writes documentation into a component, in place of what documentation it has.
///
/// Only what the component exports is written: `docs` may say more. Decoders of the WebAssembly tools still take the
/// result.
///
/// # Errors
/// [`crate::error::Code::E3105`] where the bytes are not a valid component.
pub fn write_package_docs(component: &[u8], docs: &Docs) -> Result<Vec<u8>> {
    artifact::sniff(component, artifact::MAX_BYTES)?;
    let outline = Outline::read(component)?;
    let (world, own) = documented(&outline, docs);
    let world = world.into_json();
    // A section of the same name further inside is taken for this one by decoders, and two of them for an error.
    let (known, own_world) = if outline.has_nested_docs {
        (None, world)
    } else {
        (world, None)
    };
    let encode = |worlds: Option<Json>, interfaces: Map<String, Json>| {
        let mut json = Map::new();
        insert(
            &mut json,
            "worlds",
            worlds.map(|world| json!({"root": world})),
        );
        insert(&mut json, "interfaces", filled(interfaces));
        let mut data = vec![VERSION];
        data.extend_from_slice(Json::Object(json.clone()).to_string().as_bytes());
        (!json.is_empty()).then_some(data)
    };
    let known = encode(known, Map::new());
    let own = encode(own_world, own);
    let added: Vec<(&str, &[u8])> = [(SECTION, &known), (OWN_SECTION, &own)]
        .into_iter()
        .filter_map(|(name, data)| Some((name, data.as_deref()?)))
        .collect();
    artifact::with_custom_sections(component, &[SECTION, OWN_SECTION], &added)
}

/// What can be said about a component: in the way decoders know, and what they have no place for.
fn documented(outline: &Outline, docs: &Docs) -> (World, Map<String, Json>) {
    let imported: HashSet<&str> = outline
        .imported
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let mut world = World::default();
    let mut own = Map::new();
    for (name, id, item) in outline.tool_exports() {
        let is_imported = imported.contains(name);
        if let ComponentEntityType::Func(_) = item.ty {
            let place = if is_imported {
                &mut world.func_exports
            } else {
                &mut world.funcs
            };
            insert(place, name, function_json(docs.function(None, name)));
            continue;
        }
        let place = match (id.contains('/'), is_imported) {
            (true, _) => &mut own,
            (false, true) => &mut world.interface_exports,
            (false, false) => &mut world.interfaces,
        };
        insert(
            place,
            if id.contains('/') { id } else { name },
            interface_json(outline, docs, id, item),
        );
    }
    // Exports may use types that are defined in what is imported, or in the component itself.
    for (name, item) in &outline.imported {
        insert(
            &mut world.types,
            name,
            type_json(outline, docs, None, name, item),
        );
        let types = types_json(outline, docs, name, item).map(|types| json!({"types": types}));
        let place = if name.contains('/') {
            &mut own
        } else {
            &mut world.interfaces
        };
        if !place.contains_key(name) {
            insert(place, name, types);
        }
    }
    (world, own)
}

/// The documentation of a world, by the keys of the section.
#[derive(Default)]
struct World {
    types: Map<String, Json>,
    funcs: Map<String, Json>,
    func_exports: Map<String, Json>,
    interfaces: Map<String, Json>,
    interface_exports: Map<String, Json>,
}

impl World {
    fn into_json(self) -> Option<Json> {
        let mut json = Map::new();
        insert(&mut json, "types", filled(self.types));
        insert(&mut json, "funcs", filled(self.funcs));
        insert(&mut json, "func_exports", filled(self.func_exports));
        insert(&mut json, "interfaces", filled(self.interfaces));
        insert(
            &mut json,
            "interface_exports",
            filled(self.interface_exports),
        );
        filled(json)
    }
}

fn interface_json(outline: &Outline, docs: &Docs, id: &str, item: &ComponentItem) -> Option<Json> {
    let mut functions = Map::new();
    for (name, member) in outline.instance_members(item) {
        if let ComponentEntityType::Func(_) = member.ty {
            insert(
                &mut functions,
                name,
                function_json(docs.function(Some(id), name)),
            );
        }
    }
    let mut json = Map::new();
    let about = docs
        .scopes(Some(id))
        .into_iter()
        .find_map(|scope| scope.docs.clone());
    insert(&mut json, "docs", about.map(Json::String));
    insert(&mut json, "funcs", filled(functions));
    insert(&mut json, "types", types_json(outline, docs, id, item));
    filled(json)
}

fn function_json(docs: Option<String>) -> Option<Json> {
    docs.map(|docs| json!({"docs": docs}))
}

fn types_json(outline: &Outline, docs: &Docs, id: &str, item: &ComponentItem) -> Option<Json> {
    let mut types = Map::new();
    for (name, member) in outline.instance_members(item) {
        insert(
            &mut types,
            name,
            type_json(outline, docs, Some(id), name, member),
        );
    }
    filled(types)
}

fn type_json(
    outline: &Outline,
    docs: &Docs,
    scope: Option<&str>,
    name: &str,
    item: &ComponentItem,
) -> Option<Json> {
    let known = outline.type_members(item)?;
    let found = docs.ty(scope, name)?;
    let mut items: Vec<(&String, &String)> = found
        .items
        .iter()
        .filter(|(item, _)| known.contains(*item))
        .collect();
    // A component is packed to the same bytes every time.
    items.sort();
    let items = items
        .into_iter()
        .map(|(item, docs)| (item.clone(), Json::String(docs.clone())))
        .collect();
    let mut json = Map::new();
    insert(&mut json, "docs", found.docs.clone().map(Json::String));
    insert(&mut json, "items", filled(items));
    filled(json)
}

fn filled(members: Map<String, Json>) -> Option<Json> {
    (!members.is_empty()).then_some(Json::Object(members))
}

fn insert(members: &mut Map<String, Json>, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        members.insert(key.to_owned(), value);
    }
}
