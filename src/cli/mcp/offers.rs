//! What is offered to whom: the profiles of the configuration and what was typed, as offers of the server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::{App, read_grants};
use crate::cli::text::nearest;
use crate::config::{ProfileConfig, SEARCH_ABOVE};
use crate::error::{Code, Error, Result};
use crate::exec::{EventLimits, LogLevel};
use crate::manifest::LimitRequest;
use crate::mcp::server::{Naming, Offer, Selection};
use crate::permission::{Grants, ToolInvokeScope};

/// What was typed, which holds for every client.
#[derive(Debug)]
pub(super) struct Typed {
    pub(super) files: Vec<PathBuf>,
    pub(super) tools: Vec<ToolInvokeScope>,
    pub(super) allow: Vec<String>,
    pub(super) limits: LimitRequest,
    /// Tools are called by their own names alone.
    pub(super) no_prefix: bool,
    /// The profile of clients that have none of their own.
    pub(super) profile: Option<String>,
}

/// An offer for everybody, and one for each profile.
#[derive(Debug)]
pub(super) struct Offers {
    everybody: Offer,
    profiles: BTreeMap<String, Offer>,
}

impl Offers {
    /// Reads them all, so that a mistake is told before the first client comes.
    ///
    /// # Errors
    /// E3004 where a grant cannot be read or a profile is named that there is not, E3101 where a granted path does not exist.
    pub(super) fn read(app: &App, typed: &Typed) -> Result<Self> {
        let serve = &app.config.serve;
        let named = serve
            .tokens
            .values()
            .filter_map(|token| token.profile.as_ref())
            .chain(&serve.oauth.profile)
            .chain(&typed.profile);
        for name in named {
            if !serve.profiles.contains_key(name) {
                return Err(unknown(name, serve.profiles.keys()));
            }
        }
        let grants = read_grants(&typed.allow, false, &app.paths.current)?;
        let mut profiles = BTreeMap::new();
        for (name, profile) in &serve.profiles {
            let offer = offer(app, typed, &grants, profile)
                .map_err(|error| error.while_doing(format!("the profile {name}")))?;
            profiles.insert(name.clone(), offer);
        }
        let chosen = typed.profile.as_ref().and_then(|name| profiles.get(name));
        let everybody = match chosen {
            Some(offer) => offer.clone(),
            None => offer(app, typed, &grants, &ProfileConfig::default())?,
        };
        Ok(Self {
            everybody,
            profiles,
        })
    }

    /// The offer of this profile, or that of everybody.
    pub(super) fn of(&self, profile: Option<&str>) -> Option<Offer> {
        match profile {
            None => Some(self.everybody.clone()),
            Some(name) => self.profiles.get(name).cloned(),
        }
    }
}

fn offer(app: &App, typed: &Typed, grants: &Grants, profile: &ProfileConfig) -> Result<Offer> {
    let of_profile = read_grants(&profile.allow, false, &app.paths.current)?;
    let search_above = profile.search_above.unwrap_or(SEARCH_ABOVE);
    Ok(Offer {
        selection: Selection {
            files: typed.files.clone(),
            // What was typed and what a profile has both hold.
            ids: typed.tools.clone(),
            of_profile: profile.tools.clone(),
            naming: if typed.no_prefix {
                Naming::Bare
            } else {
                Naming::WithSource
            },
        },
        grants: Arc::new(grants.and(&of_profile)),
        limits: typed.limits.clone(),
        events: EventLimits {
            stdio: usize::try_from(app.config.limits.stdio).unwrap_or(usize::MAX),
            log_level: LogLevel::Info,
            ..EventLimits::default()
        },
        search_above: usize::try_from(search_above).unwrap_or(usize::MAX),
    })
}

/// There is no profile of this name.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String> + Clone) -> Error {
    let error = Error::new(Code::E3004, format!("there is no profile {name:?}"));
    match nearest(name, known.map(String::as_str)) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None => error.hint(format!(
            "Write it into your configuration, as [serve.profiles.{name}]."
        )),
    }
}
