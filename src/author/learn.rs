//! What a call that was denied things teaches about the permissions it takes, as a change of its manifest.

mod place;

use std::path::Path;

use self::place::Place;
use super::amend::amend;
use crate::error::Result;
use crate::manifest::Variables;
use crate::permission::{Capability, Denial, GrantedMount, Grants, Kind, Request, is_plain, shown};

/// One thing that a call could not do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What was tried, as the subject of a sentence: `reading /data/a.csv`.
    pub what: String,
    /// What would allow it. It was put together from what a guest tried: nobody has agreed to it.
    request: Request,
    /// The file or folder that would have to be granted, where it is about one.
    place: Option<Place>,
    /// The line of a manifest that asks for it; nothing where none can.
    line: Option<String>,
}

/// What some calls of a tool taught.
#[derive(Debug, Clone, Default)]
pub struct Lessons {
    needs: Vec<Need>,
    /// What no grant can allow, as sentences.
    hopeless: Vec<String>,
}

impl Lessons {
    /// Takes up what a call was denied. Relative paths are of `current`.
    pub fn learn(&mut self, denials: &[Denial], current: &Path, variables: &Variables) {
        for denial in denials {
            let Some(need) = need(denial, current, variables) else {
                let sentence = denial.to_string();
                if !self.hopeless.contains(&sentence) {
                    self.hopeless.push(sentence);
                }
                continue;
            };
            let is_offered = need.obstacle().is_none();
            let mut known = self.needs.iter();
            let is_known = known.any(|known| {
                known.request == need.request && known.obstacle().is_none() == is_offered
            });
            if !is_known {
                self.needs.push(need);
            }
        }
    }

    /// What was needed, each thing once, in the order in which it was tried.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What was tried and no grant can allow, as sentences.
    #[must_use]
    pub fn hopeless(&self) -> &[String] {
        &self.hopeless
    }

    /// The `[permissions]` of a manifest that asks for all of it and nothing else, as TOML; empty where nothing was needed.
    ///
    /// # Errors
    /// E3000 where a line that was made here cannot be read.
    pub fn permissions(&self) -> Result<String> {
        amend("", self.lines())
    }

    /// The manifest with all of it asked for besides what it asks for already; everything else stays as it was written.
    ///
    /// # Errors
    /// E3105 where the text is not TOML, or has something else where its permissions belong.
    pub fn amend(&self, manifest: &str) -> Result<String> {
        amend(manifest, self.lines())
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.needs.iter().filter_map(|need| need.line.as_deref())
    }
}

impl Need {
    /// The permission that it takes.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.request.kind
    }

    /// What [`Need::grants`] allows, in the words of a question: `read /data/a.csv and everything below it`.
    #[must_use]
    pub fn in_plain_words(&self) -> String {
        self.request.in_plain_words()
    }

    /// What a person should know before they agree to it, as sentences without a final stop.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of_place = self.place.as_ref().and_then(Place::warning);
        self.request.warning().into_iter().chain(of_place).collect()
    }

    /// Why no person is asked about it, if nobody is: it could not be granted as it is, or takes more than a yes.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        // Whoever is asked has to see the whole of what they agree to.
        let is_shown = |text: &str| shown(text) == text;
        match &self.place {
            Some(place) => place.obstacle().or_else(|| {
                let is_whole = is_shown(&place.host.to_string_lossy()) && is_shown(&place.guest);
                (!is_whole).then(|| "its path cannot be shown as it is".to_owned())
            }),
            None => {
                let is_whole = |capability: &Capability| is_plain(&capability.to_string());
                let all = self.request.capabilities.iter().all(is_whole);
                (!all).then(|| "its name cannot be shown as it is".to_owned())
            }
        }
    }

    /// What a person allows who agrees to it: what [`Need::in_plain_words`] says, and nothing else. Files are accepted and not
    /// named, because a guest chose the path: that opens nothing that is sensitive.
    #[must_use]
    pub fn grants(&self) -> Grants {
        let mut grants = Grants::default();
        let capabilities = self.request.capabilities.iter().cloned();
        match &self.place {
            Some(place) => {
                grants.accepted = capabilities.collect();
                grants.mounts.push(GrantedMount {
                    host: place.host.clone(),
                    guest: self.request.mount.clone(),
                    typed: place.host.to_string_lossy().into_owned(),
                });
            }
            None => grants.scope = capabilities.collect(),
        }
        grants
    }

    /// The text after `--allow` that grants it; nothing where none can say it.
    #[must_use]
    pub fn allow(&self) -> Option<String> {
        match (&self.place, self.request.capabilities.as_slice()) {
            (Some(place), _) => place.allow(self.kind()),
            (None, [capability]) => {
                capability.flag()?;
                Some(format!("{}={capability}", self.kind()))
            }
            (None, _) => None,
        }
    }
}

fn need(denial: &Denial, current: &Path, variables: &Variables) -> Option<Need> {
    let capability = denial.remedy()?;
    let what = denial.what().to_owned();
    let (Capability::FileRead(scope) | Capability::FileWrite(scope)) = capability else {
        return Some(Need {
            what,
            line: Some(capability.manifest_line()?),
            request: Request::new(capability.clone()),
            place: None,
        });
    };
    let place = Place::of(denial, scope.root()?, current, variables)?;
    Some(Need {
        what,
        line: place.manifest_line(variables),
        request: Request {
            mount: place.is_elsewhere().then(|| place.guest.clone()),
            ..Request::new(place.capability()?)
        },
        place: Some(place),
    })
}

#[cfg(test)]
mod tests;
