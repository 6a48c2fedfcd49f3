//! The tools, prompts and resources that the official MCP conformance suite asks a server for, by the names and with the
//! results that it fixes.
#![cfg(target_arch = "wasm32")]

mod answer;
mod asking;
mod content;
mod jobs;
mod prompts;
mod resources;
mod telling;
mod tools;

/// What is exported and imported.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package toolhatch:conformance;

            world conformance {
                include toolhatch:plugin/plugin@0.1.0;
                export toolhatch:plugin/prompts@0.1.0;
                export toolhatch:plugin/resources@0.1.0;
                export toolhatch:plugin/completions@0.1.0;
            }
        ",
        world: "toolhatch:conformance/conformance",
        generate_all,
        default_bindings_module: "crate::bindings",
    });
}

struct Component;

#[expect(
    unsafe_code,
    reason = "the exports are raw functions, and the macro writes them into this crate"
)]
mod exported {
    crate::bindings::export!(Component with_types_in crate::bindings);
    use crate::Component;
}
