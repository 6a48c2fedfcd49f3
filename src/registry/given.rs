//! Grants that are kept: what a person allowed a plugin, bound to the bytes it was allowed to.

use serde_json::{Value, json};

use super::{Installed, Registry};
use crate::error::{Code, Error, Result};
use crate::ids::{Digest, PluginName};
use crate::permission::{Capability, Grants, Request, Scope};
use crate::store::{GrantRow, now_ms};

/// A grant with its circumstances.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its id.
    pub id: String,
    /// The plugin.
    pub plugin: PluginName,
    /// The artifact it is bound to.
    pub digest: Digest,
    /// What is allowed.
    pub grants: Grants,
    /// What the artifact asked for when it was given, as people were shown it.
    pub requested: Value,
    /// When it was given, in milliseconds since 1970.
    pub given_at: i64,
    /// By whom.
    pub given_by: String,
    /// In which way: `terminal`, `yes`, `approver`, `import` or `carried`.
    pub how: String,
    /// When it ended, if it did.
    pub ended_at: Option<i64>,
    /// By whom, or through which later grant.
    pub ended_by: Option<String>,
}

impl Given {
    fn read(row: GrantRow) -> Result<Self> {
        let damaged = |why: String| {
            Error::new(
                Code::E3109,
                format!("the grant {} of {} is damaged: {why}", row.id, row.plugin),
            )
            .hint(format!(
                "`toolhatch revoke {}` ends it; then grant again.",
                row.plugin
            ))
        };
        let parsed = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| damaged(error.to_string()))
        };
        Ok(Self {
            plugin: row
                .plugin
                .parse()
                .map_err(|error: crate::ids::InvalidId| damaged(error.to_string()))?,
            digest: row
                .digest
                .parse()
                .map_err(|error: crate::ids::InvalidId| damaged(error.to_string()))?,
            grants: Grants::from_json(parsed(&row.terms)?).map_err(damaged)?,
            requested: parsed(&row.requested)?,
            id: row.id.clone(),
            given_at: row.given_at,
            given_by: row.given_by.clone(),
            how: row.how.clone(),
            ended_at: row.ended_at,
            ended_by: row.ended_by.clone(),
        })
    }

    /// The form of `grants list --json` and of the export.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "plugin": self.plugin.to_string(),
            "digest": self.digest.to_string(),
            "terms": self.grants.to_json(),
            "requested": self.requested,
            "given_at": self.given_at,
            "given_by": self.given_by,
            "how": self.how,
            "ended_at": self.ended_at,
            "ended_by": self.ended_by,
        })
    }
}

/// What one version asks for that another did not, and the other way round.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// What is asked for now and was not.
    pub added: Vec<Capability>,
    /// What was asked for and is not now.
    pub dropped: Vec<Capability>,
}

impl Difference {
    /// Compares what two versions ask for, under the same variables.
    #[must_use]
    pub fn between(old: &[Request], new: &[Request]) -> Self {
        let scope = |requests: &[Request]| -> Scope {
            requests
                .iter()
                .flat_map(|request| request.capabilities.iter().cloned())
                .collect()
        };
        let (old, new) = (scope(old), scope(new));
        Self {
            added: new.beyond(&old),
            dropped: old.beyond(&new),
        }
    }

    /// True where nothing more is asked for.
    #[must_use]
    pub fn asks_for_no_more(&self) -> bool {
        self.added.is_empty()
    }
}

impl Registry {
    /// The grant that holds for an artifact of a plugin.
    ///
    /// # Errors
    /// E3109 where it is damaged; those of the store.
    pub async fn given(&self, plugin: &PluginName, digest: &Digest) -> Result<Option<Given>> {
        let row = self
            .store
            .grant_for(plugin.as_str(), &digest.to_string())
            .await?;
        row.map(Given::read).transpose()
    }

    /// All grants that hold, or all there ever were; of one plugin, or of all.
    ///
    /// # Errors
    /// E3109 where one is damaged; those of the store.
    pub async fn all_given(
        &self,
        plugin: Option<&PluginName>,
        ended_too: bool,
    ) -> Result<Vec<Given>> {
        let rows = self
            .store
            .grants(plugin.map(PluginName::as_str), ended_too)
            .await?;
        rows.into_iter().map(Given::read).collect()
    }

    /// Keeps a grant in place of the one that held. A version that waited for it runs from now on. `recorded` is told of it
    /// before it counts.
    ///
    /// # Errors
    /// Those of the store and of `recorded`.
    pub async fn give(
        &self,
        plugin: &PluginName,
        digest: &Digest,
        grants: &Grants,
        requests: &[Request],
        by: (&str, &str),
        recorded: impl FnOnce(&Given) -> Result<()> + Send,
    ) -> Result<Given> {
        let (given_by, how) = by;
        let row = GrantRow {
            id: crate::ids::CallId::generate().to_string(),
            plugin: plugin.to_string(),
            digest: digest.to_string(),
            signer: None,
            terms: grants.to_json().to_string(),
            requested: requests
                .iter()
                .map(Request::in_plain_words)
                .collect::<Value>()
                .to_string(),
            given_at: now_ms(),
            given_by: given_by.to_owned(),
            how: how.to_owned(),
            ended_at: None,
            ended_by: None,
        };
        let given = Given::read(row.clone())?;
        self.store.give(&row, || recorded(&given)).await?;
        Ok(given)
    }

    /// Ends what was granted to a plugin, or to one artifact of it. `recorded` is told of each before any of them ends.
    ///
    /// # Errors
    /// Those of the store and of `recorded`.
    pub async fn revoke(
        &self,
        plugin: &PluginName,
        digest: Option<&Digest>,
        by: &str,
        recorded: impl Fn(&GrantRow) -> Result<()> + Send,
    ) -> Result<Vec<Given>> {
        let digest = digest.map(ToString::to_string);
        let rows = self
            .store
            .end_grants(plugin.as_str(), digest.as_deref(), by, |ended| {
                ended.iter().try_for_each(recorded)
            })
            .await?;
        rows.into_iter().map(Given::read).collect()
    }

    /// The version of a plugin with the newest grant, if one was given: the one a newer version is compared with.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn granted_version(
        &self,
        versions: &[Installed],
    ) -> Result<Option<(Installed, Given)>> {
        let Some(first) = versions.first() else {
            return Ok(None);
        };
        let all = self.all_given(Some(&first.name), false).await?;
        Ok(versions.iter().find_map(|version| {
            let given = all.iter().find(|given| given.digest == version.digest)?;
            Some((version.clone(), given.clone()))
        }))
    }
}
