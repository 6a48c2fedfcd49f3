//! The Model Context Protocol, both ways.

mod asking;
mod bridge;
mod http;
mod serving;
mod stdio;
