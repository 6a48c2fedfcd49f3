use super::*;

fn label(name: &str, docs: Option<&str>) -> Label {
    Label {
        name: name.to_owned(),
        docs: docs.map(str::to_owned),
    }
}

fn option(ty: Ty) -> Ty {
    Ty::Option(ty.into())
}

fn returning(result: Option<Ty>) -> Function {
    Function {
        export: vec!["f".to_owned()],
        name: "f".to_owned(),
        docs: None,
        params: Vec::new(),
        result,
        is_async: false,
    }
}

#[test]
fn integers_say_their_range_exactly() {
    assert_eq!(
        of_type(&Ty::U8),
        json!({"type": "integer", "minimum": 0, "maximum": 255})
    );
    assert_eq!(
        of_type(&Ty::S64)["anyOf"][0],
        json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX})
    );
    assert!(
        of_type(&Ty::U64)
            .to_string()
            .contains("18446744073709551615")
    );
}

#[test]
fn bytes_are_base64_and_a_list_of_bytes_a_list_of_those() {
    assert_eq!(
        of_type(&Ty::list(Ty::U8)),
        json!({"type": "string", "contentEncoding": "base64"})
    );
    assert_eq!(
        of_type(&Ty::list(Ty::list(Ty::U8)))["items"]["contentEncoding"],
        "base64"
    );
    assert_eq!(
        of_type(&Ty::FixedList(Ty::U8.into(), 4)),
        json!({"type": "array", "items": of_type(&Ty::U8), "minItems": 4, "maxItems": 4})
    );
}

#[test]
fn options_maps_and_results_have_the_forms_of_the_table() {
    assert_eq!(
        of_type(&option(Ty::Bool)),
        json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]})
    );
    let some = |inner: Json| {
        json!({"anyOf": [
            {"type": "object", "properties": {"some": inner}, "required": ["some"], "additionalProperties": false},
            {"type": "null"},
        ]})
    };
    assert_eq!(
        of_type(&option(option(Ty::Bool))),
        some(some(json!({"type": "boolean"})))
    );
    assert_eq!(
        of_type(&Ty::Map(Ty::String.into(), Ty::Bool.into())),
        json!({"type": "object", "additionalProperties": {"type": "boolean"}})
    );
    assert_eq!(
        of_type(&Ty::Map(Ty::Char.into(), Ty::Bool.into()))["items"]["prefixItems"],
        json!([{"type": "string", "minLength": 1, "maxLength": 1}, {"type": "boolean"}])
    );
    let result = Ty::Result {
        ok: None,
        err: Some(Ty::String.into()),
    };
    assert_eq!(
        of_type(&result)["oneOf"][0]["properties"]["ok"],
        json!({"type": "null"})
    );
    assert_eq!(
        of_type(&result)["oneOf"][1]["properties"]["err"],
        json!({"type": "string"})
    );
}

#[test]
fn documentation_becomes_descriptions_and_a_field_says_more_than_its_type() {
    let colour = Ty::Enum(std::sync::Arc::new(Named {
        name: Some("colour".to_owned()),
        docs: Some("A colour.".to_owned()),
        members: vec![label("red", Some("Like blood.")), label("green", None)],
    }));
    assert_eq!(
        of_type(&colour)["description"],
        "A colour.\n- `red`: Like blood."
    );
    let car = Ty::Record(Named::anonymous(vec![
        Field {
            name: "paint".to_owned(),
            docs: Some("Outside.".to_owned()),
            ty: colour.clone(),
        },
        Field {
            name: "seats".to_owned(),
            docs: None,
            ty: colour,
        },
    ]));
    let schema = of_type(&car);
    assert_eq!(schema["properties"]["paint"]["description"], "Outside.");
    assert_eq!(
        schema["properties"]["seats"]["description"],
        "A colour.\n- `red`: Like blood."
    );
}

#[test]
fn output_is_an_object_whatever_is_returned() {
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let unit = Ty::Result {
        ok: None,
        err: Some(Ty::String.into()),
    };
    for f in [returning(None), returning(Some(unit))] {
        let mut schema = output_schema(&f);
        schema.as_object_mut().expect("object").remove("$schema");
        assert_eq!(schema, nothing);
    }
    let wrapped = output_schema(&returning(Some(option(Ty::Bool))));
    assert_eq!(wrapped["required"], json!(["result"]));
    let map = Ty::Map(Ty::String.into(), Ty::Bool.into());
    let direct = Ty::Result {
        ok: Some(map.into()),
        err: None,
    };
    assert_eq!(
        output_schema(&returning(Some(direct)))["additionalProperties"],
        json!({"type": "boolean"})
    );
    let nested = Ty::Result {
        ok: None,
        err: None,
    };
    let twice = Ty::Result {
        ok: Some(nested.into()),
        err: None,
    };
    assert!(output_schema(&returning(Some(twice)))["oneOf"].is_array());
}

#[test]
fn a_case_requires_its_value_unless_that_is_an_option() {
    let case = |name: &str, ty| Case {
        name: name.to_owned(),
        docs: None,
        ty,
    };
    let schema = of_type(&Ty::Variant(Named::anonymous(vec![
        case("bare", None),
        case("full", Some(Ty::Bool)),
        case("maybe", Some(option(Ty::Bool))),
    ])));
    let required: Vec<&Json> = (0..3).map(|n| &schema["oneOf"][n]["required"]).collect();
    assert_eq!(
        required,
        [&json!(["tag"]), &json!(["tag", "value"]), &json!(["tag"])]
    );
    assert_eq!(
        schema["oneOf"][0]["properties"],
        json!({"tag": {"const": "bare"}})
    );
    assert_eq!(schema["type"], "object");
}
