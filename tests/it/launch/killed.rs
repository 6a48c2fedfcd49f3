//! `kill -9` of the process that has launched something: what it launched is gone as well.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Machine, Process, STUBBORN, ids, places, wait_until};
use crate::direct::is_enforced;
use crate::support::env::TestEnv;

/// The folder of the one that is killed, which is this binary, told to run only the first test below.
pub const FOLDER: &str = "TOOLHATCH_TEST_LAUNCH_IN";

/// Stands for Toolhatch: launches something and does not end by itself.
#[tokio::test]
async fn stands_for_the_one_that_is_killed() {
    // By itself it has nobody to be killed by.
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder).to_owned();
    let machine = match std::env::var(super::contained::HOST) {
        Ok(host) => super::contained::in_folder(folder, &host),
        Err(_) => super::direct::in_folder(folder, places()),
    };
    hold(&machine).await;
}

async fn hold(machine: &Machine) {
    let mut launched = machine.shell(STUBBORN).await;
    launched.program.ended().await;
}

/// A process that launches what stays, with these variables besides.
pub fn start(folder: &Path, more: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().expect("known"))
        .args([
            "launch::killed::stands_for_the_one_that_is_killed",
            "--exact",
        ])
        .env(FOLDER, folder)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started")
}

#[tokio::test]
async fn nothing_of_it_goes_on() {
    if !is_enforced() {
        return;
    }
    let env = TestEnv::new();
    let granted = env.path("granted");
    std::fs::create_dir_all(&granted).expect("created");
    let mut killed = start(&granted, &[]);
    let left: Vec<Process> = ids(&granted)
        .await
        .into_iter()
        .filter_map(Process::of)
        .collect();
    assert_eq!(left.len(), 3);
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    let folder = std::fs::read_to_string(granted.join("folder")).expect("written");
    let folder = Path::new(folder.trim());
    wait_until(|| !left.iter().any(Process::is_there) && !folder.exists()).await;
}
