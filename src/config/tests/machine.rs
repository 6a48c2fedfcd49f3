//! A machine made of one temporary folder.

use std::path::PathBuf;

use crate::config::{Config, Flag, Paths};
use crate::error::{Code, Result};

/// A machine of its own: a system's file, a user's, a project's, and variables.
pub(super) struct Machine {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, &'static str)>,
    flags: Vec<Flag>,
}

impl Machine {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        for name in ["etc", "home/.config/toolhatch", "home/project/.toolhatch"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("created");
        }
        Self {
            folder,
            variables: Vec::new(),
            flags: Vec::new(),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .canonicalize()
            .expect("exists")
            .join(name)
    }

    pub(super) fn file(self, name: &str, text: &str) -> Self {
        crate::fsx::write_atomic(&self.path(name), text.as_bytes(), 0o600).expect("written");
        self
    }

    pub(super) fn system(self, text: &str) -> Self {
        self.file("etc/config.toml", text)
    }

    pub(super) fn user(self, text: &str) -> Self {
        self.file("home/.config/toolhatch/config.toml", text)
    }

    pub(super) fn project(self, text: &str) -> Self {
        self.file("home/project/.toolhatch/config.toml", text)
    }

    pub(super) fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    pub(super) fn flag(mut self, flag: &'static str, key: &'static str, value: &str) -> Self {
        let value = value.to_owned();
        self.flags.push(Flag { flag, key, value });
        self
    }

    pub(super) fn paths(&self) -> Paths {
        let home = self.path("home").to_str().expect("UTF-8").to_owned();
        let environment = std::iter::once(("HOME", home.as_str())).collect();
        let paths = Paths::new(&environment, &self.path("home/project")).expect("enough");
        Paths {
            system_config: self.path("etc/config.toml"),
            ..paths
        }
    }

    pub(super) fn load(&self) -> Result<Config> {
        let environment = self.variables.iter().copied().collect();
        Config::load(&self.paths(), &environment, &self.flags)
    }

    /// The error without the folder of this machine, and its code, which is always the same.
    pub(super) fn refusal(&self) -> String {
        let error = self.load().expect_err("refused");
        assert_eq!(error.code(), Code::E3004, "{error}");
        let folder = self.path("").to_str().expect("UTF-8").to_owned();
        error.to_string().replace(&folder, "")
    }
}
