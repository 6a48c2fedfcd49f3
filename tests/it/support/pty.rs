//! A pseudo-terminal with a pretended person at it, to answer prompts.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;

use super::process::{Output, Running};

/// The binary on a terminal of its own. What it shows is in `stdout` of its output, with `\r\n` at the ends of lines.
pub struct Terminal {
    running: Running,
    controller: File,
}

/// Opens a pseudo-terminal: the side of the person, and the side of the program.
pub fn open() -> (File, OwnedFd) {
    let controller = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)
        .expect("the system has pseudo-terminals");
    rustix::pty::grantpt(&controller).expect("granted");
    rustix::pty::unlockpt(&controller).expect("unlocked");
    let name = rustix::pty::ptsname(&controller, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let terminal = rustix::fs::open(&name, flags, Mode::empty()).expect("opened");
    // No other child that is started meanwhile may keep it open.
    rustix::io::fcntl_setfd(&controller, rustix::io::FdFlags::CLOEXEC).expect("set");
    (File::from(controller), terminal)
}

impl Terminal {
    pub(super) fn new(running: Running, controller: File) -> Self {
        Self {
            running,
            controller,
        }
    }

    /// Waits until the terminal has shown this text.
    pub fn expect(&self, text: &str) {
        self.running.wait_for(text);
    }

    /// Types a line, with the Enter key.
    pub fn answer(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Presses these keys and no others.
    pub fn press(&mut self, keys: &str) {
        self.controller
            .write_all(keys.as_bytes())
            .expect("the terminal takes it");
    }

    /// Waits until the binary ends.
    #[must_use = "assert how it ended, with `ok` or `fails_with`"]
    pub fn finish(self) -> Output {
        self.running.finish()
    }
}

#[cfg(test)]
mod tests {
    use crate::support::env::TestEnv;
    use crate::support::source::root;

    const FILES: &str = "plugins/dist/files.wasm";

    /// A workspace with a note in it, and the arguments that read it; nothing is said about what is allowed.
    fn note() -> (TestEnv, Vec<String>) {
        let env = TestEnv::new();
        env.write("note.txt", b"remember the milk");
        let plugin = root().join(FILES).to_string_lossy().into_owned();
        let call = ["call", &plugin, "read", "--arg", "path=/workspace/note.txt"];
        (env, call.map(str::to_owned).into())
    }

    #[test]
    fn a_person_is_asked_on_the_terminal_and_enter_means_no() {
        let (env, call) = note();
        let mut terminal = env.run(call).on_terminal();
        terminal.expect("[y/N]");
        // There is a question for each thing that is asked for.
        terminal.answer("\n\n\n");
        let output = terminal.finish().fails_with(3, "E3210");
        assert!(!output.stdout.contains("milk"), "{output}");
    }

    #[test]
    fn a_yes_at_the_terminal_grants_for_the_call() {
        let (env, call) = note();
        let mut terminal = env.run(call.clone()).on_terminal();
        terminal.expect("[y/N]");
        terminal.answer("y\n\n\n");
        let output = terminal.finish().ok();
        assert!(output.stdout.contains("milk"), "{output}");
        // Nobody is there to ask the second time, and nothing was kept.
        let output = env.run(call).fails_with(3, "E3210");
        assert!(!output.stdout.contains("milk"), "{output}");
    }

    #[test]
    fn what_is_piped_in_is_not_the_person() {
        let (env, call) = note();
        let mut terminal = env.run(call).stdin("y\ny\ny\n").on_terminal();
        terminal.expect("[y/N]");
        terminal.answer("n\nn\nn");
        terminal.finish().fails_with(3, "E3210");
    }
}
