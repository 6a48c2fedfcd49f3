//! Servers that others wrote, as sources of tools.

mod adding;
mod http;
mod stdio;
