use serde_json::json;

use super::*;

fn schema() -> Json {
    json!({
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "count": {"type": "integer", "minimum": 0},
            "ratio": {"type": "number"},
            "on": {"type": "boolean"},
            "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "id": {"type": ["string", "integer"]},
            "big": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-9]+$"}]},
            "float": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity"]}]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "sizes": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/size"}}, {"type": "null"}]},
            "point": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false},
            "points": {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "options": {"type": "object"},
            "colour": {"enum": ["red", "5"]},
            "level": {"enum": [1, 2]},
            "any": {},
            "ref": {"$ref": "#/$defs/size"},
            "loop": {"$ref": "#/properties/loop"},
        },
        "additionalProperties": false,
        "$defs": {"size": {"type": "integer"}},
    })
}

#[track_caller]
fn gives(name: &str, raw: &str, expected: Json) {
    let read = coerce_arg(&schema(), name, raw).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(read, expected, "{name}={raw}");
    assert_eq!(read.to_string(), expected.to_string(), "{name}={raw}");
}

#[track_caller]
fn why(name: &str, raw: &str) -> Error {
    let error = coerce_arg(&schema(), name, raw).expect_err(&format!("{name}={raw}"));
    assert_eq!(error.code(), Code::E3302);
    error
}

#[test]
fn text_becomes_the_type_the_schema_asks_for() {
    gives("text", "5", json!("5"));
    gives("text", "true", json!("true"));
    gives("text", "\"x\"", json!("\"x\""));
    gives("text", "", json!(""));
    gives("count", "5", json!(5));
    gives("count", "-5", json!(-5));
    gives("ratio", "1.5", json!(1.5));
    gives("ratio", "3", json!(3));
    gives("on", "true", json!(true));
    gives("options", r#"{"a": [1]}"#, json!({"a": [1]}));
    gives("level", "2", json!(2));
    gives("ref", "7", json!(7));
}

#[test]
fn where_several_types_are_taken_json_comes_before_text() {
    gives("maybe", "5", json!(5));
    gives("maybe", "null", json!(null));
    gives("id", "5", json!(5));
    gives("id", "007", json!("007"));
    gives("id", "x", json!("x"));
    gives("big", "18446744073709551615", json!(u64::MAX));
    gives("float", "NaN", json!("NaN"));
    gives("float", "1e3", json!(1000.0));
    gives("colour", "5", json!("5"));
    gives("any", "5", json!(5));
    gives("any", "\"5\"", json!("5"));
    gives("any", "[1", json!("[1"));
    gives("loop", "x", json!("x"));
}

#[test]
fn arrays_are_json_or_plain_values_with_commas() {
    gives("tags", "a,b", json!(["a", "b"]));
    gives("tags", "a", json!(["a"]));
    gives("tags", "", json!([]));
    gives("tags", "a, b,", json!(["a", " b", ""]));
    gives("tags", r#"["a,b"]"#, json!(["a,b"]));
    gives("sizes", "1,2", json!([1, 2]));
    gives("sizes", "null", json!(null));
    gives("point", "1,2", json!([1, "2"]));
    gives("points", "[[1]]", json!([[1]]));
    why("points", "1,2");
    why("sizes", "1,x");
    why("tags", "[1");
}

#[test]
fn text_of_another_type_is_refused_with_the_type_and_the_way_out() {
    let error = why("count", "abc");
    assert_eq!(
        error.to_string(),
        "reading the argument `count`: expected an integer, found \"abc\""
    );
    assert!(error.hints()[0].contains("--arg 'count:=JSON'"));
    assert!(
        why("on", "yes")
            .to_string()
            .contains("expected true or false")
    );
    assert!(
        why("maybe", "x")
            .to_string()
            .contains("expected null or an integer")
    );
    assert!(
        why("ratio", "NaN")
            .to_string()
            .contains("expected a number")
    );
    assert!(why("count", "1.5").to_string().contains("an integer"));
    why("level", "x");
    why("options", "{");
    why("options", "a,b");
    assert!(why("count", &"x".repeat(10_000)).to_string().len() < 300);
}

#[test]
fn an_unknown_name_is_refused_unless_the_schema_is_open() {
    let error = why("conut", "5");
    assert!(
        error
            .to_string()
            .starts_with("the tool has no argument `conut`: it takes `text`, `count`"),
        "{error}"
    );
    assert_eq!(error.hints(), ["Did you mean `count`?"]);
    let open = json!({"type": "object"});
    assert_eq!(coerce_arg(&open, "x", "5").expect("open"), json!(5));
    let closed = json!({"type": "object", "additionalProperties": false});
    assert!(
        coerce_arg(&closed, "x", "5")
            .expect_err("closed")
            .to_string()
            .contains("it takes none")
    );
    let combined = json!({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {
        "a": {"properties": {"n": {"type": "string"}}, "additionalProperties": false},
    }});
    assert_eq!(coerce_arg(&combined, "n", "5").expect("known"), json!("5"));
    assert!(coerce_arg(&combined, "m", "5").is_err());
}

#[test]
fn a_schema_that_leads_to_its_parts_again_and_again_does_not_hang() {
    let definitions: Map<String, Json> = (0..14)
        .map(|level| {
            let part = json!({"$ref": format!("#/$defs/l{}", level + 1)});
            (format!("l{level}"), json!({"allOf": vec![part; 10]}))
        })
        .collect();
    let schema = json!({"allOf": [{"$ref": "#/$defs/l0"}], "properties": {"x": {"$ref": "#/$defs/l0"}}, "$defs": definitions});
    // The check of the arguments decides what it is worth.
    assert_eq!(coerce_arg(&schema, "x", "5").expect("taken"), json!(5));
    assert_eq!(coerce_arg(&schema, "y", "5").expect("taken"), json!(5));
}
