use serde_json::json;

use super::*;

/// What the host gets: the structured result, its schema, and the content.
fn returned<T: Return>(value: T) -> (Option<Value>, Option<Value>, Vec<Content>) {
    let schema = T::schema();
    let Outcome::Complete(output) = value.outcome().unwrap() else {
        panic!("it asks something");
    };
    let structured = output
        .structured
        .map(|json| serde_json::from_str::<Value>(&json).unwrap());
    if let (Some(schema), Some(structured)) = (&schema, &structured) {
        assert_eq!(schema["type"], "object", "{schema}");
        let validator = jsonschema::validator_for(schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(structured)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{structured} in {schema}");
    }
    (structured, schema, output.content)
}

fn structured<T: Return>(value: T) -> Value {
    returned(value).0.unwrap()
}

#[derive(Serialize, JsonSchema)]
struct Point {
    x: i32,
    y: Option<i32>,
}

/// Now an object, and now a text.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Shape {
    Circle { radius: f64 },
    Polygon(Vec<Point>),
    Nothing,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind")]
enum Event {
    Begun { at: u32 },
    Ended,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum Loose {
    Number(u8),
    Named { name: String },
}

/// A tree.
#[derive(Serialize, JsonSchema)]
struct Tree {
    children: Vec<Tree>,
}

#[test]
fn objects_stand_as_they_are() {
    assert_eq!(
        structured(Point { x: 1, y: None }),
        json!({"x": 1, "y": null})
    );
    assert_eq!(
        structured(Event::Begun { at: 3 }),
        json!({"kind": "Begun", "at": 3})
    );
    assert_eq!(structured(Event::Ended), json!({"kind": "Ended"}));
    let map = std::collections::BTreeMap::from([("a", 1)]);
    assert_eq!(structured(map), json!({"a": 1}));
    let tree = Tree {
        children: vec![Tree { children: vec![] }],
    };
    assert_eq!(structured(tree), json!({"children": [{"children": []}]}));
}

#[test]
fn what_is_no_object_stands_under_result() {
    assert_eq!(structured(42), json!({"result": 42}));
    assert_eq!(
        structured("a \"b\"".to_owned()),
        json!({"result": "a \"b\""})
    );
    assert_eq!(
        structured(vec![Point { x: 1, y: Some(2) }]),
        json!({"result": [{"x": 1, "y": 2}]})
    );
    assert_eq!(structured((1, true)), json!({"result": [1, true]}));
    assert_eq!(
        structured(vec![Tree { children: vec![] }]),
        json!({"result": [{"children": []}]})
    );
}

#[test]
fn each_value_of_a_mixed_type_stands_where_its_schema_says() {
    assert_eq!(
        structured(Some(Point { x: 1, y: None })),
        json!({"x": 1, "y": null})
    );
    assert_eq!(structured(None::<Point>), json!({"result": null}));
    assert_eq!(
        structured(Shape::Circle { radius: 1.5 }),
        json!({"circle": {"radius": 1.5}})
    );
    assert_eq!(structured(Shape::Polygon(vec![])), json!({"polygon": []}));
    assert_eq!(structured(Shape::Nothing), json!({"result": "nothing"}));
    assert_eq!(structured(Loose::Number(1)), json!({"result": 1}));
    assert_eq!(
        structured(Loose::Named { name: "a".into() }),
        json!({"name": "a"})
    );
    assert_eq!(structured(json!({"a": 1})), json!({"a": 1}));
    assert_eq!(structured(json!([1])), json!({"result": [1]}));
    let (_, schema, _) = returned(Shape::Nothing);
    let validator = jsonschema::validator_for(&schema.unwrap()).unwrap();
    assert!(!validator.is_valid(&json!({"result": "something"})));
    assert!(!validator.is_valid(&json!({"circle": 1})));
}

#[test]
fn nothing_has_no_schema_and_content_may_stand_alone() {
    assert_eq!(returned(()), (None, None, vec![]));
    let text = Content::text("a");
    assert_eq!(returned(text.clone()), (None, None, vec![text.clone()]));
    let reply = Reply::default().text("a").image([1, 2], "image/png");
    let image = Content::image([1, 2], "image/png");
    assert_eq!(returned(reply), (None, None, vec![text.clone(), image]));
    let (structured, schema, content) = returned(Reply::new(7).block(text.clone()));
    assert_eq!(
        (structured, content),
        (Some(json!({"result": 7})), vec![text])
    );
    assert_eq!(schema, <i32 as Return>::schema());
}

#[test]
fn a_result_that_is_no_json_is_a_failure() {
    let map = std::collections::BTreeMap::from([(vec![1], 1)]);
    let error = map.outcome().unwrap_err();
    assert!(
        matches!(&error, ToolError::Failed(message) if message.contains("JSON")),
        "{error:?}"
    );
}
