//! The tool that is always there: `sandbox.run`, any command in a container.
//!
//! Like every other it is granted nothing by being there: which image, which program, which folders and which network is
//! for a person to allow.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::{Effects, KnownRequests, Offers, Origin, Source, Tool, Validators};
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, Entry};
use crate::ids::{InvalidId, ToolId};
use crate::manifest::Risk;

/// The name of its source.
pub const SANDBOX: &str = "sandbox";
/// Its own name.
const RUN: &str = "run";

const DESCRIPTION: &str = "Runs a command in a container: no network unless it is asked for and granted, a read-only system, and of this machine only the \
     folders that a person granted. Give the program and its arguments as a list; nothing expands them. For a line of shell \
     use [\"sh\", \"-c\", \"…\"].";

fn input_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "The program and its arguments."
            },
            "image": {
                "type": "string",
                "minLength": 1,
                "description": "The image, such as debian:stable-slim; without it, the configured one."
            },
            "workdir": {
                "type": "string",
                "pattern": "^/",
                "description": "Where the command starts in the container."
            },
            "env": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "Environment variables."
            },
            "stdin": {"type": "string", "description": "What the command reads from standard input."},
            "network": {
                "enum": ["none", "allow-list", "bridge", "host"],
                "description": "Whom the command can talk to: nobody; the hosts that a person granted, through the HTTP proxy that HTTP_PROXY names; everybody."
            },
            "keep": {
                "type": "string",
                "pattern": "^[a-z0-9][a-z0-9-]{0,63}$",
                "description": "Keep the container under this name: the next command with the same name, image and grants runs in it, and finds what this one left in /tmp."
            },
            "changes": {
                "enum": ["keep", "review"],
                "description": "What becomes of changes to folders that may be written: keep makes them (the default), review \
                                leaves the folders as they are and gives the changes, which a person can apply."
            },
            "timeout_seconds": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Stop the command after this time."
            }
        },
        "required": ["command"],
        "additionalProperties": false
    })
}

fn output_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "outcome": {"enum": ["exited", "oom-recovered"]},
            "exit_code": {"type": "integer"},
            "stdout": {"type": "string"},
            "stderr": {"type": "string"},
            "stdout_dropped": {"type": "integer", "description": "Bytes in the middle that were left out."},
            "stderr_dropped": {"type": "integer", "description": "Bytes in the middle that were left out."},
            "changes": {
                "type": "object",
                "description": "What the command changed, where that is reviewed: nothing of it is in the folders yet."
            }
        },
        "required": ["outcome", "exit_code", "stdout", "stderr"]
    })
}

/// The source with the one tool, the same for the whole process.
///
/// # Errors
/// E3000; never: its names are names.
pub fn sandbox() -> Result<Arc<Source>> {
    static SOURCE: LazyLock<Result<Arc<Source>, InvalidId>> = LazyLock::new(build);
    SOURCE
        .clone()
        .map_err(|error| Error::new(Code::E3000, "naming the tool of the sandbox").caused_by(error))
}

fn build() -> Result<Arc<Source>, InvalidId> {
    let tool = Tool {
        id: ToolId::new(SANDBOX, RUN)?,
        title: None,
        description: DESCRIPTION.to_owned(),
        input_schema: input_schema(),
        output_schema: Some(output_schema()),
        entry: Entry::Sandbox,
        idempotent: false,
        pure: false,
        risk: Risk::Medium,
        untrusted_output: true,
        coerce: false,
        effects: Effects::UNKNOWN,
        validators: Validators::default(),
    };
    // What its bytes are to a plugin, its description is to this tool: a change of it is a change of the tool.
    let bytes = tool.to_json().to_string().into_bytes();
    Ok(Arc::new(Source {
        name: SANDBOX.to_owned(),
        origin: Origin::BuiltIn,
        artifact: Artifact::new(bytes.into()),
        manifest: None,
        imports: Vec::new(),
        tags: BTreeSet::new(),
        notice: None,
        tools: vec![Arc::new(tool)],
        offers: Offers::default(),
        parts: Vec::new(),
        requested: KnownRequests::default(),
    }))
}
