//! What is never applied: paths that run by themselves later, credentials, and entries that are no plain ones.

use std::path::Path;

use super::{Change, LayerChanges, Node, What, links, tree};
use crate::config::ProtectedPaths;
use crate::permission::{Access, Sensitive, Sensitivity};

/// Bits that make a program run as its owner or its group.
const SETUID: u32 = 0o6000;

/// What changes may reach.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What the operator and the projects protect.
    pub protected: ProtectedPaths,
    /// What is closed to writing in every folder.
    pub sensitive: Sensitive,
}

impl Rules {
    /// Why a change is not applied, if it is not.
    #[must_use]
    pub fn refusal(&self, layer: &LayerChanges, change: &Change) -> Option<String> {
        let path = change.path.path();
        if let Some(trouble) = &change.trouble {
            return Some(trouble.clone());
        }
        let nodes = [&change.before, &change.after].map(Option::as_ref);
        let is_plain_folder = nodes.into_iter().flatten().all(Node::is_folder);
        let protected = self
            .protected
            .covering(path)
            .or_else(|| self.protected.below(path).filter(|_| !is_plain_folder));
        if let Some(glob) = protected {
            return Some(format!("`{glob}` is protected"));
        }
        if let Some(closed) = self
            .sensitive
            .closed(&layer.host.path().join(path), Access::Write)
        {
            // A folder that leads to something closed may be made and filled: what is closed in it has a rule of its own.
            let is_way = closed.why == Sensitivity::LeadsThere
                && is_plain_folder
                && matches!(change.what, What::Added | What::Modified);
            if !is_way {
                return Some(format!("it {}", closed.why));
            }
        }
        if nodes
            .into_iter()
            .flatten()
            .any(|node| *node == Node::Special)
        {
            return Some("it is a pipe, a socket or a device".to_owned());
        }
        match &change.after {
            Some(Node::File { mode, .. }) if mode & SETUID != 0 => {
                Some("it would run with the rights of its owner".to_owned())
            }
            Some(Node::Link { target }) => self.link(layer, path, target.path()),
            _ => None,
        }
    }

    fn link(&self, layer: &LayerChanges, path: &Path, target: &Path) -> Option<String> {
        let root = tree::open_root(layer.host.path()).ok();
        let look = |path: &Path| match layer.find(path).map(|change| &change.after) {
            Some(Some(Node::Link { target })) => Some(target.path().to_owned()),
            Some(_) => None,
            None => tree::link_target(root.as_ref()?, path),
        };
        links::leads_out(path, target, look).then(|| "it leads out of the workspace".to_owned())
    }
}
