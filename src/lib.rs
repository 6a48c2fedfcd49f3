//! Toolhatch runs the tools of AI agents behind one gate.

pub mod error;
pub mod exit_code;
pub mod ids;
pub mod fsx;

pub mod permission;
pub mod manifest;
pub mod schema;

pub mod exec;
pub mod host;
