//! What tools are called over MCP.
//!
//! Clients put `mcp__toolhatch__` and the like in front of a name, and the model behind them takes no more than 64 characters
//! of `[A-Za-z0-9_-]`; one name that breaks this can end a whole session. So names are short and of these characters, they
//! depend on nothing but the tools there are, and what they stand for is looked up, never read out of them.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{Digest, ToolId};

/// The longest name. What clients put in front has room beside it.
pub const LONGEST: usize = 48;
/// Names that stand for no tool of a source.
const RESERVED: [&str; 4] = [
    super::search::SEARCH,
    super::search::CALL,
    super::servers::LIST,
    super::load::LOAD,
];
/// How much of a digest tells names apart that would be the same.
const TAIL: usize = 6;

/// How tools are named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Naming {
    /// With their source in front, where they do not begin with it.
    #[default]
    WithSource,
    /// By their own names alone, where no two are the same.
    Bare,
}

/// A name for each tool, all of them different: `source_tool`, or the tool's own name where that begins with its source's.
///
/// The answer is the same whatever the order of the tools. A name that would be too long, or that several tools would have,
/// ends in a few digits of a digest of the id.
#[must_use]
pub fn names<'a>(
    tools: impl IntoIterator<Item = &'a ToolId>,
    naming: Naming,
) -> BTreeMap<ToolId, String> {
    let plain: BTreeMap<&ToolId, String> = tools
        .into_iter()
        .map(|id| (id, plain(id, naming)))
        .collect();
    let mut count: HashMap<String, usize> = HashMap::new();
    for name in plain.values() {
        *count.entry(folded(name)).or_default() += 1;
    }
    plain
        .into_iter()
        .map(|(id, name)| {
            let is_shared = RESERVED.contains(&folded(&name).as_str())
                || count.get(&folded(&name)).is_none_or(|count| *count > 1);
            let name = if is_shared || name.len() > LONGEST {
                marked(id, &name)
            } else {
                name
            };
            (id.clone(), name)
        })
        .collect()
}

/// What is left of a name with every client: two tools of a source for which this is the same need digits to be told apart.
#[must_use]
pub fn distinguishing(name: &str) -> String {
    folded(&allowed(name))
}

/// Some clients take names that differ in case alone, or in `-` and `_`, for the same.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn plain(id: &ToolId, naming: Naming) -> String {
    let (source, tool) = (allowed(id.source()), allowed(id.tool()));
    let rest = folded(&tool);
    let begins_alike = rest
        .strip_prefix(&folded(&source))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let name = if begins_alike || naming == Naming::Bare {
        tool
    } else {
        format!("{source}_{tool}")
    };
    // What could not be kept is not to be lost: two names that differ in it stay two.
    let source = match naming {
        Naming::WithSource => id.source(),
        Naming::Bare => "",
    };
    if source.chars().chain(id.tool().chars()).all(is_kept) {
        name
    } else {
        marked(id, &name)
    }
}

fn allowed(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

/// Dots are common in names of tools and say nothing that `_` does not.
fn is_kept(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

fn marked(id: &ToolId, name: &str) -> String {
    let digest = Digest::of(id.as_str().as_bytes()).hex();
    let tail = digest.get(..TAIL).unwrap_or_default();
    // Names are ASCII by now: every place is between two characters.
    let head = name.get(..LONGEST - TAIL - 1).unwrap_or(name);
    // One that was marked before stays as it is.
    if name.len() <= LONGEST && name.ends_with(&format!("_{tail}")) {
        return name.to_owned();
    }
    format!("{head}_{tail}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(ids: &[(&str, &str)]) -> Vec<String> {
        let ids: Vec<ToolId> = ids
            .iter()
            .map(|(source, tool)| ToolId::new(source, tool).expect("an id"))
            .collect();
        let names = names(&ids, Naming::WithSource);
        ids.iter().map(|id| names[id].clone()).collect()
    }

    #[test]
    fn names_are_as_short_as_they_can_be() {
        assert_eq!(
            named(&[
                ("sandbox", "run"),
                ("analyze-code", "analyze-code"),
                ("git", "git_status"),
                ("gi", "git"),
                ("time", "convert.time"),
            ]),
            [
                "sandbox_run",
                "analyze-code",
                "git_status",
                "gi_git",
                "time_convert_time"
            ]
        );
    }

    #[test]
    fn what_would_be_the_same_is_told_apart_and_the_rest_left_alone() {
        let names = named(&[("a", "b_c"), ("a_b", "c"), ("a", "B-c"), ("x", "y")]);
        assert_eq!(names[3], "x_y");
        assert!(names[0].starts_with("a_b_c_") && names[0] != names[1] && names[2] != names[0]);
        let long = "t".repeat(200);
        let names = named(&[("s", &long), ("s", &format!("{long}2"))]);
        assert!(names[0] != names[1] && names[0].len() == LONGEST);
        let names = named(&[("s", "größe"), ("s", "gr__e")]);
        assert!(names[0].starts_with("s_gr__e_") && names[1] == "s_gr__e");
    }

    #[test]
    fn no_tool_takes_the_name_of_what_finds_them() {
        let names = named(&[("search", "tools"), ("search", "other")]);
        assert!(names[0].starts_with("search_tools_") && names[1] == "search_other");
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_every_client_takes(
            ids in prop::collection::btree_set(("[a-zé_-]{1,40}", "[A-Za-zé0-9_.-]{1,80}"), 1..40)
        ) {
            let ids: Vec<ToolId> = ids
                .iter()
                .map(|(source, tool)| ToolId::new(source, tool).expect("an id"))
                .collect();
            let names = names(&ids, Naming::WithSource);
            prop_assert_eq!(names.len(), ids.len());
            let mut seen: Vec<String> = names.values().map(|name| folded(name)).collect();
            for name in names.values() {
                prop_assert!(!name.is_empty() && name.len() <= LONGEST);
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            }
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), ids.len());
            let mut backwards = ids.clone();
            backwards.reverse();
            prop_assert_eq!(super::names(&backwards, Naming::WithSource), names);
        }
    }
}
