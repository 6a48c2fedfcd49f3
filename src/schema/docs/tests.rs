use serde_json::json;
use wit_parser::decoding::{DecodedWasm, decode};

use super::*;
use crate::schema::artifact::with_custom_sections;
use crate::schema::component::tests::component;
use crate::schema::{Interface, Ty, input_schema, read_component};

const WIT: &str = r#"
    package demo:maps@1.0.0;

    /// Where things are.
    interface geo {
        use kinds.{unit, height};
        /// A place on a map.
        record place {
            /// How far east.
            x: s32,
            y: s32,
            /// In what.
            unit: unit,
            z: height,
        }
        /// Finds a place by its name.
        find: func(name: string) -> option<place>;
        /// Says how far two places are apart.
        distance: func(a: place, b: place) -> f64;
    }
    interface kinds {
        /// Metres above the sea.
        type height = s32;
        /// A measure of length.
        enum unit {
            /// A thousand metres.
            kilometre,
            mile,
        }
    }
    /// The whole.
    world it {
        /// Logs.
        import both: func();
        export geo;
        /// Says hello.
        export hello: func(who: greeting) -> string;
        export tools: interface {
            /// How loud.
            flags volume {
                /// Very.
                loud,
                quiet,
            }
            /// Makes a noise.
            shout: func(v: volume);
        }
        /// Whom to greet.
        record greeting {
            /// The name.
            name: string,
        }
    }
"#;

fn docs_of(interface: &Interface, name: &str) -> Option<String> {
    let found = interface.functions.iter().find(|f| f.name == name);
    found.expect("exists").docs.clone()
}

fn property(interface: &Interface, name: &str, pointer: &str) -> String {
    let f = interface
        .functions
        .iter()
        .find(|f| f.name == name)
        .expect("exists");
    let schema = input_schema(f);
    let found = schema.pointer(&format!("{pointer}/description"));
    found
        .and_then(|docs| docs.as_str())
        .unwrap_or_default()
        .to_owned()
}

fn assert_documented(interface: &Interface) {
    assert_eq!(
        docs_of(interface, "find").as_deref(),
        Some("Finds a place by its name.")
    );
    assert_eq!(docs_of(interface, "hello").as_deref(), Some("Says hello."));
    assert_eq!(
        docs_of(interface, "shout").as_deref(),
        Some("Makes a noise.")
    );
    let place = "/properties/a";
    assert_eq!(property(interface, "distance", place), "A place on a map.");
    assert_eq!(
        property(interface, "distance", &format!("{place}/properties/x")),
        "How far east."
    );
    assert_eq!(
        property(interface, "distance", &format!("{place}/properties/y")),
        ""
    );
    assert_eq!(
        property(interface, "distance", &format!("{place}/properties/unit")),
        "In what."
    );
    assert_eq!(
        property(interface, "distance", &format!("{place}/properties/z")),
        "Metres above the sea."
    );
    assert_eq!(
        property(interface, "hello", "/properties/who/properties/name"),
        "The name."
    );
    assert_eq!(
        property(interface, "shout", "/properties/v"),
        "How loud.\n- `loud`: Very."
    );
    assert_eq!(interface.warnings, Vec::<String>::new());
}

#[test]
fn a_component_without_documentation_says_what_its_types_say() {
    let interface = read_component(&component(WIT), None).expect("reads");
    assert_eq!(docs_of(&interface, "find"), None);
    let find = interface
        .functions
        .iter()
        .find(|f| f.name == "find")
        .expect("exists");
    assert_eq!(
        find.description(),
        "Calls `find: func(name: string) -> option<place>` of `demo:maps/geo@1.0.0`."
    );
}

#[test]
fn wit_text_beside_the_component_documents_it() {
    let docs = Docs::from_wit_text(WIT).expect("is WIT");
    assert_documented(&read_component(&component(WIT), Some(&docs)).expect("reads"));
}

#[test]
fn wit_in_a_file_or_a_folder_documents_too() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let (first, second) = WIT.split_once("interface kinds").expect("splits");
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::File::create(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .expect("writes");
        path
    };
    file("a.wit", first.to_owned());
    file("b.wit", format!("interface kinds{second}"));
    let bytes = component(WIT);
    let docs = Docs::from_wit_path(folder.path()).expect("is WIT");
    assert_documented(&read_component(&bytes, Some(&docs)).expect("reads"));
    for number in 0..200 {
        file(&format!("n{number}.wit"), String::new());
    }
    let error = Docs::from_wit_path(folder.path()).expect_err("too many files");
    assert!(error.to_string().contains("200 files"), "{error}");
    let whole = file("whole.wit", WIT.to_owned());
    let docs = Docs::from_wit_path(&whole).expect("is WIT");
    assert_documented(&read_component(&bytes, Some(&docs)).expect("reads"));
}

#[test]
fn written_documentation_is_read_again_and_decoders_take_it() {
    let bytes = component(WIT);
    let docs = Docs::from_wit_text(WIT).expect("is WIT");
    let packed = write_package_docs(&bytes, &docs).expect("writes");
    assert_documented(&read_component(&packed, None).expect("reads"));

    let DecodedWasm::Component(resolve, world) = decode(&packed).expect("decodes") else {
        panic!("a component stays one");
    };
    let hello = resolve.worlds[world]
        .exports
        .values()
        .find_map(|item| match item {
            wit_parser::WorldItem::Function(f) if f.name == "hello" => f.docs.contents.clone(),
            _ => None,
        });
    assert_eq!(hello.as_deref(), Some("Says hello."));

    assert_eq!(
        write_package_docs(&packed, &docs).expect("writes"),
        packed,
        "packing twice changes nothing"
    );
    let bare = write_package_docs(&packed, &Docs::default()).expect("writes");
    assert_eq!(bare, bytes, "no documentation leaves no section");
}

#[test]
fn a_name_that_is_imported_and_exported_is_documented_as_the_export() {
    let wit = r#"
        package demo:twice;
        interface ops {
            /// How.
            enum way { fast, slow }
            /// Runs it.
            run: func(w: way);
        }
        world it {
            import ops;
            export ops;
            import both: func();
            import pair: interface { f: func(); }
            /// The exported one.
            export both: func();
            export pair: interface {
                /// Of the exported one.
                f: func();
            }
        }
    "#;
    let bytes = component(wit);
    let packed =
        write_package_docs(&bytes, &Docs::from_wit_text(wit).expect("is WIT")).expect("writes");
    let interface = read_component(&packed, None).expect("reads");
    assert_eq!(
        docs_of(&interface, "both").as_deref(),
        Some("The exported one.")
    );
    assert_eq!(
        docs_of(&interface, "f").as_deref(),
        Some("Of the exported one.")
    );
    assert_eq!(docs_of(&interface, "run").as_deref(), Some("Runs it."));
    assert_eq!(property(&interface, "run", "/properties/w"), "How.");
    // Decoders, too, find it at the export and nothing at the import.
    let DecodedWasm::Component(resolve, world) = decode(&packed).expect("decodes") else {
        panic!("a component stays one");
    };
    let world = &resolve.worlds[world];
    let found = |items: &mut dyn Iterator<Item = &wit_parser::WorldItem>| -> Vec<String> {
        items
            .flat_map(|item| match item {
                wit_parser::WorldItem::Function(f) => f.docs.contents.clone(),
                wit_parser::WorldItem::Interface { id, .. } => {
                    let f = resolve.interfaces[*id].functions.get("f");
                    f.and_then(|f| f.docs.contents.clone())
                }
                wit_parser::WorldItem::Type { .. } => None,
            })
            .collect()
    };
    assert_eq!(
        found(&mut world.exports.values()),
        ["The exported one.", "Of the exported one."]
    );
    assert!(found(&mut world.imports.values()).is_empty());
}

#[test]
fn a_section_with_the_authors_own_names_documents_too() {
    let section = json!({
        "worlds": {"it": {"docs": "x", "func_exports": {"hello": {"docs": "Says hello."}}, "unknown": 1}},
        "interfaces": {"geo": {"funcs": {"find": "Finds.", "gone": "?"}, "types": {"place": {"items": {"x": "East."}}}}},
    });
    let data = format!("\u{0}{section}");
    let bytes =
        with_custom_sections(&component(WIT), &[], &[(SECTION, data.as_bytes())]).expect("adds");
    assert!(
        decode(&bytes).is_err(),
        "this is what decoders stumble over"
    );
    let interface = read_component(&bytes, None).expect("reads");
    assert_eq!(docs_of(&interface, "hello").as_deref(), Some("Says hello."));
    assert_eq!(docs_of(&interface, "find").as_deref(), Some("Finds."));
    assert_eq!(
        property(&interface, "distance", "/properties/a/properties/x"),
        "East."
    );
    // A text beside it comes first, name by name.
    let docs =
        Docs::from_wit_text("package demo:maps; interface geo { /// Other.\n find: func(); }")
            .expect("is WIT");
    let interface = read_component(&bytes, Some(&docs)).expect("reads");
    assert_eq!(docs_of(&interface, "find").as_deref(), Some("Other."));
    assert_eq!(docs_of(&interface, "hello").as_deref(), Some("Says hello."));
}

#[test]
fn a_type_is_documented_where_it_is_defined() {
    // Two types of one name: only the way from the use to the definition tells which is meant.
    let wit = r#"
        package demo:units;
        interface si { enum unit { metre, second } }
        interface us { enum unit { foot, second } }
        interface clock { use us.{unit}; wait: func(u: unit); }
        world it { export clock; }
    "#;
    let docs = json!({"interfaces": {
        "si": {"types": {"unit": {"docs": "Of the metric system."}}},
        "us": {"types": {"unit": {"docs": "Of the other system."}}},
    }});
    let data = format!("\u{1}{docs}");
    let bytes = with_custom_sections(&component(wit), &[], &[(SECTION, data.as_bytes())]);
    let interface = read_component(&bytes.expect("adds"), None).expect("reads");
    assert_eq!(
        property(&interface, "wait", "/properties/u"),
        "Of the other system."
    );
}

#[test]
fn a_broken_section_is_a_warning_and_never_an_error() {
    let bytes = component(WIT);
    let plain = read_component(&bytes, None).expect("reads");
    let huge = vec![1_u8; 5 << 20];
    let deep = format!("\u{1}{}", "[".repeat(100_000));
    for data in [
        &b""[..],
        b"\x02{}",
        b"{}",
        b"\x01",
        b"\x01{",
        b"\x01null",
        b"\x01[]",
        b"\x01\xff\xfe",
        b"\x01{\"worlds\":3}",
        b"\x01{\"worlds\":{\"a\":{\"funcs\":{\"hello\":{\"docs\":7}}}}}",
        deep.as_bytes(),
        &huge,
    ] {
        let with =
            with_custom_sections(&bytes, &[], &[(SECTION, data), (SECTION, data)]).expect("adds");
        let interface = read_component(&with, None).expect("a section sinks nothing");
        assert_eq!(interface.functions, plain.functions);
        for warning in &interface.warnings {
            assert!(
                warning.starts_with("the section `package-docs` was left out: "),
                "{warning}"
            );
        }
    }
    let with = with_custom_sections(&bytes, &[], &[(SECTION, b"\x02{}")]).expect("adds");
    let warnings = read_component(&with, None).expect("reads").warnings;
    assert_eq!(
        warnings,
        ["the section `package-docs` was left out: its version is 2, not 0 or 1"]
    );
}

#[test]
fn documentation_cannot_paint_the_terminal_or_flood_the_schema() {
    let section = json!({"interfaces": {"geo": {"funcs": {"find": format!("a\u{1b}[2Jb{}", "x".repeat(100_000))}}}});
    let bytes = with_custom_sections(
        &component(WIT),
        &[],
        &[(SECTION, format!("\u{1}{section}").as_bytes())],
    );
    let interface = read_component(&bytes.expect("adds"), None).expect("reads");
    let text = docs_of(&interface, "find").expect("is there");
    assert!(text.starts_with("a[2Jbxxx") && text.len() < 9_000);
}

#[test]
fn documentation_of_types_that_is_used_too_often_is_left_out() {
    // A thousand uses of a type with two kilobytes of documentation.
    let fields: String = (0..1_000).map(|n| format!("field-a{n}: small,")).collect();
    let wit = format!(
        "package d:b; interface i {{ /// {}\n record small {{ a: u8 }} record big {{ {fields} }} f: func(b: big); }}
         world it {{ export i; }}",
        "x".repeat(2_000)
    );
    let docs = Docs::from_wit_text(&wit).expect("is WIT");
    let interface = read_component(&component(&wit), Some(&docs)).expect("reads");
    assert!(
        interface.warnings[0].contains("too large"),
        "{:?}",
        interface.warnings
    );
    let Ty::Record(big) = &interface.functions[0].params[0].1 else {
        panic!("a record");
    };
    assert_eq!(big.members.len(), 1_000);
}

#[test]
fn a_sidecar_that_does_not_match_is_ignored_and_one_that_is_no_wit_is_an_error() {
    let bytes = component(WIT);
    let plain = read_component(&bytes, None).expect("reads");
    let docs = Docs::from_wit_text(
        "package other:thing; interface geo2 { /// No.\n find: func(x: list<u8>); } world w { /// No.\n export z: func(); }",
    );
    assert_eq!(
        read_component(&bytes, Some(&docs.expect("is WIT"))).expect("reads"),
        plain
    );

    for text in [
        "",
        "package",
        "package a:b; world",
        "\u{0}",
        &"list<".repeat(100_000),
        &"/*".repeat(100_000),
    ] {
        let error = Docs::from_wit_text(text).expect_err("is refused");
        assert_eq!(error.code(), crate::error::Code::E3105);
    }
    assert!(Docs::from_wit_text(&" ".repeat(2 << 20)).is_err());
    for path in ["/nonexistent/x.wit", "/dev/zero"] {
        assert!(Docs::from_wit_path(Path::new(path)).is_err(), "{path}");
    }
    // What is referred to need not be there.
    let lonely =
        "package a:b; interface i { use other:pkg/types@1.0.0.{t}; /// Yes.\n f: func(t: t); }
                  world w { include other:pkg/w; import wasi:io/streams@0.2.0; export i; }";
    let docs = Docs::from_wit_text(lonely).expect("is WIT");
    assert_eq!(docs.function(Some("a:b/i"), "f").as_deref(), Some("Yes."));
}
