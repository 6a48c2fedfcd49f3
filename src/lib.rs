//! Toolhatch runs the tools of AI agents behind one gate.

pub mod error;
pub mod exit_code;
pub mod ids;
