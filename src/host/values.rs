//! Between our WIT values and wasmtime's.

use wasmtime::component::Val;

use crate::schema::{Named, Ty, Value};

/// The value does not have the shape its type says; with values that `schema` made, or that wasmtime lifted by the same
/// type, it cannot happen.
#[derive(Debug)]
pub(super) struct Mismatch;

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value does not have the shape of its type")
    }
}

impl std::error::Error for Mismatch {}

type Result<T> = std::result::Result<T, Mismatch>;

/// Converts a value to wasmtime's form.
pub(super) fn to_val(ty: &Ty, value: Value) -> Result<Val> {
    Ok(match (ty, value) {
        (Ty::Bool, Value::Bool(value)) => Val::Bool(value),
        (Ty::S8, Value::S8(value)) => Val::S8(value),
        (Ty::S16, Value::S16(value)) => Val::S16(value),
        (Ty::S32, Value::S32(value)) => Val::S32(value),
        (Ty::S64, Value::S64(value)) => Val::S64(value),
        (Ty::U8, Value::U8(value)) => Val::U8(value),
        (Ty::U16, Value::U16(value)) => Val::U16(value),
        (Ty::U32, Value::U32(value)) => Val::U32(value),
        (Ty::U64, Value::U64(value)) => Val::U64(value),
        (Ty::F32, Value::F32(value)) => Val::Float32(value),
        (Ty::F64, Value::F64(value)) => Val::Float64(value),
        (Ty::Char, Value::Char(value)) => Val::Char(value),
        (Ty::String, Value::String(value)) => Val::String(value),
        (Ty::Bytes, Value::Bytes(bytes)) => Val::List(bytes.into_iter().map(Val::U8).collect()),
        (Ty::List(item), Value::List(items)) => Val::List(all(item, items)?),
        (Ty::FixedList(item, _), Value::FixedList(items)) => {
            Val::FixedLengthList(all(item, items)?)
        }
        (Ty::Map(key, value), Value::Map(pairs)) => Val::Map(
            pairs
                .into_iter()
                .map(|(k, v)| Ok((to_val(key, k)?, to_val(value, v)?)))
                .collect::<Result<_>>()?,
        ),
        (Ty::Tuple(types), Value::Tuple(values)) if types.len() == values.len() => Val::Tuple(
            types
                .iter()
                .zip(values)
                .map(|(ty, value)| to_val(ty, value))
                .collect::<Result<_>>()?,
        ),
        (Ty::Record(record), Value::Record(values)) if record.members.len() == values.len() => {
            Val::Record(
                record
                    .members
                    .iter()
                    .zip(values)
                    .map(|(field, value)| Ok((field.name.clone(), to_val(&field.ty, value)?)))
                    .collect::<Result<_>>()?,
            )
        }
        (Ty::Variant(variant), Value::Variant { case, payload }) => {
            let case = variant.members.get(case).ok_or(Mismatch)?;
            Val::Variant(
                case.name.clone(),
                payload_to_val(case.ty.as_ref(), payload)?,
            )
        }
        (Ty::Enum(cases), Value::Enum(case)) => {
            Val::Enum(cases.members.get(case).ok_or(Mismatch)?.name.clone())
        }
        (Ty::Flags(_), Value::Flags(names)) => Val::Flags(names),
        (Ty::Option(inner), Value::Option(value)) => {
            Val::Option(payload_to_val(Some(inner), value)?)
        }
        (Ty::Result { ok, err }, Value::Result(result)) => Val::Result(match result {
            Ok(value) => Ok(payload_to_val(ok.as_deref(), value)?),
            Err(value) => Err(payload_to_val(err.as_deref(), value)?),
        }),
        _ => return Err(Mismatch),
    })
}

fn all(ty: &Ty, values: Vec<Value>) -> Result<Vec<Val>> {
    values.into_iter().map(|value| to_val(ty, value)).collect()
}

fn payload_to_val(ty: Option<&Ty>, payload: Option<Box<Value>>) -> Result<Option<Box<Val>>> {
    match (ty, payload) {
        (Some(ty), Some(payload)) => Ok(Some(Box::new(to_val(ty, *payload)?))),
        (_, None) => Ok(None),
        (None, Some(_)) => Err(Mismatch),
    }
}

/// Converts a value from wasmtime's form.
pub(super) fn from_val(ty: &Ty, val: Val) -> Result<Value> {
    Ok(match (ty, val) {
        (Ty::Bool, Val::Bool(value)) => Value::Bool(value),
        (Ty::S8, Val::S8(value)) => Value::S8(value),
        (Ty::S16, Val::S16(value)) => Value::S16(value),
        (Ty::S32, Val::S32(value)) => Value::S32(value),
        (Ty::S64, Val::S64(value)) => Value::S64(value),
        (Ty::U8, Val::U8(value)) => Value::U8(value),
        (Ty::U16, Val::U16(value)) => Value::U16(value),
        (Ty::U32, Val::U32(value)) => Value::U32(value),
        (Ty::U64, Val::U64(value)) => Value::U64(value),
        (Ty::F32, Val::Float32(value)) => Value::F32(value),
        (Ty::F64, Val::Float64(value)) => Value::F64(value),
        (Ty::Char, Val::Char(value)) => Value::Char(value),
        (Ty::String, Val::String(value)) => Value::String(value),
        (Ty::Bytes, Val::List(items)) => Value::Bytes(
            items
                .into_iter()
                .map(|item| match item {
                    Val::U8(byte) => Ok(byte),
                    _ => Err(Mismatch),
                })
                .collect::<Result<_>>()?,
        ),
        (Ty::List(item), Val::List(items)) => Value::List(all_from(item, items)?),
        (Ty::FixedList(item, _), Val::FixedLengthList(items)) => {
            Value::FixedList(all_from(item, items)?)
        }
        (Ty::Map(key, value), Val::Map(pairs)) => Value::Map(
            pairs
                .into_iter()
                .map(|(k, v)| Ok((from_val(key, k)?, from_val(value, v)?)))
                .collect::<Result<_>>()?,
        ),
        (Ty::Tuple(types), Val::Tuple(values)) if types.len() == values.len() => Value::Tuple(
            types
                .iter()
                .zip(values)
                .map(|(ty, value)| from_val(ty, value))
                .collect::<Result<_>>()?,
        ),
        (Ty::Record(record), Val::Record(values)) if record.members.len() == values.len() => {
            Value::Record(
                record
                    .members
                    .iter()
                    .zip(values)
                    .map(|(field, (_, value))| from_val(&field.ty, value))
                    .collect::<Result<_>>()?,
            )
        }
        (Ty::Variant(variant), Val::Variant(name, payload)) => {
            let case = variant
                .members
                .iter()
                .position(|case| case.name == name)
                .ok_or(Mismatch)?;
            let ty = variant.members.get(case).and_then(|case| case.ty.as_ref());
            Value::Variant {
                case,
                payload: payload_from_val(ty, payload)?,
            }
        }
        (Ty::Enum(cases), Val::Enum(name)) => Value::Enum(position(cases, &name)?),
        (Ty::Flags(_), Val::Flags(names)) => Value::Flags(names),
        (Ty::Option(inner), Val::Option(value)) => {
            Value::Option(payload_from_val(Some(inner), value)?)
        }
        (Ty::Result { ok, err }, Val::Result(result)) => Value::Result(match result {
            Ok(value) => Ok(payload_from_val(ok.as_deref(), value)?),
            Err(value) => Err(payload_from_val(err.as_deref(), value)?),
        }),
        _ => return Err(Mismatch),
    })
}

fn position(cases: &Named<crate::schema::Label>, name: &str) -> Result<usize> {
    cases
        .members
        .iter()
        .position(|case| case.name == name)
        .ok_or(Mismatch)
}

fn all_from(ty: &Ty, values: Vec<Val>) -> Result<Vec<Value>> {
    values
        .into_iter()
        .map(|value| from_val(ty, value))
        .collect()
}

fn payload_from_val(ty: Option<&Ty>, payload: Option<Box<Val>>) -> Result<Option<Box<Value>>> {
    match (ty, payload) {
        (Some(ty), Some(payload)) => Ok(Some(Box::new(from_val(ty, *payload)?))),
        (_, None) => Ok(None),
        (None, Some(_)) => Err(Mismatch),
    }
}
