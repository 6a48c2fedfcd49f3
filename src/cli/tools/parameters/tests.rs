use serde_json::json;

use super::*;

fn kind(schema: &Value) -> String {
    Words::new(schema).kind(schema, Members::Elsewhere)
}

#[test]
fn types_are_told_in_words_with_their_ranges() {
    for (schema, expected) in [
        (json!({"type": "string"}), "string"),
        (json!({"type": "boolean"}), "boolean"),
        (
            json!({"type": "integer", "minimum": 0, "maximum": 255}),
            "integer from 0 to 255",
        ),
        (
            json!({"type": "integer", "minimum": 1}),
            "integer, at least 1",
        ),
        (
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 1.5}),
            "number, above 0 and at most 1.5",
        ),
        (
            json!({"type": "number", "multipleOf": 0.5}),
            "number, a multiple of 0.5",
        ),
        (
            json!({"type": "string", "minLength": 1, "maxLength": 1}),
            "string of 1 character",
        ),
        (
            json!({"type": "string", "maxLength": 9}),
            "string of at most 9 characters",
        ),
        (json!({"type": "string", "format": "date"}), "string, date"),
        (
            json!({"type": "string", "pattern": "^a+$"}),
            "string that matches `^a+$`",
        ),
        (
            json!({"type": "string", "contentEncoding": "base64"}),
            "string, base64",
        ),
        (json!({"enum": ["rust", "go", 3]}), "\"rust\", \"go\" or 3"),
        (json!({"const": "x"}), "\"x\""),
        (
            json!({"type": "array", "items": {"type": "string"}}),
            "array of string",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}),
            "array of 2: string",
        ),
        (
            json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
            "array of string, no two alike",
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": false}),
            "array of [string, boolean]",
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            "object of integer",
        ),
        (json!({"type": ["string", "null"]}), "string or null"),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "string or null",
        ),
        (
            json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity"]}]}),
            "number or \"NaN\" or \"Infinity\"",
        ),
        (
            json!({"anyOf": [
                {"type": "integer", "minimum": 0, "maximum": u64::MAX},
                {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"},
            ]}),
            "integer from 0 to 18446744073709551615, also as a string",
        ),
        (
            json!({"type": "object", "oneOf": [
                {"type": "object", "properties": {"tag": {"const": "none"}}, "required": ["tag"]},
                {"type": "object", "properties": {"tag": {"const": "some"}, "value": {"type": "string"}}, "required": ["tag"]},
            ]}),
            "{tag: \"none\"} or {tag: \"some\", value?: string}",
        ),
        (json!(true), "anything"),
        (json!(false), "nothing"),
        (json!({}), "anything"),
    ] {
        assert_eq!(kind(&schema), expected, "{schema}");
    }
}

#[test]
fn members_of_members_have_rows_of_their_own() {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": " Where. "},
            "options": {"$ref": "#/$defs/options"},
            "edits": {"type": "array", "items": {"type": "object", "properties": {"line": {"type": "integer"}}}},
        },
        "required": ["path"],
        "$defs": {"options": {"type": "object", "properties": {"deep": {"type": "boolean", "default": false}}}},
    });
    let rows: Vec<(String, String, bool, String)> = parameters(&schema)
        .into_iter()
        .map(|row| (row.name, row.kind, row.is_required, row.description))
        .collect();
    let row = |name: &str, kind: &str, is_required, description: &str| {
        (
            name.to_owned(),
            kind.to_owned(),
            is_required,
            description.to_owned(),
        )
    };
    assert_eq!(
        rows,
        [
            row("path", "string", true, "Where."),
            row("options", "object", false, ""),
            row("options.deep", "boolean, default false", false, ""),
            row("edits", "array of objects", false, ""),
            row("edits[].line", "integer", false, ""),
        ]
    );
}

#[test]
fn a_schema_that_refers_to_itself_comes_to_an_end() {
    let tree = json!({
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "loop": {"$ref": "#/properties/loop"}},
    });
    assert!(parameters(&tree).len() <= MOST);
    assert!(signature("t", &tree, Some(&tree)).chars().count() <= 2 * LONGEST);
    for schema in [
        json!({"anyOf": vec![json!({"$ref": "#"}); 50]}),
        json!({"anyOf": [{"$ref": "#"}]}),
        json!({"items": {"$ref": "#"}}),
        json!({"$ref": "#"}),
    ] {
        assert!(kind(&schema).chars().count() <= LONGEST);
        assert!(parameters(&json!({"properties": {"a": schema}})).len() <= DEEPEST);
    }
}

#[test]
fn a_signature_is_one_line() {
    let input = json!({
        "properties": {"path": {"type": "string", "maxLength": 9}, "from": {"type": "integer", "minimum": 1}},
        "required": ["path"],
    });
    let output = json!({"properties": {"result": {"type": "string"}}});
    assert_eq!(
        signature("read", &input, Some(&output)),
        "read(path: string, from?: integer) -> string"
    );
    assert_eq!(signature("stop", &json!({}), None), "stop()");
}
