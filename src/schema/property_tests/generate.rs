//! Types, values, functions and JSON at random.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use crate::schema::*;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "a", "b", "value", "tag", "some", "ok", "err", "result", "x-y"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,6}(-[a-z0-9]{1,4})?",
    ]
}

fn names(max: usize) -> impl Strategy<Value = Vec<String>> {
    vec(name(), 1..max).prop_map(|names| {
        let unique: BTreeSet<String> = names.into_iter().collect();
        unique.into_iter().collect()
    })
}

fn key() -> impl Strategy<Value = Ty> {
    select(vec![
        Ty::Bool,
        Ty::S8,
        Ty::S16,
        Ty::S32,
        Ty::S64,
        Ty::U8,
        Ty::U16,
        Ty::U32,
        Ty::U64,
        Ty::Char,
        Ty::String,
    ])
}

fn labels(names: Vec<String>) -> Arc<Named<Label>> {
    let label = |name| Label { name, docs: None };
    Named::anonymous(names.into_iter().map(label).collect())
}

/// Any type, nested at random.
pub(super) fn ty() -> impl Strategy<Value = Ty> {
    let leaf = prop_oneof![
        select(vec![
            Ty::Bool,
            Ty::S8,
            Ty::S16,
            Ty::S32,
            Ty::S64,
            Ty::U8,
            Ty::U16,
            Ty::U32,
            Ty::U64,
            Ty::F32,
            Ty::F64,
            Ty::Char,
            Ty::String,
            Ty::Bytes,
        ]),
        names(6).prop_map(|names| Ty::Enum(labels(names))),
        names(33).prop_map(|names| Ty::Flags(labels(names))),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let shared = || inner.clone().prop_map(Arc::new);
        let maybe = || proptest::option::of(inner.clone().prop_map(Arc::new));
        prop_oneof![
            inner.clone().prop_map(Ty::list),
            (shared(), 0..4_u32).prop_map(|(item, length)| Ty::FixedList(item, length)),
            (key(), shared()).prop_map(|(key, value)| Ty::Map(Arc::new(key), value)),
            vec(inner.clone(), 1..5).prop_map(|items| Ty::Tuple(items.into())),
            shared().prop_map(Ty::Option),
            shared().prop_map(|inner| Ty::Option(Arc::new(Ty::Option(inner)))),
            (maybe(), maybe()).prop_map(|(ok, err)| Ty::Result { ok, err }),
            (names(5), vec(inner.clone(), 5)).prop_map(|(names, types)| {
                let field = |(name, ty)| Field {
                    name,
                    docs: None,
                    ty,
                };
                Ty::Record(Named::anonymous(
                    names.into_iter().zip(types).map(field).collect(),
                ))
            }),
            (names(5), vec(proptest::option::of(inner.clone()), 5)).prop_map(|(names, types)| {
                let case = |(name, ty)| Case {
                    name,
                    docs: None,
                    ty,
                };
                Ty::Variant(Named::anonymous(
                    names.into_iter().zip(types).map(case).collect(),
                ))
            }),
        ]
    })
}

fn f64s() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        select(vec![
            0.0,
            -0.0,
            1.0,
            0.1,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            f64::MIN_POSITIVE,
            5e-324,
            9_007_199_254_740_993.0,
        ]),
    ]
}

fn f32s() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<u32>().prop_map(f32::from_bits),
        select(vec![
            0.0,
            -0.0,
            0.1,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::MAX,
            f32::MIN,
            f32::MIN_POSITIVE,
            1e-45,
            16_777_217.0,
        ]),
    ]
}

/// Any value of the type.
fn value(ty: &Ty) -> BoxedStrategy<Value> {
    let boxed = |ty: &Ty| value(ty).prop_map(Box::new);
    let payload = |ty: &Option<Arc<Ty>>| match ty {
        Some(ty) => boxed(ty).prop_map(Some).boxed(),
        None => Just(None).boxed(),
    };
    match ty {
        Ty::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Ty::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Ty::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Ty::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Ty::S64 => prop_oneof![
            any::<i64>(),
            select(vec![i64::MIN, i64::MAX, 0, (1 << 53) + 1])
        ]
        .prop_map(Value::S64)
        .boxed(),
        Ty::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Ty::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Ty::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Ty::U64 => prop_oneof![any::<u64>(), select(vec![u64::MAX, (1 << 53) + 1])]
            .prop_map(Value::U64)
            .boxed(),
        Ty::F32 => f32s().prop_map(Value::F32).boxed(),
        Ty::F64 => f64s().prop_map(Value::F64).boxed(),
        Ty::Char => any::<char>().prop_map(Value::Char).boxed(),
        Ty::String => any::<String>().prop_map(Value::String).boxed(),
        Ty::Bytes => vec(any::<u8>(), 0..20).prop_map(Value::Bytes).boxed(),
        Ty::List(item) => vec(value(item), 0..4).prop_map(Value::List).boxed(),
        Ty::FixedList(item, length) => vec(value(item), *length as usize)
            .prop_map(Value::FixedList)
            .boxed(),
        Ty::Map(key, of) => {
            let key = (**key).clone();
            // Keys differ, as they do in a map: their JSON tells them apart.
            let form = move |value: &Value| to_json(&key, value).to_string();
            vec((value(ty_key(ty)), value(of)), 0..4)
                .prop_map(move |pairs| {
                    let mut seen = BTreeSet::new();
                    let unique = pairs.into_iter().filter(|(key, _)| seen.insert(form(key)));
                    Value::Map(unique.collect())
                })
                .boxed()
        }
        Ty::Tuple(types) => types
            .iter()
            .map(value)
            .collect::<Vec<_>>()
            .prop_map(Value::Tuple)
            .boxed(),
        Ty::Record(record) => {
            let fields: Vec<_> = record
                .members
                .iter()
                .map(|field| value(&field.ty))
                .collect();
            fields.prop_map(Value::Record).boxed()
        }
        Ty::Variant(variant) => {
            let cases: Vec<BoxedStrategy<Value>> = variant
                .members
                .iter()
                .enumerate()
                .map(|(case, member)| {
                    payload(&member.ty.clone().map(Arc::new))
                        .prop_map(move |payload| Value::Variant { case, payload })
                        .boxed()
                })
                .collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        Ty::Enum(labels) => (0..labels.members.len()).prop_map(Value::Enum).boxed(),
        Ty::Flags(labels) => {
            let names: Vec<String> = labels
                .members
                .iter()
                .map(|label| label.name.clone())
                .collect();
            vec(any::<bool>(), names.len())
                .prop_map(move |set| {
                    let chosen = names.iter().zip(set).filter(|(_, set)| *set);
                    Value::Flags(chosen.map(|(name, _)| name.clone()).collect())
                })
                .boxed()
        }
        Ty::Option(inner) => proptest::option::of(boxed(inner))
            .prop_map(Value::Option)
            .boxed(),
        Ty::Result { ok, err } => prop_oneof![
            payload(ok).prop_map(|payload| Value::Result(Ok(payload))),
            payload(err).prop_map(|payload| Value::Result(Err(payload))),
        ]
        .boxed(),
    }
}

fn ty_key(ty: &Ty) -> &Ty {
    match ty {
        Ty::Map(key, _) => key,
        _ => unreachable!("only asked of maps"),
    }
}

/// A type and a value of it.
pub(super) fn with_value() -> impl Strategy<Value = (Ty, Value)> {
    ty().prop_flat_map(|ty| {
        let value = value(&ty);
        (Just(ty), value)
    })
}

fn function() -> impl Strategy<Value = Function> {
    (names(5), vec(ty(), 5), proptest::option::of(ty())).prop_map(|(names, types, result)| {
        Function {
            export: vec!["f".to_owned()],
            name: "f".to_owned(),
            docs: None,
            params: names.into_iter().zip(types).collect(),
            result,
            is_async: false,
        }
    })
}

/// A function, arguments for it and what it might return.
pub(super) fn with_call() -> impl Strategy<Value = (Function, Vec<Value>, Option<Value>)> {
    function().prop_flat_map(|f| {
        let params: Vec<_> = f.params.iter().map(|(_, ty)| value(ty)).collect();
        let result = match &f.result {
            Some(ty) => value(ty).prop_map(Some).boxed(),
            None => Just(None).boxed(),
        };
        (Just(f), params, result)
    })
}

/// Any JSON, of the kinds of values that come near to what types take.
pub(super) fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-300_i64..300).prop_map(Json::from),
        (-300_i64..300).prop_map(|whole| json!(whole as f64)),
        any::<f64>().prop_map(|float| json!(float)),
        any::<String>().prop_map(Json::from),
        "[0-9]{1,21}".prop_map(Json::from),
        "-?[0-9]{1,3}".prop_map(Json::from),
        "[A-Za-z0-9+/]{0,8}={0,2}".prop_map(Json::from),
        select(vec![
            "NaN",
            "Infinity",
            "-Infinity",
            "-0",
            "a",
            "b",
            "x",
            "é"
        ])
        .prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Json::from),
            btree_map(name(), inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}
