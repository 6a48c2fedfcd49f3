//! Types without parts.

use serde_json::json;

use super::*;

#[test]
fn integers_have_their_range_and_name_it() {
    both(&Ty::U8, json!(255), Value::U8(255));
    both(&Ty::S8, json!(-128), Value::S8(-128));
    says(
        &refused(&Ty::U8, json!(256)),
        "",
        "an integer from 0 to 255",
        "256",
    );
    says(
        &refused(&Ty::U8, json!(-1)),
        "",
        "an integer from 0 to 255",
        "-1",
    );
    says(
        &refused(&Ty::S16, json!(32768)),
        "",
        "an integer from -32768 to 32767",
        "32768",
    );
    for (ty, low, high) in [
        (Ty::S8, i128::from(i8::MIN), i128::from(i8::MAX)),
        (Ty::S16, i16::MIN.into(), i16::MAX.into()),
        (Ty::S32, i32::MIN.into(), i32::MAX.into()),
        (Ty::U8, 0, u8::MAX.into()),
        (Ty::U16, 0, u16::MAX.into()),
        (Ty::U32, 0, u32::MAX.into()),
    ] {
        for edge in [low, high] {
            assert!(
                from_json(&ty, &json!(i64::try_from(edge).expect("fits"))).is_ok(),
                "{edge} as {ty}"
            );
        }
        for beyond in [low - 1, high + 1] {
            refused(&ty, json!(i64::try_from(beyond).expect("fits")));
        }
    }
}

#[test]
fn a_whole_float_is_an_integer_and_nothing_else_is() {
    reads(&Ty::U32, json!(2.0), Value::U32(2));
    reads(&Ty::S8, json!(-0.0), Value::S8(0));
    reads(
        &Ty::U64,
        json!(9_007_199_254_740_992.0),
        Value::U64(1 << 53),
    );
    for json in [
        json!(2.5),
        json!(1e300),
        json!("2"),
        json!(true),
        json!(null),
        json!([2]),
        json!({"a": 2}),
    ] {
        refused(&Ty::U32, json);
    }
}

#[test]
fn integers_of_64_bits_are_exact_as_numbers_and_as_text() {
    both(&Ty::U64, json!(u64::MAX), Value::U64(u64::MAX));
    both(&Ty::S64, json!(i64::MIN), Value::S64(i64::MIN));
    both(
        &Ty::U64,
        json!(9_007_199_254_740_993_u64),
        Value::U64(9_007_199_254_740_993),
    );
    reads(
        &Ty::U64,
        json!("18446744073709551615"),
        Value::U64(u64::MAX),
    );
    reads(
        &Ty::S64,
        json!("-9223372036854775808"),
        Value::S64(i64::MIN),
    );
    for text in [
        "18446744073709551616",
        "-1",
        "+1",
        "01",
        "-0",
        "",
        " 1",
        "1.0",
        "1e3",
        "0x1",
        "١",
        "99999999999999999999999999",
    ] {
        refused(&Ty::U64, json!(text));
    }
    says(
        &refused(&Ty::S64, json!("9223372036854775808")),
        "",
        "an integer from -9223372036854775808 to 9223372036854775807, or its digits as a string",
        "\"9223372036854775808\"",
    );
    // A JSON reader has already rounded these: which integer was meant cannot be told any more.
    for text in [
        "1e18",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
    ] {
        let json: Json = serde_json::from_str(text).expect("a number");
        refused(&Ty::S64, json);
    }
    assert!(
        refused(&Ty::S64, json!(1e18))
            .hint
            .expect("a hint")
            .contains("as a string")
    );
}

#[test]
fn floats_keep_every_bit_that_means_something() {
    for float in [
        0.0,
        -0.0,
        0.1,
        1.0,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1e300,
    ] {
        let json = to_json(&Ty::F64, &Value::F64(float));
        let text: Json = serde_json::from_str(&json.to_string()).expect("JSON");
        let Ok(Value::F64(back)) = from_json(&Ty::F64, &text) else {
            panic!("{text}")
        };
        assert_eq!(back.to_bits(), float.to_bits(), "{text}");
    }
    both(&Ty::F64, json!("Infinity"), Value::F64(f64::INFINITY));
    both(&Ty::F32, json!("-Infinity"), Value::F32(f32::NEG_INFINITY));
    assert_eq!(to_json(&Ty::F64, &Value::F64(-f64::NAN)), json!("NaN"));
    assert!(matches!(from_json(&Ty::F32, &json!("NaN")), Ok(Value::F32(nan)) if nan.is_nan()));
    reads(&Ty::F64, json!(3), Value::F64(3.0));
    for json in [
        json!("nan"),
        json!("inf"),
        json!("1.5"),
        json!(""),
        json!(null),
        json!(true),
    ] {
        refused(&Ty::F64, json);
    }
}

#[test]
fn an_f32_is_written_short_and_kept_in_its_range() {
    assert_eq!(to_json(&Ty::F32, &Value::F32(0.1)), json!(0.1));
    both(&Ty::F32, json!(3.402_823_5e38), Value::F32(f32::MAX));
    both(&Ty::F32, json!(-3.402_823_5e38), Value::F32(f32::MIN));
    reads(&Ty::F32, json!(1e-60), Value::F32(0.0));
    let error = refused(&Ty::F32, json!(1e39));
    assert!(
        error
            .expected
            .contains("from -3.4028235e38 to 3.4028235e38"),
        "{error}"
    );
    assert_eq!(error.found, "1e+39");
    refused(&Ty::F32, json!(3.402_823_6e38));
}

#[test]
fn a_char_is_one_scalar_value() {
    both(&Ty::Char, json!("é"), Value::Char('é'));
    both(&Ty::Char, json!("😀"), Value::Char('😀'));
    both(&Ty::Char, json!("\u{0}"), Value::Char('\0'));
    for json in [json!(""), json!("ab"), json!("e\u{301}"), json!(65)] {
        refused(&Ty::Char, json);
    }
}

#[test]
fn bytes_are_strict_base64() {
    both(&Ty::Bytes, json!(""), Value::Bytes(Vec::new()));
    both(&Ty::Bytes, json!("/+8="), Value::Bytes(vec![0xff, 0xef]));
    for (text, why) in [
        ("/+8", "padding"),
        ("_-8=", "the character '_' at position 0"),
        ("/+8=\n", "0x0a"),
        ("/+9=", "stray bits in the last symbol"),
        ("A", "length"),
        ("é===", "0xc3"),
    ] {
        let error = refused(&Ty::Bytes, json!(text));
        assert!(error.found.contains(why), "{text}: {error}");
        assert!(error.expected.contains("base64"));
    }
    refused(&Ty::Bytes, json!([1, 2]));
}
