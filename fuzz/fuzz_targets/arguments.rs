//! Two JSON values, `[SCHEMA, ARGUMENTS]`: compiling the one and checking the other never panics, says the same twice,
//! and says in a few sentences what does not fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolhatch::error::Code;
use toolhatch::schema::{Validator, coerce_arg, parse_strict};

fuzz_target!(|text: &str| {
    let Ok(Value::Array(pair)) = parse_strict(text) else {
        return;
    };
    let [schema, arguments] = pair.as_slice() else {
        return;
    };
    if let Some(text) = arguments.as_str() {
        let _ = coerce_arg(schema, "fuzz", text);
    }
    let validator = match Validator::new(schema) {
        Ok(validator) => validator,
        Err(error) => return assert_eq!(error.code(), Code::E3105),
    };
    let checked = validator.validate(arguments);
    assert_eq!(
        checked.is_ok(),
        validator.validate_output(arguments).is_ok()
    );
    if let Err(error) = checked {
        assert_eq!(error.code(), Code::E3301);
        // The text names at most ten violations and cuts every value short, whatever was given.
        assert!(error.to_string().len() < 64 << 10, "{error}");
    }
});
