//! `docs/reference/wit.md` is generated from `wit/`.

use std::fmt::Write as _;

use wit_parser::{Docs, Interface, Resolve, WorldItem};

use super::{OURS, is_used_from_elsewhere, members, name_of, resolve};
use crate::support::source::root;
use crate::support::wit_text;

/// Set to anything, it rewrites the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn the_wit_reference_is_up_to_date() {
    let path = root().join("docs/reference/wit.md");
    let expected = page(&resolve());
    if std::env::var_os(UPDATE).is_some() {
        toolhatch::fsx::write_atomic(&path, expected.as_bytes(), 0o644).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/wit.md is not what wit/ says; rewrite it with `{UPDATE}=1 cargo test --test it wit`"
    );
}

fn page(resolve: &Resolve) -> String {
    let (_, package) = resolve
        .packages
        .iter()
        .find(|(_, package)| name_of(package) == OURS)
        .expect("our package");
    let version = package.name.version.as_ref().expect("it has one");
    let mut page = format!(
        "<!-- Generated from wit/ by tests/it/wit/reference.rs. Do not edit: UPDATE_DOCS=1 cargo test --test it wit -->\n\
         # The interfaces of plugins: `{OURS}@{version}`\n\n{}\n\n",
        text(&package.docs)
    );
    let world = &resolve.worlds[package.worlds["plugin"]];
    let role = |name: &str| {
        let ours = package.interfaces[name];
        let is = |item: &WorldItem| matches!(item, WorldItem::Interface { id, .. } if *id == ours);
        match name {
            "types" => "shared",
            _ if world.exports.values().any(is) => "exported",
            _ if world.imports.values().any(is) => "imported",
            _ => "may be exported",
        }
    };
    page.push_str("| interface | a plugin | what it is |\n|---|---|---|\n");
    for (name, id) in &package.interfaces {
        let docs = text(&resolve.interfaces[*id].docs);
        let first = docs
            .split(". ")
            .next()
            .unwrap_or_default()
            .replace('\n', " ");
        let _ = writeln!(
            page,
            "| [`{name}`](#{name}) | {} | {} |",
            role(name),
            first.trim_end_matches('.')
        );
    }
    page.push_str(
        "\nBesides, a plugin may import WASI 0.2: `cli`, `clocks`, `filesystem`, `http`, `random`, `sockets` and `config`. Every \
         import is there,\nand denies what nobody granted.\n",
    );
    for (name, id) in &package.interfaces {
        interface(&mut page, resolve, name, &resolve.interfaces[*id]);
    }
    page
}

fn interface(page: &mut String, resolve: &Resolve, name: &str, interface: &Interface) {
    let _ = write!(page, "\n## {name}\n\n{}\n", text(&interface.docs));
    for function in interface.functions.values() {
        let _ = write!(
            page,
            "\n### {name}.{}\n\n```wit\n{}\n```\n\n{}\n",
            function.name,
            wit_text::function(resolve, function),
            text(&function.docs)
        );
    }
    for (type_name, id) in &interface.types {
        let ty = &resolve.types[*id];
        if is_used_from_elsewhere(resolve, ty) {
            continue;
        }
        let _ = write!(
            page,
            "\n### {name}.{type_name}\n\n```wit\n{}\n```\n\n{}\n",
            wit_text::long_definition(resolve, *id),
            text(&ty.docs)
        );
        let members = members(&ty.kind);
        if !members.is_empty() {
            page.push('\n');
        }
        for (member, docs) in members {
            let _ = writeln!(page, "* `{member}`: {}", text(docs).replace('\n', " "));
        }
    }
}

fn text(docs: &Docs) -> String {
    docs.contents
        .as_deref()
        .unwrap_or_default()
        .trim()
        .to_owned()
}
