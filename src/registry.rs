//! The tools there are: what people list, show and search, and what a call is resolved to.

mod effects;
mod given;
mod installed;
mod lifecycle;
mod offers;
mod sandbox;
mod search;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use crate::error::{Code, Error};
use crate::exec::{Arguments, Artifact, Entry};
use crate::ids::ToolId;
use crate::manifest::{LimitRequest, Manifest, Risk, Variables};
use crate::permission::{Kind, Request, Scope};
use crate::schema::Validator;
use crate::store::Store;

pub use effects::Effects;
pub use given::{Difference, Given};
pub use installed::{Descriptor, Installed, Locked};
pub use lifecycle::{Day, Lifecycle, Stage};
pub use offers::{
    COMPLETION, Offers, PROMPT, PromptArgument, PromptInfo, RESOURCE, ResourceInfo, TemplateInfo,
    UriTemplate,
};
pub use sandbox::{SANDBOX, sandbox};
pub use search::{Document, Embedder, Found, Hit, ToolSearch};

/// What is installed and granted, as `store` keeps it.
#[derive(Debug, Clone)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// Opens what is kept below `home`.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open(home: &Path) -> crate::error::Result<Self> {
        Ok(Self {
            store: Store::open(home).await?,
        })
    }

    /// The database itself, for what is no matter of tools: approvals, sessions, the head of the audit log.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

/// One callable thing, as people and agents see it.
#[derive(Debug, Clone)]
pub struct Tool {
    /// `source.tool`.
    pub id: ToolId,
    /// What people are shown in place of its name.
    pub title: Option<String>,
    /// What it does, for the agent that chooses among tools.
    pub description: String,
    /// A JSON Schema of the arguments.
    pub input_schema: Value,
    /// A JSON Schema of the structured result, where it has one.
    pub output_schema: Option<Value>,
    /// What of the artifact is called.
    pub entry: Entry,
    /// Calling it twice has the effect of calling it once.
    pub idempotent: bool,
    /// It only computes.
    pub pure: bool,
    /// How much harm a call can do.
    pub risk: Risk,
    /// Its results carry text from strangers.
    pub untrusted_output: bool,
    /// Arguments of nearly the right type are taken for what they clearly stand for.
    pub coerce: bool,
    /// What a call can do, as far as its source asks for it.
    pub effects: Effects,
    /// The compiled schemas, made when they are first needed.
    pub validators: Validators,
}

/// Schemas compiled at most once, however many calls use them.
#[derive(Debug, Clone, Default)]
pub struct Validators {
    input: Arc<OnceLock<Result<Arc<Validator>, String>>>,
    output: Arc<OnceLock<Result<Arc<Validator>, String>>>,
}

fn compiled(
    slot: &OnceLock<Result<Arc<Validator>, String>>,
    schema: &Value,
    which: &str,
    tool: &ToolId,
) -> crate::error::Result<Arc<Validator>> {
    slot.get_or_init(|| {
        Validator::new(schema).map(Arc::new).map_err(|error| {
            std::iter::once(error.to_string())
                .chain(error.causes())
                .collect::<Vec<_>>()
                .join(": ")
        })
    })
    .clone()
    .map_err(|why| {
        Error::new(
            Code::E3105,
            format!("the {which} schema of {tool} is not valid: {why}"),
        )
    })
}

impl Tool {
    /// Checks arguments and gives the form the executor takes.
    ///
    /// # Errors
    /// E3301 with every violation, by its JSON path; E3105 where the schema itself is not valid.
    pub fn check_arguments(&self, arguments: &Arc<Value>) -> crate::error::Result<Arguments> {
        if let Entry::Function(function) = &self.entry {
            let values =
                crate::schema::arguments_from_json(function, arguments).map_err(|error| {
                    Error::from(error).while_doing(format!("the arguments of {}", self.id))
                })?;
            return Ok(Arguments::Values(values));
        }
        compiled(
            &self.validators.input,
            &self.input_schema,
            "input",
            &self.id,
        )?
        .validate(arguments)
        .map_err(|error| error.while_doing(format!("the arguments of {}", self.id)))?;
        Ok(Arguments::Json(Arc::clone(arguments)))
    }

    /// Compiles the schemas, which the first check does otherwise. One that is not valid is told by that check.
    pub fn compile_schemas(&self) {
        if matches!(self.entry, Entry::Function(_)) {
            return;
        }
        let Validators { input, output } = &self.validators;
        drop(compiled(input, &self.input_schema, "input", &self.id));
        if let Some(schema) = &self.output_schema {
            drop(compiled(output, schema, "output", &self.id));
        }
    }

    /// Checks a structured result against the output schema, where there is one.
    ///
    /// # Errors
    /// E3303 with every violation, by its JSON path.
    pub fn check_output(&self, structured: Option<&Value>) -> crate::error::Result<()> {
        // The results of custom tools are made from their types and cannot break the schema made from the same types.
        let (false, Some(schema)) = (
            matches!(self.entry, Entry::Function(_)),
            &self.output_schema,
        ) else {
            return Ok(());
        };
        let Some(structured) = structured else {
            return Err(Error::new(
                Code::E3303,
                format!(
                    "{} declares an output schema and returned no structured result",
                    self.id
                ),
            ));
        };
        compiled(&self.validators.output, schema, "output", &self.id)?
            .validate_output(structured)
            .map_err(|error| error.while_doing(format!("the result of {}", self.id)))
    }

    /// The JSON form of `tools list` and `tools show`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("id".into(), self.id.to_string().into());
        if let Some(title) = &self.title {
            object.insert("title".into(), title.clone().into());
        }
        object.insert("description".into(), self.description.clone().into());
        object.insert("input_schema".into(), self.input_schema.clone());
        if let Some(schema) = &self.output_schema {
            object.insert("output_schema".into(), schema.clone());
        }
        object.insert("idempotent".into(), self.idempotent.into());
        object.insert("pure".into(), self.pure.into());
        object.insert("risk".into(), json!(self.risk.word()));
        object.insert("untrusted_output".into(), self.untrusted_output.into());
        object.insert("coerce".into(), self.coerce.into());
        object.insert("effects".into(), json!(self.effects));
        Value::Object(object)
    }
}

/// Where tools come from: a plugin with its manifest, or a component without one.
#[derive(Debug, Clone)]
pub struct Source {
    /// The plugin's name, or the stem of the file.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
    /// The pinned bytes.
    pub artifact: Artifact,
    /// What its author says of it; a component without one asks for all it can import.
    pub manifest: Option<Arc<Manifest>>,
    /// The interfaces a component without a manifest imports; of one with a manifest, what it asks for is in there.
    pub imports: Vec<String>,
    /// Words that a person put on it; none on what is not installed.
    pub tags: BTreeSet<String>,
    /// What whoever calls it should know, such as that it is deprecated.
    pub notice: Option<String>,
    /// Its tools, in the order its author gave them.
    pub tools: Vec<Arc<Tool>>,
    /// What it has besides.
    pub offers: Offers,
    /// That as the pipeline sees it: each prompt, its resources, its completions.
    pub parts: Vec<Arc<Tool>>,
    /// What it asks for, once somebody wanted to know.
    pub requested: KnownRequests,
}

/// What a command in a container can make use of.
const IN_A_SANDBOX: [Kind; 7] = [
    Kind::FileRead,
    Kind::FileWrite,
    Kind::NetworkHttp,
    Kind::NetworkTcp,
    Kind::NetworkUdp,
    Kind::Env,
    Kind::Subprocess,
];

/// What a source asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Requested {
    /// Each request by itself, in the order of the manifest.
    pub requests: Vec<Request>,
    /// All of them together.
    pub scope: Scope,
}

/// What a source was found to ask for, where variables stand for this.
#[derive(Debug, Clone, Default)]
pub struct KnownRequests(OnceLock<(Variables, Arc<Requested>)>);

/// Where a source was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Part of Toolhatch.
    BuiltIn,
    /// Installed under the Toolhatch home.
    Installed,
    /// A file, or a folder with a manifest and a component.
    File(PathBuf),
    /// A server that somebody else wrote, under the name that a person gave it.
    Server {
        /// What a call of it gets that asks for nothing.
        limits: LimitRequest,
    },
}

impl Source {
    /// The tool of this name, if there is one.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.iter().find(|tool| tool.id.tool() == name)
    }

    /// What is called by this name: a tool, or a part such as `prompt:greet`.
    #[must_use]
    pub fn callable(&self, name: &str) -> Option<&Arc<Tool>> {
        let part = || self.parts.iter().find(|part| part.id.tool() == name);
        self.tool(name).or_else(part)
    }

    /// Everything that is called.
    pub fn callables(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.iter().chain(&self.parts)
    }

    /// What it asks for: the manifest's requests, or everything its imports could be used for.
    ///
    /// # Errors
    /// E3105 and E3004 where a requested path cannot be read as a scope.
    pub fn requested(&self, variables: &Variables) -> crate::error::Result<Arc<Requested>> {
        // They are the same for every call of a process, in all but tests.
        if let Some((known, requested)) = self.requested.0.get()
            && known == variables
        {
            return Ok(Arc::clone(requested));
        }
        let requests = match &self.manifest {
            Some(manifest) => manifest.requests(variables)?,
            None => {
                let kinds = match self.origin {
                    Origin::BuiltIn => IN_A_SANDBOX.to_vec(),
                    Origin::Installed | Origin::File(_) => importable(&self.imports),
                    // A call of its tools touches nothing of this machine.
                    Origin::Server { .. } => Vec::new(),
                };
                kinds.into_iter().map(Request::broad).collect()
            }
        };
        let capabilities = requests.iter().flat_map(|request| &request.capabilities);
        let requested = Arc::new(Requested {
            scope: capabilities.cloned().collect(),
            requests,
        });
        let known = (variables.clone(), Arc::clone(&requested));
        // Whoever came first has kept the same.
        drop(self.requested.0.set(known));
        Ok(requested)
    }

    /// What its calls get that ask for nothing, where it says so.
    #[must_use]
    pub fn limits(&self) -> Option<&LimitRequest> {
        match (&self.manifest, &self.origin) {
            (Some(manifest), _) => Some(&manifest.limits),
            (None, Origin::Server { limits }) => Some(limits),
            (None, _) => None,
        }
    }

    /// The version its manifest gives.
    #[must_use]
    pub fn version(&self) -> Option<&semver::Version> {
        self.manifest.as_ref().map(|manifest| &manifest.version)
    }
}

/// The permissions that a component with these imports could make use of.
#[must_use]
pub fn importable(imports: &[String]) -> Vec<Kind> {
    Kind::ALL
        .into_iter()
        .filter(|kind| {
            let needed: &[&str] = match kind {
                Kind::FileRead | Kind::FileWrite => &["wasi:filesystem/"],
                Kind::NetworkHttp => &[
                    "wasi:http/outgoing-handler",
                    "wasi:http/client",
                    "wasi:http/handler",
                ],
                Kind::NetworkTcp => &["wasi:sockets/tcp", "wasi:sockets/types"],
                Kind::NetworkUdp => &["wasi:sockets/udp", "wasi:sockets/types"],
                Kind::Env => &["wasi:cli/environment"],
                Kind::Subprocess => &["toolhatch:plugin/exec"],
                Kind::ToolInvoke => &["toolhatch:plugin/invoke"],
                Kind::State => &["toolhatch:plugin/state"],
                // The imports these are for come with later versions of the WIT.
                Kind::Secrets | Kind::Documents | Kind::Checkpoint => &[],
            };
            needed
                .iter()
                .any(|interface| imports.iter().any(|import| import.starts_with(interface)))
        })
        .collect()
}
