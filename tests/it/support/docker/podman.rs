//! Podman as a service, with the image `busybox`: in folders of its own, ended when it is dropped.
//!
//! Where there is none, a test that needs it is written down as left out.

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::env::TestEnv;
use crate::support::left_out::leave_out;
use crate::support::process::Run;
use crate::support::source::root;

/// Under this name Podman has the image.
pub const IMAGE: &str = "localhost/toolhatch-test/busybox:1";

/// The service.
pub struct Podman {
    child: Child,
    /// Its path has to be short, so it is not below the target folder.
    folder: TempDir,
}

impl Podman {
    /// Starts it and loads the image.
    #[track_caller]
    pub fn start() -> Option<Self> {
        let can_run = |program: &str| {
            let asked = Command::new(program).arg("--version").output();
            asked.is_ok_and(|output| output.status.success())
        };
        // It runs containers with runc: crun refuses machines with both versions of control groups.
        let is_root = rustix::process::geteuid().is_root();
        if !is_root || !can_run("podman") || !can_run("runc") || !can_run("python3") {
            let needs = "root, podman, runc and python3; on Debian: apt-get install podman runc";
            leave_out("podman", needs, Location::caller());
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("thp.")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let mut service = command(folder.path());
        service
            .args(["system", "service", "--time=0"])
            .arg(format!("unix://{}", socket(folder.path()).display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("created"));
        let podman = Self {
            child: service.spawn().expect("it was there"),
            folder,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !socket(podman.folder.path()).exists() {
            assert!(Instant::now() < deadline, "Podman does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        let images = podman.folder.path().join("images");
        let built = Command::new(root().join("scripts/docker-images"))
            .arg("build")
            .arg(&images)
            .arg("busybox")
            .output()
            .expect("there is Python where there are images");
        assert!(built.status.success(), "{built:?}");
        let archive = images.join("images.tar").display().to_string();
        podman.must(&["load", "--quiet", "--input", &archive]);
        Some(podman)
    }

    fn must(&self, words: &[&str]) -> Output {
        let output = command(self.folder.path())
            .args(words)
            .output()
            .expect("run");
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    }

    /// Every container there is, by id.
    pub fn containers(&self) -> String {
        let output = self.must(&["ps", "--all", "--quiet"]);
        String::from_utf8(output.stdout).expect("ids")
    }

    /// The binary with these arguments, using this service.
    pub fn run(&self, env: &TestEnv, arguments: &[&str]) -> Run {
        let host = format!("unix://{}", socket(self.folder.path()).display());
        env.run(arguments).env("DOCKER_HOST", &host)
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        drop(
            command(self.folder.path())
                .args(["rm", "--all", "--force", "--time=0"])
                .output(),
        );
        drop(self.child.kill());
        drop(self.child.wait());
        // The folder cannot be removed while Podman has it mounted over itself.
        let store = self.folder.path().join("root/overlay");
        drop(Command::new("umount").arg(store).output());
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("podman.sock")
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    // Those that watch its containers leave a note where they began.
    command
        .current_dir(folder)
        .arg("--root")
        .arg(folder.join("root"))
        .arg("--runroot")
        .arg(folder.join("run"))
        .args([
            "--cgroup-manager=cgroupfs",
            "--runtime=runc",
            "--events-backend=none",
        ]);
    command
}
