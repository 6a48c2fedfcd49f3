//! The `toolhatch` binary: everything lives in the library.

fn main() -> std::process::ExitCode {
    toolhatch::cli::main()
}
