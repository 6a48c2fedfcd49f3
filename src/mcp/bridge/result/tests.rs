use proptest::prelude::*;

use super::*;

fn ended(result: &Value, most: u64) -> Ended {
    super::ended(result, most, Askable::default())
}

fn complete(result: &Value) -> Output {
    match ended(result, 1 << 20) {
        Ended::Complete(output) => output,
        other => panic!("{other:?}"),
    }
}

fn texts(output: &Output) -> Vec<String> {
    output
        .content
        .iter()
        .map(|block| match block {
            Content::Text { text, .. } => text.clone(),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn every_kind_of_block_passes_through_whole() {
    let content = json!([
        {"type": "text", "text": "a", "annotations": {"audience": ["system"]}},
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
        {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///a", "name": "a", "size": 3},
        {"type": "resource", "resource": {"uri": "x://y", "mimeType": "text/plain", "text": "t"}},
        {"type": "resource", "resource": {"uri": "x://z", "blob": "aGk="}},
    ]);
    let output = complete(&json!({"content": content, "structuredContent": [1, 2]}));
    let back: Value = output.content.iter().map(Content::to_json).collect();
    assert_eq!(back, content);
    assert_eq!(output.structured, Some(json!([1, 2])));
}

#[test]
fn what_cannot_be_read_is_named_and_loses_nothing_else() {
    let output = complete(&json!({"content": [
        {"type": "video", "data": "AAAA", "mimeType": "video/mp4"},
        {"type": "text", "text": "kept"},
        {"type": "image", "data": "?!", "mimeType": "image/png"},
        {"type": "image", "data": "aGk"},
        {"type": "resource_link", "uri": "file:///a"},
        {"type": "resource_link"},
        {"type": "text"},
        {"no": "type"},
        7,
    ]}));
    let texts = texts(&output);
    assert_eq!(texts.len(), 9);
    for (index, expected) in [
        (0, "video"),
        (0, "video/mp4"),
        (1, "kept"),
        (2, "not base64"),
        (3, "application/octet-stream"),
        (4, "file:///a"),
        (5, "without its URI"),
        (6, "without its text"),
        (7, "does not say what it is"),
        (8, "no JSON object"),
    ] {
        assert!(texts[index].contains(expected), "{index}: {}", texts[index]);
    }
}

#[test]
fn forms_of_old_servers_are_understood() {
    assert_eq!(texts(&complete(&json!({"content": "plain"}))), ["plain"]);
    assert_eq!(
        texts(&complete(&json!({"toolResult": {"a": 1}}))),
        ["{\"a\":1}"]
    );
    assert_eq!(
        texts(&complete(&json!({"structuredContent": {"a": 1}}))),
        ["{\"a\":1}"]
    );
    assert!(complete(&json!({})).content.is_empty());
}

#[test]
fn an_error_of_the_tool_is_one_with_its_words() {
    let result = json!({"isError": true, "content": [
        {"type": "text", "text": "no such"}, {"type": "text", "text": "file"},
        {"type": "image", "data": "aGk=", "mimeType": "image/png"},
    ]});
    let Ended::Failed(error) = ended(&result, 1000) else {
        panic!("not failed");
    };
    assert_eq!(error.message, "no such\nfile");
    let structured = error.structured.expect("the image");
    assert_eq!(structured.pointer("/content/0/type"), Some(&json!("image")));
}

#[test]
fn more_than_the_limit_is_said_to_be() {
    let result = json!({"content": [{"type": "text", "text": "x".repeat(101)}]});
    assert!(matches!(
        ended(&result, 100),
        Ended::LimitReached {
            limit: LimitKind::Output,
            value: 100
        }
    ));
    assert!(matches!(ended(&result, 101), Ended::Complete(_)));
}

#[test]
fn what_is_no_result_is_an_error() {
    for result in [
        json!(null),
        json!([]),
        json!({"resultType": "task"}),
        json!({"resultType": "input_required"}),
    ] {
        let Ended::NotRun(error) = ended(&result, 1000) else {
            panic!("{result}");
        };
        assert_eq!(error.code(), Code::E3508);
    }
}

#[test]
fn questions_that_can_be_asked_are_and_others_refused() {
    let ask = |method: &str| {
        json!({"resultType": "input_required", "requestState": "s", "inputRequests": {
            "q": {"method": method, "params": {"message": "Sure?", "requestedSchema": {"type": "object"}}},
        }})
    };
    let Ended::NeedsInput(needed) =
        super::ended(&ask("elicitation/create"), 1000, Askable::default())
    else {
        panic!("no question");
    };
    assert_eq!(needed.requests.len(), 1);
    let input = Input {
        answers: vec![InputAnswer::Accepted(json!({"sure": true}))],
        state: needed.state,
        ..Input::default()
    };
    let (answers, state) = answers(&input).expect("it asked");
    assert_eq!(state.as_deref(), Some("s"));
    assert_eq!(
        answers["q"],
        json!({"action": "accept", "content": {"sure": true}})
    );
    assert!(super::answers(&Input::default()).is_none());

    let sampling = ask("sampling/createMessage");
    let Ended::Failed(error) = ended(&sampling, 1000) else {
        panic!("not refused");
    };
    assert!(error.message.contains("sampling/createMessage"));
    let askable = Askable {
        sampling: true,
        ..Askable::default()
    };
    assert!(matches!(
        super::ended(&sampling, 1000, askable),
        Ended::NeedsInput(_)
    ));
}

#[test]
fn errors_of_the_protocol_are_errors_of_the_tool() {
    for (code, kind) in [
        (json!(-32602), ToolErrorKind::InvalidArguments),
        (json!(-32601), ToolErrorKind::UnknownTool),
        (json!(-32603), ToolErrorKind::Failed),
        (json!("x"), ToolErrorKind::Failed),
    ] {
        let Ended::Failed(error) = refused(&json!({"code": code, "message": "m"})) else {
            panic!("not failed");
        };
        assert_eq!((error.kind, error.message.as_str()), (kind, "m"));
    }
    assert!(matches!(refused(&json!("odd")), Ended::Failed(_)));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z=_/]{0,9}".prop_map(Value::from),
        prop::sample::select(vec![
            "text",
            "image",
            "resource",
            "resource_link",
            "input_required"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "content",
        "type",
        "text",
        "data",
        "resource",
        "uri",
        "structuredContent",
        "isError",
        "resultType",
        "inputRequests",
        "method",
        "params",
        "message",
        "toolResult",
        "blob",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_result_is_an_end(result in any_json()) {
        ended(&result, 1000);
        refused(&result);
    }

    /// Each block of a list becomes one, and good ones stay what they are.
    #[test]
    fn good_blocks_survive_beside_anything(before in prop::collection::vec(any_json(), 0..5), after in any_json()) {
        let mut content = before.clone();
        content.push(json!({"type": "text", "text": "good"}));
        content.push(after);
        let output = complete(&json!({"content": content}));
        prop_assert_eq!(output.content.len(), before.len() + 2);
        prop_assert_eq!(&output.content[before.len()], &Content::text("good"));
    }
}
