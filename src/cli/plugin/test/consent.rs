//! What the example calls of a project are given.
//!
//! A file of a project asks, and grants nothing: who has only cloned a project has agreed to nothing in it. Whoever names it
//! to `plugin test` lets its calls read it, keep state that is gone afterwards, and have the variables that it gives them
//! itself. Everything else takes a word of theirs: they could never have meant that a file of strangers sends what it
//! reads somewhere, or writes what the next build runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::app::read_grants;
use crate::cli::call::Common;
use crate::cli::prompt::Terminal;
use crate::error::{Code, Error, Result};
use crate::fsx;
use crate::permission::{Capability, EnvScope, Grants, Scope};

/// How much a call may keep without further ado, in bytes: it is written to the disk until the calls are through.
const OWN_STATE: u64 = 64 << 20;

/// What a person lets example calls have besides what is the project's own.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Agreed {
    /// Let the calls have this where they ask for it, besides what is the project's own: as `toolhatch call` takes it. May be
    /// given several times.
    #[arg(long, value_name = "NAME=SCOPE")]
    allow: Vec<String>,
    /// Let the calls have everything that they ask for.
    #[arg(long)]
    allow_requested: bool,
}

/// What a person lets the example calls of a project have.
#[derive(Debug)]
pub struct Consent {
    /// The folder of the project, without links.
    project: PathBuf,
    named: Scope,
    /// The values that they gave variables.
    environment: BTreeMap<String, String>,
    is_everything: bool,
}

/// Something that a call asks for, and nobody has agreed to.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    call: String,
    capability: Capability,
}

impl From<&Common> for Agreed {
    fn from(common: &Common) -> Self {
        Self {
            allow: common.allow.clone(),
            allow_requested: common.allow_requested,
        }
    }
}

impl Consent {
    /// For the project in this folder; relative paths that a person named are relative to `current`.
    ///
    /// # Errors
    /// Those of [`read_grants`], and where there is no such folder.
    pub fn new(project: &Path, args: &Agreed, current: &Path) -> Result<Self> {
        let canonical = project
            .canonicalize()
            .map_err(|error| fsx::io_error("looking at", project, error))?;
        let named = read_grants(&args.allow, false, current)?;
        Ok(Self {
            project: canonical,
            named: named.scope,
            environment: named.environment,
            is_everything: args.allow_requested,
        })
    }

    /// The folder of the project, without links.
    pub fn project(&self) -> &Path {
        &self.project
    }

    /// What these texts of a call grant: what a person named may be sensitive, the rest not. What nobody agreed to is in none
    /// of it.
    ///
    /// # Errors
    /// Those of [`read_grants`].
    pub fn grants(&self, allow: &[String]) -> Result<Grants> {
        let mut grants = read_grants(allow, false, &self.project)?;
        let (named, rest): (Vec<_>, Vec<_>) = (grants.scope.capabilities().into_iter())
            .partition(|capability| self.named.covers(capability));
        let rest = rest
            .into_iter()
            .filter(|capability| self.is_everything || self.is_own(capability, &grants));
        grants.accepted = rest.collect();
        grants.scope = named.into_iter().collect();
        // What a call says itself is its own. Of the others only what it asks for concerns it.
        let whole = grants.whole();
        for (name, value) in &self.environment {
            if whole.covers(&Capability::Env(EnvScope::Name(name.clone()))) {
                let of_call = grants.environment.entry(name.clone());
                of_call.or_insert_with(|| value.clone());
            }
        }
        Ok(grants)
    }

    /// Makes sure that somebody agreed to all that the calls ask for; asks at the terminal where it may.
    ///
    /// # Errors
    /// E3206 with all that nobody agreed to, and those of [`read_grants`].
    pub fn settle<'a>(
        &mut self,
        calls: impl IntoIterator<Item = (&'a str, &'a [String])>,
        may_ask: bool,
    ) -> Result<()> {
        let mut open: Vec<Open> = Vec::new();
        for (call, allow) in calls {
            let asked = read_grants(allow, false, &self.project)
                .map_err(|error| error.while_doing(format!("the example call {call:?}")))?;
            let given = self.grants(allow)?.whole();
            for capability in asked.scope.capabilities() {
                if !given.covers(&capability) && !open.iter().any(|it| it.capability == capability)
                {
                    let call = call.to_owned();
                    open.push(Open { call, capability });
                }
            }
        }
        if may_ask && !open.is_empty() {
            open = self.ask(open)?;
        }
        if open.is_empty() {
            Ok(())
        } else {
            Err(refusal(&open))
        }
    }

    /// Asks the person at the terminal about each; gives what they do not agree to, which is all where nobody is there.
    fn ask(&mut self, open: Vec<Open>) -> Result<Vec<Open>> {
        let Some(mut terminal) = Terminal::open() else {
            return Ok(open);
        };
        terminal.say("The example calls ask for more than to read their project:")?;
        let mut refused = Vec::new();
        for one in open {
            let words = one.capability.in_plain_words();
            if terminal.confirm(&format!("  {:?}: may it {words}?", one.call))? {
                self.named.insert(one.capability);
            } else {
                refused.push(one);
            }
        }
        Ok(refused)
    }

    fn is_own(&self, capability: &Capability, grants: &Grants) -> bool {
        match capability {
            Capability::FileRead(scope) => scope
                .root()
                .is_some_and(|root| root.starts_with(&self.project)),
            Capability::Env(EnvScope::Name(name)) => grants.environment.contains_key(name),
            Capability::State(scope) => !scope.allows(OWN_STATE + 1),
            _ => false,
        }
    }
}

fn refusal(open: &[Open]) -> Error {
    let asked: Vec<String> = open
        .iter()
        .map(|one| format!("{:?} asks to {}", one.call, one.capability.in_plain_words()))
        .collect();
    let flags: Vec<String> = open
        .iter()
        .map(|one| format!("--allow '{}={}'", one.capability.kind(), one.capability))
        .collect();
    Error::new(
        Code::E3206,
        format!(
            "running the example calls: a file of a project grants nothing but to read the project, and {}",
            asked.join("; ")
        ),
    )
    .hint(format!(
        "Where you agree to that, say so: {}, or --allow-requested for all of it.",
        flags.join(" ")
    ))
    .hint("`--filter` leaves calls out.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(project: &Path, allow: &[&str]) -> Consent {
        let args = Agreed {
            allow: allow.iter().map(|&text| text.to_owned()).collect(),
            allow_requested: false,
        };
        Consent::new(project, &args, project).expect("a folder")
    }

    fn given(consent: &Consent, text: &str) -> (usize, usize) {
        let grants = consent.grants(&[text.to_owned()]).expect("read");
        (
            grants.scope.capabilities().len(),
            grants.accepted.capabilities().len(),
        )
    }

    #[test]
    fn the_project_gives_its_own_and_a_person_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("p");
        std::fs::create_dir_all(project.join("in")).expect("created");
        std::os::unix::fs::symlink(folder.path(), project.join("out")).expect("linked");
        let nobody = consent(&project, &[]);
        for (text, expected) in [
            ("file_read=in", (0, 1)),
            ("file_read=.:/w", (0, 1)),
            ("file_read=out", (0, 0)),
            ("file_read=..", (0, 0)),
            ("file_read=/", (0, 0)),
            ("file_write=in", (0, 0)),
            ("state=1MiB", (0, 1)),
            ("state=1GiB", (0, 0)),
            ("env=NAME=value", (0, 1)),
            ("env=NAME", (0, 0)),
            ("network_http=example.org", (0, 0)),
            ("tool_invoke=*", (0, 0)),
        ] {
            assert_eq!(given(&nobody, text), expected, "{text}");
        }
        let somebody = consent(&project, &["file_write=in", "network_http=*.example.org"]);
        for (text, expected) in [
            ("file_write=in", (1, 0)),
            ("file_write=.", (0, 0)),
            ("network_http=www.example.org", (1, 0)),
            ("network_http=example.com", (0, 0)),
        ] {
            assert_eq!(given(&somebody, text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_that_a_person_gave_is_what_a_call_gets_that_gives_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let consent = consent(folder.path(), &["env=TOKEN=abc"]);
        let value = |text: &str| {
            let grants = consent.grants(&[text.to_owned()]).expect("read");
            grants.environment.get("TOKEN").cloned()
        };
        assert_eq!(value("env=TOKEN").as_deref(), Some("abc"));
        assert_eq!(value("env=TOKEN=own").as_deref(), Some("own"));
        assert_eq!(value("env=OTHER"), None);
        assert_eq!(value("file_read=."), None);
    }
}
