//! The Model Context Protocol, both ways.

mod bridge;
mod stdio;
