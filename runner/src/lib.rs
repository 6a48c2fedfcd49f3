//! What Toolhatch and its runner inside of a container have in common: the [`protocol`] between them.
//!
//! The runner itself is the binary of this package. It is Linux alone, static, and needs nothing of the image it is put
//! into: no shell, no libc, no folder that can be written to.

pub mod protocol;
