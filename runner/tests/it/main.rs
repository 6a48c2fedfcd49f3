//! The runner as a process: driven over its pipes, in a PID namespace of its own.
//!
//! Tests of one subject are one file here; what they share is in `support`.

#[cfg(test)]
mod support {
    //! What the tests share.

    pub mod json;
    pub mod namespace;
    pub mod random;
    pub mod session;
}

#[cfg(test)]
mod descendants;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod output;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod tmp;
#[cfg(test)]
mod tunnel;
