//! Who a container belongs to, and what becomes of those whose owner is gone.
//!
//! Everything that is made carries labels: who made it (this process of this boot of this machine), and until when it may
//! be there. A sweep removes what its owner cannot remove any more. What a living process made is never touched, nor what
//! another machine made and may still need.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::daemon::Daemon;
use super::error;
use crate::error::Result;
use crate::ids::{CallId, Digest};

/// On everything that we make.
pub(super) const APP: &str = "toolhatch.app";
/// The value of it.
pub(super) const APP_VALUE: &str = "toolhatch";
/// How often a removal that came at a bad moment is tried again, and the pause before that.
const REMOVALS: u32 = 20;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(50);
const OWNER: &str = "toolhatch.owner";
const DEADLINE: &str = "toolhatch.deadline";
const CALL: &str = "toolhatch.call";
/// What a container was made with, by a digest.
pub(super) const SPEC: &str = "toolhatch.spec";
/// On a container of a program that goes on running, what it is called.
pub(super) const PROGRAM: &str = "toolhatch.program";
/// On a container that is kept, with a digest of its name.
pub(super) const KEPT: &str = "toolhatch.kept";
/// On the same, the name as its caller said it.
const NAME: &str = "toolhatch.name";
/// What is this much past its deadline belongs to nobody, wherever its owner is.
const MARGIN: u64 = 60;

/// A process on a machine, told apart from all others that ever were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    machine: String,
    boot: String,
    /// The namespace that the process id counts in.
    namespace: String,
    pid: u32,
    /// When the process began, in ticks since the boot: ids are used again.
    began: u64,
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = std::process::id();
        Self {
            machine: machine(),
            boot: read_trimmed("/proc/sys/kernel/random/boot_id"),
            namespace: std::fs::read_link("/proc/self/ns/pid")
                .map(|link| {
                    let link = link.to_string_lossy().into_owned();
                    link.chars().filter(char::is_ascii_digit).collect()
                })
                .unwrap_or_default(),
            pid,
            began: match process(pid) {
                Process::Began(began) => began,
                Process::None | Process::Unknown => 0,
            },
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let mut next = || parts.next().map(ToOwned::to_owned);
        Some(Self {
            machine: next()?,
            boot: next()?,
            namespace: next()?,
            pid: next()?.parse().ok()?,
            began: next()?.parse().ok()?,
        })
    }

    /// Whether the process is certainly gone, as far as `here` can tell.
    pub(super) fn is_gone(&self, here: &Self) -> bool {
        if self.machine != here.machine || self.machine.is_empty() {
            return false;
        }
        if self.boot != here.boot {
            return true;
        }
        // What counts its processes apart cannot be looked up here.
        self.namespace == here.namespace
            && match process(self.pid) {
                Process::Began(began) => began != self.began,
                Process::None => true,
                Process::Unknown => false,
            }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            machine,
            boot,
            namespace,
            pid,
            began,
        } = self;
        write!(f, "{machine}/{boot}/{namespace}/{pid}/{began}")
    }
}

/// The machine, by a digest: its own id is not to be told to everybody.
fn machine() -> String {
    let id = read_trimmed("/etc/machine-id");
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy().into_owned();
    Digest::of(format!("toolhatch {id} {name}").as_bytes()).short()
}

fn read_trimmed(path: &str) -> String {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A process, as far as it can be looked up.
#[derive(Debug, PartialEq, Eq)]
enum Process {
    /// There is one, and it began then, in ticks since the boot.
    Began(u64),
    /// There is none.
    None,
    /// We may not look.
    Unknown,
}

fn process(pid: u32) -> Process {
    let stat = match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && has_proc() => {
            return Process::None;
        }
        Err(_) => return Process::Unknown,
    };
    // The name of the program stands in parentheses and may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = fields.split_whitespace();
    match (fields.next(), fields.nth(18).map(str::parse)) {
        (Some("Z" | "X"), _) => Process::None,
        (Some(_), Some(Ok(began))) => Process::Began(began),
        _ => Process::Unknown,
    }
}

/// Without `/proc` nobody seems to be there.
fn has_proc() -> bool {
    std::fs::exists("/proc/self/stat").unwrap_or(false)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// The labels of something that is made for a call.
pub(super) fn labels(
    owner: &Owner,
    call: &CallId,
    spec: &Digest,
    lives_for: Duration,
    kept: Option<&str>,
) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (APP.to_owned(), APP_VALUE.to_owned()),
        (OWNER.to_owned(), owner.to_string()),
        (CALL.to_owned(), call.to_string()),
        (SPEC.to_owned(), spec.short()),
        (
            DEADLINE.to_owned(),
            now().saturating_add(lives_for.as_secs()).to_string(),
        ),
    ]);
    if let Some(name) = kept {
        labels.insert(KEPT.to_owned(), kept_label(name));
        // Before it stands whose it is.
        let said = name.rsplit_once('/').map_or(name, |(_, said)| said);
        labels.insert(NAME.to_owned(), said.to_owned());
    }
    labels
}

/// The name of a kept container as a label: a name may hold anything.
pub(super) fn kept_label(name: &str) -> String {
    Digest::of(name.as_bytes()).short()
}

/// A container of ours, as `sandbox ps` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leased {
    /// Its id.
    pub id: String,
    /// The id of its image.
    pub image: String,
    /// `running`, `created` and the like.
    pub state: String,
    /// The call it was made for.
    pub call: String,
    /// It is kept under this name.
    pub kept: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Until when it may be there, in seconds since 1970.
    pub deadline: u64,
    /// Its owner is gone, or it is past its deadline.
    pub is_abandoned: bool,
}

impl Leased {
    fn of(summary: ContainerSummary, here: &Owner) -> Option<Self> {
        let labels = summary.labels.unwrap_or_default();
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let is_abandoned = is_abandoned(&labels, summary.state, here);
        Some(Self {
            id: summary.id?,
            image: summary.image.unwrap_or_default(),
            state: summary
                .state
                .map(|state| state.to_string())
                .unwrap_or_default(),
            call: label(CALL),
            kept: labels.contains_key(KEPT).then(|| label(NAME)),
            created: summary.created.unwrap_or_default(),
            deadline: deadline(&labels),
            is_abandoned,
        })
    }
}

fn deadline(labels: &HashMap<String, String>) -> u64 {
    let text = labels.get(DEADLINE);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// True for what belongs to somebody for some time, and not to everybody for good.
pub(super) fn has_lease(labels: &HashMap<String, String>) -> bool {
    labels.contains_key(OWNER)
}

/// True where the owner of something is gone, or it is past its deadline. Where the owner cannot be read it was made by
/// nobody we know: only the deadline counts. A kept container outlives who made it, until it has ended by itself.
pub(super) fn is_abandoned(
    labels: &HashMap<String, String>,
    state: Option<ContainerSummaryStateEnum>,
    here: &Owner,
) -> bool {
    let is_gone = if labels.contains_key(KEPT) {
        state == Some(ContainerSummaryStateEnum::EXITED)
    } else {
        let owner = labels.get(OWNER).and_then(|text| Owner::parse(text));
        owner.is_some_and(|owner| owner.is_gone(here))
    };
    is_gone || deadline(labels).saturating_add(MARGIN) < now()
}

/// Every container of ours on this daemon, whoever made it.
///
/// # Errors
/// E3405 where the daemon does not answer.
pub(super) async fn list(daemon: &Daemon, here: &Owner) -> Result<Vec<Leased>> {
    let filters = HashMap::from([("label", vec![format!("{APP}={APP_VALUE}")])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let found = daemon.api.list_containers(Some(options)).await;
    let found = found.map_err(|why| error::of("listing containers", why))?;
    Ok(found
        .into_iter()
        .filter_map(|summary| Leased::of(summary, here))
        .collect())
}

/// Removes what was left behind; gives how many containers that were.
///
/// # Errors
/// As [`list`], and where something cannot be removed.
pub(super) async fn sweep(daemon: &Daemon, here: &Owner) -> Result<usize> {
    let mut removed = 0;
    for left in list(daemon, here).await? {
        if left.is_abandoned {
            remove(daemon, &left.id).await?;
            removed += 1;
        }
    }
    if removed > 0 {
        tracing::info!(removed, "removed containers that were left behind");
    }
    Ok(removed)
}

/// Ends and removes a container, with the volumes that only it has. One that is gone already is no error.
///
/// # Errors
/// E3405.
pub(super) async fn remove(daemon: &Daemon, id: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default()
        .force(true)
        .v(true)
        .build();
    let mut attempts = 0;
    loop {
        let removed = daemon.api.remove_container(id, Some(options.clone()));
        match removed.await {
            Ok(()) => return Ok(()),
            // 409: somebody is removing it already.
            Err(why) if matches!(error::status(&why), Some(404 | 409)) => return Ok(()),
            // Podman stops it first, and stumbles where it ends by itself meanwhile.
            Err(why) if attempts < REMOVALS && why.to_string().contains("state improper") => {
                attempts += 1;
                tokio::time::sleep(BETWEEN_REMOVALS).await;
            }
            Err(why) => return Err(error::of("removing a container", why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_others_are_told_apart() {
        let here = Owner::of_this_process();
        let again = Owner::parse(&here.to_string());
        assert_eq!(again.as_ref(), Some(&here));
        assert!(!here.is_gone(&here));
        let reused = Owner {
            began: here.began + 1,
            ..here.clone()
        };
        assert!(reused.is_gone(&here), "another process had this id before");
        let before = Owner {
            boot: "another".to_owned(),
            ..here.clone()
        };
        assert!(before.is_gone(&here));
        let elsewhere = Owner {
            machine: "another".to_owned(),
            ..reused.clone()
        };
        assert!(!elsewhere.is_gone(&here), "we cannot know");
        let contained = Owner {
            namespace: "1".to_owned(),
            ..reused
        };
        assert!(!contained.is_gone(&here), "we cannot know");
    }
}
