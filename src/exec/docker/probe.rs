//! A look from inside, before the command begins: what the kernel says, not what the daemon says it has asked for.

use serde::Deserialize;
use serde_json::Value;

use super::copies::Copied;
use super::overlay::{Laid, Overlay};
use crate::exec::SandboxSpec;
use crate::exec::resident::{Lost, Resident};
use toolhatch_runner::protocol::{Order, Report};

/// What the runner sees around itself. What it cannot see is absent, and counts as wrong.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Seen {
    uid: Option<u32>,
    gid: Option<u32>,
    cap_prm: Option<String>,
    cap_eff: Option<String>,
    cap_inh: Option<String>,
    cap_bnd: Option<String>,
    cap_amb: Option<String>,
    no_new_privs: Option<u32>,
    seccomp: Option<u32>,
    interfaces: Option<Vec<String>>,
    root_read_only: Option<bool>,
    tmp: Option<Tmp>,
    limits: Option<SeenLimits>,
    #[serde(default)]
    mounts: Vec<SeenMount>,
}

/// Of the container's control group. A number, a word for none at all, or nothing where it cannot be seen.
#[derive(Debug, Clone, Deserialize)]
struct SeenLimits {
    memory: Option<Value>,
    pids: Option<Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Tmp {
    noexec: Option<bool>,
    nosuid: Option<bool>,
    nodev: Option<bool>,
    size: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
struct SeenMount {
    path: String,
    dev: Option<u64>,
    ino: Option<u64>,
    read_only: Option<bool>,
    overlay: Option<bool>,
}

/// Has the runner look.
///
/// # Errors
/// Where the runner is lost, or says something that cannot be read.
pub(super) async fn look(resident: &mut Resident, laid: &Laid) -> Result<Seen, Lost> {
    let paths = laid
        .places
        .binds
        .iter()
        .flat_map(|bind| std::iter::once(bind.container.clone()).chain(laid.witnesses(bind)));
    let order = Order::Probe(paths.map(String::into_bytes).collect());
    resident.send(0, &order).await?;
    loop {
        if let (_, Report::Probed(text)) = resident.next().await? {
            return serde_json::from_str(&text).map_err(|error| {
                Lost::Deaf(std::io::Error::new(std::io::ErrorKind::InvalidData, error))
            });
        }
    }
}

impl Seen {
    /// Everything that is not as it should be, in sentences.
    pub(super) fn differences(&self, spec: &SandboxSpec, laid: &Laid) -> Vec<String> {
        let places = &laid.places;
        let mut differences = Vec::new();
        let mut expect = |is_so: bool, what: String| {
            if !is_so {
                differences.push(what);
            }
        };
        let user = places.user;
        expect(
            self.uid == Some(user.uid) && self.gid == Some(user.gid),
            format!("it runs as {:?}:{:?} and not as {user}", self.uid, self.gid),
        );
        for (name, set) in [
            ("permitted", &self.cap_prm),
            ("effective", &self.cap_eff),
            ("inheritable", &self.cap_inh),
            ("bounding", &self.cap_bnd),
            ("ambient", &self.cap_amb),
        ] {
            let is_none = set
                .as_deref()
                .is_some_and(|set| set.trim_matches('0').is_empty());
            expect(
                is_none,
                format!("its {name} capabilities are {set:?} and not none"),
            );
        }
        expect(
            self.no_new_privs == Some(1),
            "it can gain privileges".to_owned(),
        );
        // 2: a filter. A daemon without seccomp starts containers without one, and says nothing.
        expect(
            self.seccomp == Some(2),
            "no filter of system calls is on it".to_owned(),
        );
        if spec.network.is_isolated() {
            let interfaces = self.interfaces.clone().unwrap_or_default();
            expect(
                interfaces == ["lo"],
                format!("it has the network interfaces {interfaces:?} and not only lo"),
            );
        }
        if spec.resources.disk.limit().is_none() {
            expect(
                self.root_read_only == Some(true),
                "its own folders can be written".to_owned(),
            );
        }
        let tmp = self.tmp.as_ref();
        let is_tmp = tmp.is_some_and(|tmp| {
            tmp.noexec == Some(true) && tmp.nosuid == Some(true) && tmp.nodev == Some(true)
        });
        expect(is_tmp, "/tmp is not what it should be".to_owned());
        let size = tmp.and_then(|tmp| tmp.size);
        // The kernel gives whole pages.
        expect(
            size.is_some_and(|size| size <= spec.resources.tmpfs.next_multiple_of(1 << 16)),
            format!("/tmp has {size:?} bytes"),
        );
        // What cannot be seen was compared with what the daemon says; what can be seen has to be so.
        let limits = self.limits.as_ref();
        for (name, seen, most) in [
            (
                "memory",
                limits.and_then(|it| it.memory.as_ref()),
                spec.resources.memory,
            ),
            (
                "processes",
                limits.and_then(|it| it.pids.as_ref()),
                spec.resources.pids,
            ),
        ] {
            let is_within = seen.is_none_or(|seen| seen.as_u64().is_some_and(|seen| seen <= most));
            expect(
                is_within,
                format!("its limit of {name} is {seen:?} and not {most}"),
            );
        }
        for bind in &places.binds {
            let seen = self.mounts.iter().find(|seen| seen.path == bind.container);
            let place = &bind.container;
            if seen.is_some_and(|seen| seen.ino.is_none()) {
                expect(
                    false,
                    format!(
                        "user {user} does not get to {place}: the folders above it, which are the image's where it has them, have \
                         to be open to that user"
                    ),
                );
                continue;
            }
            let is_same = match laid.over(bind) {
                None if let Some(copied) = laid.copies.get(place) => {
                    seen.is_some_and(|seen| seen.overlay.is_some()) && self.has_all(copied)
                }
                None => seen.is_some_and(|seen| {
                    (seen.dev, seen.ino) == (Some(bind.file.0), Some(bind.file.1))
                }),
                Some(overlay) => {
                    let is_ours = |seen: &SeenMount| {
                        let has_inode = !overlay.layer.is_of_one_file_system
                            || seen.ino == Some(overlay.layer.inode);
                        seen.overlay == Some(true) && has_inode
                    };
                    seen.is_some_and(is_ours) && self.knows(overlay)
                }
            };
            expect(
                is_same,
                format!(
                    "{place} is not {} any more, or the daemon is on another machine",
                    bind.host.display()
                ),
            );
            if bind.read_only {
                expect(
                    seen.and_then(|seen| seen.read_only) == Some(true),
                    format!("{place} can be written"),
                );
            }
        }
        differences
    }

    /// True where an overlay has our folder above and the workspace below, as far as inodes tell.
    fn knows(&self, overlay: &Overlay) -> bool {
        if !overlay.layer.is_of_one_file_system {
            return true;
        }
        let inode = |path: &str| {
            let seen = self.mounts.iter().find(|seen| seen.path == path)?;
            seen.ino
        };
        // Somebody may be at work in the workspace: one entry that is what it was is enough.
        overlay.witnesses.is_empty()
            || overlay
                .witnesses
                .iter()
                .any(|(path, ino)| inode(path) == Some(*ino))
    }

    /// True where everything is there that a copy is known by. Somewhere is mounted what is told to be an overlay or none.
    fn has_all(&self, copied: &Copied) -> bool {
        copied.witnesses.iter().all(|path| {
            let mut seen = self.mounts.iter().filter(|seen| seen.path == *path);
            seen.any(|seen| seen.ino.is_some())
        })
    }

    /// For the record: what was proven.
    pub(super) fn in_words(&self, laid: &Laid) -> String {
        let interfaces = self.interfaces.clone().unwrap_or_default();
        format!(
            "uid={} gid={} capabilities=none no_new_privs=1 seccomp=2 root={} network={}",
            self.uid.unwrap_or_default(),
            self.gid.unwrap_or_default(),
            if self.root_read_only == Some(true) {
                "read-only"
            } else {
                "writable"
            },
            interfaces.join(","),
        ) + &match laid.copies.len() {
            0 => String::new(),
            copies => format!(" copies={copies}"),
        }
    }
}
