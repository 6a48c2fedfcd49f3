//! A component without a manifest that does what a stranger's tool might: it reads what it should not, connects to where
//! it should not, takes more than it should, and returns values of every type.
//!
//! The integration tests of Toolhatch call it; it is built to `tests/fixtures/guests/probe.wasm` and never shipped. Files
//! are used in two ways: through the standard library, as ordinary plugins do, and by calling `wasi:filesystem` itself,
//! because a library tidies up the paths that an attacker would send.
#![cfg(target_arch = "wasm32")]

mod act;
mod command;
mod echo;
mod file_call;
mod http;
mod life;
mod load;
mod sockets;

/// What is exported.
mod tools {
    wit_bindgen::generate!({
        path: "wit",
        world: "probe",
        default_bindings_module: "crate::tools",
    });
}

/// What is imported besides what the standard library imports.
mod wasi {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package probe:imports;
            world imports {
                import wasi:clocks/monotonic-clock@0.2.12;
                import wasi:clocks/wall-clock@0.2.12;
                import wasi:random/random@0.2.12;
                import wasi:filesystem/preopens@0.2.12;
                import wasi:filesystem/types@0.2.12;
                import wasi:http/outgoing-handler@0.2.12;
                import wasi:sockets/instance-network@0.2.12;
                import wasi:sockets/ip-name-lookup@0.2.12;
                import wasi:sockets/tcp-create-socket@0.2.12;
                import wasi:sockets/udp-create-socket@0.2.12;
                import toolhatch:plugin/exec@0.1.0;
                import toolhatch:plugin/state@0.1.0;
                import toolhatch:plugin/invoke@0.1.0;
            }
        ",
        world: "probe:imports/imports",
        generate_all,
    });
}

struct Component;

#[expect(
    unsafe_code,
    reason = "the exports are raw functions, and the macro writes them into this crate"
)]
mod exported {
    crate::tools::export!(Component with_types_in crate::tools);
    use crate::Component;
}
