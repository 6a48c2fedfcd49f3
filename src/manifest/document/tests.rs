//! Places, syntax errors, and texts that are made to hurt.

use super::*;

fn place(text: &str, key: &str) -> String {
    let document = Document::from_toml(text).expect("valid");
    document.place(key).expect("known").to_string()
}

#[test]
fn places_are_those_of_the_values() {
    let text = "a = 1\n[b]\n  \"ä\" = 'x'\n[[c]]\nd = [1,\n {e = 2}]\n[[c]]\n\"x.y\" = 1\n";
    assert_eq!(place(text, "a"), "1:5");
    assert_eq!(place(text, "b"), "2:2");
    assert_eq!(place(text, "b.\"ä\""), "3:9");
    assert_eq!(place(text, "c[0].d[1].e"), "6:7");
    assert_eq!(place(text, "c[1].\"x.y\""), "8:9");
    assert_eq!(place(text, "b.missing"), "2:2");
    assert_eq!(place(text, "missing"), "1:1");
}

#[test]
fn places_in_long_lines_are_counted_in_characters() {
    for length in [0, 100, 254, 255, 256, 257, 1000, 5000] {
        let text = format!("x = 1\ny = ['{}', 5]\n", "ä".repeat(length));
        assert_eq!(
            place(&text, "y[1]"),
            format!("2:{}", length + 10),
            "{length}"
        );
    }
}

#[test]
fn every_syntax_error_is_told() {
    let problems = Document::from_toml("a = \nb = 'x\nc = 1\nc = 2\n").expect_err("broken");
    let text = problems
        .into_error(crate::error::Code::E3105, "f")
        .to_string();
    assert!(text.contains("1:5: not valid TOML"), "{text}");
    assert!(
        text.contains("4:1: not valid TOML: duplicate key"),
        "{text}"
    );
}

#[test]
fn nothing_nests_without_end() {
    let segments = vec!["a"; 60].join(".");
    let nested = |close: &str| {
        let open = format!("{segments} = {{ {close}").repeat(60);
        format!("{open} x = 1 {}", "}".repeat(60))
    };
    let texts = [
        nested(""),
        nested("]"),
        format!("{} = 1", vec!["a"; 200_000].join(".")),
        format!("a = {}", "[".repeat(200_000)),
        format!("[{}]", vec!["a"; 1000].join(".")),
    ];
    for text in &texts {
        let problems = Document::from_toml(text).expect_err("too deep");
        let told = problems
            .into_error(crate::error::Code::E3105, "f")
            .to_string();
        assert!(told.contains("nested deeper than 64 levels"), "{told}");
    }
    for unit in ["[", "{a: ", "- "] {
        assert!(Document::from_yaml(&unit.repeat(10_000)).is_err());
    }
    let schema = format!("[a.b]\nc = {}1{}", "[".repeat(60), "]".repeat(60));
    assert!(Document::from_toml(&schema).is_ok());
}

#[test]
fn yaml_aliases_cannot_explode() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..30 {
        let last = format!("*a{}", n - 1);
        text.push_str(&format!(
            "a{n}: &a{n} [{}]\n",
            [last.as_str(); 9].join(", ")
        ));
    }
    let problems = Document::from_yaml(&text).expect_err("a billion of them");
    let text = problems
        .into_error(crate::error::Code::E3105, "f")
        .to_string();
    assert!(text.contains("limit exceeded"), "{text}");
}
