//! The one integration test binary: everything here goes through the built `toolhatch`, or reads the project's own files. What
//! no command leads to yet (`launch`) goes through the library.
//!
//! Tests of one subject are one file here; what they share is in `support`.

#[cfg(test)]
mod support {
    //! What the tests share.

    pub mod docker;
    pub mod env;
    pub mod faults;
    pub mod guests;
    pub mod http;
    pub mod left_out;
    pub mod mcp_client;
    pub mod mcp_http;
    pub mod mcp_peer;
    pub mod namespace;
    pub mod plugin;
    pub mod probe;
    pub mod process;
    pub mod procfs;
    pub mod pty;
    pub mod source;
    pub mod sshd;
    pub mod toolchains;
    pub mod wit_text;
}

#[cfg(test)]
mod asking;
#[cfg(test)]
mod author;
#[cfg(test)]
mod call;
#[cfg(test)]
mod containers;
#[cfg(test)]
mod custom;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod docker;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod files;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod invoke;
#[cfg(test)]
mod launch;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod network;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod ssh;
#[cfg(test)]
mod state;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod wit;

/// A file that no `mod` names is not compiled, and its tests pass for ever.
#[test]
fn every_file_is_declared() {
    use support::source::{rust_files, text_of};

    let mut forgotten = Vec::new();
    for file in rust_files(&["src", "tests"]) {
        let Some((folder, name)) = file.path.trim_end_matches(".rs").rsplit_once('/') else {
            continue;
        };
        let parent = match folder {
            "src" => "src/lib.rs".to_owned(),
            // A second folder of tests would be a second binary to link.
            "tests" | "tests/it" | "tests/it/support" => "tests/it/main.rs".to_owned(),
            folder => format!("{folder}.rs"),
        };
        let is_root =
            ["src/lib.rs", "src/main.rs", "tests/it/main.rs"].contains(&file.path.as_str());
        if !is_root && !text_of(&parent).contains(&format!("mod {name};")) {
            forgotten.push(format!("{} in {parent}", file.path));
        }
    }
    assert_eq!(forgotten, Vec::<String>::new(), "declare them");
}
