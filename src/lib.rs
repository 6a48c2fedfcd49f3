//! Toolhatch runs the tools of AI agents behind one gate.
//!
//! Modules, each of which uses only those above it:

pub mod error;
pub mod exit_code;
pub mod fsx;
pub mod ids;
pub mod web;

pub mod config;
pub mod manifest;
pub mod permission;
pub mod policy;
pub mod resilience;
pub mod schema;

pub mod audit;
pub mod changes;
pub mod exec;
pub mod pins;
pub mod registry;
pub mod store;

pub mod dist;
pub mod embedding;
pub mod host;

pub mod invoke;

pub mod app;

pub mod author;

pub mod mcp;

pub mod cli;
