//! The Model Context Protocol: servers of others as sources of tools, and what Toolhatch runs, offered to agents. The only
//! place that names rmcp.
//!
//! What is served and what is bridged meet in the registry and the pipeline, see `docs/design/007-mcp.md`.

#![expect(
    deprecated,
    reason = "messages, sampling and roots are deprecated from 2026-07-28 on, and what older peers have"
)]

pub mod bridge;
mod level;
pub mod server;
