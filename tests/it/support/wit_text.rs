//! WIT as text: signatures and types, the way an author would write them.

use wit_parser::{Function, Resolve, Type, TypeDefKind, TypeId};

/// A function with its parameters and result: `get: func(key: string) -> option<string>`.
pub fn function(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, ty(resolve, &param.ty)))
        .collect();
    let result = function
        .result
        .map(|result| format!(" -> {}", ty(resolve, &result)))
        .unwrap_or_default();
    format!("{}: func({}){result}", function.name, params.join(", "))
}

/// What a named type is, on one line: `record pair { left: u8, right: u8 }`.
pub fn definition(resolve: &Resolve, id: TypeId) -> String {
    match parts(resolve, id) {
        (head, members) if members.is_empty() => head,
        (head, members) => format!("{head} {{ {} }}", members.join(", ")),
    }
}

/// The same with a line for each member.
pub fn long_definition(resolve: &Resolve, id: TypeId) -> String {
    match parts(resolve, id) {
        (head, members) if members.is_empty() => head,
        (head, members) => format!("{head} {{\n    {},\n}}", members.join(",\n    ")),
    }
}

/// What a type begins with, and its members.
fn parts(resolve: &Resolve, id: TypeId) -> (String, Vec<String>) {
    let def = &resolve.types[id];
    let name = def.name.as_deref().unwrap_or_default();
    let payload = |ty_of: &Option<Type>| {
        ty_of
            .map(|inner| format!("({})", ty(resolve, &inner)))
            .unwrap_or_default()
    };
    let (keyword, members): (&str, Vec<String>) = match &def.kind {
        TypeDefKind::Record(record) => (
            "record",
            record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, ty(resolve, &field.ty)))
                .collect(),
        ),
        TypeDefKind::Variant(variant) => (
            "variant",
            variant
                .cases
                .iter()
                .map(|case| format!("{}{}", case.name, payload(&case.ty)))
                .collect(),
        ),
        TypeDefKind::Enum(cases) => (
            "enum",
            cases.cases.iter().map(|case| case.name.clone()).collect(),
        ),
        TypeDefKind::Flags(flags) => (
            "flags",
            flags.flags.iter().map(|flag| flag.name.clone()).collect(),
        ),
        other => {
            return (
                format!("type {name} = {}", kind(resolve, other)),
                Vec::new(),
            );
        }
    };
    (format!("{keyword} {name}"), members)
}

/// A type as it stands in a signature.
pub fn ty(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::U16 => "u16".into(),
        Type::U32 => "u32".into(),
        Type::U64 => "u64".into(),
        Type::S8 => "s8".into(),
        Type::S16 => "s16".into(),
        Type::S32 => "s32".into(),
        Type::S64 => "s64".into(),
        Type::F32 => "f32".into(),
        Type::F64 => "f64".into(),
        Type::Char => "char".into(),
        Type::String => "string".into(),
        Type::ErrorContext => "error-context".into(),
        Type::Id(id) => match &resolve.types[*id] {
            named if named.name.is_some() => named.name.clone().unwrap_or_default(),
            anonymous => kind(resolve, &anonymous.kind),
        },
    }
}

fn kind(resolve: &Resolve, kind: &TypeDefKind) -> String {
    match kind {
        TypeDefKind::Type(inner) => ty(resolve, inner),
        TypeDefKind::List(inner) => format!("list<{}>", ty(resolve, inner)),
        TypeDefKind::Option(inner) => format!("option<{}>", ty(resolve, inner)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|inner| ty(resolve, inner)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) => {
            let side = |inner: &Option<Type>| inner.map(|inner| ty(resolve, &inner));
            match (side(&result.ok), side(&result.err)) {
                (None, None) => "result".into(),
                (Some(ok), None) => format!("result<{ok}>"),
                (ok, Some(err)) => format!("result<{}, {err}>", ok.unwrap_or_else(|| "_".into())),
            }
        }
        other => panic!("the WIT of ours has no {other:?} yet: say here how it is written"),
    }
}
