//! The environment: every variable Toolhatch reads, and one snapshot of their values.
//!
//! Nothing else in the crate asks the process for its environment, so this is the whole list.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The folder of everything Toolhatch keeps; default `$XDG_DATA_HOME/toolhatch`.
pub const HOME: &str = "TOOLHATCH_HOME";
/// The folder of compiled components (`cache.dir`).
pub const CACHE_DIR: &str = "TOOLHATCH_CACHE_DIR";
/// How large that folder may grow (`cache.max_size`).
pub const CACHE_MAX_SIZE: &str = "TOOLHATCH_CACHE_MAX_SIZE";
/// Which messages are shown (`log.level`).
pub const LOG: &str = "TOOLHATCH_LOG";
/// Whether output is coloured (`output.color`).
pub const COLOR: &str = "TOOLHATCH_COLOR";
/// Strict mode (`strict`).
pub const STRICT: &str = "TOOLHATCH_STRICT";
/// How many calls run at once (`calls.concurrency`).
pub const CONCURRENCY: &str = "TOOLHATCH_CONCURRENCY";
/// How many cores compile (`calls.compile_jobs`).
pub const COMPILE_JOBS: &str = "TOOLHATCH_COMPILE_JOBS";
/// How long a call may take where nobody says (`limits.timeout`).
pub const TIMEOUT: &str = "TOOLHATCH_TIMEOUT";
/// How much memory a call may use where nobody says (`limits.memory`).
pub const MEMORY: &str = "TOOLHATCH_MEMORY";
/// How large a result may be where nobody says (`limits.output`).
pub const OUTPUT: &str = "TOOLHATCH_OUTPUT";
/// Folders in which plugins are looked for, with `:` between them (`plugins.search_paths`).
pub const PLUGIN_PATH: &str = "TOOLHATCH_PLUGIN_PATH";
/// Which executor runs tools that are commands (`execution.strategy`).
pub const EXECUTION: &str = "TOOLHATCH_EXECUTION";
/// The daemon, by its context (`docker.context`).
pub const DOCKER_CONTEXT: &str = "TOOLHATCH_DOCKER_CONTEXT";
/// The daemon, by where it listens (`docker.host`).
pub const DOCKER_HOST: &str = "TOOLHATCH_DOCKER_HOST";
/// The image of commands that name none (`docker.image`).
pub const DOCKER_IMAGE: &str = "TOOLHATCH_DOCKER_IMAGE";
/// When images are pulled (`docker.image_pull_policy`).
pub const DOCKER_PULL_POLICY: &str = "TOOLHATCH_DOCKER_PULL_POLICY";
/// How long a command may take where nobody says (`docker.timeout`).
pub const DOCKER_TIMEOUT: &str = "TOOLHATCH_DOCKER_TIMEOUT";
/// How many processors a container gets where nobody says (`docker.resources.cpus`).
pub const DOCKER_CPUS: &str = "TOOLHATCH_DOCKER_CPUS";
/// How much memory a container gets where nobody says (`docker.resources.memory`).
pub const DOCKER_MEMORY: &str = "TOOLHATCH_DOCKER_MEMORY";
/// How many containers run at once (`docker.concurrency`).
pub const DOCKER_CONCURRENCY: &str = "TOOLHATCH_DOCKER_CONCURRENCY";

/// The home folder of the user.
pub const USER_HOME: &str = "HOME";
/// The folder of configuration of the XDG base directory specification.
pub const XDG_CONFIG_HOME: &str = "XDG_CONFIG_HOME";
/// The folder of data of the XDG base directory specification.
pub const XDG_DATA_HOME: &str = "XDG_DATA_HOME";

/// Where programs are, with `:` between the folders: the SSH client is looked for there.
pub const PATH: &str = "PATH";
/// The socket of an agent with keys to log in with on another machine.
pub const SSH_AUTH_SOCK: &str = "SSH_AUTH_SOCK";

/// The variables that set a key of the configuration, with that key. Of two that set the same the last one counts: as with
/// Docker's own, the host of a daemon before its context.
pub const SETTINGS: [(&str, &str); 20] = [
    (CACHE_DIR, "cache.dir"),
    (CACHE_MAX_SIZE, "cache.max_size"),
    (LOG, "log.level"),
    (COLOR, "output.color"),
    (STRICT, "strict"),
    (CONCURRENCY, "calls.concurrency"),
    (COMPILE_JOBS, "calls.compile_jobs"),
    (TIMEOUT, "limits.timeout"),
    (MEMORY, "limits.memory"),
    (OUTPUT, "limits.output"),
    (PLUGIN_PATH, "plugins.search_paths"),
    (EXECUTION, "execution.strategy"),
    (DOCKER_CONTEXT, "docker.context"),
    (DOCKER_HOST, "docker.host"),
    (DOCKER_IMAGE, "docker.image"),
    (DOCKER_PULL_POLICY, "docker.image_pull_policy"),
    (DOCKER_TIMEOUT, "docker.timeout"),
    (DOCKER_CPUS, "docker.resources.cpus"),
    (DOCKER_MEMORY, "docker.resources.memory"),
    (DOCKER_CONCURRENCY, "docker.concurrency"),
];

/// What this program was built for, as `uname -m` says it: `x86_64`, `aarch64`.
pub const ARCHITECTURE: &str = std::env::consts::ARCH;

/// The variables of the process at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// True where this process was given this word as an argument, for when its command line is not understood otherwise.
#[must_use]
pub fn has_argument(word: &str) -> bool {
    std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == word)
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Every variable whose name and value are UTF-8, for guests, which know no others.
    #[must_use]
    pub fn to_utf8(&self) -> Vec<(String, String)> {
        self.0
            .iter()
            .filter_map(|(name, value)| {
                Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
            })
            .collect()
    }

    /// The value of a variable. An empty value is one that is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// The names of variables that begin with `prefix` and have a value.
    pub fn names_with<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, _)| name.to_str())
            .filter(move |name| name.starts_with(prefix))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let variables = variables.into_iter();
        Self(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}
