//! The host's side of what a guest imports: one capability a file, each a context, a view that borrows it, and the traits
//! implemented on the view.

pub(super) mod exec;
pub(super) mod filesystem;
pub(super) mod http;
pub(super) mod invoke;
pub(super) mod log;
pub(super) mod lookup;
pub(super) mod progress;
pub(super) mod state;
