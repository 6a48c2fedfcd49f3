//! The interfaces of `wit/` as wit-bindgen writes them down: what the rest of this crate is made of.
//!
//! A plugin that has nothing but tools never needs them. They are here for what has no words of its own in this crate:
//! prompts, resources and completions, which a plugin may export besides its tools. It writes a world with these exports,
//! shares the types with this crate, and implements the traits that come out:
//!
//! ```text
//! mod bindings {
//!     toolhatch_plugin::wit_bindgen::generate!({
//!         // The copy of the SDK beside the plugin, see its folder `wit`.
//!         path: "vendor/toolhatch-plugin/wit",
//!         inline: "
//!             package my:plugin;
//!             world mine { export toolhatch:plugin/prompts@0.1.0; }
//!         ",
//!         world: "my:plugin/mine",
//!         with: { "toolhatch:plugin/types@0.1.0": toolhatch_plugin::bindings::toolhatch::plugin::types },
//!         runtime_path: "toolhatch_plugin::wit_bindgen::rt",
//!         generate_all,
//!     });
//! }
//!
//! struct Mine;
//!
//! impl bindings::exports::toolhatch::plugin::prompts::Guest for Mine { /* … */ }
//!
//! bindings::export!(Mine with_types_in bindings);
//! ```
//!
//! [`Call`](crate::Call), [`ToolError`](crate::ToolError) and [`Questions`](crate::Questions) convert from and to the types
//! here. Outside of a host the types can be used, and the functions cannot be called.
#![expect(
    missing_docs,
    reason = "generated from wit/, where everything is documented"
)]

wit_bindgen::generate!({
    path: "wit",
    inline: "
        package toolhatch:sdk;

        world sdk {
            import toolhatch:plugin/log@0.1.0;
            import toolhatch:plugin/progress@0.1.0;
            import toolhatch:plugin/exec@0.1.0;
            import toolhatch:plugin/state@0.1.0;
            import toolhatch:plugin/invoke@0.1.0;
            import wasi:http/outgoing-handler@0.2.12;
            import wasi:config/store@0.2.0-rc.1;

            export toolhatch:plugin/tools@0.1.0;
        }
    ",
    world: "toolhatch:sdk/sdk",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "toolhatch_plugin::bindings",
    additional_derives: [PartialEq],
    additional_derives_ignore: ["stream-error"],
});
