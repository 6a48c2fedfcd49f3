//! The Model Context Protocol, both ways.

mod asking;
mod bridge;
mod http;
mod limits;
mod oauth;
mod peers;
mod principals;
mod recorded;
mod serving;
mod stdio;
