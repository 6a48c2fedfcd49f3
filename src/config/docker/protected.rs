//! Paths of a workspace that the changes of a command never reach.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use super::glob::Glob;

/// What runs by itself later, or decides what does: on this machine, or where the project is built.
const BUILT_IN: [&[&str]; 8] = [
    &["**", ".git", "hooks", "**"],
    &["**", ".git", "config"],
    &["**", ".git", "config.worktree"],
    &["**", ".git", "modules", "**"],
    &["**", ".git", "worktrees", "**"],
    &[".github", "workflows", "**"],
    &[".gitlab-ci.yml"],
    &["**", ".toolhatch", "**"],
];

/// Paths of a workspace that changes are never applied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedPaths(BTreeSet<Glob>);

impl Default for ProtectedPaths {
    fn default() -> Self {
        Self(BUILT_IN.iter().map(|parts| Glob::of_parts(parts)).collect())
    }
}

impl ProtectedPaths {
    /// The globs.
    pub fn iter(&self) -> impl Iterator<Item = &Glob> {
        self.0.iter()
    }

    /// The glob that protects a path, given relative to the workspace.
    #[must_use]
    pub fn covering(&self, path: &Path) -> Option<&Glob> {
        self.first(path, Glob::matches)
    }

    /// The glob whose paths lie below this one. Such a path may be made and filled as a folder; in its place a file or a
    /// symbolic link could bring what is protected with it.
    #[must_use]
    pub fn below(&self, path: &Path) -> Option<&Glob> {
        self.first(path, Glob::is_led_to_by)
    }

    /// Adds a glob. The answer is whether it is new.
    pub(in crate::config) fn add(&mut self, glob: Glob) -> bool {
        self.0.insert(glob)
    }

    fn first(&self, path: &Path, fits: impl Fn(&Glob, &[&[u8]]) -> bool) -> Option<&Glob> {
        let mut parts: Vec<&[u8]> = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => parts.push(name.as_bytes()),
                Component::ParentDir => {
                    parts.pop();
                }
                Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            }
        }
        self.0.iter().find(|glob| fits(glob, &parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_later_is_protected_however_it_is_written() {
        let mut protected = ProtectedPaths::default();
        protected.add("Jenkinsfile".parse().expect("valid"));
        for (path, covered, below) in [
            (".git/hooks/pre-commit", true, false),
            (".git/hooks", true, true),
            ("./src/../.git/hooks/pre-commit", true, false),
            (".GIT/Hooks/pre-commit", true, false),
            ("vendor/x/.git/config", true, false),
            (".git", false, true),
            ("vendor/x/.git", false, true),
            (".git/index", false, false),
            (".github", false, true),
            (".github/workflows/ci.yml", true, false),
            (".github/ISSUE_TEMPLATE/bug.md", false, false),
            (".gitlab-ci.yml", true, false),
            ("docs/.gitlab-ci.yml", false, false),
            (".toolhatch/config.toml", true, false),
            (".toolhatch", true, true),
            ("jenkinsFile", true, false),
            ("src/main.rs", false, false),
            ("", false, false),
        ] {
            let path = Path::new(path);
            assert_eq!(protected.covering(path).is_some(), covered, "{path:?}");
            assert_eq!(protected.below(path).is_some(), below, "{path:?}");
        }
    }
}
