//! The Model Context Protocol, both ways.

mod asking;
mod bridge;
mod http;
mod oauth;
mod peers;
mod principals;
mod serving;
mod stdio;
