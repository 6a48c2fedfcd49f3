use std::path::Path;

use serde_json::json;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use super::*;
use crate::schema::{input_schema, output_schema};

/// A component that exports the world `it` of a WIT text, with functions that do nothing.
pub(in crate::schema) fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve {
        all_features: true,
        ..Resolve::default()
    };
    let group = wit_parser::UnresolvedPackageGroup::parse(Path::new("test.wit"), wit)
        .unwrap_or_else(|(sources, error)| panic!("{}", error.render(&sources)));
    let package = resolve.push_group(group).expect("resolves");
    let world = resolve
        .select_world(&[package], Some("it"))
        .expect("has a world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    ComponentEncoder::default()
        .module(&module)
        .expect("is a module")
        .encode()
        .expect("encodes")
}

fn read(wit: &str) -> Interface {
    read_component(&component(wit), None).expect("reads")
}

fn why(wit: &str) -> Error {
    read_component(&component(wit), None).expect_err("is refused")
}

fn named<'a>(interface: &'a Interface, name: &str) -> &'a Function {
    let names = || {
        interface
            .functions
            .iter()
            .map(|f| f.name.as_str())
            .collect::<Vec<_>>()
    };
    interface
        .functions
        .iter()
        .find(|f| f.name == name)
        .unwrap_or_else(|| panic!("{name} is not among {:?}", names()))
}

const KITCHEN: &str = r#"
    package demo:kitchen@1.2.0;
    interface types {
        record point { x: s32, y: s32, label: option<string> }
        type celsius = f64;
    }
    interface sink {
        use types.{point, celsius};
        enum colour { red, green }
        flags rights { read, write }
        variant shape { dot, circle(f32), at(point) }
        type byte = u8;
        scalars: func(a: bool, b: s8, c: s16, d: s32, e: s64, f: u8, g: u16, h: u32, i: u64, j: f32, k: f64,
            l: char, m: string) -> celsius;
        lists: func(a: list<u8>, b: list<byte>, c: list<string>, d: list<list<u8>>, e: tuple<u8, string>);
        named: func(p: point, c: colour, r: rights, s: shape) -> list<shape>;
        options: func(a: option<u8>, b: option<option<u8>>) -> option<point>;
        results: func(a: result<u8, string>, b: result<_, string>, c: result<u8>, d: result) -> result<point, string>;
    }
    world it {
        import host: interface { ping: func(); }
        import log: func(m: string);
        export sink;
        export hello: func(name: string) -> string;
        export local: interface { go: async func(n: u32) -> u32; }
    }
"#;

#[test]
fn every_type_is_read_as_it_was_written() {
    let kitchen = read(KITCHEN);
    let signatures: Vec<String> = kitchen.functions.iter().map(Function::signature).collect();
    for expected in [
        "scalars: func(a: bool, b: s8, c: s16, d: s32, e: s64, f: u8, g: u16, h: u32, i: u64, j: f32, k: f64, \
         l: char, m: string) -> f64",
        "lists: func(a: list<u8>, b: list<u8>, c: list<string>, d: list<list<u8>>, e: tuple<u8, string>)",
        "named: func(p: point, c: colour, r: rights, s: shape) -> list<shape>",
        "options: func(a: option<u8>, b: option<option<u8>>) -> option<point>",
        "results: func(a: result<u8, string>, b: result<_, string>, c: result<u8>, d: result) -> result<point, string>",
        "hello: func(name: string) -> string",
        "go: async func(n: u32) -> u32",
    ] {
        assert!(
            signatures.iter().any(|found| found == expected),
            "{expected} in {signatures:#?}"
        );
    }
    let lists = named(&kitchen, "lists");
    assert_eq!(lists.export, ["demo:kitchen/sink@1.2.0", "lists"]);
    assert_eq!(lists.params[1], ("b".to_owned(), Ty::Bytes));
    assert_eq!(named(&kitchen, "go").export, ["local", "go"]);
    assert_eq!(named(&kitchen, "hello").export, ["hello"]);
    assert_eq!(
        kitchen.exports,
        ["hello", "demo:kitchen/sink@1.2.0", "local"]
    );
    assert_eq!(kitchen.imports, ["host", "demo:kitchen/types@1.2.0", "log"]);
}

#[test]
fn maps_and_lists_of_fixed_length_are_read() {
    let f = read(
        r#"
        package demo:new;
        world it { export f: func(a: map<string, u8>, b: map<u32, list<u8>>, c: list<u8, 4>, d: map<char, f32>); }
        "#,
    );
    assert_eq!(
        f.functions[0].signature(),
        "f: func(a: map<string, u8>, b: map<u32, list<u8>>, c: list<u8, 4>, d: map<char, f32>)"
    );
}

#[test]
fn the_schemas_of_a_function_say_what_its_types_say() {
    let f = read(
        r#"
        package demo:s;
        world it { export scale: func(by: u8, name: option<string>) -> result<s32, string>; }
        "#,
    );
    assert_eq!(
        input_schema(&f.functions[0]),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "by": {"type": "integer", "minimum": 0, "maximum": 255},
                "name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
            "required": ["by"],
            "additionalProperties": false,
        })
    );
    assert_eq!(
        output_schema(&f.functions[0]),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {"result": {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX}},
            "required": ["result"],
            "additionalProperties": false,
        })
    );
}

#[test]
fn functions_that_json_cannot_call_are_refused_by_name() {
    for (wit, function, reason) in [
        (
            "package d:r; interface i { resource r; f: func(r: borrow<r>); } world it { export i; }",
            "d:r/i.f",
            "resource",
        ),
        (
            "package d:r; interface i { resource r { m: func(); } } world it { export i; }",
            "d:r/i.[method]r.m",
            "belongs to a resource",
        ),
        (
            "package d:r; interface i { resource r { s: static func() -> u8; } } world it { export i; }",
            "d:r/i.[static]r.s",
            "belongs to a resource",
        ),
        (
            "package d:f; world it { export f: func(x: list<future<u8>>); }",
            "f",
            "future",
        ),
        (
            "package d:s; world it { export f: func() -> stream<u8>; }",
            "f",
            "stream",
        ),
        (
            "package d:e; world it { export f: func() -> error-context; }",
            "f",
            "error context",
        ),
    ] {
        let error = why(wit);
        assert_eq!(error.code(), Code::E3111, "{wit}");
        let message = error.to_string();
        assert!(
            message.contains(&format!("`{function}` cannot be a tool")),
            "{message}"
        );
        assert!(message.contains(reason), "{message}");
        assert_eq!(error.details()["functions"][0], function);
    }
}

#[test]
fn contracts_with_a_host_are_no_tools() {
    let interface = read(
        r#"
        package demo:h;
        world it {
            export wasi:cli/run@0.2.6;
            export toolhatch:plugin/tools@0.1.0;
            export wasi:http/incoming-handler@0.2.0;
            export f: func();
        }
        package wasi:cli@0.2.6 { interface run { run: func() -> result; } }
        package toolhatch:plugin@0.1.0 { interface tools { list-tools: func() -> list<string>; } }
        package wasi:http@0.2.0 { interface incoming-handler { resource request; handle: func(r: request); } }
        "#,
    );
    let names: Vec<_> = interface
        .functions
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    assert_eq!(names, ["f"]);
    assert_eq!(
        interface.exports,
        [
            "f",
            "wasi:cli/run@0.2.6",
            "toolhatch:plugin/tools@0.1.0",
            "wasi:http/incoming-handler@0.2.0"
        ]
    );
}

#[test]
fn what_componentize_py_leaves_behind_is_no_tool() {
    let left = read(
        r#"
        package demo:py;
        world it {
            export exports: interface {
                init: func(app-name: string, symbols: list<string>, stub-wasi: bool) -> result<_, string>;
            }
            export f: func();
        }
        "#,
    );
    let names: Vec<_> = left.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["f"]);
    let own = read(
        "package demo:mine; world it { export exports: interface { init: func(name: string); } }",
    );
    assert_eq!(own.functions[0].export, ["exports", "init"]);
}

#[test]
fn what_componentize_qjs_leaves_behind_is_no_tool() {
    let left = read(
        r#"
        package demo:js;
        world it {
            export init: func(shim: string, script: string, entry-path: option<string>, disable-gc: bool) -> result<_, string>;
            export f: func();
        }
        "#,
    );
    let names: Vec<_> = left.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["f"]);
    let own = read("package demo:mine; world it { export init: func(script: string); }");
    assert_eq!(own.functions[0].export, ["init"]);
}

#[test]
fn functions_of_one_name_get_their_interface_in_front() {
    let interface = read(
        r#"
        package demo:n;
        interface a { run: func(); }
        interface b { run: func(); only: func(); }
        world it { export a; export b; }
        "#,
    );
    let mut names: Vec<_> = interface
        .functions
        .iter()
        .map(|f| f.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["a.run", "b.run", "only"]);
}

#[test]
fn an_empty_component_has_no_tools() {
    let interface = read_component(&artifact::COMPONENT_HEADER, None).expect("reads");
    assert_eq!(interface, Interface::default());
}

#[test]
fn a_type_that_grows_beyond_all_measure_is_refused() {
    let mut wit = "package d:b; interface i { record t0 { a: u8, b: u8 }\n".to_owned();
    for level in 1..16 {
        wit.push_str(&format!(
            "record t{level} {{ a: t{0}, b: t{0} }}\n",
            level - 1
        ));
    }
    wit.push_str("f: func(x: t15); g: func(x: t5); } world it { export i; }");
    let error = why(&wit);
    assert!(
        error.to_string().contains("`d:b/i.f` cannot be a tool"),
        "{error}"
    );
    assert!(error.to_string().contains("more than 10000"), "{error}");

    let deep = |levels: usize| {
        let ty = format!(
            "{}u16{}",
            "list<".repeat(levels - 1),
            ">".repeat(levels - 1)
        );
        format!("package d:b; world it {{ export f: func(x: {ty}); }}")
    };
    assert!(
        why(&deep(MAX_TYPE_DEPTH + 1))
            .to_string()
            .contains("nested deeper than")
    );
    assert_eq!(read(&deep(MAX_TYPE_DEPTH)).functions.len(), 1);
}

#[test]
fn there_may_not_be_more_tools_than_anyone_could_list() {
    let functions = |count: usize, params: &str| {
        let functions: String = (0..count)
            .map(|n| format!("f-a{n}: func({params});\n"))
            .collect();
        format!("package d:m; interface i {{ {functions} }} world it {{ export i; }}")
    };
    assert_eq!(read(&functions(MAX_TOOLS, "")).functions.len(), MAX_TOOLS);
    let error = why(&functions(MAX_TOOLS + 1, ""));
    assert!(error.to_string().contains("1001 functions"), "{error}");
    let params: Vec<String> = (0..900).map(|n| format!("p-a{n}: u8")).collect();
    let error = why(&functions(112, &params.join(", ")));
    assert!(error.to_string().contains("100800 types in all"), "{error}");
}

#[test]
fn the_deepest_type_there_may_be_has_a_schema_that_readers_take() {
    // Variants take the most levels of JSON a type.
    let mut wit = "package d:b; interface i { variant t1 { a(u8) }\n".to_owned();
    for level in 2..MAX_TYPE_DEPTH {
        wit.push_str(&format!("variant t{level} {{ a(t{}) }}\n", level - 1));
    }
    wit.push_str(&format!(
        "f: func(x: t{0}) -> list<t{1}>; }} world it {{ export i; }}",
        MAX_TYPE_DEPTH - 1,
        MAX_TYPE_DEPTH - 2
    ));
    let interface = read(&wit);
    for schema in [
        input_schema(&interface.functions[0]),
        output_schema(&interface.functions[0]),
    ] {
        let listed = json!({"result": {"tools": [{"inputSchema": schema}]}}).to_string();
        assert!(serde_json::from_str::<serde_json::Value>(&listed).is_ok());
        assert!(crate::schema::Validator::new(&schema).is_ok());
    }
}

#[test]
fn what_is_not_a_whole_component_is_refused_with_a_sentence() {
    let whole = component(KITCHEN);
    for length in 0..whole.len() {
        let error = read_component(&whole[..length], None);
        // A component may end after any whole section: what is left is then a smaller component, or lacks something.
        if let Err(error) = error {
            assert_eq!(error.code(), Code::E3105, "{length}: {error}");
        }
    }
    let cut = read_component(&whole[..whole.len() - 1], None).expect_err("cut");
    assert!(cut.to_string().contains("cut off"), "{cut}");
}

#[test]
fn no_flipped_bit_brings_the_reader_down() {
    let whole = component(KITCHEN);
    let docs = Docs::from_wit_text(KITCHEN).expect("is WIT");
    for byte in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[byte] ^= 1 << (byte % 8);
        if let Err(error) = read_component(&damaged, Some(&docs)) {
            assert!(matches!(error.code(), Code::E3105 | Code::E3111), "{error}");
        }
    }
}

#[test]
fn a_component_nested_without_end_is_refused() {
    // Each level is a component section that holds the rest.
    let mut inner = artifact::COMPONENT_HEADER.to_vec();
    for _ in 0..5_000 {
        let mut outer = artifact::COMPONENT_HEADER.to_vec();
        outer.push(4);
        let mut length = inner.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend_from_slice(&inner);
        inner = outer;
    }
    let error = read_component(&inner, None).expect_err("is refused");
    assert!(
        error
            .to_string()
            .contains("nested in it deeper than 100 levels"),
        "{error}"
    );
}

#[test]
fn a_wit_package_is_not_something_to_run() {
    let mut resolve = Resolve::default();
    let package = resolve
        .push_str(
            "t.wit",
            "package d:w; interface i { f: func(); } world it { export i; }",
        )
        .expect("parses");
    let bytes = wit_component::encode(&resolve, package).expect("encodes");
    let error = read_component(&bytes, None).expect_err("is refused");
    assert!(error.to_string().contains("WIT package"), "{error}");
}

#[test]
fn exports_that_no_world_could_have_do_no_harm() {
    let wat = r#"
        (component
            (component $inner)
            (core module $m (func (export "f") (result i32) i32.const 7))
            (core instance $i (instantiate $m))
            (type $named (record (field "x" u8)))
            (export $shown "shown" (type $named))
            (func $f (result u32) (canon lift (core func $i "f")))
            (instance $deep (export "f" (func $f)))
            (instance $nested (export "deep" (instance $deep)) (export "f" (func $f)))
            (export "inner" (component $inner))
            (export "m" (core module $m))
            (export "nested" (instance $nested))
            (export "f" (func $f))
        )
    "#;
    let bytes = wat::parse_str(wat).expect("parses");
    let interface = read_component(&bytes, None).expect("reads");
    let exports: Vec<_> = interface
        .functions
        .iter()
        .map(|f| f.export.join("."))
        .collect();
    assert_eq!(exports, ["nested.f", "f"]);
    assert_eq!(interface.exports, ["nested", "f"]);
}
