//! The attribute `#[tool]` of the crate `toolhatch-plugin`, which re-exports and documents it.

mod attribute;
mod expand;
mod function;

use proc_macro::TokenStream;

/// Makes a tool of a function.
///
/// The function stays what it was: tests and other functions call it as before. Beside it appears a type of the same
/// name, by which `plugin!` exports the tool and `toolhatch_plugin::testing` calls
/// it as a host would.
///
/// * The **name** of the tool is that of the function in kebab-case, or `#[tool(name = "…")]`; people are shown
///   `#[tool(title = "…")]` where it is given.
/// * Its **description** is the doc comment of the function, up to the first heading. It has to be there: agents choose by
///   it.
/// * Its **arguments** are the parameters. A doc comment describes one; attributes of serde and schemars say more about
///   it: `#[serde(default)]`, `#[schemars(range(min = 1))]`, `#[schemars(example = &"…")]`. One of type `Option` may be
///   left out, and unknown ones are refused. Types need `Deserialize` and `JsonSchema`. Such attributes at the function are
///   about all arguments together: `#[schemars(example = json!({…}))]`.
/// * **Many arguments** are better a struct: `fn search(#[serde(flatten)] arguments: Search)`. Where that is the only
///   argument, unknown fields are for its type to refuse, with `#[serde(deny_unknown_fields)]`.
/// * A parameter of type `&Call` is no argument: it is what is known about the call.
/// * It **returns** a value that has `Serialize` and `JsonSchema`, or nothing; a `Reply`, which is a value with blocks of
///   content; a block of `Content`; or a `Result` of one of these. A value that is no JSON object goes under `"result"`.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::tool(attribute.into(), item.into()).into()
}
