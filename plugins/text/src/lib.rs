//! `text`: compares, patches, searches, replaces, renders and measures texts that stand in the arguments.
//!
//! One tool a file. Nothing here reaches out of the sandbox, and the same arguments always give the same result.

mod diff;
mod find;
mod hunk;
mod lines;
mod patch;
mod pattern;
mod render;
mod replace;
mod stats;
#[cfg(test)]
mod testing;

toolhatch_plugin::plugin!(
    diff::diff,
    patch::patch,
    find::find,
    replace::replace,
    render::render,
    stats::stats
);
