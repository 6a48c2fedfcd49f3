//! Tests that cannot run here: written down for `scripts/test`, so that nothing passes silently.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::Location;
use std::sync::Mutex;

/// The file that `scripts/test` reads what was left out from.
const LEFT_OUT: &str = "TOOLHATCH_TEST_LEFT_OUT";

/// Writes down that a test was left out: a word for what it needs, and what that is. Without somebody who reads it, it is
/// told once, past the capturing of output.
pub fn leave_out(word: &'static str, needs: &str, asked: &Location<'_>) {
    let thread = std::thread::current();
    // Tests that run one after the other do not have a thread each.
    let place = format!("{}:{}", asked.file(), asked.line());
    let test = thread.name().filter(|name| name.contains("::"));
    let line = format!("{word}: {}\n", test.unwrap_or(&place));
    if let Some(file) = std::env::var_os(LEFT_OUT) {
        let opened = OpenOptions::new().create(true).append(true).open(file);
        // In one piece: other tests add to it at the same time.
        opened
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("written");
        return;
    }
    static TOLD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if TOLD.lock().expect("not poisoned").insert(word) {
        let text = format!("left out: tests that need {needs}\n");
        drop(std::io::stderr().write_all(text.as_bytes()));
    }
}
