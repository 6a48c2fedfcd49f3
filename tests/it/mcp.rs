//! The Model Context Protocol, both ways.

mod stdio;
