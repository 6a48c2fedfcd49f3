//! The author kit: a new plugin from a template, its build from sources to a component, its example calls, and what a call
//! taught about the permissions it takes.
//!
//! What is written here runs on the author's own machine, with the author's own rights: compilers are not confined. The
//! plugin that comes out of them is, from its first call on.

pub mod amend;
pub mod build;
mod embedded;
pub mod example;
pub mod language;
pub mod learn;
pub mod strip;
pub mod template;
pub mod toolchain;
pub mod wassette;
