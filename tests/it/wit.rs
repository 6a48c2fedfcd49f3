//! The WIT of the project: it parses, everything of ours is documented, and the WASI it builds on is pinned.

mod frozen;
mod reference;

use std::collections::BTreeMap;

use wit_parser::{Docs, Interface, Resolve, Type, TypeDef, TypeDefKind, WorldItem};

use crate::support::source::{files, root};

/// The versions of WASI that authors can count on. A new one is a change to the contract, not an update.
const WASI: &[(&str, &str)] = &[
    ("wasi:cli", "0.2.12"),
    ("wasi:clocks", "0.2.12"),
    ("wasi:config", "0.2.0-rc.1"),
    ("wasi:filesystem", "0.2.12"),
    ("wasi:http", "0.2.12"),
    ("wasi:io", "0.2.12"),
    ("wasi:random", "0.2.12"),
    ("wasi:sockets", "0.2.12"),
];

const OURS: &str = "toolhatch:plugin";

fn resolve() -> Resolve {
    let mut resolve = Resolve::default();
    if let Err(error) = resolve.push_dir(root().join("wit")) {
        panic!("wit/ does not parse: {error:#}");
    }
    resolve
}

fn name_of(package: &wit_parser::Package) -> String {
    format!("{}:{}", package.name.namespace, package.name.name)
}

#[test]
fn the_packages_are_the_pinned_ones() {
    let resolve = resolve();
    let found: BTreeMap<String, String> = resolve
        .packages
        .iter()
        .map(|(_, package)| {
            let version = package.name.version.as_ref();
            (
                name_of(package),
                version.map(ToString::to_string).unwrap_or_default(),
            )
        })
        .collect();
    let mut expected: BTreeMap<String, String> = WASI
        .iter()
        .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
        .collect();
    expected.insert(OURS.to_owned(), "0.1.0".to_owned());
    assert_eq!(
        found, expected,
        "wit/deps is vendored from the crates of wasmtime-wasi; where it really has to change, change the list here"
    );
}

#[test]
fn everything_of_ours_is_documented() {
    let resolve = resolve();
    let (_, package) = resolve
        .packages
        .iter()
        .find(|(_, package)| name_of(package) == OURS)
        .expect("our package");
    let mut bare = Vec::new();
    let mut check = |docs: &Docs, name: String| {
        if docs
            .contents
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
        {
            bare.push(name);
        }
    };
    check(&package.docs, OURS.to_owned());
    for (name, id) in &package.worlds {
        let world = &resolve.worlds[*id];
        check(&world.docs, format!("world {name}"));
        for (key, item) in world.imports.iter().chain(&world.exports) {
            if let WorldItem::Function(function) = item {
                check(
                    &function.docs,
                    format!("{name}.{}", resolve.name_world_key(key)),
                );
            }
        }
    }
    for (name, id) in &package.interfaces {
        check_interface(&resolve, name, &resolve.interfaces[*id], &mut check);
    }
    assert!(
        bare.is_empty(),
        "write a `///` comment in wit/*.wit for:\n  {}",
        bare.join("\n  ")
    );
}

fn check_interface(
    resolve: &Resolve,
    name: &str,
    interface: &Interface,
    check: &mut impl FnMut(&Docs, String),
) {
    check(&interface.docs, format!("interface {name}"));
    for (function_name, function) in &interface.functions {
        check(&function.docs, format!("{name}.{function_name}"));
    }
    for (type_name, id) in &interface.types {
        let ty = &resolve.types[*id];
        if is_used_from_elsewhere(resolve, ty) {
            continue;
        }
        let at = format!("{name}.{type_name}");
        check(&ty.docs, at.clone());
        for (member, docs) in members(&ty.kind) {
            check(docs, format!("{at}.{member}"));
        }
    }
}

/// The names and comments of what a type consists of.
fn members(kind: &TypeDefKind) -> Vec<(&str, &Docs)> {
    match kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            fields
                .map(|field| (field.name.as_str(), &field.docs))
                .collect()
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter();
            cases.map(|case| (case.name.as_str(), &case.docs)).collect()
        }
        TypeDefKind::Enum(cases) => {
            let cases = cases.cases.iter();
            cases.map(|case| (case.name.as_str(), &case.docs)).collect()
        }
        TypeDefKind::Flags(flags) => {
            let flags = flags.flags.iter();
            flags.map(|flag| (flag.name.as_str(), &flag.docs)).collect()
        }
        _ => Vec::new(),
    }
}

/// True for what `use` brings in: it is documented where it is defined.
fn is_used_from_elsewhere(resolve: &Resolve, ty: &TypeDef) -> bool {
    let TypeDefKind::Type(Type::Id(other)) = ty.kind else {
        return false;
    };
    let other = &resolve.types[other];
    other.name == ty.name && other.owner != ty.owner
}

#[test]
fn there_is_one_interface_a_file() {
    let crowded: Vec<&str> = files(&["wit"])
        .filter(|file| !file.path.starts_with("wit/deps/") && file.path.ends_with(".wit"))
        .filter(|file| {
            let begins = |line: &&str| line.starts_with("interface ") || line.starts_with("world ");
            file.text.lines().filter(begins).count() != 1
        })
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        crowded,
        Vec::<&str>::new(),
        "one interface or world, in a file of its name"
    );
}
