//! The Model Context Protocol, both ways.

mod http;
mod stdio;
