//! A server that others wrote, in a container.

use super::{PATIENCE, Peers};
use crate::support::docker::{Docker, name};
use crate::support::env::{TestEnv, is_open};

/// On everything that belongs to Toolhatch; the volume with the runner stays.
const OURS: &str = "toolhatch.call";

#[test]
fn a_server_runs_in_a_container_and_nothing_is_left_of_it() {
    let Some(peers) = Peers::get() else { return };
    let Some(docker) = Docker::get() else { return };
    let env = TestEnv::new();
    let folder = peers.path("python");
    // Below somebody's home nobody else gets to it.
    let as_root = if is_open(&peers.folder) {
        ""
    } else {
        "allow_root = true\n"
    };
    let declared = format!(
        "{as_root}[mcp.servers.time]\nrun = \"container\"\nimage = \"{}\"\n\
         command = [\"{folder}/bin/python\", \"-m\", \"mcp_server_time\"]\nallow = [\"file_read={folder}\"]\n",
        name("python:1")
    );
    docker.configure(&env, &declared);
    let run = |words: &[&str]| docker.run(&env, words).timeout(PATIENCE);
    let tested = run(&["mcp", "test", "time", "--json"]).ok();
    assert_eq!(
        tested.json()["tools"].as_array().map(Vec::len),
        Some(2),
        "{tested}"
    );
    assert_eq!(tested.json()["era"], "modern", "{tested}");
    let arguments =
        r#"{"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}"#;
    let called = run(&["call", "time.convert_time", "--args", arguments]).ok();
    assert!(called.stdout.contains("T21:00:00+09:00"), "{called}");
    // Other tests have containers of their own at the same time.
    let left = docker.engine().containers(OURS);
    let ours = left
        .iter()
        .filter(|container| container["Mounts"].to_string().contains(&folder));
    assert_eq!(ours.count(), 0, "{left:?}");
}
