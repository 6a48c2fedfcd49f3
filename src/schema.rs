//! WIT types ↔ JSON Schema ↔ JSON values, and JSON Schema validation.
//!
//! A custom tool is a function that a component exports. [`read_component`] finds those functions and their types
//! without compiling anything; [`json_schema`] says in JSON Schema what a call takes and gives; [`convert`] turns the
//! JSON of a call into values of the WIT types and back, losing nothing. Plugins and bridged servers bring their own
//! schemas: [`Validator`] checks against those.
//!
//! | WIT | JSON |
//! |---|---|
//! | `bool`, `string`, `char` | boolean, string, string of one scalar value |
//! | integers to 32 bits | integer (`2.0` is 2) |
//! | `u64`, `s64` | integer, exact; a decimal string is read too |
//! | `f32`, `f64` | number, or `"NaN"`, `"Infinity"`, `"-Infinity"`; −0 is kept |
//! | `list<u8>`, other lists | base64 string, array |
//! | `tuple`, `record` | array, object (`option` fields may be absent) |
//! | `option` | null or the value; in an option: null, `{"some": …}` |
//! | `variant` | `{"tag": …, "value": …}` |
//! | `enum`, `flags` | string, array of unique strings |
//! | `map<string, V>`, other maps | object, array of pairs |
//! | `result` as return | the value, or the tool's error |
//! | `result` elsewhere | `{"ok": …}` or `{"err": …}` |
//!
//! Nothing here names the WASM engine: the host maps [`Value`] to its own values one to one.

pub mod artifact;
mod canonical;
pub mod coerce;
pub mod component;
pub mod convert;
mod dialect;
pub mod docs;
pub mod json_schema;
pub mod lenient;
mod param_docs;
mod preview;
pub mod strict_json;
pub mod validate;
pub mod wit;

pub use canonical::canonical;
pub use coerce::coerce_arg;
pub use component::{Interface, read_component};
pub use convert::{
    ConvertError, Returned, arguments_from_json, from_json, result_to_json, to_json,
};
pub use dialect::as_2020_12;
pub use docs::{Docs, write_package_docs};
pub use json_schema::{input_schema, of_type, output_schema};
pub use lenient::lenient;
pub use strict_json::parse_strict;
pub use validate::{Validator, warm_up};
pub use wit::{Case, Field, Function, Label, Named, Ty, Value};

#[cfg(test)]
mod property_tests;
