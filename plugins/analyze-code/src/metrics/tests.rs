use super::*;
use crate::language::Language;

fn metrics(text: &str, language: Language) -> Metrics {
    measure(&Code::read(text, language))
}

/// The only function of a text.
fn only(text: &str, language: Language) -> FunctionMetrics {
    let mut functions = metrics(text, language).functions;
    assert_eq!(functions.len(), 1, "in {text}");
    functions.remove(0)
}

#[test]
fn each_line_is_one_thing() {
    let lines = metrics(
        "// a\n\nfn f() { /* b */\n    /* c\n\n */ g(); // d\n    \n}\n",
        Language::Rust,
    )
    .lines;
    assert_eq!(
        lines,
        LineCounts {
            total: 8,
            code: 3,
            comment: 3,
            blank: 2
        }
    );
    let lines = metrics(
        "\"\"\"doc\n\nmore\"\"\"\nx = \"\"\"a\n\nb\"\"\"\n# c\n",
        Language::Python,
    )
    .lines;
    assert_eq!(
        lines,
        LineCounts {
            total: 7,
            code: 3,
            comment: 4,
            blank: 0
        }
    );
    assert_eq!(metrics("", Language::Go).lines, LineCounts::default());
}

#[test]
fn a_function_has_its_own_numbers() {
    let function = only(
        "fn f(a: u8) {\n    // why\n    if a > 1 {\n\n        for b in c {\n            d();\n        }\n    }\n}\n",
        Language::Rust,
    );
    assert_eq!(
        function,
        FunctionMetrics {
            name: "f".into(),
            position: Position { line: 1, column: 1 },
            end_line: 9,
            code_lines: 7,
            complexity: 3,
            nesting: 2,
            parameters: 1,
        }
    );
}

#[test]
fn the_last_line_of_a_python_function_is_its_own() {
    let function = only(
        "def f():\n    if a:\n        b\n\n\n# c\nd\n",
        Language::Python,
    );
    assert_eq!(
        (function.end_line, function.complexity, function.nesting),
        (3, 2, 1)
    );
}

#[test]
fn branches_belong_to_the_innermost_function() {
    let functions = metrics(
        "function a() { if (x) { const b = () => { while (y) { } }; } return z && w; }",
        Language::JavaScript,
    )
    .functions;
    let numbers: Vec<_> = functions
        .iter()
        .map(|function| {
            (
                function.name.as_str(),
                function.complexity,
                function.nesting,
            )
        })
        .collect();
    // The loop is nested once: that its function stands in a condition does not make it harder to read.
    assert_eq!(numbers, [("a", 3, 1), ("b", 2, 1)]);
}

#[test]
fn a_chain_of_conditions_is_not_nested() {
    for (text, language) in [
        (
            "fn f() { if a { } else if b { } else if c { } else { } }",
            Language::Rust,
        ),
        (
            "function f() { if (a) { } else if (b) { } else { } }",
            Language::JavaScript,
        ),
        (
            "func f() {\n if a { } else if b { } else { }\n}",
            Language::Go,
        ),
        (
            "def f():\n    if a: pass\n    elif b: pass\n    else: pass\n",
            Language::Python,
        ),
    ] {
        assert_eq!(only(text, language).nesting, 1, "in {text}");
    }
}

#[test]
fn code_outside_of_functions_belongs_to_none() {
    let metrics = metrics(
        "if a:\n    b\ndef f():\n    pass\nif c:\n    d\n",
        Language::Python,
    );
    assert_eq!(metrics.functions[0].complexity, 1);
    assert_eq!(metrics.control.branches.len(), 2);
}
