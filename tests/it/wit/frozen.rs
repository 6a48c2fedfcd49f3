//! What was published is never changed: `docs/design/008-wit-stability.md` has the rule.

use std::collections::BTreeMap;
use std::path::Path;

use wit_parser::{PackageId, Resolve, UnresolvedPackageGroup, WorldItem};

use super::{OURS, is_used_from_elsewhere, name_of};
use crate::support::env::TestEnv;
use crate::support::source::root;
use crate::support::wit_text;

/// Interfaces by their names, each with its types and functions; and those that components export.
struct Contract {
    interfaces: BTreeMap<String, BTreeMap<String, String>>,
    exported: Vec<String>,
}

/// Our package in `folder`, with the WASI of now.
fn contract(folder: &Path) -> Contract {
    let mut resolve = Resolve::default();
    let deps = root().join("wit/deps");
    let mut groups = Vec::new();
    for entry in std::fs::read_dir(deps)
        .expect("there is a folder")
        .flatten()
    {
        groups.push(UnresolvedPackageGroup::parse_dir(entry.path()).expect("WASI parses"));
    }
    // In whatever order they depend on each other.
    while !groups.is_empty() {
        let before = groups.len();
        groups.retain(|group| {
            let mut attempt = resolve.clone();
            let pushed = attempt.push_group(group.clone()).is_ok();
            if pushed {
                resolve = attempt;
            }
            !pushed
        });
        assert!(
            groups.len() < before,
            "WASI depends on something that is not there"
        );
    }
    let ours = UnresolvedPackageGroup::parse_dir(folder).expect("it parses");
    let id = resolve.push_group(ours).expect("it resolves");
    of_package(&resolve, id)
}

fn of_package(resolve: &Resolve, id: PackageId) -> Contract {
    let package = &resolve.packages[id];
    assert_eq!(name_of(package), OURS);
    let mut interfaces = BTreeMap::new();
    for (name, interface) in &package.interfaces {
        let interface = &resolve.interfaces[*interface];
        let mut items = BTreeMap::new();
        for (function_name, function) in &interface.functions {
            items.insert(
                format!("func {function_name}"),
                wit_text::function(resolve, function),
            );
        }
        for (type_name, ty) in &interface.types {
            if !is_used_from_elsewhere(resolve, &resolve.types[*ty]) {
                items.insert(
                    format!("type {type_name}"),
                    wit_text::definition(resolve, *ty),
                );
            }
        }
        interfaces.insert(name.clone(), items);
    }
    let mut exported: Vec<String> = package
        .worlds
        .values()
        .flat_map(|world| resolve.worlds[*world].exports.values())
        .filter_map(|item| match item {
            WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.clone(),
            _ => None,
        })
        .collect();
    // A component may export these besides what the world says.
    exported.extend(["prompts", "resources", "completions"].map(str::to_owned));
    Contract {
        interfaces,
        exported,
    }
}

/// What of the old contract the new one breaks.
fn broken(old: &Contract, new: &Contract) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, items) in &old.interfaces {
        let Some(now) = new.interfaces.get(name) else {
            broken.push(format!("the interface {name} is gone"));
            continue;
        };
        for (item, was) in items {
            match now.get(item) {
                Some(is) if is == was => {}
                Some(is) => broken.push(format!("{name}: {was}\n    is now: {is}")),
                None => broken.push(format!("{name}: {was} is gone")),
            }
        }
        if old.exported.contains(name) {
            let more = now
                .keys()
                .filter(|item| item.starts_with("func ") && !items.contains_key(*item));
            broken.extend(
                more.map(|item| {
                    format!("{name}: {item} is new, and old components do not export it")
                }),
            );
        }
    }
    broken
}

#[test]
fn what_was_frozen_is_as_it_was() {
    let now = contract(&root().join("wit"));
    let frozen = root().join("wit/frozen");
    let mut compared = 0;
    for folder in std::fs::read_dir(frozen)
        .expect("there is a folder")
        .flatten()
    {
        if !folder.path().is_dir() {
            continue;
        }
        let broken = broken(&contract(&folder.path()), &now);
        let name = folder.file_name();
        assert!(
            broken.is_empty(),
            "wit/ breaks {}; docs/design/008-wit-stability.md says what that takes:\n  {}",
            name.display(),
            broken.join("\n  ")
        );
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn every_kind_of_break_is_seen() {
    let of = |items: &[(&str, &[(&str, &str)])]| Contract {
        interfaces: items
            .iter()
            .map(|(name, items)| {
                let items = items
                    .iter()
                    .map(|(item, text)| ((*item).to_owned(), (*text).to_owned()));
                ((*name).to_owned(), items.collect())
            })
            .collect(),
        exported: vec!["tools".to_owned()],
    };
    let old = of(&[
        ("log", &[("func write", "write: func(text: string)")]),
        (
            "tools",
            &[
                ("func call", "call: func()"),
                ("type t", "variant t { a, b }"),
            ],
        ),
    ]);
    let grown = of(&[
        (
            "log",
            &[
                ("func write", "write: func(text: string)"),
                ("func flush", "flush: func()"),
            ],
        ),
        (
            "tools",
            &[
                ("func call", "call: func()"),
                ("type t", "variant t { a, b }"),
                ("type u", "enum u { x }"),
            ],
        ),
        ("state", &[]),
    ]);
    assert_eq!(broken(&old, &grown), Vec::<String>::new());
    for (now, told) in [
        (
            of(&[(
                "tools",
                &[
                    ("func call", "call: func()"),
                    ("type t", "variant t { a, b }"),
                ],
            )]),
            "log is gone",
        ),
        (
            of(&[
                (
                    "log",
                    &[("func write", "write: func(text: string, level: u8)")],
                ),
                (
                    "tools",
                    &[
                        ("func call", "call: func()"),
                        ("type t", "variant t { a, b }"),
                    ],
                ),
            ]),
            "is now: write: func(text: string, level: u8)",
        ),
        (
            of(&[
                ("log", &[("func write", "write: func(text: string)")]),
                (
                    "tools",
                    &[
                        ("func call", "call: func()"),
                        ("type t", "variant t { a, b, c }"),
                    ],
                ),
            ]),
            "variant t { a, b, c }",
        ),
        (
            of(&[
                ("log", &[("func write", "write: func(text: string)")]),
                (
                    "tools",
                    &[
                        ("func call", "call: func()"),
                        ("func more", "more: func()"),
                        ("type t", "variant t { a, b }"),
                    ],
                ),
            ]),
            "func more is new",
        ),
    ] {
        let broken = broken(&old, &now);
        assert!(
            broken.len() == 1 && broken[0].contains(told),
            "{told}: {broken:?}"
        );
    }
}

/// It was built before `state` and `invoke` were in the world, and is never built again.
#[test]
fn a_component_of_before_goes_on_working() {
    let env = TestEnv::new();
    let component = root().join("tests/fixtures/frozen/conformance-0.1.0.wasm");
    let component = component.to_string_lossy();
    let output = env.run(["plugin", "install", &component]).ok();
    assert!(output.stdout.contains("conformance"), "{output}");
    let tools = env.run(["tools", "list", "--json"]).ok();
    assert!(tools.stdout.contains("conformance"), "{tools}");
    let called = env
        .run(["call", "conformance", "test_simple_text", "--json"])
        .ok();
    assert_eq!(called.json()["ok"], true, "{called}");
    assert!(called.json()["content"][0]["text"].is_string(), "{called}");
}

/// One that comes from later is refused before anything of it runs, and told which versions there are.
#[test]
fn a_component_of_another_series_is_refused_by_name() {
    let env = TestEnv::new();
    let export = "(component
      (core module $m (func (export \"f\")))
      (core instance $i (instantiate $m))
      (func $f (canon lift (core func $i \"f\")))
      (instance $tools (export \"list-tools\" (func $f)))
      (export \"toolhatch:plugin/tools@0.2.0\" (instance $tools)))";
    let import =
        "(component (import \"toolhatch:plugin/log@1.0.0\" (instance (export \"shout\" (func))))
      (core module $m (func (export \"f\")))
      (core instance $i (instantiate $m))
      (func (export \"any\") (canon lift (core func $i \"f\"))))";
    for (name, wat, version) in [("later", export, "0.2.0"), ("much-later", import, "1.0.0")] {
        env.write(format!("{name}.wasm"), &wat::parse_str(wat).expect("valid"));
        let file = format!("{name}.wasm");
        let output = env.run(["call", &file, "any"]).fails_with(2, "E3111");
        assert!(
            output.stderr.contains(version) && output.stderr.contains("speaks 0.1.0"),
            "{output}"
        );
        assert!(output.stderr.contains("Build the plugin again"), "{output}");
    }
}
