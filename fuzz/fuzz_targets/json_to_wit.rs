//! Arguments from anywhere, read as values of WIT types: never a panic, and a value that was read is written back the same.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use toolhatch::schema::{Ty, from_json, parse_strict, to_json};

fn types() -> Vec<Ty> {
    let option = |ty| Ty::Option(Arc::new(ty));
    vec![
        Ty::Bool,
        Ty::U8,
        Ty::S64,
        Ty::U64,
        Ty::F32,
        Ty::F64,
        Ty::Char,
        Ty::String,
        Ty::Bytes,
        Ty::list(Ty::S16),
        Ty::FixedList(Arc::new(Ty::U32), 2),
        Ty::Map(Arc::new(Ty::String), Arc::new(Ty::U8)),
        Ty::Map(Arc::new(Ty::U8), Arc::new(Ty::String)),
        Ty::Tuple(vec![Ty::U8, Ty::String].into()),
        option(option(Ty::U8)),
        Ty::Result {
            ok: Some(Arc::new(Ty::U8)),
            err: None,
        },
    ]
}

fuzz_target!(|text: &str| {
    let Ok(json) = parse_strict(text) else { return };
    for ty in types() {
        if let Ok(value) = from_json(&ty, &json) {
            let written = to_json(&ty, &value);
            let again = from_json(&ty, &written).expect("what was written can be read");
            assert_eq!(to_json(&ty, &again), written);
        }
    }
});
