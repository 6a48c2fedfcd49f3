//! The Docker daemon of the tests, with its images and its registry, as `scripts/docker start` made them.
//!
//! A test that needs it begins with `let Some(docker) = Docker::get() else { return };`. Where there is none, that very
//! question writes the test down as left out, and `scripts/test` tells how many there were: nothing passes silently.

pub mod engine;
pub mod podman;
pub mod registry;

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

use self::engine::{Engine, status};
use self::registry::Registry;
use super::env::TestEnv;
use super::http::Message;
use super::left_out::leave_out;
use super::process::Run;
use super::source::root;

/// Where the daemon listens: `unix://` and the path of its socket, as `scripts/docker start` prints it.
const DOCKER: &str = "TOOLHATCH_TEST_DOCKER";
/// `127.0.0.1` and the port of its registry.
const REGISTRY: &str = "TOOLHATCH_TEST_REGISTRY";

/// A Docker daemon that has the test images.
pub struct Docker {
    /// What `scripts/docker` keeps it in.
    folder: PathBuf,
    registry: String,
    /// `digests.json`.
    images: Value,
    /// `tcp://` and the address, where it is talked to over that.
    tcp: Option<String>,
}

impl Docker {
    /// The daemon that the tests share. Where there is none, the test that asks is written down as left out, and ends.
    ///
    /// One that was named but does not answer is a failure.
    #[track_caller]
    pub fn get() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Docker>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let host = std::env::var(DOCKER).ok()?;
            let socket = host.strip_prefix("unix://").expect("a Unix socket");
            let folder = Path::new(socket).parent().expect("it is in a folder");
            let docker = Self::open(folder, std::env::var(REGISTRY).unwrap_or_default());
            docker.engine().must("GET", "/version", None);
            Some(docker)
        });
        if shared.is_none() {
            let needs = format!("Docker, because {DOCKER} is not set; see scripts/docker --help");
            leave_out("docker", &needs, Location::caller());
        }
        shared.as_ref()
    }

    /// A daemon of this test alone, which may be killed. It has the image `busybox` and no registry.
    pub fn private() -> Private {
        Private::start(None)
    }

    /// The same, talked to over TCP, so that it is taken to be another machine.
    pub fn private_over_tcp() -> Private {
        Private::start(Some("--tcp"))
    }

    /// The same, talked to over TLS: each knows the other by a certificate.
    pub fn private_over_tls() -> Private {
        Private::start(Some("--tls"))
    }

    fn open(folder: &Path, registry: String) -> Self {
        let file = folder.join("digests.json");
        let text = std::fs::read(&file).unwrap_or_else(|error| {
            let file = file.display();
            panic!("{file}: {error}; {DOCKER} has to be what scripts/docker start prints")
        });
        Self {
            folder: folder.to_owned(),
            registry,
            images: serde_json::from_slice(&text).expect("JSON"),
            tcp: None,
        }
    }

    /// The value of `DOCKER_HOST`.
    pub fn host(&self) -> String {
        let socket = || format!("unix://{}", self.socket().display());
        self.tcp.clone().unwrap_or_else(socket)
    }

    /// The path of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Its API.
    pub fn engine(&self) -> Engine {
        Engine::new(&self.socket())
    }

    /// The binary with these arguments, using this daemon.
    pub fn run<I>(&self, env: &TestEnv, arguments: I) -> Run
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
    {
        let run = env.run(arguments).env("DOCKER_HOST", &self.host());
        let certificates = self.certificates();
        if self.tcp.is_none() || !certificates.exists() {
            return run;
        }
        let certificates = certificates.to_string_lossy().into_owned();
        run.env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", &certificates)
    }

    /// The folder with what whoever talks to it over TLS is known by, and knows it by.
    pub fn certificates(&self) -> PathBuf {
        self.folder.join("tls")
    }

    /// Writes the configuration of a user whose tools run in the image `busybox`, which is never pulled; `more` is what
    /// else is to stand in `[docker]`, and after it in the file.
    pub fn configure(&self, env: &TestEnv, more: &str) {
        let image = name("busybox:1");
        let text = format!("[docker]\nimage = \"{image}\"\nimage_pull_policy = \"never\"\n{more}");
        env.write(env.user_config(), text.as_bytes());
    }

    /// The id of an image, `busybox:1`.
    pub fn id(&self, image: &str) -> &str {
        self.images["images"][image]["id"].as_str().expect("known")
    }

    /// The digest of an image in the registry.
    pub fn digest(&self, image: &str) -> &str {
        let digest = &self.images["images"][image]["digest"];
        digest.as_str().expect("known")
    }

    /// The names of the images that the daemon has from the start, without `toolhatch-test/`.
    pub fn local_images(&self) -> Vec<&str> {
        let images = self.images["images"].as_object().expect("a table");
        let local = images.iter().filter(|(_, image)| image["local"] == true);
        local.map(|(name, _)| name.as_str()).collect()
    }

    /// The name of an image in the registry: `127.0.0.1:5000/toolhatch-test/moved:1`.
    pub fn remote(&self, image: &str) -> String {
        assert!(!self.registry.is_empty(), "{REGISTRY} is not set");
        format!("{}/{}", self.registry, name(image))
    }

    /// A registry with the same images that wants a login.
    pub fn registry_with_login(&self, env: &TestEnv) -> Registry {
        Registry::start(&self.folder.join("registry-data"), &env.path("../registry"))
    }

    /// Lets a tag of the registry, `moved:mine`, stand for the image of this digest in the same repository. Tests run side
    /// by side: each moves a tag of its own.
    pub fn tag(&self, image: &str, digest: &str) {
        let (repository, tag) = image.split_once(':').expect("a tag");
        let path = format!("/v2/{}/manifests", name(repository));
        let accept = "application/vnd.docker.distribution.manifest.v2+json, \
                      application/vnd.docker.distribution.manifest.list.v2+json";
        let found = self.ask_registry("GET", &format!("{path}/{digest}"), ("accept", accept), b"");
        let kind = found.header("content-type").expect("a type").to_owned();
        let put = format!("{path}/{tag}");
        self.ask_registry("PUT", &put, ("content-type", &kind), &found.body);
    }

    fn ask_registry(
        &self,
        method: &str,
        target: &str,
        (name, value): (&str, &str),
        body: &[u8],
    ) -> Message {
        let mut stream = TcpStream::connect(&self.registry).expect("the registry listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("set");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{name}: {value}\r\ncontent-length: {}\r\n\r\n",
            self.registry,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let answer = Message::read(&mut BufReader::new(stream)).expect("answered");
        assert!(
            (200..300).contains(&status(&answer)),
            "{method} {target}: {} {}",
            answer.first,
            String::from_utf8_lossy(&answer.body)
        );
        answer
    }

    /// What there is with this label, `key` or `key=value`: containers in whatever state, networks and volumes.
    pub fn left(&self, label: &str) -> Vec<String> {
        let engine = self.engine();
        let mut left = Vec::new();
        for container in engine.containers(label) {
            left.push(format!(
                "container {} {} {}",
                container["Id"], container["State"], container["Command"]
            ));
        }
        for network in engine.networks(label) {
            left.push(format!("network {}", network["Name"]));
        }
        for volume in engine.volumes(label) {
            left.push(format!("volume {}", volume["Name"]));
        }
        left
    }

    /// Asserts that nothing with this label is left, now and not in a moment.
    #[track_caller]
    pub fn assert_nothing_left(&self, label: &str) {
        assert_eq!(self.left(label), Vec::<String>::new(), "left: {label}");
    }

    /// How a container is confined, as `scripts/docker-posture` sees it, which knows nothing of Toolhatch.
    pub fn posture(&self, container: &str) -> Value {
        let output = Command::new(root().join("scripts/docker-posture"))
            .arg(self.socket())
            .arg(container)
            .output()
            .expect("there is Python where there are images");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

/// An image, as daemon and registry name it.
pub fn name(image: &str) -> String {
    format!("toolhatch-test/{image}")
}

/// A daemon that is stopped when it is dropped, and when the tests are killed.
pub struct Private {
    docker: Docker,
    /// Its path has to be short, so it is not below the target folder.
    folder: TempDir,
}

impl Private {
    fn start(listens: Option<&str>) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("thd.")
            .tempdir_in("/tmp")
            .expect("a temporary folder");
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker-images");
        script(
            Command::new(root().join("scripts/docker"))
                .args(["start", "--no-registry", "--images", "busybox", "--cache"])
                .arg(cache)
                .args(listens)
                .args(["--owner", &std::process::id().to_string()])
                .arg(folder.path()),
        );
        let mut docker = Docker::open(folder.path(), String::new());
        docker.tcp = listens.map(|_| {
            let address = std::fs::read_to_string(folder.path().join("tcp"));
            format!("tcp://{}", address.expect("written").trim())
        });
        Self { docker, folder }
    }

    /// Kills the daemon, as `kill -9` does: containers go on without it.
    pub fn kill(&self) {
        let file = self.folder.path().join("dockerd.pid");
        let text = std::fs::read_to_string(file).expect("written by the daemon");
        let pid = Pid::from_raw(text.trim().parse().expect("a number")).expect("not zero");
        rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
    }

    /// Starts the daemon again, with all that it had; one that still runs is ended first.
    pub fn restart(&self) {
        script(
            Command::new(root().join("scripts/docker"))
                .arg("restart")
                .arg(self.folder.path()),
        );
    }
}

impl std::ops::Deref for Private {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.docker
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let mut command = Command::new(root().join("scripts/docker"));
        command.arg("stop").arg(self.folder.path());
        if std::thread::panicking() {
            drop(command.output());
        } else {
            script(&mut command);
        }
    }
}

fn script(command: &mut Command) {
    let output = command.output().expect("scripts/docker is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}
