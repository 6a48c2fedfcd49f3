//! Globs over names with slashes between their parts: repositories of images, paths in a workspace.

use std::fmt;
use std::str::FromStr;

use crate::permission::wildcard;

/// Stands for any number of whole parts.
const ANY: &str = "**";

/// A pattern such as `docker.io/library/*` or `**/.git/hooks/**`: `*` stands for any characters of one part, `**` for any
/// number of whole parts. Compared without ASCII case, because some file systems do and repositories have none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob(Vec<String>);

/// The text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidGlob(&'static str);

impl fmt::Display for InvalidGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidGlob {}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        if text.chars().any(char::is_control) {
            return Err(InvalidGlob("it has a control character"));
        }
        let mut parts: Vec<String> = Vec::new();
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(InvalidGlob(
                    "it has an empty part, `.` or `..` between two slashes, or a slash at one end",
                ));
            }
            if part != ANY && part.contains(ANY) {
                return Err(InvalidGlob("`**` must be a whole part, between slashes"));
            }
            // Two in a row say no more than one.
            if part != ANY || parts.last().is_none_or(|last| last != ANY) {
                parts.push(part.to_owned());
            }
        }
        Ok(Self(parts))
    }
}

impl Glob {
    /// A pattern that is written in the code.
    pub(super) fn of_parts(parts: &[&str]) -> Self {
        Self(parts.iter().map(|part| (*part).to_owned()).collect())
    }

    /// True where the name with these parts is one of those the pattern stands for.
    #[must_use]
    pub fn matches(&self, parts: &[&[u8]]) -> bool {
        matches(&self.0, parts)
    }

    /// True where a longer name than this one could match, and not just any: `.git` leads to `**/.git/hooks/**`, and to
    /// `.github/*/x` lead `.github` and `.github/workflows`, but nothing leads to `**/x`.
    #[must_use]
    pub fn is_led_to_by(&self, parts: &[&[u8]]) -> bool {
        (1..self.0.len())
            .filter_map(|end| self.0.get(..end))
            .any(|start| start.last().is_some_and(|last| last != ANY) && matches(start, parts))
    }
}

fn matches(pattern: &[String], parts: &[&[u8]]) -> bool {
    wildcard::covers(
        pattern,
        parts,
        |part| part == ANY,
        |part, found| {
            wildcard::covers(
                part.as_bytes(),
                found,
                |byte| *byte == b'*',
                u8::eq_ignore_ascii_case,
            )
        },
    )
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> Vec<&[u8]> {
        name.split('/').map(str::as_bytes).collect()
    }

    #[test]
    fn stars_stay_in_a_part_and_double_stars_do_not() {
        for (glob, name, fits) in [
            ("docker.io/library/*", "docker.io/library/debian", true),
            ("docker.io/library/*", "docker.io/library/a/b", false),
            ("docker.io/library/*", "docker.io/library", false),
            ("ghcr.io/team/**", "ghcr.io/team", true),
            ("ghcr.io/team/**", "ghcr.io/team/a/b", true),
            ("ghcr.io/team/**", "ghcr.io/teams/a", false),
            ("ghcr.io/t*m/app-*", "ghcr.io/team/app-1", true),
            ("**/x", "x", true),
            ("**/**/x", "a/b/x", true),
            ("**/x", "a/xy", false),
            ("a*", "A", true),
        ] {
            let parsed: Glob = glob.parse().expect(glob);
            assert_eq!(parsed.matches(&parts(name)), fits, "{glob} {name}");
        }
        let twice: Glob = "**/**/x".parse().expect("valid");
        assert_eq!(twice.to_string(), "**/x");
    }

    #[test]
    fn what_leads_to_a_match_is_told_from_what_may_lead_anywhere() {
        for (glob, name, leads) in [
            ("**/.git/hooks/**", ".git", true),
            ("**/.git/hooks/**", "sub/.git", true),
            ("**/.git/hooks/**", "sub", false),
            ("a/*/c", "a", true),
            ("a/*/c", "a/b", true),
            ("a/*/c", "a/b/c", false),
            ("**/x", "a", false),
            ("x", "x", false),
        ] {
            let parsed: Glob = glob.parse().expect(glob);
            assert_eq!(parsed.is_led_to_by(&parts(name)), leads, "{glob} {name}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "/a", "a/", "a//b", "a/../b", "./a", "a**", "***", "a\n"] {
            text.parse::<Glob>().expect_err(text);
        }
    }
}
