//! The glue that the shipped plugins share: a plugin is a list of [`Tool`]s, each a plain Rust function from typed
//! arguments to a typed result, and [`export!`] turns that list into the exports of the `toolhatch:plugin` world.
//!
//! Compiled for anything but WebAssembly, the glue vanishes: the same functions run and are tested natively, [`log`]
//! writes nowhere and [`progress`] reports to nobody.

#[cfg(target_arch = "wasm32")]
mod component;
mod error;
mod report;
mod tool;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use component::{bindings, call_tool, list_tools};
pub use error::{ToolError, is_denial};
pub use report::{Level, log, progress};
pub use tool::{Output, Tool, run};

/// Exports a list of tools (`&'static [Tool]`) as the component's `tools` interface.
#[macro_export]
macro_rules! export {
    ($tools:expr) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Component;

            impl $crate::bindings::exports::toolhatch::plugin::tools::Guest for Component {
                fn list_tools() -> Vec<$crate::bindings::toolhatch::plugin::types::ToolInfo> {
                    $crate::list_tools($tools)
                }

                fn call_tool(
                    name: String,
                    arguments: String,
                    _context: $crate::bindings::toolhatch::plugin::types::CallContext,
                ) -> Result<
                    $crate::bindings::toolhatch::plugin::types::Outcome,
                    $crate::bindings::toolhatch::plugin::types::ToolError,
                > {
                    $crate::call_tool($tools, &name, &arguments)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
