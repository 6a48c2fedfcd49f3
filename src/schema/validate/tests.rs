use std::time::Instant;

use serde_json::json;

use super::*;

fn checked(schema: Json, instance: Json) -> String {
    let validator = Validator::new(&schema).unwrap_or_else(|error| panic!("{error}"));
    let error = validator
        .validate(&instance)
        .expect_err(&instance.to_string());
    assert_eq!(error.code(), Code::E3301);
    error.to_string()
}

fn refused(schema: &Json) -> Error {
    let error = Validator::new(schema)
        .map(drop)
        .expect_err("the schema is refused");
    assert_eq!(error.code(), Code::E3105);
    error
}

#[test]
fn violations_name_the_place_what_was_expected_and_what_was_found() {
    let schema = json!({
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "object", "properties": {
                "size": {"type": "integer", "maximum": 10},
            }}},
            "colour": {"enum": ["red", "green"]},
        },
        "required": ["items"],
        "additionalProperties": false,
    });
    let validator = Validator::new(&schema).expect("valid");
    assert!(
        validator
            .validate(&json!({"items": [{"size": 10}]}))
            .is_ok()
    );
    let error = validator
        .validate(&json!({"items": [{"size": 1}, {"size": 11}], "colour": "gren", "itmes": 1}))
        .expect_err("three things");
    let message = error.to_string();
    assert!(
        message.starts_with("the arguments do not fit the input schema: "),
        "{message}"
    );
    assert!(
        message.contains("at /items/1/size: expected a number of at most 10, found 11"),
        "{message}"
    );
    assert!(
        message.contains(r#"at /colour: expected one of "red", "green", found "gren""#),
        "{message}"
    );
    assert!(
        message.contains(
            "expected only the properties `items`, `colour`, found an unknown property `itmes`"
        ),
        "{message}"
    );
    let hints = error.hints().join(" ");
    assert!(
        hints.contains("`items`") && hints.contains("\"green\""),
        "{hints}"
    );
    let violations = error.details()["violations"].as_array().expect("a list");
    assert!(violations.contains(
        &json!({"path": "/items/1/size", "expected": "a number of at most 10", "found": "11"})
    ));
    assert!(
        checked(schema, json!({})).contains("expected the property `items`, found an empty object")
    );
}

#[test]
fn an_output_that_does_not_fit_is_the_tools_fault() {
    let validator = Validator::new(&json!({"type": "object"})).expect("valid");
    let error = validator
        .validate_output(&json!([]))
        .expect_err("no object");
    assert_eq!(error.code(), Code::E3303);
    assert!(
        error
            .to_string()
            .starts_with("the result does not fit the output schema: "),
        "{error}"
    );
    assert!(validator.validate_output(&json!({})).is_ok());
}

#[test]
fn at_most_ten_violations_are_listed_and_values_are_cut_short() {
    let schema = json!({"items": {"type": "integer"}});
    let secret = "s3cret".repeat(100);
    let message = checked(schema, json!(vec![secret.as_str(); 50]));
    assert_eq!(message.matches("expected an integer").count(), 10);
    assert!(message.ends_with("and 40 more"), "{message}");
    assert!(!message.contains(&secret[..60]));
}

#[test]
fn of_alternatives_the_nearest_is_named() {
    let schema = json!({"anyOf": [{"type": "string"}, {"type": "object", "properties": {"a": {"type": "integer"}}}]});
    let message = checked(schema.clone(), json!({"a": "x"}));
    assert!(
        message.contains("at /a: expected an integer, found \"x\""),
        "{message}"
    );
    assert!(checked(schema, json!(5)).contains("one of 2 alternatives"));
    let twice = json!({"oneOf": [{"type": "integer"}, {"minimum": 3}]});
    assert!(checked(twice, json!(5)).contains("exactly one of the alternatives"));
}

#[test]
fn schemas_of_older_drafts_are_taken_by_their_own_rules() {
    let draft7 = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "string"}],
        "additionalItems": false,
    });
    let validator = Validator::new(&draft7).expect("valid");
    assert!(validator.validate(&json!(["a"])).is_ok());
    assert!(validator.validate(&json!(["a", "b"])).is_err());
}

#[test]
fn what_is_no_schema_is_refused() {
    for schema in [
        json!({"type": "strin"}),
        json!({"type": 5}),
        json!({"properties": []}),
        json!({"required": "a"}),
        json!({"pattern": "("}),
        json!({"minimum": "a"}),
        json!({"$schema": "https://example.com/own"}),
        json!(5),
        json!("string"),
        json!([]),
        json!(null),
    ] {
        let message = refused(&schema).to_string();
        assert!(
            message.starts_with("the JSON Schema "),
            "{schema}: {message}"
        );
    }
    assert!(Validator::new(&json!(true)).is_ok());
    assert!(Validator::new(&json!({})).is_ok());
}

#[test]
fn nothing_outside_the_schema_is_read() {
    for reference in [
        "https://example.com/schema.json",
        "http://127.0.0.1:1/x",
        "file:///etc/passwd",
        "other.json",
        "#/$defs/missing",
        "../up",
    ] {
        let error = refused(&json!({"$ref": reference}));
        assert!(
            error.to_string().contains("refers to what is not in it"),
            "{reference}: {error}"
        );
    }
    let inside = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}});
    assert!(Validator::new(&inside).is_ok());
    let by_id = json!({
        "$id": "https://example.com/root",
        "$ref": "part",
        "$defs": {"a": {"$id": "https://example.com/part", "type": "string"}},
    });
    assert!(
        Validator::new(&by_id)
            .expect("valid")
            .validate(&json!(5))
            .is_err()
    );
}

#[test]
fn limits_hold_against_schemas_without_measure() {
    let mut deep = json!({"type": "string"});
    for _ in 0..MAX_SCHEMA_DEPTH {
        deep = json!({"not": deep});
    }
    assert!(refused(&deep).to_string().contains("nested too deeply"));
    let many: Vec<Json> = (0..MAX_SCHEMA_NODES).map(|n| json!(n)).collect();
    assert!(
        refused(&json!({"enum": many}))
            .to_string()
            .contains("too many parts")
    );
    assert!(
        refused(&json!({"description": "x".repeat(MAX_SCHEMA_TEXT + 1)}))
            .to_string()
            .contains("too much text")
    );
    let patterns: serde_json::Map<_, _> = (0..600).map(|n| (format!("a{n}"), json!({}))).collect();
    assert!(
        refused(&json!({"patternProperties": patterns}))
            .to_string()
            .contains("too many regular")
    );
    refused(&json!({"pattern": "((a{1000}){1000}){1000}"}));
    refused(&json!({"pattern": "(.{1000}){6}"}));
    assert!(Validator::new(&json!({"pattern": "^.{1,1000}$"})).is_ok());
}

#[test]
fn a_pattern_that_could_search_for_ever_does_not() {
    let schema = json!({"pattern": "^(?=(a+)+$)(a|a)*\\1b$"});
    let started = Instant::now();
    let message = checked(schema, json!("a".repeat(5_000)));
    assert!(message.contains("pattern"), "{message}");
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn references_in_a_circle_are_refused() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        json!({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}),
        json!({"anyOf": [{"$ref": "#"}, {"type": "string"}]}),
        json!({"not": {"$ref": "#"}}),
        json!({"$anchor": "a", "$ref": "#a"}),
        json!({"$dynamicAnchor": "a", "allOf": [{"$dynamicRef": "#a"}]}),
        json!({"$id": "https://example.com/a", "allOf": [{"$ref": "a"}]}),
        json!({"$defs": {"a b": {"$ref": "#/$defs/a%20b"}}, "$ref": "#/$defs/a%20b"}),
    ] {
        assert!(
            refused(&schema).to_string().contains("in a circle"),
            "{schema}"
        );
    }
}

#[test]
fn schemas_of_trees_work_to_any_depth() {
    let schema = json!({
        "$ref": "#/$defs/node",
        "$defs": {"node": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
            "required": ["name"],
        }},
    });
    let validator = Validator::new(&schema).expect("valid");
    let nest = |leaf: Json, levels: usize| {
        (0..levels).fold(leaf, |inner, _| json!({"name": "x", "children": [inner]}))
    };
    assert!(validator.validate(&nest(json!({"name": "x"}), 60)).is_ok());
    let message = validator
        .validate(&nest(json!({"name": 5}), 2))
        .expect_err("no name")
        .to_string();
    assert!(
        message.contains("at /children/0/children/0/name: expected a string, found 5"),
        "{message}"
    );
    assert!(validator.validate(&nest(json!({}), 60)).is_err());
    let message = validator
        .validate(&nest(json!({"name": "x"}), 70))
        .expect_err("too deep")
        .to_string();
    assert!(message.contains("nested deeper than 128"), "{message}");
}

#[test]
fn the_longest_chains_and_the_deepest_values_fit_the_stack() {
    // Thirty parts at each of 128 places; a test thread has two megabytes of stack, as the runtime's have.
    let chain = |length: usize| {
        let mut defs = serde_json::Map::new();
        for link in 0..length {
            let next = json!({"$ref": format!("#/$defs/l{}", link + 1)});
            let both = if link % 2 == 0 {
                json!({"allOf": [next]})
            } else {
                json!({"anyOf": [next, false]})
            };
            defs.insert(format!("l{link}"), both);
        }
        let last =
            json!({"type": ["object", "string"], "properties": {"c": {"$ref": "#/$defs/l0"}}});
        defs.insert(format!("l{length}"), last);
        json!({"$ref": "#/$defs/l0", "$defs": defs})
    };
    let validator = Validator::new(&chain(15)).expect("valid");
    let nest = |leaf: Json| (0..127).fold(leaf, |inner, _| json!({"c": inner}));
    assert!(validator.validate(&nest(json!("x"))).is_ok());
    assert!(validator.validate(&nest(json!(5))).is_err());
    assert!(
        refused(&chain(100))
            .to_string()
            .contains("at the same place")
    );
}

#[test]
fn a_chain_is_measured_whichever_end_is_looked_at_first() {
    for from_the_end in [false, true] {
        let link = |n: usize| {
            (
                format!("l{n}"),
                json!({"$ref": format!("#/$defs/l{}", n + 1)}),
            )
        };
        let mut links: Vec<(String, Json)> = (0..40).map(link).collect();
        if from_the_end {
            links.reverse();
        }
        let mut defs: serde_json::Map<_, _> = links.into_iter().collect();
        defs.insert("l40".to_owned(), json!(true));
        let error = refused(&json!({"$defs": defs}));
        assert!(error.to_string().contains("at the same place"), "{error}");
    }
}

#[test]
fn references_that_multiply_do_not_multiply_the_work() {
    // Each level refers twice to the next: two to the fifteenth ways to the end, or two to the sixtieth.
    let mut defs = serde_json::Map::new();
    for level in 0..15 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    defs.insert("l15".to_owned(), json!({"type": "string"}));
    let same_place = json!({"$ref": "#/$defs/l0", "items": {"$ref": "#/$defs/l0"}, "$defs": defs});
    let child = json!({"properties": {"c": {"$ref": "#"}}});
    let each_level =
        json!({"anyOf": [child, child, {"type": "string"}], "not": {"type": "integer"}});
    let all_levels = json!({"allOf": [child, child], "not": {"type": "integer"}});
    let nested = (0..60).fold(json!(5), |inner, _| json!({"c": inner}));
    let wide = json!(vec![5; 10_000]);
    for (schema, value) in [
        (same_place, wide),
        (each_level, nested.clone()),
        (all_levels, nested),
    ] {
        let started = Instant::now();
        let message = checked(schema, value);
        assert!(message.contains("too long"), "{message}");
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}

#[test]
fn a_small_mistake_in_a_large_value_is_still_found() {
    let schema = json!({"items": {"type": "object", "properties": {"a": {"type": "integer"}}}});
    let mut items: Vec<Json> = (0..50_000).map(|n| json!({"a": n})).collect();
    items[40_000] = json!({"a": "x"});
    assert!(
        checked(schema, json!(items)).contains("at /40000/a: expected an integer, found \"x\"")
    );
}

/// `levels` definitions, each of which applies the next one in `ways` ways.
fn ways(levels: usize, ways: usize, apply: impl Fn(String) -> Json) -> Json {
    let definitions: serde_json::Map<String, Json> = (0..levels)
        .map(|level| {
            let next = format!("#/$defs/l{}", level + 1);
            let parts: Vec<Json> = (0..ways).map(|_| apply(next.clone())).collect();
            (format!("l{level}"), json!({"allOf": parts}))
        })
        .chain([(format!("l{levels}"), json!({"type": "integer"}))])
        .collect();
    json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/l0"}}, "$defs": definitions})
}

#[test]
fn a_small_schema_with_many_ways_through_it_does_not_hang() {
    let in_place = ways(14, 10, |next| json!({"$ref": next}));
    let downwards = ways(14, 10, |next| json!({"properties": {"x": {"$ref": next}}}));
    let mut deep = json!(5);
    for _ in 0..20 {
        deep = json!({"x": deep});
    }
    for (schema, instance) in [(in_place, json!({"x": 5})), (downwards, deep)] {
        let validator = Validator::new(&schema).expect("valid");
        let error = validator.validate(&instance).expect_err("refused");
        assert!(error.to_string().contains("too long"), "{error}");
        // What does not go there is checked as ever.
        validator.validate(&json!({"y": 1})).expect("fits");
    }
    // A few ways are no reason to refuse anything.
    let few = ways(6, 3, |next| json!({"$ref": next}));
    let validator = Validator::new(&few).expect("valid");
    validator.validate(&json!({"x": 5})).expect("fits");
    validator
        .validate(&json!({"x": "5"}))
        .expect_err("does not fit");
}
