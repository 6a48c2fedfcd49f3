//! Where things are: configuration files, Toolhatch's own folder, the workspace.

use std::path::{Path, PathBuf};

use super::env_vars::{self, Environment};
use crate::error::{Code, Error, Result};
use crate::manifest::Variables;

/// The file of the operator of the machine.
///
/// No variable and no flag moves it: whoever can set variables could otherwise put the operator's rules away. Tests build
/// [`Paths`] themselves.
pub const SYSTEM_CONFIG: &str = "/etc/toolhatch/config.toml";

/// The folder of a project's own settings; it also marks the root of a workspace.
pub const PROJECT_FOLDER: &str = ".toolhatch";

/// The places a process works with; all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The operator's configuration.
    pub system_config: PathBuf,
    /// The user's configuration, if there is a place for it.
    pub user_config: Option<PathBuf>,
    /// The project's configuration.
    pub project_config: PathBuf,
    /// The folder of everything Toolhatch keeps.
    pub home: PathBuf,
    /// The current folder.
    pub current: PathBuf,
    /// The nearest project root, else the current folder; canonical.
    pub workspace: PathBuf,
    /// The home folder of the user, if known; canonical where it exists.
    pub user_home: Option<PathBuf>,
}

impl Paths {
    /// The places of this process.
    ///
    /// # Errors
    /// E3004 where the current folder is gone, or nothing tells where Toolhatch's own folder is.
    pub fn of_process(environment: &Environment) -> Result<Self> {
        let current = std::env::current_dir().map_err(|source| {
            Error::new(
                Code::E3004,
                "finding the current folder: it cannot be read or is gone",
            )
            .hint("Change to a folder that exists.")
            .caused_by(source)
        })?;
        Self::new(environment, &current)
    }

    /// The places for these variables and this current folder.
    ///
    /// # Errors
    /// E3004 where `TOOLHATCH_HOME` is not absolute, or neither it nor `HOME` nor `XDG_DATA_HOME` is set.
    pub fn new(environment: &Environment, current: &Path) -> Result<Self> {
        // The XDG specification says to ignore paths that are not absolute.
        let absolute = |name: &str| {
            environment
                .get(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let user_home = absolute(env_vars::USER_HOME);
        let below_home = |name: &str| user_home.as_ref().map(|home| home.join(name));
        let user_config = absolute(env_vars::XDG_CONFIG_HOME)
            .or_else(|| below_home(".config"))
            .map(|folder| folder.join("toolhatch/config.toml"));
        let data = absolute(env_vars::XDG_DATA_HOME).or_else(|| below_home(".local/share"));
        let home = match environment.get(env_vars::HOME).map(PathBuf::from) {
            Some(home) if home.is_absolute() => home,
            Some(home) => {
                return Err(Error::new(
                    Code::E3004,
                    format!("reading TOOLHATCH_HOME: {} is not an absolute path", home.display()),
                )
                .hint("Give the whole path, beginning with `/`."));
            }
            None => data.map(|data| data.join("toolhatch")).ok_or_else(|| {
                Error::new(
                    Code::E3004,
                    "finding the folder Toolhatch keeps its data in: neither HOME nor TOOLHATCH_HOME is set",
                )
                .hint("Set `TOOLHATCH_HOME` to a folder of your own.")
            })?,
        };
        let workspace = workspace_root(current);
        Ok(Self {
            system_config: PathBuf::from(SYSTEM_CONFIG),
            user_config,
            project_config: workspace.join(PROJECT_FOLDER).join("config.toml"),
            home,
            current: current.to_owned(),
            workspace,
            user_home: user_home.map(|home| home.canonicalize().unwrap_or(home)),
        })
    }

    /// The folder with the tools that the project proposes.
    #[must_use]
    pub fn project_tools(&self) -> PathBuf {
        self.workspace.join(PROJECT_FOLDER).join("tools")
    }

    /// The folder with the servers that were added by command, one a file; nothing where there is no place for it.
    #[must_use]
    pub fn mcp_servers(&self) -> Option<PathBuf> {
        Some(self.user_config.as_ref()?.with_file_name("mcp"))
    }

    /// The files of the servers that were added by command, with their names, in the order of these.
    ///
    /// # Errors
    /// E3004 where the folder is there and cannot be read.
    pub(super) fn added_servers(&self) -> Result<Vec<(String, PathBuf)>> {
        let Some(folder) = self.mcp_servers() else {
            return Ok(Vec::new());
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Error::new(
                    Code::E3004,
                    format!("reading the folder {}", folder.display()),
                )
                .caused_by(error));
            }
        };
        let mut files: Vec<(String, PathBuf)> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
            .collect();
        files.sort();
        Ok(files)
    }

    /// What the variables in the paths of a manifest stand for here.
    #[must_use]
    pub fn variables(&self) -> Variables {
        Variables {
            workspace: self.workspace.clone(),
            home: self.user_home.clone(),
        }
    }

    /// A path from a configuration file: absolute, or below the user's home folder as `~/…`.
    pub(super) fn expand(&self, text: &str) -> Option<PathBuf> {
        match text.strip_prefix("~/") {
            Some(rest) => Some(self.user_home.as_ref()?.join(rest)),
            None => Some(PathBuf::from(text)).filter(|path| path.is_absolute()),
        }
    }
}

/// The nearest folder, from `current` upwards, that holds `.toolhatch` or `.git`; `current` itself where none does.
///
/// The result is canonical where the folder exists.
#[must_use]
pub fn workspace_root(current: &Path) -> PathBuf {
    let start = current
        .canonicalize()
        .unwrap_or_else(|_| current.to_owned());
    start
        .ancestors()
        .find(|folder| {
            [PROJECT_FOLDER, ".git"]
                .iter()
                .any(|mark| folder.join(mark).symlink_metadata().is_ok())
        })
        .unwrap_or(&start)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(variables: &[(&str, &str)]) -> Result<Paths> {
        let environment = variables.iter().copied().collect();
        Paths::new(&environment, Path::new("/nowhere/at/all"))
    }

    #[test]
    fn places_follow_the_xdg_specification() {
        let home = paths(&[("HOME", "/home/none")]).expect("enough");
        assert_eq!(home.home, Path::new("/home/none/.local/share/toolhatch"));
        let user_config = home.user_config.as_deref();
        assert_eq!(
            user_config,
            Some(Path::new("/home/none/.config/toolhatch/config.toml"))
        );
        assert_eq!(home.system_config, Path::new("/etc/toolhatch/config.toml"));

        let xdg = paths(&[
            ("HOME", "/h"),
            ("XDG_DATA_HOME", "/d"),
            ("XDG_CONFIG_HOME", "not/absolute"),
        ]);
        let xdg = xdg.expect("enough");
        assert_eq!(xdg.home, Path::new("/d/toolhatch"));
        assert_eq!(
            xdg.user_config.as_deref(),
            Some(Path::new("/h/.config/toolhatch/config.toml"))
        );

        let own = paths(&[("TOOLHATCH_HOME", "/t")]).expect("enough");
        assert_eq!(
            (own.home.as_path(), own.user_config),
            (Path::new("/t"), None)
        );
    }

    #[test]
    fn without_a_place_there_is_a_sentence() {
        for variables in [
            &[][..],
            &[("HOME", "")],
            &[("HOME", "/h"), ("TOOLHATCH_HOME", "relative")],
        ] {
            let error = paths(variables).expect_err("no place");
            assert_eq!(error.code(), Code::E3004);
            assert!(error.to_string().contains("TOOLHATCH_HOME"), "{error}");
        }
    }

    #[test]
    fn the_workspace_is_the_nearest_marked_folder() {
        let folder = tempfile::tempdir().expect("folder");
        let root = folder.path().canonicalize().expect("exists");
        let deep = root.join("a/b/c");
        std::fs::create_dir_all(&deep).expect("created");
        // No mark anywhere above a fresh temporary folder is a property of the machine; a mark at the root makes sure.
        std::fs::create_dir(root.join(".git")).expect("created");
        assert_eq!(workspace_root(&deep), root);
        std::fs::create_dir(root.join("a/b/.toolhatch")).expect("created");
        assert_eq!(workspace_root(&deep), root.join("a/b"));
        // A worktree has a file named `.git`.
        crate::fsx::write_atomic(&deep.join(".git"), b"gitdir: x", 0o600).expect("written");
        assert_eq!(workspace_root(&deep), deep);
    }

    #[test]
    fn only_absolute_paths_and_those_below_home_are_read() {
        let paths = paths(&[("HOME", "/h")]).expect("enough");
        assert_eq!(paths.expand("~/x"), Some(PathBuf::from("/h/x")));
        assert_eq!(paths.expand("/x"), Some(PathBuf::from("/x")));
        assert_eq!(paths.expand("x"), None);
        assert_eq!(paths.expand("~other/x"), None);
    }
}
