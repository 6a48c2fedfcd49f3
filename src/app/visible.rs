//! Which tools a caller may see: policy is asked about each, as `tool.list`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use super::policies::{Stamp, shape};
use crate::error::Result;
use crate::ids::{Digest, ToolId};
use crate::invoke::{Caller, Ledger, Provenance, listing};
use crate::policy::question::SessionState;
use crate::policy::{Principal, ToolShape};
use crate::registry::Tool;

/// How many answers are kept, each for one caller.
const MOST: usize = 32;
/// How long an answer holds at most, in seconds: policies may look at the time.
const HOLDS: i64 = 60;

/// A tool and where it comes from.
pub type Listed = (Provenance, Arc<Tool>);

/// Answers that are given again.
#[derive(Debug, Default)]
pub(super) struct VisibleTools {
    known: Mutex<Vec<(Key, Arc<HashSet<ToolId>>)>>,
}

/// What an answer depends on.
#[derive(Debug, PartialEq)]
struct Key {
    principal: Principal,
    session: SessionState,
    policies: Stamp,
    tools: Digest,
    minute: i64,
}

impl App {
    /// Those of these tools that policy lets this caller see. A tool that is hidden can still be called: that is another
    /// question, `tool.invoke`.
    ///
    /// # Errors
    /// E3004 where the policies in force are wrong, E3205 where there are none; those of the store.
    pub async fn visible(&self, caller: &Caller, tools: &[Listed]) -> Result<Arc<HashSet<ToolId>>> {
        let own = self.own_policy_files()?;
        if own.is_empty() && self.config.policy_default {
            // Those that ship with Toolhatch hide nothing.
            return Ok(Arc::new(
                tools.iter().map(|(_, tool)| tool.id.clone()).collect(),
            ));
        }
        let session = match &caller.session {
            Some(id) => self.session(id).await?,
            None => SessionState::default(),
        };
        let questions: Vec<_> = tools
            .iter()
            .map(|(of, tool)| (tool, listing(caller, of, tool, session.clone())))
            .collect();
        let Some((_, first)) = questions.first() else {
            return Ok(Arc::default());
        };
        let mut named = String::new();
        for (of, tool) in tools {
            named.push_str(&format!("{} {of:?}\n", tool.id));
        }
        let key = Key {
            principal: first.principal.clone(),
            session,
            policies: self.stamp(&own).await?,
            tools: Digest::of(named.as_bytes()),
            minute: first.time / HOLDS,
        };
        let lock = || {
            self.visible
                .known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((_, known)) = lock().iter().find(|(other, _)| *other == key) {
            return Ok(Arc::clone(known));
        }
        let mut shapes = self.installed_shapes().await?;
        for (_, tool) in tools {
            shapes.insert(tool.id.clone(), shape(tool));
        }
        let shapes: Vec<ToolShape> = shapes.into_values().collect();
        let policies = self.load(&self.policy_files()?, &shapes)?;
        let seen = questions
            .into_iter()
            .filter(|(_, question)| policies.decide(question).allow)
            .map(|(tool, _)| tool.id.clone())
            .collect();
        let seen = Arc::new(seen);
        let mut known = lock();
        if known.len() >= MOST {
            known.remove(0);
        }
        known.push((key, Arc::clone(&seen)));
        Ok(seen)
    }
}
