//! Stage one: from a name to pinned bytes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use semver::VersionReq;

use super::{Catalog, Known, Request};
use crate::error::{Code, Error, Result};
use crate::ids::{Digest, PluginName};
use crate::permission::Grants;
use crate::registry::{SANDBOX, Source, Tool};

/// How somebody names a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolRef {
    /// A tool of an installed plugin.
    Installed {
        /// The plugin.
        plugin: PluginName,
        /// Which versions will do.
        range: VersionReq,
        /// The tool; may be left out where there is only one.
        tool: Option<String>,
    },
    /// A tool of a file or folder.
    File {
        /// Where it is.
        path: PathBuf,
        /// The tool; may be left out where there is only one.
        tool: Option<String>,
    },
}

impl ToolRef {
    /// True where it is a tool of Toolhatch's own.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        matches!(self, Self::Installed { plugin, .. } if plugin.as_str() == SANDBOX)
    }

    /// The named tool, if one is named.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Installed { tool, .. } | Self::File { tool, .. } => tool.as_deref(),
        }
    }
}

impl fmt::Display for ToolRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = match self {
            Self::Installed { plugin, tool, .. } => {
                write!(f, "{plugin}")?;
                tool
            }
            Self::File { path, tool } => {
                write!(f, "{}", path.display())?;
                tool
            }
        };
        match tool {
            Some(tool) => write!(f, " {tool}"),
            None => Ok(()),
        }
    }
}

/// A request whose tool is known, down to its bytes.
#[derive(Debug)]
pub struct Resolved {
    pub(super) request: Request,
    /// Where the tool comes from.
    pub source: Arc<Source>,
    /// The tool.
    pub tool: Arc<Tool>,
    pub(super) kept: Option<Arc<Grants>>,
}

impl Resolved {
    /// Makes sure that the artifact is the one that was locked.
    ///
    /// # Errors
    /// E3109 where it is another one.
    pub(super) fn check_pinned(&self, pinned: Option<Digest>) -> Result<()> {
        let found = self.source.artifact.digest;
        match pinned {
            Some(pinned) if pinned != found => Err(Error::new(
                Code::E3109,
                format!(
                    "{} is {}, and {} was locked",
                    self.source.name,
                    found.short(),
                    pinned.short()
                ),
            )
            .hint("Install the plugin that needs it again, which locks what is there now.")),
            _ => Ok(()),
        }
    }
}

impl Request {
    /// Finds the tool.
    ///
    /// # Errors
    /// E3101 and E3102 where there is none; E3105, E3109 and E3111 where what is there cannot be used.
    pub(super) async fn resolve(self, catalog: &dyn Catalog) -> Result<Resolved> {
        let Known { source, tool, kept } = catalog.resolve(&self.tool).await?;
        // Tools call tools: prompts and the like are for people and agents.
        if self.caller.chain.is_some() && source.tool(tool.id.tool()).is_none() {
            return Err(Error::new(
                Code::E3101,
                format!("{} is not a tool", tool.id),
            ));
        }
        Ok(Resolved {
            request: self,
            source,
            tool,
            kept,
        })
    }
}
