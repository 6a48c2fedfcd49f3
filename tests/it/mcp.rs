//! The Model Context Protocol, both ways.

mod asking;
mod bridge;
mod http;
mod oauth;
mod principals;
mod serving;
mod stdio;
