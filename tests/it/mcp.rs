//! The Model Context Protocol, both ways.

mod bridge;
mod http;
mod peers;
mod stdio;
