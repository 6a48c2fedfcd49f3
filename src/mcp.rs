//! The Model Context Protocol: servers of others as sources of tools, and our tools for the clients of others.
//!
//! The only place that names rmcp. The two sides meet in the registry and the pipeline, and nowhere else.

pub mod bridge;
