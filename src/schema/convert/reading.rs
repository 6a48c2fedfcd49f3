//! JSON → values.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::error::ConvertError;
use super::numbers::{read_f32, read_f64, read_integer};
use crate::schema::preview::{list, nearest, tick};
use crate::schema::wit::{Case, Label, Named, Ty, Value};

/// Reads a value of the type.
///
/// # Errors
/// [`ConvertError`] for the first thing that does not fit.
pub fn from_json(ty: &Ty, json: &Json) -> Result<Value, ConvertError> {
    Ok(match ty {
        Ty::Bool => match json {
            Json::Bool(value) => Value::Bool(*value),
            _ => return Err(ConvertError::new("true or false", json)),
        },
        Ty::S8 => Value::S8(read_integer(json, false)?),
        Ty::S16 => Value::S16(read_integer(json, false)?),
        Ty::S32 => Value::S32(read_integer(json, false)?),
        Ty::S64 => Value::S64(read_integer(json, true)?),
        Ty::U8 => Value::U8(read_integer(json, false)?),
        Ty::U16 => Value::U16(read_integer(json, false)?),
        Ty::U32 => Value::U32(read_integer(json, false)?),
        Ty::U64 => Value::U64(read_integer(json, true)?),
        Ty::F32 => Value::F32(read_f32(json)?),
        Ty::F64 => Value::F64(read_f64(json)?),
        Ty::Char => Value::Char(read_char(json)?),
        Ty::String => match json {
            Json::String(text) => Value::String(text.clone()),
            _ => return Err(ConvertError::new("a string", json)),
        },
        Ty::Bytes => Value::Bytes(read_bytes(json)?),
        Ty::List(item) => {
            let Json::Array(items) = json else {
                return Err(ConvertError::new("an array", json));
            };
            Value::List(read_items(std::iter::repeat(&**item), items)?)
        }
        Ty::FixedList(item, length) => {
            let items = array_of(*length as usize, json)?;
            Value::FixedList(read_items(std::iter::repeat(&**item), items)?)
        }
        Ty::Map(key, value) => Value::Map(read_map(key, value, json)?),
        Ty::Tuple(types) => {
            let items = array_of(types.len(), json)?;
            Value::Tuple(read_items(types.iter(), items)?)
        }
        Ty::Record(record) => {
            let Json::Object(object) = json else {
                return Err(ConvertError::new("an object", json));
            };
            let fields = record
                .members
                .iter()
                .map(|field| (field.name.as_str(), &field.ty));
            Value::Record(members("field", fields, object, json)?)
        }
        Ty::Variant(variant) => read_variant(variant, json)?,
        Ty::Enum(labels) => Value::Enum(read_label("case", labels, json)?),
        Ty::Flags(labels) => Value::Flags(read_flags(labels, json)?),
        Ty::Option(inner) => read_option(inner, inner.is_option(), json)?,
        Ty::Result { ok, err } => read_result(ok.as_deref(), err.as_deref(), json)?,
    })
}

/// Reads named members: the fields of a record or the arguments of a function, which `noun` says.
pub(super) fn members<'a>(
    noun: &str,
    wanted: impl Iterator<Item = (&'a str, &'a Ty)> + Clone,
    object: &Map<String, Json>,
    json: &Json,
) -> Result<Vec<Value>, ConvertError> {
    let mut values = Vec::with_capacity(wanted.size_hint().0);
    let mut missing = Vec::new();
    let mut present = 0;
    for (name, ty) in wanted.clone() {
        match object.get(name) {
            Some(member) => {
                present += 1;
                values.push(from_json(ty, member).map_err(|error| error.under(name))?);
            }
            None if ty.is_option() => values.push(Value::Option(None)),
            None => missing.push(name.to_owned()),
        }
    }
    if present < object.len() {
        let known: HashSet<&str> = wanted.clone().map(|(name, _)| name).collect();
        if let Some(unknown) = object.keys().find(|key| !known.contains(key.as_str())) {
            let names: Vec<String> = wanted.map(|(name, _)| name.to_owned()).collect();
            return Err(unknown_member(noun, unknown, &names));
        }
    }
    match missing.as_slice() {
        [] => Ok(values),
        [name] => Err(ConvertError::new(
            format!("the {noun} {}", tick(name)),
            json,
        )),
        names => Err(ConvertError::new(
            format!("the {noun}s {}", list(names.iter())),
            json,
        )),
    }
}

fn unknown_member(noun: &str, unknown: &str, names: &[String]) -> ConvertError {
    let expected = match names {
        [] => format!("no {noun}"),
        [name] => format!("no {noun} but {}", tick(name)),
        names => format!("one of the {noun}s {}", list(names.iter())),
    };
    let error = ConvertError::new(expected, &Json::Null)
        .found(format!("an unknown {noun} {}", tick(unknown)))
        .under(unknown);
    match nearest(unknown, names.iter().map(String::as_str)) {
        Some(name) => error.hint(format!("Did you mean {}?", tick(name))),
        None => error,
    }
}

fn read_char(json: &Json) -> Result<char, ConvertError> {
    let refused = || {
        ConvertError::new(
            "a string of exactly one character (Unicode scalar value)",
            json,
        )
    };
    let Json::String(text) = json else {
        return Err(refused());
    };
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(char), None) => Ok(char),
        _ => Err(refused()),
    }
}

fn read_bytes(json: &Json) -> Result<Vec<u8>, ConvertError> {
    let refused =
        || ConvertError::new("bytes as a base64 string (standard alphabet, padded)", json);
    let Json::String(text) = json else {
        return Err(refused());
    };
    STANDARD.decode(text).map_err(|why| {
        use base64::DecodeError::{InvalidByte, InvalidLastSymbol, InvalidLength, InvalidPadding};
        let why = match why {
            InvalidByte(offset, byte) if byte.is_ascii_graphic() => {
                format!("the character {:?} at position {offset}", char::from(byte))
            }
            InvalidByte(offset, byte) => format!("the byte 0x{byte:02x} at position {offset}"),
            InvalidLength(length) => format!("{length} characters, which is not a possible length"),
            InvalidLastSymbol(offset, _) => {
                format!("stray bits in the last symbol, at position {offset}")
            }
            InvalidPadding => "missing or wrong padding".to_owned(),
        };
        let found = refused().found;
        refused().found(format!("{found}, with {why}"))
    })
}

fn array_of(length: usize, json: &Json) -> Result<&[Json], ConvertError> {
    match json {
        Json::Array(items) if items.len() == length => Ok(items),
        _ => {
            let plural = if length == 1 { "" } else { "s" };
            Err(ConvertError::new(
                format!("an array of exactly {length} item{plural}"),
                json,
            ))
        }
    }
}

fn read_items<'a>(
    types: impl Iterator<Item = &'a Ty>,
    items: &[Json],
) -> Result<Vec<Value>, ConvertError> {
    types
        .zip(items)
        .enumerate()
        .map(|(position, (ty, item))| from_json(ty, item).map_err(|error| error.under(position)))
        .collect()
}

fn read_map(key: &Ty, value: &Ty, json: &Json) -> Result<Vec<(Value, Value)>, ConvertError> {
    if *key == Ty::String {
        let Json::Object(members) = json else {
            return Err(ConvertError::new("an object", json));
        };
        return members
            .iter()
            .map(|(name, member)| {
                let read = from_json(value, member).map_err(|error| error.under(name))?;
                Ok((Value::String(name.clone()), read))
            })
            .collect();
    }
    let Json::Array(pairs) = json else {
        return Err(ConvertError::new(
            "an array of pairs of key and value",
            json,
        ));
    };
    let mut seen = HashSet::with_capacity(pairs.len());
    let mut entries = Vec::with_capacity(pairs.len());
    for (position, pair) in pairs.iter().enumerate() {
        let (read_key, read_value) =
            read_pair(key, value, pair).map_err(|error| error.under(position))?;
        // Keys are primitive and have one JSON form each, which stands for them here.
        let form = super::to_json(key, &read_key).to_string();
        if !seen.insert(form) {
            return Err(
                ConvertError::new("a key that did not come before", &pair_key(pair))
                    .under(0)
                    .under(position),
            );
        }
        entries.push((read_key, read_value));
    }
    Ok(entries)
}

fn read_pair(key: &Ty, value: &Ty, pair: &Json) -> Result<(Value, Value), ConvertError> {
    match pair {
        Json::Array(items) => match items.as_slice() {
            [first, second] => Ok((
                from_json(key, first).map_err(|error| error.under(0))?,
                from_json(value, second).map_err(|error| error.under(1))?,
            )),
            _ => Err(ConvertError::new("a pair of key and value", pair)),
        },
        _ => Err(ConvertError::new("a pair of key and value", pair)),
    }
}

fn pair_key(pair: &Json) -> Json {
    pair.get(0).cloned().unwrap_or(Json::Null)
}

fn read_variant(variant: &Named<Case>, json: &Json) -> Result<Value, ConvertError> {
    let names = || variant.members.iter().map(|case| case.name.as_str());
    let Json::Object(object) = json else {
        return Err(ConvertError::new(
            r#"an object with the key "tag", and "value" where the case carries one"#,
            json,
        ));
    };
    let Some(tag) = object.get("tag") else {
        return Err(ConvertError::new("the field `tag`", json));
    };
    let position = read_name("case", names, tag).map_err(|error| error.under("tag"))?;
    if let Some(unknown) = object.keys().find(|key| *key != "tag" && *key != "value") {
        return Err(unknown_member(
            "field",
            unknown,
            &["tag".to_owned(), "value".to_owned()],
        ));
    }
    let case = variant.members.get(position);
    let ty = case.and_then(|case| case.ty.as_ref());
    let payload = match (ty, object.get("value")) {
        (Some(ty), Some(value)) => {
            Some(from_json(ty, value).map_err(|error| error.under("value"))?)
        }
        (Some(Ty::Option(_)), None) => Some(Value::Option(None)),
        (Some(_), None) => {
            let name = case.map_or("", |case| case.name.as_str());
            return Err(ConvertError::new(
                format!("the field `value`, which the case {} carries", tick(name)),
                json,
            ));
        }
        (None, Some(value)) => {
            let name = case.map_or("", |case| case.name.as_str());
            return Err(ConvertError::new(
                format!("no value, for the case {} carries none", tick(name)),
                value,
            )
            .under("value"));
        }
        (None, None) => None,
    };
    Ok(Value::Variant {
        case: position,
        payload: payload.map(Box::new),
    })
}

fn read_label(noun: &str, labels: &Named<Label>, json: &Json) -> Result<usize, ConvertError> {
    read_name(
        noun,
        || labels.members.iter().map(|label| label.name.as_str()),
        json,
    )
}

/// Reads a string that is one of the names; gives its position.
fn read_name<'a, I: Iterator<Item = &'a str>>(
    noun: &str,
    names: impl Fn() -> I,
    json: &Json,
) -> Result<usize, ConvertError> {
    let text = json.as_str();
    if let Some(position) = text.and_then(|text| names().position(|name| name == text)) {
        return Ok(position);
    }
    let all: Vec<String> = names().map(str::to_owned).collect();
    let error = ConvertError::new(format!("one of the {noun}s {}", list(all.iter())), json);
    Err(match text.and_then(|text| nearest(text, names())) {
        Some(name) => error.hint(format!("Did you mean {}?", tick(name))),
        None => error,
    })
}

fn read_flags(labels: &Named<Label>, json: &Json) -> Result<Vec<String>, ConvertError> {
    let Json::Array(items) = json else {
        return Err(ConvertError::new("an array of the names of flags", json));
    };
    let mut set = vec![false; labels.members.len()];
    for (position, item) in items.iter().enumerate() {
        let flag = read_label("flag", labels, item).map_err(|error| error.under(position))?;
        match set.get_mut(flag) {
            Some(set) if !*set => *set = true,
            _ => {
                return Err(
                    ConvertError::new("a flag that did not come before", item).under(position)
                );
            }
        }
    }
    Ok(labels
        .members
        .iter()
        .zip(set)
        .filter(|(_, set)| *set)
        .map(|(label, _)| label.name.clone())
        .collect())
}

/// Reads an option; `wrapped` where it holds an option or is held by one, for then null alone could not tell them apart.
fn read_option(inner: &Ty, wrapped: bool, json: &Json) -> Result<Value, ConvertError> {
    if json.is_null() {
        return Ok(Value::Option(None));
    }
    let some = if wrapped {
        let value = only_member(json, &["some"]).ok_or_else(|| {
            ConvertError::new(r#"null or an object with the one key "some""#, json)
        })?;
        match inner {
            Ty::Option(innermost) => read_option(innermost, true, value.1),
            other => from_json(other, value.1),
        }
        .map_err(|error| error.under("some"))?
    } else {
        from_json(inner, json).map_err(|mut error| {
            if error.path.is_empty() {
                error.expected = format!("null or {}", error.expected);
            }
            error
        })?
    };
    Ok(Value::Option(Some(Box::new(some))))
}

fn read_result(ok: Option<&Ty>, err: Option<&Ty>, json: &Json) -> Result<Value, ConvertError> {
    let Some((key, member)) = only_member(json, &["ok", "err"]) else {
        return Err(ConvertError::new(
            r#"an object with either the key "ok" or the key "err""#,
            json,
        ));
    };
    let payload = |ty: Option<&Ty>| match ty {
        Some(ty) => from_json(ty, member)
            .map(|value| Some(Box::new(value)))
            .map_err(|error| error.under(key)),
        None if member.is_null() => Ok(None),
        None => Err(ConvertError::new("null, for there is no payload", member).under(key)),
    };
    Ok(Value::Result(if key == "ok" {
        Ok(payload(ok)?)
    } else {
        Err(payload(err)?)
    }))
}

/// The one member of an object, if its key is among `keys`.
fn only_member<'a>(json: &'a Json, keys: &[&'static str]) -> Option<(&'static str, &'a Json)> {
    let object = json.as_object().filter(|object| object.len() == 1)?;
    keys.iter()
        .find_map(|key| object.get(*key).map(|member| (*key, member)))
}
