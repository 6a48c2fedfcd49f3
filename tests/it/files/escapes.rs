//! Things that change while a guest looks at them.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::workspace;
use crate::support::probe;

/// Swaps a file for a link that leads out, as fast as it can, while a guest reads it over and over.
#[test]
fn a_link_that_is_swapped_in_between_look_and_use_leads_nowhere() {
    let probe = workspace();
    let data = probe.env.path("data");
    std::fs::rename(data.join("a.txt"), data.join("file")).expect("renamed");
    symlink("../outside/s.txt", data.join("link")).expect("linked");
    let stop = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for name in ["file", "link"] {
                    drop(std::fs::remove_file(data.join("swapped")));
                    if name == "file" {
                        std::fs::hard_link(data.join(name), data.join("swapped")).expect("linked");
                    } else {
                        symlink("../outside/s.txt", data.join("swapped")).expect("linked");
                    }
                }
            }
        });
        let line = json!({
            "tool": probe::file(), "name": "read-file", "args": {"path": "data/swapped"},
            "allow": ["file_read=data"],
        });
        let run = probe
            .env
            .run(["call", "--jsonl"])
            .stdin(format!("{line}\n").repeat(300));
        let output = run.output();
        stop.store(true, Ordering::Relaxed);
        output
    });
    let lines = output.json_lines();
    assert_eq!(lines.len(), 300, "{output}");
    for line in lines {
        let result = &line["structured"]["result"];
        assert!(result.is_null() || *result == "inside", "{line}");
    }
    probe.still_works();
}
