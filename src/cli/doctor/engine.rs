//! The WebAssembly engine: its version against what is known of it, and whether it runs.

use std::sync::Arc;

use semver::Version;

use super::check::Check;
use super::self_test;
use crate::cli::block_on;
use crate::cli::text::one_line;
use crate::error::Result;
use crate::host::{Host, POOL_SLOTS};

/// What this program was built from: the only place that knows the versions of its libraries.
const LOCK: &str = include_str!("../../../Cargo.lock");
/// The parts of the engine that stand between a guest and this machine.
const PARTS: [&str; 3] = ["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"];
/// The lowest version that is fit to run what strangers wrote.
const FLOOR: Version = Version::new(48, 0, 8);
/// Holes in the sandbox of earlier versions, each with a version in which it is known to be closed.
const ADVISORIES: [(&str, Version); 10] = [
    ("RUSTSEC-2026-0149", Version::new(45, 0, 0)),
    ("RUSTSEC-2026-0182", Version::new(45, 0, 2)),
    ("RUSTSEC-2026-0188", Version::new(46, 0, 1)),
    ("RUSTSEC-2026-0269", Version::new(48, 0, 0)),
    ("GHSA-m9f7-9w4p-gv38", Version::new(48, 0, 8)),
    ("GHSA-5qpp-g3j2-8frx", Version::new(48, 0, 8)),
    ("GHSA-q554-3cjc-rx7p", Version::new(48, 0, 8)),
    ("GHSA-r8xh-cgf7-392j", Version::new(48, 0, 7)),
    ("GHSA-jxcf-8qw5-5c33", Version::new(48, 0, 7)),
    ("GHSA-hmmr-87qq-258j", Version::new(48, 0, 8)),
];
const UPDATE: &str = "Build Toolhatch again with its own Cargo.lock, or update it.";

/// The version of the engine against known advisories.
pub(super) fn version() -> Check {
    let versions: Option<Vec<Version>> = PARTS.iter().map(|part| locked(LOCK, part)).collect();
    // The oldest part is the one that counts.
    match versions.and_then(|versions| versions.into_iter().min()) {
        Some(version) => judge(&version),
        None => Check::problem("wasmtime", "its version is not known", UPDATE),
    }
}

fn judge(version: &Version) -> Check {
    let open: Vec<&str> = ADVISORIES
        .iter()
        .filter(|(_, closed)| version < closed)
        .map(|(id, _)| *id)
        .collect();
    if !open.is_empty() {
        let detail = format!(
            "{version} is below the floor of {FLOOR}, and open to {}",
            open.join(", ")
        );
        return Check::problem("wasmtime", detail, UPDATE);
    }
    if *version < FLOOR {
        return Check::problem(
            "wasmtime",
            format!("{version} is below the floor of {FLOOR}"),
            UPDATE,
        );
    }
    let known = ADVISORIES.len();
    if version.major > FLOOR.major {
        return Check::warning(
            "wasmtime",
            format!(
                "{version}; the {known} known advisories were looked at up to version {} only",
                FLOOR.major
            ),
            "Look for newer advisories at https://rustsec.org.",
        );
    }
    Check::ok(
        "wasmtime",
        format!("{version}, none of the {known} known advisories applies (floor {FLOOR})"),
    )
}

/// The version of a package in a lock file; the lowest where there are several.
fn locked(lock: &str, package: &str) -> Option<Version> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut lowest: Option<Version> = None;
    while let Some(line) = lines.next() {
        if line != name {
            continue;
        }
        let version: Version = lines
            .next()?
            .strip_prefix("version = \"")?
            .strip_suffix('"')?
            .parse()
            .ok()?;
        lowest = Some(match lowest {
            Some(lowest) => version.min(lowest),
            None => version,
        });
    }
    lowest
}

/// A host that needs no folders.
pub(super) fn without_cache() -> Result<Arc<Host>> {
    Host::new(None, 1, POOL_SLOTS).map(Arc::new)
}

/// Whether the engine starts, and whether its sandbox holds a guest.
pub(super) fn runs(host: Result<Arc<Host>>) -> Vec<Check> {
    let host = match host {
        Ok(host) => host,
        Err(error) => {
            return vec![Check::problem(
                "engine",
                one_line(&error),
                error.hints().join(" "),
            )];
        }
    };
    let started = Check::ok(
        "engine",
        format!("started, with a pool of {POOL_SLOTS} slots for calls"),
    );
    let tested = match block_on(self_test::run(host)) {
        Ok(()) => Check::ok(
            "sandbox",
            "a guest ran, and one that never ends was stopped",
        ),
        Err(error) => Check::problem("sandbox", one_line(&error), error.hints().join(" ")),
    };
    vec![started, tested]
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn this_build_is_fit() {
        let check = version();
        assert_eq!(check.status, Status::Ok, "{check:?}");
        assert!(
            check
                .detail
                .contains("none of the 10 known advisories applies"),
            "{check:?}"
        );
    }

    #[test]
    fn an_old_engine_is_told_with_what_it_is_open_to() {
        for (version, open) in [
            (
                Version::new(45, 0, 1),
                "RUSTSEC-2026-0182, RUSTSEC-2026-0188, RUSTSEC-2026-0269",
            ),
            (Version::new(48, 0, 7), "open to GHSA-m9f7-9w4p-gv38"),
        ] {
            let check = judge(&version);
            assert_eq!(check.status, Status::Problem);
            assert!(check.detail.contains(open), "{check:?}");
        }
        assert_eq!(judge(&Version::new(49, 0, 0)).status, Status::Warning);
    }

    #[test]
    fn versions_are_found_in_a_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
        assert_eq!(locked(lock, "a"), Some(Version::new(1, 0, 0)));
        assert_eq!(locked(lock, "b"), None);
    }
}
