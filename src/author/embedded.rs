//! The files that are written into new projects, as paths and texts; `build.rs` lists them.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
