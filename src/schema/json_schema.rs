//! WIT types as JSON Schema (2020-12).
//!
//! The schemas use no references: readers of tool schemas, models above all, understand them best when everything is in
//! place. How large a type may be is limited when it is read ([`super::component`]).

use serde_json::{Map, Value as Json, json};

use super::param_docs::{self, Described};
use super::wit::{Case, Field, Function, Label, Named, Ty};

/// The dialect every schema here is written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The largest magnitude an `f32` takes: it rounds to the largest `f32` there is.
pub(super) const F32_LIMIT: f64 = 3.402_823_5e38;

/// The schema of the arguments: an object with one property a parameter, of which those that are not an `option` are
/// required, and no others.
#[must_use]
pub fn input_schema(f: &Function) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".into(), DIALECT.into());
    let docs = f.param_docs();
    let params = f
        .params
        .iter()
        .map(|(name, ty)| (name, docs.of(name, ty), ty));
    object_of(&mut schema, params);
    Json::Object(schema)
}

/// The schema of the structured result, which is always an object: a return that is not one stands under `result`.
///
/// Of a `result` only the success counts, for a failure is the tool's error. A function that returns nothing gives an
/// empty object.
#[must_use]
pub fn output_schema(f: &Function) -> Json {
    let mut schema = Map::new();
    schema.insert("$schema".into(), DIALECT.into());
    match success(f) {
        Some(ty) if ty.is_object() => {
            if let Json::Object(members) = of_type(ty) {
                schema.extend(members);
            }
        }
        Some(ty) => object_of(
            &mut schema,
            std::iter::once((&"result".to_owned(), None, ty)),
        ),
        None => object_of(&mut schema, std::iter::empty()),
    }
    if success(f).is_some_and(|ty| !ty.is_object() && ty.is_option()) {
        // The key is always written, also where the value is null.
        schema.insert("required".into(), json!(["result"]));
    }
    Json::Object(schema)
}

/// The type of what a call gives where it succeeds.
pub(super) fn success(f: &Function) -> Option<&Ty> {
    match &f.result {
        Some(Ty::Result { ok, .. }) => ok.as_deref(),
        other => other.as_ref(),
    }
}

/// The schema of one type.
#[must_use]
pub fn of_type(ty: &Ty) -> Json {
    match ty {
        Ty::Bool => json!({"type": "boolean"}),
        Ty::S8 => integer(i8::MIN, i8::MAX),
        Ty::S16 => integer(i16::MIN, i16::MAX),
        Ty::S32 => integer(i32::MIN, i32::MAX),
        Ty::U8 => integer(u8::MIN, u8::MAX),
        Ty::U16 => integer(u16::MIN, u16::MAX),
        Ty::U32 => integer(u32::MIN, u32::MAX),
        Ty::S64 => json!({"anyOf": [
            integer(i64::MIN, i64::MAX),
            {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,18})$"},
        ]}),
        Ty::U64 => json!({"anyOf": [
            integer(u64::MIN, u64::MAX),
            {"type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$"},
        ]}),
        Ty::F32 => json!({"anyOf": [
            {"type": "number", "minimum": -F32_LIMIT, "maximum": F32_LIMIT},
            {"enum": ["NaN", "Infinity", "-Infinity"]},
        ]}),
        Ty::F64 => json!({"anyOf": [
            {"type": "number"},
            {"enum": ["NaN", "Infinity", "-Infinity"]},
        ]}),
        Ty::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
        Ty::String => json!({"type": "string"}),
        Ty::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        Ty::List(item) => json!({"type": "array", "items": of_type(item)}),
        Ty::FixedList(item, length) => json!({
            "type": "array", "items": of_type(item), "minItems": length, "maxItems": length,
        }),
        Ty::Map(key, value) if **key == Ty::String => {
            json!({"type": "object", "additionalProperties": of_type(value)})
        }
        Ty::Map(key, value) => {
            json!({"type": "array", "items": tuple([&**key, &**value].into_iter())})
        }
        Ty::Tuple(items) => tuple(items.iter()),
        Ty::Record(record) => record_schema(record),
        Ty::Variant(variant) => alternatives(
            variant.docs.as_deref(),
            variant.members.iter().map(case_schema).collect(),
        ),
        Ty::Enum(labels) => {
            let mut schema = Map::new();
            describe(&mut schema, label_docs(labels).as_deref());
            schema.insert("type".into(), "string".into());
            schema.insert("enum".into(), names(labels));
            Json::Object(schema)
        }
        Ty::Flags(labels) => {
            let mut schema = Map::new();
            describe(&mut schema, label_docs(labels).as_deref());
            schema.insert("type".into(), "array".into());
            schema.insert(
                "items".into(),
                json!({"type": "string", "enum": names(labels)}),
            );
            schema.insert("uniqueItems".into(), true.into());
            Json::Object(schema)
        }
        Ty::Option(inner) if inner.is_option() => nested_option(inner),
        Ty::Option(inner) => json!({"anyOf": [of_type(inner), {"type": "null"}]}),
        Ty::Result { ok, err } => alternatives(
            None,
            vec![
                wrapped("ok", payload(ok.as_deref())),
                wrapped("err", payload(err.as_deref())),
            ],
        ),
    }
}

fn integer(minimum: impl Into<Json>, maximum: impl Into<Json>) -> Json {
    json!({"type": "integer", "minimum": minimum.into(), "maximum": maximum.into()})
}

/// An option that holds an option, or is held by one: null, or an object with the key `some`.
fn nested_option(inner: &Ty) -> Json {
    let some = match inner {
        Ty::Option(innermost) => nested_option(innermost),
        other => of_type(other),
    };
    json!({"anyOf": [wrapped("some", some), {"type": "null"}]})
}

fn payload(ty: Option<&Ty>) -> Json {
    ty.map_or_else(|| json!({"type": "null"}), of_type)
}

fn wrapped(key: &str, schema: Json) -> Json {
    json!({
        "type": "object", "properties": {key: schema}, "required": [key], "additionalProperties": false,
    })
}

fn tuple<'a>(items: impl ExactSizeIterator<Item = &'a Ty>) -> Json {
    let length = items.len();
    let mut schema = Map::new();
    schema.insert("type".into(), "array".into());
    if length > 0 {
        schema.insert("prefixItems".into(), items.map(of_type).collect());
    }
    schema.insert("items".into(), false.into());
    schema.insert("minItems".into(), length.into());
    schema.insert("maxItems".into(), length.into());
    Json::Object(schema)
}

fn record_schema(record: &Named<Field>) -> Json {
    let mut schema = Map::new();
    describe(&mut schema, record.docs.as_deref());
    let fields = record.members.iter().map(|field| {
        let docs = field.docs.as_deref();
        let docs = docs.map(|docs| param_docs::described(docs, &field.ty));
        (&field.name, docs, &field.ty)
    });
    object_of(&mut schema, fields);
    Json::Object(schema)
}

fn object_of<'a>(
    schema: &mut Map<String, Json>,
    members: impl Iterator<Item = (&'a String, Option<Described>, &'a Ty)>,
) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, docs, ty) in members {
        properties.insert(name.clone(), described(docs, of_type(ty)));
        if !ty.is_option() {
            required.push(Json::from(name.as_str()));
        }
    }
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), Json::Array(required));
    }
    schema.insert("additionalProperties".into(), false.into());
}

fn case_schema(case: &Case) -> Json {
    let mut properties = Map::new();
    properties.insert("tag".into(), json!({"const": case.name}));
    let mut required = vec![Json::from("tag")];
    if let Some(ty) = &case.ty {
        properties.insert("value".into(), of_type(ty));
        if !ty.is_option() {
            required.push("value".into());
        }
    }
    let mut schema = Map::new();
    describe(&mut schema, case.docs.as_deref());
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Json::Object(properties));
    schema.insert("required".into(), Json::Array(required));
    schema.insert("additionalProperties".into(), false.into());
    Json::Object(schema)
}

/// Exactly one of the schemas, each of which is of an object.
fn alternatives(docs: Option<&str>, schemas: Vec<Json>) -> Json {
    let mut schema = Map::new();
    describe(&mut schema, docs);
    schema.insert("type".into(), "object".into());
    schema.insert("oneOf".into(), Json::Array(schemas));
    Json::Object(schema)
}

fn names(labels: &Named<Label>) -> Json {
    labels
        .members
        .iter()
        .map(|label| label.name.as_str())
        .collect()
}

/// The documentation of the type, followed by one line for each label that has any.
fn label_docs(labels: &Named<Label>) -> Option<String> {
    let mut lines: Vec<String> = labels.docs.iter().cloned().collect();
    lines.extend(labels.members.iter().filter_map(|label| {
        let docs = label.docs.as_ref()?;
        Some(format!("- `{}`: {docs}", label.name))
    }));
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn describe(schema: &mut Map<String, Json>, docs: Option<&str>) {
    if let Some(docs) = docs {
        schema.insert("description".into(), docs.into());
    }
}

/// The schema with the documentation of the field that holds it, which says more than that of the type.
fn described(docs: Option<Described>, schema: Json) -> Json {
    match (docs, schema) {
        (Some(docs), Json::Object(members)) => {
            let mut schema = Map::new();
            schema.insert("description".into(), docs.description.into());
            schema.extend(members.into_iter().filter(|(key, _)| key != "description"));
            if !docs.examples.is_empty() {
                schema.insert("examples".into(), docs.examples.into());
            }
            Json::Object(schema)
        }
        (_, schema) => schema,
    }
}

#[cfg(test)]
mod tests;
