//! Documentation from WIT text.
//!
//! The text is parsed but not resolved: the packages it refers to are not needed for what its comments say.

use std::collections::HashMap;
use std::path::Path;

use wit_parser::{
    Docs as Comment, Function, Interface, TypeDef, TypeDefKind, TypeId, UnresolvedPackage,
    UnresolvedPackageGroup, WorldItem, WorldKey,
};

use super::{Docs, Scope};
use crate::error::{Code, Error, Result};

/// The largest WIT text that is read, in bytes; of a folder, all files together.
const MAX_TEXT: u64 = 1 << 20;
/// The most files of a folder that are read.
const MAX_FILES: usize = 200;

pub(super) fn read_text(origin: &str, text: &str) -> Result<Docs> {
    if text.len() as u64 > MAX_TEXT {
        return Err(too_large(origin));
    }
    let group = UnresolvedPackageGroup::parse(origin, text).map_err(|(sources, error)| {
        Error::new(
            Code::E3105,
            format!("reading documentation from {origin}: it is not valid WIT"),
        )
        .caused_by(error.render(&sources))
    })?;
    Ok(documentation(&group))
}

pub(super) fn read_path(path: &Path) -> Result<Docs> {
    let origin = path.display().to_string();
    let failed = |error: std::io::Error| {
        Error::new(
            Code::E3105,
            format!("reading documentation from {origin} failed"),
        )
        .caused_by(error)
    };
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return read_text(
            &origin,
            &bounded(path, MAX_TEXT)
                .map_err(failed)?
                .ok_or_else(|| too_large(&origin))?,
        );
    }
    let mut files: Vec<_> = std::fs::read_dir(path)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "wit"))
        .take(MAX_FILES + 1)
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::new(
            Code::E3105,
            format!("reading documentation from {origin}: there is no `.wit` file in this folder"),
        ));
    }
    let mut sources = wit_parser::SourceMap::default();
    let mut left = MAX_TEXT;
    for file in &files {
        let text = bounded(file, left).map_err(failed)?;
        let text = text
            .filter(|_| files.len() <= MAX_FILES)
            .ok_or_else(|| too_large(&origin))?;
        left = left.saturating_sub(text.len() as u64);
        sources.push(file, text);
    }
    let group = sources.parse().map_err(|(sources, error)| {
        Error::new(
            Code::E3105,
            format!("reading documentation from {origin}: it is not valid WIT"),
        )
        .caused_by(error.render(&sources))
    })?;
    Ok(documentation(&group))
}

/// The text of a file, or nothing where it is longer than `max`.
fn bounded(path: &Path, max: u64) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    // Opening a pipe would wait for a writer, and a device may have no end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(max + 1)
        .read_to_string(&mut text)?;
    Ok((read as u64 <= max).then_some(text))
}

fn too_large(origin: &str) -> Error {
    Error::new(
        Code::E3105,
        format!(
            "reading documentation from {origin}: it is larger than {} KiB or {MAX_FILES} files",
            MAX_TEXT >> 10
        ),
    )
}

fn documentation(group: &UnresolvedPackageGroup) -> Docs {
    let mut docs = Docs::default();
    for package in std::iter::once(&group.main).chain(&group.nested) {
        for (_, interface) in package.interfaces.iter() {
            if let Some(name) = &interface.name {
                let id = package.name.interface_id(name);
                read_interface(package, interface, docs.interface_mut(&id));
            }
        }
        for (_, world) in package.worlds.iter() {
            // Exports come first: a name that is imported too means the export here.
            for (key, item) in world.exports.iter().chain(&world.imports) {
                match (key, item) {
                    (WorldKey::Name(name), WorldItem::Interface { id, .. }) => {
                        if let Some(interface) = package.interfaces.get(*id) {
                            read_interface(package, interface, docs.interface_mut(name));
                        }
                    }
                    (_, WorldItem::Function(function)) => read_function(function, &mut docs.root),
                    (WorldKey::Name(name), WorldItem::Type { id, .. }) => {
                        read_type(package, name, *id, &mut docs.root);
                    }
                    _ => {}
                }
            }
        }
    }
    docs
}

fn read_interface(package: &UnresolvedPackage, interface: &Interface, scope: &mut Scope) {
    scope.document(interface.docs.contents.as_deref());
    for function in interface.functions.values() {
        read_function(function, scope);
    }
    for (name, id) in &interface.types {
        read_type(package, name, *id, scope);
    }
}

fn read_function(function: &Function, scope: &mut Scope) {
    scope.document_function(&function.name, function.docs.contents.as_deref());
}

fn read_type(package: &UnresolvedPackage, name: &str, id: TypeId, scope: &mut Scope) {
    if let Some(ty) = package.types.get(id) {
        scope.document_type(name, ty.docs.contents.as_deref(), members(ty).into_iter());
    }
}

fn members(ty: &TypeDef) -> HashMap<&str, &str> {
    fn commented<'a>(
        members: impl Iterator<Item = (&'a String, &'a Comment)>,
    ) -> HashMap<&'a str, &'a str> {
        members
            .filter_map(|(name, docs)| Some((name.as_str(), docs.contents.as_deref()?)))
            .collect()
    }
    match &ty.kind {
        TypeDefKind::Record(record) => {
            commented(record.fields.iter().map(|field| (&field.name, &field.docs)))
        }
        TypeDefKind::Variant(variant) => {
            commented(variant.cases.iter().map(|case| (&case.name, &case.docs)))
        }
        TypeDefKind::Enum(labels) => {
            commented(labels.cases.iter().map(|case| (&case.name, &case.docs)))
        }
        TypeDefKind::Flags(labels) => {
            commented(labels.flags.iter().map(|flag| (&flag.name, &flag.docs)))
        }
        _ => HashMap::new(),
    }
}
