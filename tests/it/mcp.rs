//! The Model Context Protocol, both ways.

mod bridge;
mod http;
mod oauth;
mod principals;
mod stdio;
