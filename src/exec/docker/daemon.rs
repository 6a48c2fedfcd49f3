//! A daemon: connected to, asked for its version, and what is known to be wrong with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::SystemInfo;
use bollard::{API_DEFAULT_VERSION, Docker};
use rustix::process::{Resource, getrlimit};

use super::address::Address;
use super::{dial, error};
use crate::config::{DockerHost, TlsFiles};
use crate::error::{Code, Error, Result};

/// A daemon that is there answers at once; one that does not within this is not there.
const ANSWERS_WITHIN: Duration = Duration::from_millis(900);
/// What one says of itself can take longer: Podman looks around each time.
const TELLS_WITHIN: Duration = Duration::from_secs(15);
/// How long one request may take; what takes longer (waiting, pulling) has its own time.
const REQUEST: u64 = 120;
/// The least that a kernel has numbers for.
const MOST_PROCESSES: u64 = 32_768;
/// The oldest API that has all we rely on, namespaces of control groups last (Docker 20.10).
const OLDEST: (usize, usize) = (1, 41);

/// A daemon that answered.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// The client.
    pub(super) api: Docker,
    /// Where it is.
    pub address: Address,
    /// What it says of itself.
    pub facts: Arc<Facts>,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its version, such as `20.10.24`.
    pub version: String,
    /// The version of the API that is spoken.
    pub api: (usize, usize),
    /// `x86_64` and the like.
    pub architecture: String,
    /// `overlay2` and the like.
    pub storage: String,
    /// `1` or `2`.
    pub cgroups: String,
    /// The runtimes it has.
    pub runtimes: Vec<String>,
    /// The one it takes where nobody says.
    pub default_runtime: String,
    /// `seccomp`, `apparmor`, `rootless`, `userns` and the like.
    pub security: Vec<String>,
    /// Versions of its parts, such as runc.
    pub parts: Vec<(String, String)>,
    /// What it has no means for, such as limits on swap.
    pub missing: Vec<&'static str>,
    /// The id it has given itself.
    pub id: String,
}

impl Daemon {
    /// Connects, agrees on a version, and asks what it is.
    ///
    /// # Errors
    /// E3405 where nobody answers within a second, or with something older than Docker 20.10; E3004 where the address cannot
    /// be used.
    pub async fn connect(address: Address) -> Result<Self> {
        let doing = format!("connecting to {} ({})", address.host, address.origin);
        let client = client(&address, &doing)?;
        let within = match address.host {
            // A connection over SSH is first made by somebody else's program.
            DockerHost::Ssh { .. } => Duration::from_secs(15),
            _ => ANSWERS_WITHIN,
        };
        let pinged = client.clone();
        let asked = tokio::time::timeout(TELLS_WITHIN, async {
            let api = client.negotiate_version().await?;
            let (info, version) = tokio::try_join!(api.info(), api.version())?;
            Ok((api, info, version))
        });
        let mut asked = std::pin::pin!(asked);
        let silent = |within: Duration| {
            error::unavailable(format!(
                "{doing}: nobody answered within {} ms",
                within.as_millis()
            ))
        };
        let told = tokio::select! {
            biased;
            told = &mut asked => told,
            // Whatever it says to this, it is there.
            there = tokio::time::timeout(within, pinged.ping()) => match there {
                Ok(_) => asked.await,
                Err(_) => return Err(silent(within)),
            },
        };
        let (api, info, version) = match told {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Err(error::of(&doing, why)),
            Err(_) => return Err(silent(TELLS_WITHIN)),
        };
        let spoken = api.client_version();
        let spoken = (spoken.major_version, spoken.minor_version);
        if spoken < OLDEST {
            return Err(Error::new(
                Code::E3405,
                format!(
                    "{doing}: it speaks version {}.{} of the API",
                    spoken.0, spoken.1
                ),
            )
            .hint("Docker 20.10 or later is needed, or Podman 4 or later."));
        }
        let parts = version.components.unwrap_or_default();
        let parts = parts.into_iter().map(|part| (part.name, part.version));
        let facts = Facts::of(info, spoken, parts.collect());
        Ok(Self {
            api,
            address,
            facts: Arc::new(facts),
        })
    }
}

fn client(address: &Address, doing: &str) -> Result<Docker> {
    let version = API_DEFAULT_VERSION;
    let made = match (&address.host, &address.tls) {
        (DockerHost::Unix(path), _) => {
            Docker::connect_with_unix(&path.to_string_lossy(), REQUEST, version)
        }
        (
            DockerHost::Tcp(host),
            TlsFiles {
                ca: None,
                cert: None,
                key: None,
            },
        ) => Docker::connect_with_http(host, REQUEST, version),
        (
            DockerHost::Tcp(host),
            TlsFiles {
                ca: Some(ca),
                cert: Some(cert),
                key: Some(key),
            },
        ) => Docker::connect_with_ssl(host, key, cert, ca, REQUEST, version),
        (DockerHost::Tcp(_), _) => {
            return Err(Error::new(
                Code::E3004,
                format!("{doing}: TLS needs three files, and not all are named"),
            )
            .hint("Set `docker.tls_ca`, `docker.tls_cert` and `docker.tls_key`."));
        }
        (DockerHost::Ssh { user, host, port }, _) => {
            dial::client(user.as_deref(), host, *port, REQUEST)
        }
    };
    made.map_err(|why| error::of(doing, why))
}

impl Facts {
    fn of(info: SystemInfo, api: (usize, usize), parts: Vec<(String, String)>) -> Self {
        let lacks = [
            (info.memory_limit, "limits on memory"),
            (info.swap_limit, "limits on swap"),
            (info.pids_limit, "limits on processes"),
            (info.cpu_shares, "weights of processors"),
        ];
        Self {
            version: info.server_version.unwrap_or_default(),
            api,
            architecture: info.architecture.unwrap_or_default(),
            storage: info.driver.unwrap_or_default(),
            cgroups: info
                .cgroup_version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            runtimes: info
                .runtimes
                .map(HashMap::into_keys)
                .into_iter()
                .flatten()
                .collect(),
            default_runtime: info.default_runtime.unwrap_or_default(),
            security: info
                .security_options
                .unwrap_or_default()
                .iter()
                .filter_map(|option| {
                    option
                        .split(',')
                        .find_map(|part| part.strip_prefix("name="))
                })
                .map(ToOwned::to_owned)
                .collect(),
            missing: lacks
                .into_iter()
                .filter(|(has, _)| *has == Some(false))
                .map(|(_, what)| what)
                .collect(),
            id: info.id.unwrap_or_default(),
            parts,
        }
    }

    /// The version of one of its parts.
    fn part(&self, name: &str) -> Option<&str> {
        let (_, version) = self.parts.iter().find(|(other, _)| other == name)?;
        Some(version)
    }

    /// True where it is Podman that speaks.
    #[must_use]
    pub fn is_podman(&self) -> bool {
        self.part("Podman Engine").is_some()
    }

    /// Folders that can be written in every container, also where the system in it cannot, unless something lies there.
    #[must_use]
    pub fn loose_folders(&self) -> &'static [&'static str] {
        if self.is_podman() {
            &["/run", "/var/tmp"]
        } else {
            &[]
        }
    }

    /// What one user may have of processes in a container, where that has to be said: Podman asks for a million, which a
    /// daemon that is confined itself is not given. The limit of a container as a whole is another.
    #[must_use]
    pub fn processes_of_user(&self) -> Option<u64> {
        if !self.is_podman() {
            return None;
        }
        let own = getrlimit(Resource::Nproc).maximum;
        Some(own.unwrap_or(MOST_PROCESSES).min(MOST_PROCESSES))
    }

    /// True where a read-only mount can be made read-only with everything mounted below it (Docker 25).
    #[must_use]
    pub fn has_recursive_read_only(&self) -> bool {
        self.api >= (1, 44)
    }

    /// What is known to be wrong with these versions, in sentences.
    #[must_use]
    pub fn known_flaws(&self) -> Vec<String> {
        let mut flaws = Vec::new();
        if let Some(runc) = self.part("runc") {
            let found = numbers(runc);
            // 1.2.8, 1.3.3 and 1.4.0-rc.3 have the mends.
            let is_mended = match found {
                (1, 2, patch) => patch >= 8,
                (1, 3, patch) => patch >= 3,
                (1, minor, _) => minor >= 4,
                (major, _, _) => major > 1,
            };
            if !is_mended {
                flaws.push(format!(
                    "runc {runc} may have CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881 (escapes through masked paths); \
                     1.2.8, 1.3.3 and later have not, and distributions patch older ones"
                ));
            }
        }
        if self.is_podman() && self.cgroups != "2" {
            flaws.push(
                "with version 1 of control groups, Podman shows a command the names of those of the machine".to_owned(),
            );
        }
        if numbers(&self.version) < (25, 0, 0) && self.part("Engine").is_some() {
            flaws.push(format!(
                "Docker {} cannot make what is mounted below a read-only folder read-only; such folders are refused",
                self.version
            ));
        }
        flaws
    }
}

/// The first three numbers of a version.
fn numbers(version: &str) -> (u32, u32, u32) {
    let mut numbers = version
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(runc: &str) -> Facts {
        Facts {
            version: "28.0.1".to_owned(),
            api: (1, 48),
            architecture: String::new(),
            storage: String::new(),
            cgroups: String::new(),
            runtimes: Vec::new(),
            default_runtime: String::new(),
            security: Vec::new(),
            parts: vec![("runc".to_owned(), runc.to_owned())],
            missing: Vec::new(),
            id: String::new(),
        }
    }

    #[test]
    fn versions_with_known_escapes_are_told() {
        for (runc, is_flawed) in [
            ("1.1.5+ds1", true),
            ("1.2.7", true),
            ("1.2.8", false),
            ("1.3.2", true),
            ("1.3.3", false),
            ("1.4.0", false),
            ("2.0.0", false),
        ] {
            assert_eq!(!facts(runc).known_flaws().is_empty(), is_flawed, "{runc}");
        }
    }
}
