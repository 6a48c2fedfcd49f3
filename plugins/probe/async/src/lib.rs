//! The probe for WASI 0.3: what asynchronous components can do to files, the network and the clock.
//!
//! The integration tests of Toolhatch call it; it is built to `tests/fixtures/guests/probe-async.wasm` and never shipped.
#![cfg(target_arch = "wasm32")]

mod act;
mod files;
mod http;
mod sockets;

/// What is exported, and what is imported besides what the standard library imports.
mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package probe:whole;
            world whole {
                import wasi:clocks/monotonic-clock@0.3.0;
                import wasi:filesystem/preopens@0.3.0;
                import wasi:filesystem/types@0.3.0;
                import wasi:http/client@0.3.0;
                import wasi:sockets/ip-name-lookup@0.3.0;
                import wasi:sockets/types@0.3.0;
                include probe:concurrent/probe@0.1.0;
            }
        ",
        world: "probe:whole/whole",
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
    use crate::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The name of an error as WIT has it: `NotPermitted` is `not-permitted`.
fn name_of(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let name = text
        .rsplit_once("::")
        .map_or(text.as_str(), |(_, name)| name);
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase()
            && !kebab.is_empty()
            && kebab.ends_with(|last: char| last.is_ascii_lowercase())
        {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}
