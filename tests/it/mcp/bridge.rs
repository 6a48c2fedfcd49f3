//! Servers that others wrote, as sources of tools.

mod adding;
mod asking;
mod changing;
mod drift;
mod http;
mod importing;
mod login;
mod stdio;
