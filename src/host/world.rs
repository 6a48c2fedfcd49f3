//! Which versions of our world this host speaks. `docs/design/008-wit-stability.md` has the rule behind it.
//!
//! wasmtime takes versions of one series for each other: what was built for 0.1.0 finds what is provided as 0.1.3. A series
//! that went before the present one would have an adapter here, with the bindings of its frozen folder; there is none yet.

use semver::Version;

/// What our packages are called.
const OURS: &str = "toolhatch:plugin/";
/// The version in `wit/`.
const SPOKEN: Version = Version::new(0, 1, 0);

/// The interface and version of ours that a name of an import or export has: `("tools", 0.1.0)`.
fn ours(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name.strip_prefix(OURS)?.split_once('@')?;
    Some((interface, version.parse().ok()?))
}

/// True for versions that can take each other's place: the first part that is not zero is the same.
fn is_of_one_series(a: &Version, b: &Version) -> bool {
    match (a.major, b.major) {
        (0, 0) if a.minor == 0 && b.minor == 0 => a.patch == b.patch,
        (0, 0) => a.minor == b.minor,
        (a, b) => a == b,
    }
}

/// Says that a name is of a version that is not spoken here; nothing for what is, and for what is not ours.
pub(super) fn foreign(name: &str) -> Option<String> {
    let (interface, version) = ours(name)?;
    (!is_of_one_series(&version, &SPOKEN)).then(|| {
        format!("{OURS}{interface} in version {version}, and this Toolhatch speaks {SPOKEN}")
    })
}

/// What to do about it.
pub(super) const REMEDY: &str = "Build the plugin again for that version (`toolhatch plugin new` brings its WIT along), or use the Toolhatch it was built for.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_series_are_spoken() {
        for known in [
            "toolhatch:plugin/tools@0.1.0",
            "toolhatch:plugin/log@0.1.7",
            "wasi:cli/run@9.0.0",
            "toolhatch:plugin/tools",
            "toolhatch:plugin/tools@nonsense",
            "greet",
        ] {
            assert_eq!(foreign(known), None, "{known}");
        }
        for other in ["0.2.0", "1.0.0", "0.0.1"] {
            let told = foreign(&format!("toolhatch:plugin/state@{other}")).expect(other);
            assert!(told.contains(other) && told.contains("0.1.0"), "{told}");
        }
    }

    #[test]
    fn the_spoken_version_is_that_of_the_wit() {
        let wit = include_str!("../../wit/plugin.wit");
        assert!(
            wit.contains(&format!("package toolhatch:plugin@{SPOKEN};")),
            "{SPOKEN}"
        );
    }
}
