//! Types with parts, arguments and results.

use serde_json::json;

use super::*;
use crate::error::{Code, Error};

#[test]
fn lists_tuples_and_fixed_lists_name_the_item() {
    let items = Ty::list(record(&[("size", Ty::U8)]));
    let error = refused(
        &items,
        json!([{"size": 1}, {"size": 2}, {"size": 3}, {"size": 256}]),
    );
    says(&error, "/3/size", "an integer from 0 to 255", "256");
    let pair = Ty::Tuple([Ty::U8, Ty::String].into());
    both(
        &pair,
        json!([1, "a"]),
        Value::Tuple(vec![Value::U8(1), Value::String("a".to_owned())]),
    );
    says(
        &refused(&pair, json!([1])),
        "",
        "an array of exactly 2 items",
        "an array of 1 item",
    );
    refused(&pair, json!([1, "a", 2]));
    let three = Ty::FixedList(Ty::Bool.into(), 3);
    both(
        &three,
        json!([true, false, true]),
        Value::FixedList(vec![
            Value::Bool(true),
            Value::Bool(false),
            Value::Bool(true),
        ]),
    );
    refused(&three, json!([true, true]));
    refused(&Ty::FixedList(Ty::Bool.into(), u32::MAX), json!([]));
}

#[test]
fn records_take_exactly_their_fields_and_options_may_be_absent() {
    let ty = record(&[
        ("name", Ty::String),
        ("max-size", option(Ty::U8)),
        ("deep", option(option(Ty::U8))),
    ]);
    let full = Value::Record(vec![Value::String("a".to_owned()), none(), none()]);
    reads(&ty, json!({"name": "a"}), full.clone());
    reads(
        &ty,
        json!({"deep": null, "name": "a", "max-size": null}),
        full.clone(),
    );
    assert_eq!(
        to_json(&ty, &full),
        json!({"name": "a", "max-size": null, "deep": null})
    );
    says(
        &refused(&ty, json!({"max-size": 3})),
        "",
        "the field `name`",
        "an object with the key `max-size`",
    );
    let error = refused(&ty, json!({"name": "a", "maxsize": 3}));
    says(
        &error,
        "/maxsize",
        "one of the fields `name`, `max-size`, `deep`",
        "an unknown field `maxsize`",
    );
    assert_eq!(error.hint.as_deref(), Some("Did you mean `max-size`?"));
    refused(&ty, json!(["a"]));
    // A wrong name is said to be wrong even where the right one is missing for it.
    assert!(
        refused(&ty, json!({"nmae": "a"}))
            .hint
            .expect("a hint")
            .contains("`name`")
    );
}

#[test]
fn an_option_in_an_option_is_told_apart_at_every_depth() {
    let two = option(option(Ty::U8));
    both(&two, json!(null), none());
    both(&two, json!({"some": null}), some(none()));
    both(&two, json!({"some": {"some": 5}}), some(some(Value::U8(5))));
    refused(&two, json!(5));
    refused(&two, json!({"some": 5}));
    refused(&two, json!({}));
    refused(&two, json!({"some": null, "x": 1}));
    let three = option(two);
    both(&three, json!({"some": {"some": null}}), some(some(none())));
    both(
        &three,
        json!({"some": {"some": {"some": 5}}}),
        some(some(some(Value::U8(5)))),
    );
    let error = refused(&three, json!({"some": {"some": {"some": 256}}}));
    assert_eq!(error.path, "/some/some/some");
    // A list between the two makes them separate again.
    both(
        &option(Ty::list(option(Ty::Bool))),
        json!([null, true]),
        some(Value::List(vec![none(), some(Value::Bool(true))])),
    );
    says(
        &refused(&option(Ty::U8), json!("x")),
        "",
        "null or an integer from 0 to 255",
        "\"x\"",
    );
}

#[test]
fn variants_are_tag_and_value() {
    let ty = variant(&[
        ("dot", None),
        ("circle", Some(Ty::U8)),
        ("maybe", Some(option(Ty::U8))),
    ]);
    let case = |case, payload: Option<Value>| Value::Variant {
        case,
        payload: payload.map(Box::new),
    };
    both(&ty, json!({"tag": "dot"}), case(0, None));
    both(
        &ty,
        json!({"tag": "circle", "value": 5}),
        case(1, Some(Value::U8(5))),
    );
    both(
        &ty,
        json!({"tag": "maybe", "value": null}),
        case(2, Some(none())),
    );
    reads(&ty, json!({"tag": "maybe"}), case(2, Some(none())));
    let error = refused(&ty, json!({"tag": "circel", "value": 5}));
    says(
        &error,
        "/tag",
        "one of the cases `dot`, `circle`, `maybe`",
        "\"circel\"",
    );
    assert_eq!(error.hint.as_deref(), Some("Did you mean `circle`?"));
    says(
        &refused(&ty, json!({"tag": "circle", "value": 256})),
        "/value",
        "an integer from 0 to 255",
        "256",
    );
    assert!(
        refused(&ty, json!({"tag": "circle"}))
            .expected
            .contains("`value`")
    );
    says(
        &refused(&ty, json!({"tag": "dot", "value": null})),
        "/value",
        "no value, for the case `dot` carries none",
        "null",
    );
    assert_eq!(
        refused(&ty, json!({"tag": "dot", "vlaue": 1})).path,
        "/vlaue"
    );
    refused(&ty, json!({"value": 5}));
    refused(&ty, json!("dot"));
    refused(&ty, json!({"circle": 5}));
}

#[test]
fn enums_and_flags_know_their_names() {
    let colour = Ty::Enum(labels(&["red", "green"]));
    both(&colour, json!("green"), Value::Enum(1));
    let error = refused(&colour, json!("grene"));
    says(&error, "", "one of the cases `red`, `green`", "\"grene\"");
    assert_eq!(error.hint.as_deref(), Some("Did you mean `green`?"));
    refused(&colour, json!(1));

    let rights = Ty::Flags(labels(&["read", "write", "run"]));
    both(&rights, json!([]), Value::Flags(Vec::new()));
    both(
        &rights,
        json!(["read", "run"]),
        Value::Flags(vec!["read".to_owned(), "run".to_owned()]),
    );
    reads(
        &rights,
        json!(["run", "read"]),
        Value::Flags(vec!["read".to_owned(), "run".to_owned()]),
    );
    says(
        &refused(&rights, json!(["read", "wirte"])),
        "/1",
        "one of the flags `read`, `write`, `run`",
        "\"wirte\"",
    );
    says(
        &refused(&rights, json!(["read", "read"])),
        "/1",
        "a flag that did not come before",
        "\"read\"",
    );
    refused(&rights, json!({"read": true}));
}

#[test]
fn maps_are_objects_or_pairs_and_keys_do_not_repeat() {
    let text = Ty::Map(Ty::String.into(), Ty::U8.into());
    both(
        &text,
        json!({"b": 1, "a": 2}),
        Value::Map(vec![
            (Value::String("b".to_owned()), Value::U8(1)),
            (Value::String("a".to_owned()), Value::U8(2)),
        ]),
    );
    assert_eq!(refused(&text, json!({"a/b": 300})).path, "/a~1b");
    let number = Ty::Map(Ty::U64.into(), Ty::String.into());
    both(
        &number,
        json!([[1, "a"], [2, "b"]]),
        Value::Map(vec![
            (Value::U64(1), Value::String("a".to_owned())),
            (Value::U64(2), Value::String("b".to_owned())),
        ]),
    );
    // However it is written, it is the same key.
    says(
        &refused(&number, json!([[1, "a"], ["1", "b"]])),
        "/1/0",
        "a key that did not come before",
        "\"1\"",
    );
    for json in [
        json!([[1]]),
        json!([[1, "a", 2]]),
        json!([1]),
        json!({"1": "a"}),
        json!([{"0": 1}]),
    ] {
        refused(&number, json);
    }
    let twice = Value::Map(vec![
        (Value::U64(1), Value::String("old".to_owned())),
        (Value::U64(1), Value::String("new".to_owned())),
    ]);
    assert_eq!(to_json(&number, &twice), json!([[1, "new"]]));
}

#[test]
fn nested_results_say_ok_or_err() {
    let full = Ty::Result {
        ok: Some(Ty::U8.into()),
        err: Some(Ty::String.into()),
    };
    both(
        &full,
        json!({"ok": 5}),
        Value::Result(Ok(Some(Box::new(Value::U8(5))))),
    );
    both(
        &full,
        json!({"err": "x"}),
        Value::Result(Err(Some(Box::new(Value::String("x".to_owned()))))),
    );
    let bare = Ty::Result {
        ok: None,
        err: None,
    };
    both(&bare, json!({"ok": null}), Value::Result(Ok(None)));
    both(&bare, json!({"err": null}), Value::Result(Err(None)));
    says(
        &refused(&full, json!({"ok": 256})),
        "/ok",
        "an integer from 0 to 255",
        "256",
    );
    assert_eq!(refused(&bare, json!({"ok": 1})).path, "/ok");
    for json in [
        json!({}),
        json!({"ok": 1, "err": "x"}),
        json!({"Ok": 1}),
        json!(null),
        json!("ok"),
        json!([]),
    ] {
        refused(&full, json);
    }
}

#[test]
fn arguments_are_taken_by_name() {
    let f = function(
        &[("code", Ty::String), ("language", option(Ty::String))],
        None,
    );
    assert_eq!(
        arguments_from_json(&f, &json!({"code": "x"})),
        Ok(vec![Value::String("x".to_owned()), none()])
    );
    let error =
        arguments_from_json(&f, &json!({"langauge": "rust", "code": "x"})).expect_err("unknown");
    says(
        &error,
        "/langauge",
        "one of the arguments `code`, `language`",
        "an unknown argument `langauge`",
    );
    let error: Error = error.into();
    assert_eq!(error.code(), Code::E3301);
    assert_eq!(error.hints(), ["Did you mean `language`?"]);
    assert_eq!(error.details()["path"], "/langauge");
    says(
        &arguments_from_json(&f, &json!({})).expect_err("missing"),
        "",
        "the argument `code`",
        "an empty object",
    );
    says(
        &arguments_from_json(&f, &json!(["x"])).expect_err("no object"),
        "",
        "an object of arguments",
        "an array of 1 item",
    );
    let bare = function(&[], None);
    assert_eq!(arguments_from_json(&bare, &json!({})), Ok(Vec::new()));
    let error = arguments_from_json(&bare, &json!({"x": 1})).expect_err("takes none");
    says(&error, "/x", "no argument", "an unknown argument `x`");
}

#[test]
fn what_is_returned_becomes_an_object_or_an_error() {
    let text = |text: &str| Value::String(text.to_owned());
    let plain = function(&[], Some(Ty::String));
    assert_eq!(
        result_to_json(&plain, Some(text("x"))),
        Returned::Ok(json!({"result": "x"}))
    );
    let object = function(&[], Some(record(&[("a", Ty::U8)])));
    assert_eq!(
        result_to_json(&object, Some(Value::Record(vec![Value::U8(1)]))),
        Returned::Ok(json!({"a": 1}))
    );
    assert_eq!(
        result_to_json(&function(&[], None), None),
        Returned::Ok(json!({}))
    );
    let ty = |ok: Option<Ty>, err: Option<Ty>| {
        function(
            &[],
            Some(Ty::Result {
                ok: ok.map(Into::into),
                err: err.map(Into::into),
            }),
        )
    };
    let ok = |value: Option<Value>| Some(Value::Result(Ok(value.map(Box::new))));
    let err = |value: Option<Value>| Some(Value::Result(Err(value.map(Box::new))));
    let both = ty(Some(Ty::U8), Some(Ty::String));
    assert_eq!(
        result_to_json(&both, ok(Some(Value::U8(1)))),
        Returned::Ok(json!({"result": 1}))
    );
    assert_eq!(
        result_to_json(&both, err(Some(text("no")))),
        Returned::Err(json!("no"))
    );
    let neither = ty(None, None);
    assert_eq!(result_to_json(&neither, ok(None)), Returned::Ok(json!({})));
    assert_eq!(
        result_to_json(&neither, err(None)),
        Returned::Err(json!(null))
    );
}

#[test]
fn a_long_list_takes_time_in_proportion_to_its_length() {
    let ty = Ty::Map(
        Ty::U32.into(),
        record(&[("a", Ty::String), ("b", option(Ty::U8))]).into(),
    );
    let json: Json = (0..100_000).map(|n| json!([n, {"a": "x"}])).collect();
    let started = std::time::Instant::now();
    let value = from_json(&ty, &json).expect("fits");
    let back = to_json(&ty, &value);
    // Quadratic work would take minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    assert_eq!(back.as_array().expect("array").len(), 100_000);
}
