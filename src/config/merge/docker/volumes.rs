//! What is mounted where nobody says, and the folders below which it has to lie.

use std::path::{Component, Path, PathBuf};

use super::Merge;
use crate::config::docker::{VolumeMount, is_absolute};
use crate::config::schema::Volume;

/// Folders of a container that the kernel fills.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

impl Merge<'_> {
    pub(super) fn volumes(&mut self, list: Vec<Volume>) {
        let key = "docker.volumes";
        let mut mounts: Vec<VolumeMount> = Vec::new();
        for (index, volume) in list.into_iter().enumerate() {
            let at = |name: &str| format!("{key}[{index}].{name}");
            let host_path = self.folder(&at("host_path"), &volume.host_path);
            let container_path = self.container_path(&at("container_path"), &volume.container_path);
            let (Some(host_path), Some(container_path)) = (host_path, container_path) else {
                continue;
            };
            if mounts
                .iter()
                .any(|other| other.container_path == container_path)
            {
                self.problem(
                    &at("container_path"),
                    "another volume of this list appears there",
                );
                continue;
            }
            mounts.push(VolumeMount {
                host_path,
                container_path,
                read_only: volume.read_only.unwrap_or(true),
            });
        }
        self.outward(key, Some(mounts), |config| &mut config.docker.volumes);
    }

    pub(super) fn volume_roots(&mut self, list: &[String]) {
        let key = "docker.volume_roots";
        let roots = list
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.folder(&format!("{key}[{index}]"), text))
            .collect();
        if self.config.docker.volume_roots.narrow(roots) {
            self.note(key);
        }
    }

    /// A path of this machine: absolute, below the home folder, or with `.` for the current folder.
    fn folder(&mut self, key: &str, text: &str) -> Option<PathBuf> {
        if is_up(text) {
            self.problem(
                key,
                "a path with `..` in it is read differently where there are links",
            );
            return None;
        }
        if text == "." {
            return Some(self.paths.current.clone());
        }
        match text.strip_prefix("./") {
            Some(rest) => Some(self.paths.current.join(rest.trim_start_matches('/'))),
            None => self.path(key, text),
        }
    }

    fn container_path(&mut self, key: &str, text: &str) -> Option<String> {
        // One path has one spelling, so that two volumes in one place are seen.
        let parts = Path::new(text).components().filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        });
        let path: String = parts.map(|part| format!("/{part}")).collect();
        let is_kernels = KERNEL
            .iter()
            .any(|folder| Path::new(&path).starts_with(folder));
        if !is_absolute(text) || path.is_empty() || is_kernels {
            let message = "expected an absolute path other than `/`, without `..`, and not below `/proc`, `/sys` or `/dev`";
            self.problem(key, message);
            return None;
        }
        Some(path)
    }
}

fn is_up(text: &str) -> bool {
    let mut components = Path::new(text).components();
    components.any(|part| part == Component::ParentDir)
}
