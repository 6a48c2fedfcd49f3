//! Tools that run in a container: which image, which command, and how its output is read.
//!
//! A container tool is data only. [`ContainerSpec::fill`] makes a command of the arguments of a call
//! ([`template`], [`fill`]), and [`OutputSpec::read`] makes a result of what it printed ([`output`]). Whoever runs it decides
//! on everything it may reach: what a spec says about the network is a wish.

pub mod fill;
pub mod output;
mod requests;
pub mod template;

use std::collections::BTreeMap;
use std::fmt;

pub use fill::Command;
pub use output::{Exit, Failure, Format, OutputSpec, Parsed, Stream, Verdict};
pub(super) use requests::with_implied;
pub use template::{CommandTemplate, Element, Text};

use super::image::ImageRef;
use crate::permission::{Capability, ParseError, SubprocessScope};

/// The container of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The image.
    pub image: ImageRef,
    /// The program and its arguments.
    pub command: CommandTemplate,
    /// What the program reads; nothing where it is absent.
    pub stdin: Option<Stdin>,
    /// The absolute path in the container that the program starts in; that of the executor where it is absent.
    pub workdir: Option<String>,
    /// Environment variables, each left out where an argument in its text is absent.
    pub env: BTreeMap<String, Text>,
    /// The network it would like to have.
    pub network: Network,
    /// Whom it runs as.
    pub user: User,
    /// What it may use, besides memory and time.
    pub limits: ContainerLimits,
    /// How its output is read.
    pub output: OutputSpec,
}

impl ContainerSpec {
    /// A program in an image, with everything else as it is where nothing is said.
    #[must_use]
    pub fn new(image: ImageRef, command: CommandTemplate) -> Self {
        Self {
            image,
            command,
            stdin: None,
            workdir: None,
            env: BTreeMap::new(),
            network: Network::default(),
            user: User::default(),
            limits: ContainerLimits::default(),
            output: OutputSpec::default(),
        }
    }

    /// The permission it cannot do without: to run its program in its image.
    ///
    /// # Errors
    /// Where the program is too long to be written as a scope.
    pub fn capability(&self) -> Result<Capability, ParseError> {
        SubprocessScope::new(Some(&self.image.to_string()), Some(self.command.program()))
            .map(Capability::Subprocess)
    }
}

/// What a program reads from standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stdin {
    /// A text with values; nothing at all where one of them is absent.
    Text(Text),
    /// All arguments, as one line of JSON.
    Json,
}

/// The network a tool would like to have; what is granted decides. In order, from the least to the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Network {
    /// None at all.
    #[default]
    None,
    /// The hosts that the manifest's permissions name, and no others.
    AllowList,
    /// Everything the container runtime's bridge leads to.
    Bridge,
    /// That of the host.
    Host,
}

impl Network {
    /// True where a container has no network of its own: whatever leaves it goes through the process that runs it.
    #[must_use]
    pub const fn is_isolated(self) -> bool {
        matches!(self, Self::None | Self::AllowList)
    }

    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::AllowList => "allow-list",
        }
    }
}

/// Whom a program runs as; never root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum User {
    /// The owner of the workspace, so that the files it makes belong to them.
    #[default]
    Workspace,
    /// A user who owns nothing.
    Nobody,
}

impl User {
    /// The word in manifests.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Nobody => "nobody",
        }
    }
}

/// What a container may use; the executor's own limits hold where it says nothing, and above it.
///
/// Memory and time are limits of every tool and stand in [`super::LimitRequest`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerLimits {
    /// Processors, or parts of them.
    pub cpus: Option<Cpus>,
    /// Its weight where containers compete for processors; 1024 is usual.
    pub cpu_shares: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Bytes of `/tmp`.
    pub tmpfs: Option<u64>,
    /// Bytes of shared memory.
    pub shm: Option<u64>,
    /// Bytes written to its own layer, where the storage can tell.
    pub disk: Option<u64>,
    /// Open files of one process.
    pub nofile: Option<u32>,
}

/// A number of processors, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus {
    thousandths: u32,
}

impl Cpus {
    /// The least that container runtimes know, in thousandths.
    const MIN: u32 = 10;
    /// More than any machine has, in thousandths.
    const MAX: u32 = 1_024_000;

    /// This many thousandths of a processor; nothing outside of 0.01 to 1024 processors.
    #[must_use]
    pub fn from_thousandths(thousandths: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX)
            .contains(&thousandths)
            .then_some(Self { thousandths })
    }

    /// The nearest thousandth to this many processors; nothing outside of 0.01 to 1024.
    #[must_use]
    pub fn from_number(cpus: f64) -> Option<Self> {
        let thousandths = (cpus * 1000.0).round();
        // A cast of a float saturates, and of NaN is 0: both are outside.
        Self::from_thousandths(thousandths as u32)
    }

    /// In billionths of a processor, as container runtimes count.
    #[must_use]
    pub fn nanos(self) -> u64 {
        u64::from(self.thousandths) * 1_000_000
    }
}

impl fmt::Display for Cpus {
    /// As a decimal number: `2`, `0.5`, `1.125`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        if rest == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{rest:03}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// True where environment variables may have this name: letters, digits and `_`, not starting with a digit.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    name.len() <= 256
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_thousandths() {
        for (number, text, nanos) in [
            (0.01, "0.01", 10_000_000),
            (0.5, "0.5", 500_000_000),
            (2.0, "2", 2_000_000_000),
            (1.125, "1.125", 1_125_000_000),
            (0.1 + 0.2, "0.3", 300_000_000),
            (1024.0, "1024", 1_024_000_000_000),
        ] {
            let cpus = Cpus::from_number(number).expect(text);
            assert_eq!((cpus.to_string().as_str(), cpus.nanos()), (text, nanos));
            assert_eq!(Cpus::from_number(text.parse().expect(text)), Some(cpus));
        }
        for outside in [0.0, 0.009, -1.0, 1024.1, f64::INFINITY, f64::NAN] {
            assert_eq!(Cpus::from_number(outside), None, "{outside}");
        }
    }

    #[test]
    fn names_of_variables_are_those_that_shells_know() {
        for (name, is_one) in [
            ("PATH", true),
            ("_x9", true),
            ("", false),
            ("9A", false),
            ("A B", false),
            ("A=B", false),
            ("A-B", false),
            ("Ä", false),
            ("A\0", false),
        ] {
            assert_eq!(is_variable_name(name), is_one, "{name:?}");
        }
    }
}
