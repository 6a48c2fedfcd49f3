//! What policies are asked about a call.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Caller;
use super::chain::Sum;
use crate::exec::{BoxFuture, Entry, Mount, Veto};
use crate::ids::Digest;
use crate::manifest::Risk as ManifestRisk;
use crate::manifest::image::ImageRef;
use crate::permission::{Access as FileAccess, Action, Scope, is_outside};
use crate::policy::question::{
    Access, Environment, HostTarget, ImageTarget, Lifecycle, Origin as PolicyOrigin, PathTarget,
    Risk, ServerTarget, SessionState, Tool as PolicyTool, Version,
};
use crate::policy::{Ask, Policies, Principal, Question};
use crate::registry::{Origin, Source, Tool};

/// The circumstances of a call, as policies are told.
#[derive(Debug, Clone)]
pub(super) struct Circumstances {
    principal: Principal,
    tool: PolicyTool,
    environment: Environment,
    session: SessionState,
    /// What became known since: the session is as it was when the call was authorised, and knows of no call inside another.
    sum: Sum,
}

impl Circumstances {
    pub(super) fn new(
        caller: &Caller,
        source: &Source,
        tool: &Tool,
        session: SessionState,
        sum: Sum,
    ) -> Self {
        Self::about(
            caller,
            of_registry(&Provenance::from(source), tool),
            session,
            sum,
        )
    }

    fn about(caller: &Caller, tool: PolicyTool, session: SessionState, sum: Sum) -> Self {
        Self {
            principal: principal(caller),
            tool,
            environment: Environment {
                interactive: caller.approver.is_some(),
                headless: caller.approver.is_none(),
            },
            session,
            sum,
        }
    }

    /// May the tool be called with these arguments?
    pub(super) fn invoke(&self, arguments: &Arc<Value>) -> Question {
        self.question(
            Ask::Invoke {
                resource: self.tool.clone(),
                args: Arc::clone(arguments),
            },
            false,
        )
    }

    /// May this be mounted?
    pub(super) fn mount(&self, mount: &Mount, scope: &Scope) -> Question {
        let writes = scope
            .files(FileAccess::Write)
            .any(|granted| granted.allows(&mount.host));
        self.question(
            Ask::Mount {
                resource: PathTarget {
                    path: mount.host.to_string_lossy().into_owned(),
                    access: if writes { Access::Write } else { Access::Read },
                    mount: Some(mount.guest.clone()),
                },
            },
            true,
        )
    }

    /// May a command be run in this image, or in the place that this word stands for?
    pub(super) fn container(&self, image: &str) -> Question {
        let named = ImageRef::parse(image).ok();
        let named = named.filter(|_| !is_outside(image));
        let digest = named.as_ref().and_then(ImageRef::digest);
        self.question(
            Ask::Container {
                resource: ImageTarget {
                    digest: digest.and_then(|digest| digest.parse().ok()),
                    reference: named.map_or_else(|| image.to_owned(), |named| named.to_string()),
                },
            },
            true,
        )
    }

    fn question(&self, ask: Ask, in_call: bool) -> Question {
        Question {
            version: Version::CURRENT,
            principal: self.principal.clone(),
            ask,
            tool: in_call.then(|| self.tool.clone()),
            time: now(),
            environment: self.environment.clone(),
            session: SessionState {
                tainted: self.session.tainted || self.sum.knows_untrusted(),
                ..self.session.clone()
            },
        }
    }
}

/// Where a tool comes from, as policies are told.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Installed, and not a file that somebody named.
    pub is_installed: bool,
    /// The version of its plugin, as text; empty for a component without a manifest.
    pub version: String,
    /// The digest of the artifact.
    pub digest: Digest,
    /// It has an end, or something takes its place.
    pub is_deprecated: bool,
    /// Words that a person put on it.
    pub tags: BTreeSet<String>,
}

impl From<&Source> for Provenance {
    fn from(source: &Source) -> Self {
        Self {
            is_installed: source.origin == Origin::Installed,
            version: source
                .version()
                .map(ToString::to_string)
                .unwrap_or_default(),
            digest: source.artifact.digest,
            is_deprecated: source.notice.is_some(),
            tags: source.tags.clone(),
        }
    }
}

/// May this tool be shown to the caller?
#[must_use]
pub fn listing(caller: &Caller, of: &Provenance, tool: &Tool, session: SessionState) -> Question {
    let resource = of_registry(of, tool);
    let circumstances = Circumstances::about(caller, resource.clone(), session, Sum::default());
    circumstances.question(Ask::List { resource }, false)
}

/// May a server of this name be added?
#[must_use]
pub fn registering(caller: &Caller, name: &str) -> Question {
    let resource = ServerTarget {
        name: name.to_owned(),
    };
    Question {
        version: Version::CURRENT,
        principal: principal(caller),
        ask: Ask::Register { resource },
        tool: None,
        time: now(),
        environment: Environment {
            interactive: caller.approver.is_some(),
            headless: caller.approver.is_none(),
        },
        session: SessionState::default(),
    }
}

fn principal(caller: &Caller) -> Principal {
    Principal {
        user: Some(caller.principal.clone()),
        agent: caller.agent.clone(),
        session: caller.session.clone(),
        plugin: caller.chain.as_ref().map(|chain| chain.plugin()),
    }
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|passed| i64::try_from(passed.as_secs()).ok())
        .unwrap_or_default()
}

/// What the registry knows of a tool; never what it says of itself at run time.
fn of_registry(of: &Provenance, tool: &Tool) -> PolicyTool {
    PolicyTool {
        id: tool.id.clone(),
        origin: match tool.entry {
            Entry::Container(_) | Entry::Sandbox => PolicyOrigin::Docker,
            Entry::Server { .. } => PolicyOrigin::Mcp,
            Entry::Plugin { .. }
            | Entry::Prompt { .. }
            | Entry::Resource
            | Entry::Completion
            | Entry::Function(_) => {
                if of.is_installed {
                    PolicyOrigin::Wasm
                } else {
                    PolicyOrigin::File
                }
            }
        },
        version: of.version.clone(),
        digest: of.digest,
        risk: match tool.risk {
            ManifestRisk::Low => Risk::Low,
            ManifestRisk::Medium => Risk::Medium,
            ManifestRisk::High => Risk::High,
        },
        idempotent: tool.idempotent,
        pure: tool.pure,
        untrusted_output: tool.untrusted_output,
        lifecycle: if of.is_deprecated {
            Lifecycle::Deprecated
        } else {
            Lifecycle::Active
        },
        tags: of.tags.clone(),
        signed: false,
    }
}

/// Policy, as the executor asks it about connections.
#[derive(Debug)]
pub(super) struct PolicyVeto {
    pub(super) policies: Arc<Policies>,
    pub(super) circumstances: Circumstances,
}

impl Veto for PolicyVeto {
    fn check<'a>(&'a self, action: &'a Action) -> BoxFuture<'a, Result<(), String>> {
        let Some(resource) = host_of(action) else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let question = self.circumstances.question(Ask::Connect { resource }, true);
        let policies = Arc::clone(&self.policies);
        Box::pin(async move {
            // On a thread of its own: Cedar looks how much stack is left, and on the stack of a guest it finds none.
            let decided = tokio::task::spawn_blocking(move || policies.decide(&question)).await;
            let decision =
                decided.map_err(|error| format!("the policies could not be asked: {error}"))?;
            if !decision.allow {
                return Err(decision.reason);
            }
            if decision.obligations.approval.is_empty() {
                return Ok(());
            }
            // A connection cannot wait for a person.
            Err(format!(
                "{}; a person would have to approve it, and nobody can be asked in the middle of a call",
                decision.reason
            ))
        })
    }
}

/// Where an action connects to.
fn host_of(action: &Action) -> Option<HostTarget> {
    match action {
        Action::HttpAddress {
            host,
            port,
            address,
            ..
        } => Some(HostTarget {
            name: host.clone(),
            port: *port,
            address: Some(*address),
        }),
        Action::Tcp {
            address,
            port,
            names,
        }
        | Action::Udp {
            address,
            port,
            names,
        } => Some(HostTarget {
            name: names
                .first()
                .cloned()
                .unwrap_or_else(|| address.to_string()),
            port: *port,
            address: Some(*address),
        }),
        _ => None,
    }
}
