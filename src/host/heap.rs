//! The memory of the process after something large was done in it.

/// Gives back to the system what was freed. Compiling a component of 18 MB takes some 250 MB, which glibc keeps for the next
/// time; a process that serves for days has no next time, since what it compiled is in the cache.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn give_back() {
    #[expect(unsafe_code, reason = "nothing wraps malloc_trim(3)")]
    // SAFETY: it may be called at any time, from any thread, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) const fn give_back() {}
