//! Tools for AI agents, written as typed functions and run by Toolhatch in a
//! sandbox.
//!
//! A tool is an ordinary function with a doc comment. Its schemas come from its types, and what its parameters say in
//! their doc comments is what agents read:
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Serialize;
//! use toolhatch_plugin::{Result, ToolError, tool};
//!
//! /// A greeting.
//! #[derive(Debug, Serialize, JsonSchema)]
//! struct Greeting {
//!     /// What to say.
//!     greeting: String,
//! }
//!
//! /// Greets somebody by name.
//! #[tool]
//! fn greet(
//!     /// Whom to greet.
//!     #[schemars(example = &"Ada")]
//!     name: String,
//!     /// How often.
//!     #[serde(default = "once")]
//!     #[schemars(range(min = 1, max = 10))]
//!     times: usize,
//! ) -> Result<Greeting> {
//!     if name.trim().is_empty() {
//!         return Err(ToolError::invalid_arguments("`name` is empty"));
//!     }
//!     let greeting = vec![format!("Hello, {name}!"); times].join(" ");
//!     Ok(Greeting { greeting })
//! }
//!
//! fn once() -> usize {
//!     1
//! }
//!
//! toolhatch_plugin::plugin!(greet);
//! # fn main() {}
//! ```
//!
//! Tests call the function as it is, natively and without a host:
//!
//! ```text
//! #[test]
//! fn greets_by_name() {
//!     assert_eq!(greet("Ada".to_owned(), 1).unwrap().greeting, "Hello, Ada!");
//! }
//! ```
//!
//! What a tool may use besides the standard library, whose files, clocks and environment are those that the host grants:
//!
//! * [`log`] and [`progress`], to tell what is going on;
//! * [`http`], to make requests; [`exec`], to run commands in containers; [`invoke`], to call other tools;
//! * [`state`], to remember something; [`config`], to read what the operator configured;
//! * [`Call`], to know the call and to ask a person in the middle of it;
//! * [`Reply`], to return blocks of content with a value, such as a text or a picture.
//!
//! Everything that reaches out of the sandbox has to be granted. What is denied becomes [`ToolError::NotPermitted`] by
//! `?`, and the host tells people how to grant it. [`testing`] has what tests need in place of a host.

// The macros name this crate as plugins see it.
extern crate self as toolhatch_plugin;

pub mod bindings;
mod call;
pub mod config;
mod content;
mod error;
pub mod exec;
pub mod http;
pub mod invoke;
#[macro_use]
pub mod log;
mod outcome;
pub mod progress;
mod question;
mod reply;
mod schema;
pub mod state;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod tool;

pub use bindings::toolhatch::plugin::types::{
    Annotations, Askable, Audience, BlobContent, Content, EmbeddedResource, Outcome, ResourceBody,
    ResourceLink, TextContent, ToolInfo,
};
pub use call::Call;
pub use error::{Context, ToolError, is_denial};
pub use question::{Answer, Question, Questions};
pub use reply::Reply;
pub use tool::Tool;
pub use toolhatch_plugin_macros::tool;
pub use {schemars, serde, serde_json, wit_bindgen};

/// What a tool returns that may fail.
pub type Result<T, E = ToolError> = std::result::Result<T, E>;

// Its examples are compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the macros write, and nobody else names.
#[doc(hidden)]
pub mod __private {
    pub use crate::error::tool_error;
    pub use crate::outcome::Return;
    pub use crate::schema::input_schema;
    pub use crate::tool::{
        Entry, NoArguments, are_distinct, call_tool, list_tools, read_arguments,
    };
}

/// Exports tools: `plugin!(greet, shout)`, once in a plugin. Each is the path of a function that has
/// [`#[tool]`](macro@tool).
#[macro_export]
macro_rules! plugin {
    () => {
        ::core::compile_error!("name the tools of the plugin: `plugin!(greet, shout)`");
    };
    ($($tool:path),+ $(,)?) => {
        const _: () = {
            const TOOLS: &[$crate::__private::Entry] = &[$($crate::__private::Entry::of::<$tool>()),+];
            const _: () = ::core::assert!(
                $crate::__private::are_distinct(TOOLS),
                "two tools of this plugin have the same name"
            );

            #[cfg(target_arch = "wasm32")]
            const _: () = {
                struct Component;

                impl $crate::bindings::exports::toolhatch::plugin::tools::Guest for Component {
                    fn list_tools() -> ::std::vec::Vec<$crate::ToolInfo> {
                        $crate::__private::list_tools(TOOLS)
                    }

                    fn call_tool(
                        name: ::std::string::String,
                        arguments: ::std::string::String,
                        context: $crate::bindings::toolhatch::plugin::types::CallContext,
                    ) -> ::core::result::Result<
                        $crate::Outcome,
                        $crate::bindings::toolhatch::plugin::types::ToolError,
                    > {
                        $crate::__private::call_tool(TOOLS, &name, &arguments, context)
                    }
                }

                $crate::bindings::export!(Component with_types_in $crate::bindings);
            };
        };
    };
}
