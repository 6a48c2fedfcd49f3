//! Walks folder trees in a fixed order, and matches paths against globs: what the shipped plugins share about files.
//!
//! Symbolic links are reported and never followed, so a walk ends and stays where it was sent.

mod glob;
mod time;
mod walk;

pub use glob::{Glob, GlobError};
pub use time::rfc3339;
pub use walk::{Entry, Kind, Trouble, Walk, Walked};
