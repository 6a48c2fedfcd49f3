//! Values → JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::numbers::{write_f32, write_f64};
use crate::schema::wit::{Case, Field, Label, Named, Ty, Value};

/// The JSON of a value of the type.
///
/// A value that is not of the type, which the host never makes, gives null in the place where they part.
#[must_use]
pub fn to_json(ty: &Ty, value: &Value) -> Json {
    match (ty, value) {
        (Ty::Bool, Value::Bool(value)) => Json::Bool(*value),
        (Ty::S8, Value::S8(value)) => (*value).into(),
        (Ty::S16, Value::S16(value)) => (*value).into(),
        (Ty::S32, Value::S32(value)) => (*value).into(),
        (Ty::S64, Value::S64(value)) => (*value).into(),
        (Ty::U8, Value::U8(value)) => (*value).into(),
        (Ty::U16, Value::U16(value)) => (*value).into(),
        (Ty::U32, Value::U32(value)) => (*value).into(),
        (Ty::U64, Value::U64(value)) => (*value).into(),
        (Ty::F32, Value::F32(value)) => write_f32(*value),
        (Ty::F64, Value::F64(value)) => write_f64(*value),
        (Ty::Char, Value::Char(value)) => Json::String(value.to_string()),
        (Ty::String, Value::String(value)) => Json::String(value.clone()),
        (Ty::Bytes, Value::Bytes(value)) => Json::String(STANDARD.encode(value)),
        (Ty::List(item), Value::List(values))
        | (Ty::FixedList(item, _), Value::FixedList(values)) => {
            values.iter().map(|value| to_json(item, value)).collect()
        }
        (Ty::Map(key, of), Value::Map(entries)) => write_map(key, of, entries),
        (Ty::Tuple(types), Value::Tuple(values)) => types
            .iter()
            .zip(values)
            .map(|(ty, value)| to_json(ty, value))
            .collect(),
        (Ty::Record(record), Value::Record(values)) => write_record(record, values),
        (Ty::Variant(variant), Value::Variant { case, payload }) => {
            write_variant(variant, *case, payload.as_deref())
        }
        (Ty::Enum(labels), Value::Enum(case)) => write_enum(labels, *case),
        (Ty::Flags(_), Value::Flags(names)) => names.iter().cloned().collect(),
        (Ty::Option(inner), Value::Option(value)) => {
            write_option(inner, inner.is_option(), value.as_deref())
        }
        (Ty::Result { ok, err }, Value::Result(result)) => match result {
            Ok(value) => wrapped("ok", payload(ok.as_deref(), value.as_deref())),
            Err(value) => wrapped("err", payload(err.as_deref(), value.as_deref())),
        },
        _ => Json::Null,
    }
}

/// The JSON of a payload that may be absent, which is null.
pub(super) fn payload(ty: Option<&Ty>, value: Option<&Value>) -> Json {
    match (ty, value) {
        (Some(ty), Some(value)) => to_json(ty, value),
        _ => Json::Null,
    }
}

fn wrapped(key: &str, json: Json) -> Json {
    let mut members = Map::new();
    members.insert(key.to_owned(), json);
    Json::Object(members)
}

fn write_map(key: &Ty, of: &Ty, entries: &[(Value, Value)]) -> Json {
    // A guest may give a key twice: the later one counts, as it does in the engine.
    let mut members = Map::new();
    if *key == Ty::String {
        for (name, value) in entries {
            if let Value::String(name) = name {
                members.insert(name.clone(), to_json(of, value));
            }
        }
        return Json::Object(members);
    }
    for (name, value) in entries {
        let name = to_json(key, name);
        members.insert(
            name.to_string(),
            Json::Array(vec![name, to_json(of, value)]),
        );
    }
    members.into_iter().map(|(_, pair)| pair).collect()
}

fn write_record(record: &Named<Field>, values: &[Value]) -> Json {
    let members = record
        .members
        .iter()
        .zip(values)
        .map(|(field, value)| (field.name.clone(), to_json(&field.ty, value)))
        .collect();
    Json::Object(members)
}

fn write_variant(variant: &Named<Case>, position: usize, value: Option<&Value>) -> Json {
    let Some(case) = variant.members.get(position) else {
        return Json::Null;
    };
    let mut members = Map::new();
    members.insert("tag".to_owned(), Json::String(case.name.clone()));
    if let Some(ty) = &case.ty {
        members.insert("value".to_owned(), payload(Some(ty), value));
    }
    Json::Object(members)
}

fn write_enum(labels: &Named<Label>, position: usize) -> Json {
    labels
        .members
        .get(position)
        .map_or(Json::Null, |label| Json::String(label.name.clone()))
}

fn write_option(inner: &Ty, is_wrapped: bool, value: Option<&Value>) -> Json {
    let Some(value) = value else {
        return Json::Null;
    };
    if !is_wrapped {
        return to_json(inner, value);
    }
    wrapped(
        "some",
        match (inner, value) {
            (Ty::Option(innermost), Value::Option(value)) => {
                write_option(innermost, true, value.as_deref())
            }
            (inner, value) => to_json(inner, value),
        },
    )
}
