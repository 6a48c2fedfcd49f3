//! The browser of the person.

use std::process::{Command, Stdio};

use crate::config::Environment;
use crate::web::Endpoint;

/// Opens this page in the browser that `BROWSER` names, or the desktop's. False where there is none that could be started.
pub fn open(environment: &Environment, page: &Endpoint) -> bool {
    let own = environment.get("BROWSER").and_then(|value| value.to_str());
    // It can be a list; what stands first counts, with the page as its only argument: no shell reads either of them.
    let own = own.and_then(|list| list.split(':').find(|program| !program.is_empty()));
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| environment.get(name).is_some());
    let program = match own {
        Some(program) => program,
        None if cfg!(target_os = "macos") => "open",
        None if has_desktop => "xdg-open",
        None => return false,
    };
    let started = Command::new(program)
        .arg(page.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    // It may stay open as long as the person likes.
    started.is_ok()
}
