//! The `toolhatch` binary: everything lives in the library.

fn main() -> std::process::ExitCode {
    grow_heaps_in_large_steps();
    toolhatch::cli::main()
}

/// glibc gives each thread a heap that grows by a page at a time, each time with a system call that holds up page faults of
/// all other threads: a tenth of what one call of one process takes. Addresses that are not used cost nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn grow_heaps_in_large_steps() {
    const STEP: libc::c_int = 1 << 20;
    #[expect(
        unsafe_code,
        reason = "the parameter and its range are those of mallopt(3)"
    )]
    // SAFETY: no other thread runs yet, and the call only sets a number.
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, STEP);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn grow_heaps_in_large_steps() {}
