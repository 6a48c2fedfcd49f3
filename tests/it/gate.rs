//! The gate: policy, approval of single calls, and the record of it all.

mod approvals;
mod clock;
mod kills;
mod large;
mod log;
mod misuse;
mod operator;
mod outlets;
mod policies;
mod resilience;
mod state;
mod together;
mod trouble;
