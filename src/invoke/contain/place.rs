//! Where commands run, and what cannot be held there: it is refused, and not left out.

use super::Wish;
use crate::error::{Code, Error, Result};
use crate::exec::{Changes, CommandEnd, Reading};
use crate::manifest::container::{ContainerLimits, Network, User};
use crate::manifest::image::full_name;
use crate::permission;

/// Where the commands of this process run, as the operator chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandPlace {
    /// In containers.
    Container,
    /// As processes of this machine.
    Direct,
    /// As processes of another machine, which has this name.
    Ssh(String),
}

impl CommandPlace {
    /// What is granted and asked for by: the full name of the image, or the word for a place that has none.
    #[must_use]
    pub fn reference(&self, image: &str) -> String {
        match self {
            Self::Container => full_name(image),
            Self::Direct => permission::DIRECT.to_owned(),
            Self::Ssh(host) => format!("{}{host}", permission::SSH),
        }
    }

    /// Whether anything of this machine can be there for this command.
    ///
    /// # Errors
    /// E3004 where it was granted something that cannot be.
    pub(super) fn takes_files(&self, wish: &Wish, has_files: bool) -> Result<bool> {
        let Self::Ssh(host) = self else {
            return Ok(true);
        };
        // The files of a component are its own; what it has run there gets what it hands over.
        if has_files && wish.reading != Reading::Raw {
            return Err(refused(
                "giving the command what is granted",
                format!("files of this machine are not on {host}"),
            )
            .hint("Grant no files, and pass what the command needs over standard input."));
        }
        Ok(false)
    }

    /// Refuses what is asked for and cannot be held there.
    ///
    /// # Errors
    /// E3004, and E3211 where it is the network.
    pub(super) fn check(&self, wish: &Wish, memory: Option<u64>) -> Result<()> {
        let is_reviewed = wish.changes == Changes::Reviewed;
        if *self == Self::Container {
            if wish.keep.is_some() && is_reviewed {
                return Err(refused(
                    "reviewing the changes of a command",
                    "a container that is kept has those of every command in it".to_owned(),
                )
                .hint("Leave out one of `keep` and `changes`: a review is of one command in a container of its own."));
            }
            return Ok(());
        }
        let unmet = [
            (
                wish.keep.is_some(),
                "keep",
                "keeping what the command runs in",
            ),
            (is_reviewed, "changes", "reviewing the changes of a command"),
        ];
        if let Some((_, argument, doing)) = unmet.into_iter().find(|(is_wanted, ..)| *is_wanted) {
            return Err(
                refused(doing, "it runs in no container here".to_owned()).hint(format!(
                    "Leave `{argument}` out, or have `execution.strategy` be `docker`."
                )),
            );
        }
        if *self == Self::Direct && wish.network == Network::AllowList {
            return Err(CommandEnd::PolicyDenied
                .error(
                    Code::E3211,
                    "giving the command the network `allow-list`: what decides on its connections stands in front of a container",
                )
                .hint("Use the network `none`, or have `execution.strategy` be `docker`."));
        }
        let Self::Ssh(host) = self else {
            return Ok(());
        };
        let alone = format!("on {host} a command is bounded by its account alone");
        if memory.is_some() || wish.limits != ContainerLimits::default() {
            return Err(refused("limiting what the command uses", alone)
                .hint("Only its time and its output are limited there."));
        }
        if wish.user == User::Nobody {
            return Err(refused("running the command as nobody", alone));
        }
        if wish.network == Network::Host {
            return Ok(());
        }
        Err(CommandEnd::PolicyDenied
            .error(
                Code::E3211,
                format!(
                    "giving the command the network `{}`: {alone}, and has the network of that machine",
                    wish.network.word()
                ),
            )
            .hint("Ask for what it gets: the network `host`, which has to be granted (`toolhatch exec --net host`)."))
    }
}

fn refused(doing: &str, why: String) -> Error {
    CommandEnd::InvalidConfig.error(Code::E3004, format!("{doing}: {why}"))
}
