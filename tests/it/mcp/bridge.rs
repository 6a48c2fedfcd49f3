//! Servers that others wrote, as sources of tools.

mod adding;
mod drift;
mod http;
mod importing;
mod login;
mod stdio;
