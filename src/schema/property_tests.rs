//! Properties of the conversion, for types and values made at random.

mod generate;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value as Json};

use super::*;
use generate::{json, ty, with_call, with_value};

/// The value with floats as bits, every NaN the same: what "equal" means across the boundary.
fn exactly(value: &Value) -> String {
    let inner = |value: &Option<Box<Value>>| value.as_deref().map(exactly);
    let each = |values: &[Value]| values.iter().map(exactly).collect::<Vec<_>>();
    match value {
        Value::F32(float) if float.is_nan() => "f32 NaN".to_owned(),
        Value::F32(float) => format!("f32 {:08x}", float.to_bits()),
        Value::F64(float) if float.is_nan() => "f64 NaN".to_owned(),
        Value::F64(float) => format!("f64 {:016x}", float.to_bits()),
        Value::List(items) => format!("list {:?}", each(items)),
        Value::FixedList(items) => format!("fixed {:?}", each(items)),
        Value::Tuple(items) => format!("tuple {:?}", each(items)),
        Value::Record(items) => format!("record {:?}", each(items)),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| (exactly(key), exactly(value)))
                .collect();
            format!("map {pairs:?}")
        }
        Value::Variant { case, payload } => format!("variant {case} {:?}", inner(payload)),
        Value::Option(payload) => format!("option {:?}", inner(payload)),
        Value::Result(Ok(payload)) => format!("ok {:?}", inner(payload)),
        Value::Result(Err(payload)) => format!("err {:?}", inner(payload)),
        plain => format!("{plain:?}"),
    }
}

/// Every place in a JSON value, as pointers.
fn places(json: &Json, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match json {
        Json::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{position}"), found);
            }
        }
        Json::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// The JSON of a value with one place replaced, removed or added to.
fn damaged(mut whole: Json, place: Index, part: Json, how: u8) -> Json {
    let mut found = Vec::new();
    places(&whole, "", &mut found);
    let place = place.get(&found);
    let Some(target) = whole.pointer_mut(place) else {
        return part;
    };
    match (how % 4, &mut *target) {
        (1, Json::Object(members)) => {
            members.insert("extra".to_owned(), part);
        }
        (1, Json::Array(items)) => items.push(part),
        (2, Json::Object(members)) => {
            let first = members.keys().next().cloned();
            first.and_then(|key| members.shift_remove(&key));
        }
        (3, Json::Object(members)) => {
            let last = members.keys().next_back().cloned();
            last.and_then(|key| members.shift_remove(&key));
        }
        (2 | 3, Json::Array(items)) => {
            items.pop();
        }
        _ => *target = part,
    }
    whole
}

/// What the conversion refuses although a schema cannot say so.
fn is_beyond_schema(error: &ConvertError) -> bool {
    ["base64", "as a string", "did not come before"]
        .iter()
        .any(|known| error.expected.contains(known))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn every_value_survives_the_way_to_json_text_and_back((ty, value) in with_value()) {
        let written = to_json(&ty, &value);
        let text = written.to_string();
        let read = parse_strict(&text).expect("what was written is strict JSON");
        let back = from_json(&ty, &read).unwrap_or_else(|error| panic!("{error}: {text} as {ty}"));
        prop_assert_eq!(exactly(&back), exactly(&value), "{} as {}", text, ty);
        prop_assert_eq!(to_json(&ty, &back), written);
    }

    #[test]
    fn every_value_fits_the_schema_of_its_type((ty, value) in with_value()) {
        let schema = of_type(&ty);
        let written = to_json(&ty, &value);
        let checked = Validator::new(&schema).expect("the schema is valid").validate(&written);
        prop_assert!(checked.is_ok(), "{}: {} against {}", checked.unwrap_err(), written, schema);
    }

    #[test]
    fn calls_fit_the_schemas_of_their_function((f, arguments, returned) in with_call()) {
        let json: Map<String, Json> = f
            .params
            .iter()
            .zip(&arguments)
            .map(|((name, ty), value)| (name.clone(), to_json(ty, value)))
            .collect();
        let json = Json::Object(json);
        let input = Validator::new(&input_schema(&f)).expect("the schema is valid");
        prop_assert!(input.validate(&json).is_ok(), "{}", json);
        let read = arguments_from_json(&f, &json).expect("fits");
        prop_assert_eq!(exactly(&Value::Tuple(read)), exactly(&Value::Tuple(arguments)));

        let is_failure = matches!(returned, Some(Value::Result(Err(_))))
            && matches!(f.result, Some(Ty::Result { .. }));
        match result_to_json(&f, returned) {
            Returned::Ok(structured) => {
                prop_assert!(!is_failure && structured.is_object());
                let schema = output_schema(&f);
                prop_assert_eq!(&schema["type"], "object");
                let output = Validator::new(&schema).expect("the schema is valid");
                let checked = output.validate_output(&structured);
                prop_assert!(checked.is_ok(), "{}: {}", checked.unwrap_err(), structured);
            }
            Returned::Err(_) => prop_assert!(is_failure),
        }
    }

    #[test]
    fn options_may_be_left_out((f, arguments, _) in with_call()) {
        let mut json = Map::new();
        for ((name, ty), value) in f.params.iter().zip(&arguments) {
            if *value != Value::Option(None) {
                json.insert(name.clone(), to_json(ty, value));
            }
        }
        let json = Json::Object(json);
        let read = arguments_from_json(&f, &json).expect("only options are left out");
        prop_assert_eq!(exactly(&Value::Tuple(read)), exactly(&Value::Tuple(arguments)));
        let input = Validator::new(&input_schema(&f)).expect("the schema is valid");
        prop_assert!(input.validate(&json).is_ok());
    }

    #[test]
    fn the_conversion_and_the_schema_agree_on_any_json(
        (ty, value) in with_value(),
        place in any::<Index>(),
        part in json(),
        how in any::<u8>(),
    ) {
        let json = damaged(to_json(&ty, &value), place, part, how);
        let fits = Validator::new(&of_type(&ty)).expect("valid").validate(&json).is_ok();
        match from_json(&ty, &json) {
            Ok(_) => prop_assert!(fits, "the schema refuses {} as {}", json, ty),
            Err(error) => {
                prop_assert!(!fits || is_beyond_schema(&error), "the schema takes {} as {}: {}", json, ty, error);
                // The place that the error names is in the value, or is a member that should not be there.
                prop_assert!(
                    json.pointer(&error.path).is_some(),
                    "{} is not in {}", error.path, json
                );
            }
        }
    }

    #[test]
    fn any_json_as_any_type_ends_in_a_value_or_a_sentence(ty in ty(), json in json()) {
        if let Err(error) = from_json(&ty, &json) {
            prop_assert!(!error.expected.is_empty() && !error.found.is_empty());
            prop_assert!(error.to_string().len() < 2_000);
        }
    }
}
