//! What belongs to the user: configuration, folders, installed plugins, and who may grant.

use std::sync::Arc;

use std::path::Path;

use super::check::Check;
use crate::app::App;
use crate::cli::block_on;
use crate::cli::text::{count, one_line};
use crate::error::Result;
use crate::fsx;

/// Whether the configuration is valid, and what is odd about it.
pub(super) fn configuration(app: &Result<Arc<App>>) -> Check {
    let app = match app {
        Ok(app) => app,
        Err(error) => {
            let detail = format!(
                "{}; the folders and the grants, which it decides on, were not looked at",
                one_line(error)
            );
            return Check::problem(
                "configuration",
                detail,
                "Mend it; `toolhatch schema config` prints what a configuration file can hold.",
            );
        }
    };
    if !app.config.warnings.is_empty() {
        return Check::warning(
            "configuration",
            app.config.warnings.join("; "),
            "`toolhatch config show --origin` names where each value comes from.",
        );
    }
    let files: Vec<String> = std::iter::once(&app.paths.system_config)
        .chain(app.paths.user_config.as_ref())
        .chain([&app.paths.project_config])
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if files.is_empty() {
        return Check::ok("configuration", "valid, there are no files");
    }
    Check::ok("configuration", format!("valid: {}", files.join(", ")))
}

/// Whether the folder of everything Toolhatch keeps is private, can be written to, and lies on a disk of this machine.
pub(super) fn folder(home: &Path) -> Check {
    let probe = home.join(".doctor");
    let written = fsx::create_private_dir(home)
        .and_then(|()| fsx::write_atomic(&probe, b"", 0o600))
        .and_then(|()| {
            std::fs::remove_file(&probe).map_err(|error| fsx::io_error("removing", &probe, error))
        });
    if let Err(error) = written {
        return Check::problem("state", one_line(&error), error.hints().join(" "));
    }
    match network_file_system(home) {
        Some(name) => Check::warning(
            "state",
            format!(
                "{} lies on {name}, where locks and atomic writes cannot be relied on",
                home.display()
            ),
            "Set `TOOLHATCH_HOME` to a folder on a disk of this machine.",
        ),
        None => Check::ok(
            "state",
            format!("{} is private and can be written to", home.display()),
        ),
    }
}

/// The kind of file system a folder lies on, where that is not this machine's own.
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    // The type of the field differs between machines, its lower 32 bits do not.
    named(i128::from(kind) & 0xffff_ffff)
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_path: &Path) -> Option<&'static str> {
    None
}

/// The numbers of `linux/magic.h`.
#[cfg(target_os = "linux")]
fn named(magic: i128) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0x0000_517b | 0xfe53_4d42 | 0xff53_4d42 => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        _ => return None,
    })
}

/// Whether compiled components are kept where nobody else can write, and are authenticated.
pub(super) fn cache(app: &App) -> Check {
    match app.cache() {
        Ok(_) => Check::ok(
            "cache",
            format!(
                "{} is private, and each file in it is authenticated with this user's key",
                app.config.cache_dir.display()
            ),
        ),
        Err(error) => Check::problem("cache", one_line(&error), error.hints().join(" ")),
    }
}

/// Whether the list of installed plugins can be read.
pub(super) fn plugins(app: &App) -> Check {
    let whole = block_on(async {
        let registry = app.registry().await?;
        registry.store().check().await?;
        registry.plugins().await
    });
    match whole {
        Ok(plugins) => Check::ok(
            "plugins",
            format!("{} installed", count(plugins.len(), "plugin")),
        ),
        Err(error) => Check::problem("plugins", one_line(&error), error.hints().join(" ")),
    }
}

/// Who can grant something to a call.
pub(super) fn grants(app: &App) -> Check {
    let mut detail = if app.config.allow_flag {
        "`--allow` is on: whoever starts a call decides what it may do".to_owned()
    } else {
        format!(
            "`--allow` is switched off by {}",
            app.config.origin("permissions.allow_flag")
        )
    };
    if !app.config.deny.is_empty() {
        let denied: Vec<&str> = app.config.deny.iter().map(|kind| kind.name()).collect();
        detail.push_str(&format!("; denied to everybody: {}", denied.join(", ")));
    }
    Check::ok("grants", detail)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn file_systems_of_other_machines_are_known() {
        assert_eq!(named(0x6969), Some("NFS"));
        assert_eq!(named(0xff53_4d42), Some("SMB"));
        assert_eq!(named(0xef53), None, "ext4");
        assert_eq!(network_file_system(Path::new("/proc")), None);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_a_problem() {
        let folder = tempfile::tempdir().expect("folder");
        let home = folder.path().join("home");
        assert_eq!(super::folder(&home).status, Status::Ok);
        assert_eq!(
            std::fs::read_dir(&home).expect("made").count(),
            0,
            "the probe is gone"
        );
        let file = folder.path().join("file");
        fsx::write_atomic(&file, b"", 0o600).expect("written");
        assert_eq!(super::folder(&file).status, Status::Problem);
    }
}
