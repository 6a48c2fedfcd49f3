//! Choosing versions of the plugins that a plugin depends on.
//!
//! One version of each plugin is chosen: the highest, by Semantic Versioning, that fits every range asked for by those
//! chosen with it. Pre-releases count only where a range names one. The choice is the same every time: names are decided
//! in alphabetical order and versions tried from the highest down.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};

use crate::error::{Code, Error, Result};
use crate::ids::PluginName;

/// Ranges by the name of the plugin they are about.
pub type Ranges = BTreeMap<PluginName, VersionReq>;

/// One version of a plugin that could be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its version.
    pub version: Version,
    /// What it depends on itself.
    pub dependencies: Ranges,
}

/// How many choices are tried before the search gives up; real catalogues need a handful.
const MAX_TRIES: usize = 10_000;

/// Chooses a version for everything `root` needs, directly or through others.
///
/// `catalogue` lists the versions of a plugin there are, in any order.
///
/// # Errors
/// E3101 where a plugin is needed of which there is no version at all; E3103 where the ranges have no version in common
/// (the message says who asks for what), where plugins need each other in a circle (it names the circle), or where too
/// many combinations would have to be tried.
pub fn resolve(
    root: &PluginName,
    needs: &Ranges,
    catalogue: &dyn Fn(&PluginName) -> Vec<Candidate>,
) -> Result<BTreeMap<PluginName, Version>> {
    let mut search = Search {
        root,
        needs,
        catalogue,
        known: BTreeMap::new(),
        chosen: BTreeMap::new(),
        first_failure: None,
        tries: 0,
    };
    if search.run() {
        return Ok(search
            .chosen
            .into_iter()
            .map(|(name, candidate)| (name, candidate.version))
            .collect());
    }
    // What fails first fails with the highest versions, which is what people expect to be used.
    Err(search.first_failure.unwrap_or_else(|| {
        Error::new(
            Code::E3103,
            format!("resolving the dependencies of {root}: none was found"),
        )
    }))
}

struct Search<'a> {
    root: &'a PluginName,
    needs: &'a Ranges,
    catalogue: &'a dyn Fn(&PluginName) -> Vec<Candidate>,
    known: BTreeMap<PluginName, Vec<Candidate>>,
    chosen: BTreeMap<PluginName, Candidate>,
    first_failure: Option<Error>,
    tries: usize,
}

/// One plugin's range for another: who asks, and for what.
type Ask<'a> = (&'a PluginName, Option<&'a Version>, &'a VersionReq);

impl Search<'_> {
    /// Completes the choice; true where that worked.
    fn run(&mut self) -> bool {
        let Some(name) = self.next_open() else {
            return true;
        };
        let all = self.candidates(&name);
        let asks = self.asks(&name);
        let fitting: Vec<Candidate> = all
            .iter()
            .filter(|candidate| {
                asks.iter()
                    .all(|(_, _, range)| range.matches(&candidate.version))
            })
            .cloned()
            .collect();
        if fitting.is_empty() {
            let failure = self.no_version(&name, &all, &asks);
            self.first_failure.get_or_insert(failure);
            return false;
        }
        for candidate in fitting {
            self.tries += 1;
            if self.tries > MAX_TRIES {
                let root = self.root;
                self.first_failure = Some(Error::new(
                    Code::E3103,
                    format!(
                        "resolving the dependencies of {root}: gave up after {MAX_TRIES} combinations"
                    ),
                ));
                return false;
            }
            if self.fits_chosen(&name, &candidate) {
                self.chosen.insert(name.clone(), candidate);
                if self.run() {
                    return true;
                }
                self.chosen.remove(&name);
            }
            if self.tries > MAX_TRIES {
                return false;
            }
        }
        false
    }

    /// The first plugin that somebody chosen needs and that is not chosen yet.
    fn next_open(&self) -> Option<PluginName> {
        let needs = self
            .chosen
            .values()
            .map(|candidate| &candidate.dependencies);
        std::iter::once(self.needs)
            .chain(needs)
            .flat_map(BTreeMap::keys)
            .filter(|name| !self.chosen.contains_key(*name) && *name != self.root)
            .min()
            .cloned()
    }

    /// The versions there are, the highest first.
    fn candidates(&mut self, name: &PluginName) -> Vec<Candidate> {
        let catalogue = self.catalogue;
        let list = self.known.entry(name.clone()).or_insert_with(|| {
            let mut list = catalogue(name);
            list.sort_by(|a, b| b.version.cmp(&a.version));
            list
        });
        list.clone()
    }

    fn asks<'s>(&'s self, name: &PluginName) -> Vec<Ask<'s>> {
        let root = self.needs.get(name).map(|range| (self.root, None, range));
        let others = self.chosen.iter().filter_map(|(asker, candidate)| {
            let range = candidate.dependencies.get(name)?;
            Some((asker, Some(&candidate.version), range))
        });
        root.into_iter().chain(others).collect()
    }

    /// True where the candidate accepts what is chosen already, and closes no circle.
    fn fits_chosen(&mut self, name: &PluginName, candidate: &Candidate) -> bool {
        for (other, range) in &candidate.dependencies {
            let Some(chosen) = self.chosen.get(other) else {
                continue;
            };
            if !range.matches(&chosen.version) {
                let mut asks = self.asks(other);
                asks.push((name, Some(&candidate.version), range));
                let failure = self.no_version(
                    other,
                    &self.known.get(other).cloned().unwrap_or_default(),
                    &asks,
                );
                self.first_failure.get_or_insert(failure);
                return false;
            }
        }
        let mut path = vec![name.clone()];
        if candidate
            .dependencies
            .keys()
            .any(|next| self.leads_to(next, name, &mut path, &mut BTreeSet::new()))
        {
            let circle: Vec<&str> = path.iter().map(PluginName::as_str).collect();
            let failure = Error::new(
                Code::E3103,
                format!(
                    "resolving the dependencies of {}: plugins need each other in a circle: {}",
                    self.root,
                    circle.join(" → ")
                ),
            )
            .hint("Take one of these dependencies out.");
            self.first_failure.get_or_insert(failure);
            return false;
        }
        true
    }

    /// Follows the needs of chosen plugins from `at`; true where they come to `goal`, with `path` the way there.
    fn leads_to<'s>(
        &'s self,
        at: &'s PluginName,
        goal: &PluginName,
        path: &mut Vec<PluginName>,
        seen: &mut BTreeSet<&'s PluginName>,
    ) -> bool {
        if at != goal && at != self.root && !seen.insert(at) {
            return false;
        }
        path.push(at.clone());
        if at == goal || at == self.root {
            return true;
        }
        let needs = self.chosen.get(at).map(|chosen| &chosen.dependencies);
        if needs
            .into_iter()
            .flat_map(BTreeMap::keys)
            .any(|next| self.leads_to(next, goal, path, seen))
        {
            return true;
        }
        path.pop();
        false
    }

    fn no_version(&self, name: &PluginName, all: &[Candidate], asks: &[Ask<'_>]) -> Error {
        let doing = format!("resolving the dependencies of {}", self.root);
        let asked: Vec<String> = asks
            .iter()
            .map(|(asker, version, range)| match version {
                Some(version) => format!("{asker} {version} asks for {range}"),
                None => format!("{asker} asks for {range}"),
            })
            .collect();
        let asked = asked.join(", ");
        if all.is_empty() {
            return Error::new(
                Code::E3101,
                format!("{doing}: there is no plugin {name} ({asked})"),
            )
            .hint(format!("Install {name} first."));
        }
        let versions: Vec<String> = all.iter().map(|one| one.version.to_string()).collect();
        Error::new(
            Code::E3103,
            format!(
                "{doing}: no version of {name} suits everybody: {asked}; there is {}",
                versions.join(", ")
            ),
        )
    }
}

#[cfg(test)]
mod tests;
