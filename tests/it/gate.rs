//! The gate: policy, approval of single calls, and the record of it all.

mod approvals;
mod log;
mod policies;
mod resilience;
mod state;
