//! The tools, prompts and resources that the official MCP conformance suite asks a server for, by the names and with the
//! results that it fixes.

mod answer;
mod asking;
mod content;
mod jobs;
mod prompts;
mod resources;
mod telling;

/// What is exported besides tools.
mod bindings {
    toolhatch_plugin::wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package toolhatch:conformance;

            world conformance {
                export toolhatch:plugin/prompts@0.1.0;
                export toolhatch:plugin/resources@0.1.0;
                export toolhatch:plugin/completions@0.1.0;
            }
        ",
        world: "toolhatch:conformance/conformance",
        with: { "toolhatch:plugin/types@0.1.0": toolhatch_plugin::bindings::toolhatch::plugin::types },
        runtime_path: "toolhatch_plugin::wit_bindgen::rt",
        generate_all,
    });
}

/// Prompts and resources are functions of it.
struct Component;

#[cfg(target_arch = "wasm32")]
#[expect(
    unsafe_code,
    reason = "the exports are raw functions, and the macro writes them into this crate"
)]
mod exported {
    use crate::Component;
    crate::bindings::export!(Component with_types_in crate::bindings);
}

toolhatch_plugin::plugin!(
    telling::simple_text,
    telling::image,
    telling::audio,
    telling::resource,
    telling::mixed,
    telling::logging,
    telling::log_once,
    telling::reports,
    telling::fails,
    telling::reconnection,
    telling::contact,
    telling::header,
    asking::sample,
    asking::elicitation,
    asking::defaults,
    asking::enums,
    asking::streaming,
    asking::missing_capability,
    asking::name,
    asking::capital,
    asking::list_roots,
    asking::request_state,
    asking::several,
    asking::rounds,
    asking::tampered_state,
    asking::only_what_can_be_asked,
    jobs::greet,
    jobs::slow_compute,
    jobs::failing_job,
    jobs::protocol_error_job,
    jobs::confirm_delete,
    jobs::multi_input,
    jobs::with_task,
);
