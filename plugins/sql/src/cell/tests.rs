use proptest::prelude::*;

use super::*;

#[test]
fn values_stay_what_they_are() {
    for (cell, value) in [
        (ValueRef::Null, Value::Null),
        (
            ValueRef::Integer(i64::MAX),
            json!(9_223_372_036_854_775_807_i64),
        ),
        (ValueRef::Integer(i64::MIN), json!(i64::MIN)),
        (ValueRef::Real(0.1), json!(0.1)),
        (ValueRef::Real(f64::INFINITY), json!("Infinity")),
        (ValueRef::Real(f64::NEG_INFINITY), json!("-Infinity")),
        (ValueRef::Text("für".as_bytes()), json!("für")),
        (ValueRef::Text(b"\xff"), json!({"base64": "/w=="})),
        (ValueRef::Blob(b"\0\xff"), json!({"base64": "AP8="})),
    ] {
        assert_eq!(to_json(cell), value);
    }
}

#[test]
fn parameters_are_given_exactly_or_not_at_all() {
    for (value, cell) in [
        (json!(null), Cell::Null),
        (json!(true), Cell::Integer(1)),
        (
            json!(9_007_199_254_740_993_i64),
            Cell::Integer(9_007_199_254_740_993),
        ),
        (json!(1.5), Cell::Real(1.5)),
        (json!("a"), Cell::Text("a".to_owned())),
        (json!({"base64": "AP8="}), Cell::Blob(vec![0, 255])),
        (json!({"a": 1}), Cell::Text("{\"a\":1}".to_owned())),
        (json!([1, 2]), Cell::Text("[1,2]".to_owned())),
    ] {
        assert_eq!(from_json(&value).unwrap(), cell);
    }
    for value in [json!(u64::MAX), json!({"base64": "?"})] {
        assert!(from_json(&value).is_err(), "{value}");
    }
}

proptest! {
    #[test]
    fn there_and_back(number in any::<i64>(), text in any::<String>(), bytes in any::<Vec<u8>>()) {
        for cell in [Cell::Integer(number), Cell::Text(text), Cell::Blob(bytes)] {
            prop_assert_eq!(from_json(&to_json(ValueRef::from(&cell))).unwrap(), cell);
        }
    }
}
