//! Configuration files of other programs, read for the servers that stand in them. Nothing here touches a file: a text goes
//! in, and servers come out, each as it would be declared here, with what it could do there.
//!
//! An imported server is allowed nothing by itself. What the other program let it do is told, and what of that has a form
//! here is proposed.

mod claude;
mod codex;
mod docker;
mod docker_run;
mod entry;
mod json;
mod places;
mod secret;
mod toolhive;
mod vscode;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;

pub use places::{ForeignPlace, foreign_places};
pub use secret::masked;

use super::schema::McpServer;
use crate::error::{Code, Error, Result};
use crate::manifest::document::Document;
use crate::manifest::problem::Problems;

/// The largest file that is read, in bytes: some programs keep all their state beside the servers.
pub const MAX_FOREIGN_BYTES: u64 = 32 << 20;

/// The most servers of one file.
const MAX_SERVERS: usize = 1000;

/// A program whose servers can be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForeignProgram {
    /// Claude Code and Claude Desktop.
    Claude,
    /// Cursor.
    Cursor,
    /// Visual Studio Code.
    VsCode,
    /// Codex.
    Codex,
    /// The MCP toolkit of Docker.
    Docker,
    /// ToolHive.
    ToolHive,
}

impl ForeignProgram {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Claude,
        Self::Cursor,
        Self::VsCode,
        Self::Codex,
        Self::Docker,
        Self::ToolHive,
    ];

    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Codex => "codex",
            Self::Docker => "docker",
            Self::ToolHive => "toolhive",
        }
    }
}

/// A server as another program has it.
#[derive(Debug, Clone)]
pub struct ForeignServer {
    /// Its name there.
    pub given: String,
    /// Where it stands in the file: a dotted key, empty for the whole file.
    pub key: String,
    /// The declaration it would have here. It allows nothing.
    pub declared: McpServer,
    /// What it could do there, as sentences without a subject: `read and write all files of the user`.
    pub could: Vec<String>,
    /// What of that can be allowed here, as after `--allow`.
    pub proposed: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Why it cannot be added as it is; nothing where it can.
    pub unusable: Option<String>,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub struct ForeignFile {
    /// The program it is of.
    pub program: ForeignProgram,
    /// The servers in it, in the order of the file.
    pub servers: Vec<ForeignServer>,
}

impl ForeignFile {
    /// Reads the text of a file. Where nobody says which program it is of, its contents tell. A server that is declared
    /// wrongly is told as unusable, and does not spoil the others; secrets that stand in the file are left out, unless
    /// `with_secrets`.
    ///
    /// # Errors
    /// E3004 with the place where the text is not of its format, or not the configuration of a program that is known.
    pub fn read(
        path: &Path,
        text: &str,
        program: Option<ForeignProgram>,
        with_secrets: bool,
    ) -> Result<Self> {
        let origin = path.display().to_string();
        let extension = path.extension().and_then(|text| text.to_str());
        let parsed = match (extension, program) {
            (Some("toml"), _) | (_, Some(ForeignProgram::Codex)) => {
                Document::from_toml(text).map(|document| document.to_json())
            }
            (Some("yaml" | "yml"), _) => {
                Document::from_long_yaml(text).map(|document| document.to_json())
            }
            _ => json::parse(text),
        };
        let tree = parsed.map_err(|problems| problems.into_error(Code::E3004, &origin))?;
        let program = program.or_else(|| told(&tree)).ok_or_else(|| {
            Error::new(
                Code::E3004,
                format!("{origin} is not the configuration of a program that is known here"),
            )
            .hint("Say which with `--from`, or check that this is the file you meant.")
        })?;
        let servers = match program {
            ForeignProgram::Claude | ForeignProgram::Cursor => claude::servers(&tree, with_secrets),
            ForeignProgram::VsCode => vscode::servers(&tree, with_secrets),
            ForeignProgram::Codex => codex::servers(&tree, with_secrets),
            ForeignProgram::Docker => docker::servers(&tree, with_secrets),
            ForeignProgram::ToolHive => toolhive::servers(&tree, with_secrets),
        };
        let of_program = |(key, message): (String, String)| {
            let mut problems = Problems::new();
            problems.add(None, key, message);
            problems.into_error(Code::E3004, &origin)
        };
        let servers = servers.map_err(of_program)?;
        if servers.len() > MAX_SERVERS {
            return Err(of_program((
                String::new(),
                format!("it has more than {MAX_SERVERS} servers"),
            )));
        }
        Ok(Self { program, servers })
    }
}

/// The servers of a file; else the dotted key of what is wrong, and what that is.
type Servers = std::result::Result<Vec<ForeignServer>, (String, String)>;

/// The program that a tree is the configuration of.
fn told(tree: &Value) -> Option<ForeignProgram> {
    let has = |key: &str| tree.get(key).is_some();
    let programs = [
        (has("mcpServers"), ForeignProgram::Claude),
        (has("mcp_servers"), ForeignProgram::Codex),
        (has("projects"), ForeignProgram::Claude),
        (has("servers") || has("mcp"), ForeignProgram::VsCode),
        (has("registry"), ForeignProgram::Docker),
        (has("image") || has("remote_url"), ForeignProgram::ToolHive),
    ];
    let found = programs.into_iter().find(|(is_it, _)| *is_it);
    found.map(|(_, program)| program)
}

/// The name that a server has here: lower-case letters, digits and single hyphens. Nothing where nothing is left of it.
#[must_use]
pub fn kebab_case(given: &str) -> Option<String> {
    const LONGEST: usize = 56;
    let mut name = String::new();
    for c in given.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_matches('-');
    match name.chars().next()? {
        first if first.is_ascii_digit() => Some(format!("mcp-{name}")),
        _ if name == "sandbox" => Some("sandbox-mcp".to_owned()),
        _ => Some(name.to_owned()),
    }
}
