mod composed;
mod plain;

use super::*;
use crate::schema::wit::{Case, Field, Label, Named};

fn option(ty: Ty) -> Ty {
    Ty::Option(ty.into())
}

fn some(value: Value) -> Value {
    Value::Option(Some(Box::new(value)))
}

fn none() -> Value {
    Value::Option(None)
}

fn record(fields: &[(&str, Ty)]) -> Ty {
    let field = |(name, ty): &(&str, Ty)| Field {
        name: (*name).to_owned(),
        docs: None,
        ty: ty.clone(),
    };
    Ty::Record(Named::anonymous(fields.iter().map(field).collect()))
}

fn variant(cases: &[(&str, Option<Ty>)]) -> Ty {
    let case = |(name, ty): &(&str, Option<Ty>)| Case {
        name: (*name).to_owned(),
        docs: None,
        ty: ty.clone(),
    };
    Ty::Variant(Named::anonymous(cases.iter().map(case).collect()))
}

fn labels(names: &[&str]) -> std::sync::Arc<Named<Label>> {
    let label = |name: &&str| Label {
        name: (*name).to_owned(),
        docs: None,
    };
    Named::anonymous(names.iter().map(label).collect())
}

fn function(params: &[(&str, Ty)], result: Option<Ty>) -> Function {
    Function {
        export: vec!["f".to_owned()],
        name: "f".to_owned(),
        docs: None,
        params: params
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), ty.clone()))
            .collect(),
        result,
        is_async: false,
    }
}

#[track_caller]
fn reads(ty: &Ty, json: Json, value: Value) {
    assert_eq!(from_json(ty, &json), Ok(value), "{json} as {ty}");
}

#[track_caller]
fn both(ty: &Ty, json: Json, value: Value) {
    assert_eq!(to_json(ty, &value), json);
    reads(ty, json, value);
}

#[track_caller]
fn refused(ty: &Ty, json: Json) -> ConvertError {
    from_json(ty, &json).expect_err(&format!("{json} as {ty}"))
}

#[track_caller]
fn says(error: &ConvertError, path: &str, expected: &str, found: &str) {
    assert_eq!(
        (
            error.path.as_str(),
            error.expected.as_str(),
            error.found.as_str()
        ),
        (path, expected, found)
    );
}
