//! Stage two: arguments are checked, what the call may do is computed, and policy is asked. Pure: every input is at hand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::chain::Sum;
use super::contain::Wish;
use super::question::{Circumstances, PolicyVeto};
use super::{Request, Resolved, Rules};
use crate::error::{Code, Error, Result};
use crate::exec::{Arguments, Mount, Veto};
use crate::manifest::{LimitRequest, Limits};
use crate::permission::{
    Access, Capability, EnvScope, FileScope, Grants, Kind, Request as Asked, Scope, Sensitive,
};
use crate::policy::question::SessionState;
use crate::policy::{Decision, Policies, Question};
use crate::registry::{Origin, Requested, Source, Tool};
use crate::schema::lenient;

/// Everything that was decided about a call before it runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the source asks for.
    pub requested: Arc<Requested>,
    /// What the call may do: requested, granted and within the ceiling.
    pub effective: Arc<Scope>,
    /// What was requested and is not granted.
    pub missing: Vec<Capability>,
    /// What appears where.
    pub mounts: Vec<Mount>,
    /// What the manifest would have appear, granted or not.
    pub wanted: Vec<Mount>,
    /// The environment variables the guest sees.
    pub environment: Vec<(String, String)>,
    /// What is refused even inside a granted folder.
    pub sensitive: Arc<Sensitive>,
    /// The limits.
    pub limits: Limits,
    /// Clocks and random numbers stand still.
    pub deterministic: bool,
    /// What policy was asked, and what it said; nothing where calls are not subject to it.
    pub policy: Option<Arc<PolicyAnswer>>,
    /// Why a person has to agree first, as policy says; empty where nobody has to.
    pub approval: BTreeSet<String>,
    /// Fields of the result that are left out, as policy says.
    pub redact: BTreeSet<String>,
    /// Asked about each connection the call makes.
    pub veto: Option<Arc<dyn Veto>>,
    /// What is asked about each command the call runs, and what holds of the call.
    pub(super) judge: Option<(Arc<Policies>, Circumstances)>,
    /// What is summed up over the calls inside it, while they are made.
    pub(super) sum: Sum,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// A question to the policies, and the answer.
#[derive(Debug, Clone)]
pub struct PolicyAnswer {
    /// The question.
    pub question: Question,
    /// The answer.
    pub decision: Decision,
}

/// A call that may run.
#[derive(Debug)]
pub struct Authorised {
    pub(super) request: Request,
    /// Where the tool comes from.
    pub source: Arc<Source>,
    /// The tool.
    pub tool: Arc<Tool>,
    pub(super) arguments: Arguments,
    /// Something was granted to its source for good.
    pub(super) was_kept: bool,
    /// What was decided.
    pub plan: Plan,
}

impl Resolved {
    /// Checks the arguments, computes what the call may do, and asks the policies about it. `judged` is told of each
    /// answer that is not a plain yes.
    ///
    /// # Errors
    /// E3206 where a policy forbids it, E3205 where one cannot be evaluated. E3301 where the arguments do not fit, E3101 where
    /// they name a resource or prompt that is not there; E3105 where the source asks for something that cannot be read; E3213 where an
    /// installed plugin needs something, and nobody was ever asked.
    pub(super) fn authorise(
        self,
        rules: &Rules,
        policies: Option<Arc<Policies>>,
        session: SessionState,
        judged: impl Fn(&Question, &Decision) -> Result<()>,
    ) -> Result<Authorised> {
        let mut request = self.request;
        if self.tool.coerce
            && let Some(coerced) = lenient(&request.arguments, &self.tool.input_schema)
        {
            request.arguments = Arc::new(coerced);
        }
        let mut arguments = self.tool.check_arguments(&request.arguments)?;
        self.source
            .offers
            .check_call(&self.tool.entry, &request.arguments)
            .map_err(|error| error.while_doing(format!("calling {}", self.tool.id)))?;
        let wish = Wish::of(&self.tool.entry, &request.arguments, &rules.commands)?;
        let kept = self.kept.as_deref();
        let mut plan = plan(&self.source, &request, kept, rules, wish.as_ref())?;
        let image = wish
            .as_ref()
            .map(|wish| rules.commands.place.reference(wish.image()));
        if let Some(wish) = wish {
            let limits = self.source.manifest.as_deref().map(|it| &it.limits);
            let spec = plan.contain(
                wish,
                &request.caller.principal,
                &request.events,
                Some(&request.limits),
                limits,
                &rules.commands,
            )?;
            plan.limits.memory = spec.resources.memory;
            arguments = Arguments::Command(Arc::new(spec));
        }
        if let Some(policies) = policies {
            let caller = &request.caller;
            let sum = plan.sum.clone();
            let circumstances = Circumstances::new(caller, &self.source, &self.tool, session, sum);
            plan.ask(&policies, &circumstances, &request.arguments, &judged)?;
            if let Some(image) = image {
                let question = circumstances.container(&image);
                plan.take(&question, &policies.decide(&question), &judged)?;
            }
            plan.judge = Some((Arc::clone(&policies), circumstances.clone()));
            plan.veto = Some(Arc::new(PolicyVeto {
                policies,
                circumstances,
            }));
        }
        Ok(Authorised {
            was_kept: self.kept.is_some(),
            request,
            source: self.source,
            tool: self.tool,
            arguments,
            plan,
        })
    }
}

impl Plan {
    /// Puts the call and each mount to the policies, and takes up what a yes obliges to.
    fn ask(
        &mut self,
        policies: &Policies,
        circumstances: &Circumstances,
        arguments: &Arc<Value>,
        judged: impl Fn(&Question, &Decision) -> Result<()>,
    ) -> Result<()> {
        let question = circumstances.invoke(arguments);
        let decision = policies.decide(&question);
        self.take(&question, &decision, &judged)?;
        for mount in &self.mounts.clone() {
            let question = circumstances.mount(mount, &self.effective);
            self.take(&question, &policies.decide(&question), &judged)?;
        }
        self.policy = Some(Arc::new(PolicyAnswer { question, decision }));
        Ok(())
    }

    fn take(
        &mut self,
        question: &Question,
        decision: &Decision,
        judged: impl Fn(&Question, &Decision) -> Result<()>,
    ) -> Result<()> {
        if let Some(refusal) = decision.refusal() {
            judged(question, decision)?;
            return Err(refusal);
        }
        let obliges = &decision.obligations;
        self.approval.extend(obliges.approval.iter().cloned());
        self.redact.extend(obliges.redact.iter().cloned());
        if let Some(seconds) = obliges.max_seconds {
            self.limits.timeout = self.limits.timeout.min(Duration::from_secs(seconds));
        }
        Ok(())
    }
}

fn plan(
    source: &Source,
    request: &Request,
    kept: Option<&Grants>,
    rules: &Rules,
    wish: Option<&Wish>,
) -> Result<Plan> {
    let requested = source.requested(&rules.variables)?;
    let requests = &requested.requests;
    let chain = request.caller.chain.as_deref();
    let of_call = match (chain, &source.origin) {
        // Nothing is granted for good to these: what calls them has them do what it could do itself.
        (Some(chain), Origin::BuiltIn | Origin::File(_)) => &chain.grants,
        _ => &*request.grants,
    };
    if source.origin == Origin::Installed && kept.is_none() && of_call.is_empty() {
        refuse_ungranted(source, requests)?;
    }
    // What the configuration mounts is for commands that are not told what to mount.
    let configured = (source.origin == Origin::BuiltIn && of_call.mounts.is_empty())
        .then_some(&rules.commands.volumes);
    let merged = kept.or(configured).map(|kept| of_call.and(kept));
    let grants = merged.as_ref().unwrap_or(of_call);
    let mut granted = grants.whole();
    if grants.all_requested {
        for capability in requested.scope.capabilities() {
            granted.insert(capability);
        }
    }
    let mut effective = requested.scope.meet(&granted).meet(&rules.ceiling);
    // Only what the person named opens what is sensitive; accepting a manifest's list as a whole names nothing.
    let mut sensitive = rules.sensitive.clone().naming(&grants.scope);
    if let Some(chain) = chain {
        effective = effective.meet(&chain.scope);
        sensitive = sensitive.within(&chain.sensitive);
    }
    let manifest = source.manifest.as_deref();
    let mut limits = over(&request.limits, source.limits(), rules, wish.is_some());
    if let Some(timeout) = wish.and_then(|wish| wish.timeout) {
        limits.timeout = limits.timeout.min(timeout);
    }
    if let Some(chain) = chain {
        limits.timeout = limits.timeout.min(chain.left());
    }
    Ok(Plan {
        missing: requested.scope.beyond(&effective),
        mounts: match chain {
            Some(_) => narrowed(&mounts(requests, grants, &effective), &effective),
            None => mounts(requests, grants, &effective),
        },
        wanted: requested_places(requests)
            .into_iter()
            .map(|(root, place)| mount(&root, &place))
            .collect(),
        environment: environment(&effective, grants, rules),
        sensitive: Arc::new(sensitive),
        warnings: match chain {
            Some(_) => Vec::new(),
            None => warnings(of_call, &requested.scope, &effective, source),
        },
        limits,
        deterministic: request.deterministic
            || manifest.is_some_and(|manifest| manifest.permissions.deterministic),
        effective: Arc::new(effective),
        requested,
        policy: None,
        approval: BTreeSet::new(),
        redact: BTreeSet::new(),
        veto: None,
        judge: None,
        sum: Sum::of(request),
    })
}

/// What an installed plugin cannot do without is decided by a person, once, before its first call.
fn refuse_ungranted(source: &Source, requests: &[Asked]) -> Result<()> {
    let needed: Vec<String> = requests
        .iter()
        .filter(|request| !request.optional)
        .map(Asked::in_plain_words)
        .collect();
    if needed.is_empty() {
        return Ok(());
    }
    let name = &source.name;
    Err(Error::new(
        Code::E3213,
        format!(
            "{name} asks to {}, and nobody has decided about that",
            needed.join("; to ")
        ),
    )
    .hint(format!(
        "Decide with `toolhatch grant {name}`, or allow this call something with `--allow`."
    ))
    .detail("plugin", name.clone()))
}

/// The caller's limits, or else the manifest's, or else the defaults; never more than the ceiling.
fn over(
    asked: &LimitRequest,
    manifest: Option<&LimitRequest>,
    rules: &Rules,
    is_command: bool,
) -> Limits {
    let mut defaults = rules.default_limits.clone();
    if is_command {
        // What compiles or tests takes longer than what computes.
        defaults.timeout = rules.commands.timeout;
    }
    if let Some(manifest) = manifest {
        defaults = manifest.over(&defaults);
    }
    Limits::resolve(&defaults, asked, &rules.most_limits)
}

/// Where everything appears that the call may reach: an explicit place wins, else the manifest's, and the path as it was
/// typed besides, because that is what arguments will say.
fn mounts(requests: &[Asked], grants: &Grants, effective: &Scope) -> Vec<Mount> {
    let reachable = |path: &Path| {
        [Access::Read, Access::Write].into_iter().any(|access| {
            effective.files(access).any(|scope| {
                scope.allows(path) || scope.root().is_some_and(|root| root.starts_with(path))
            })
        })
    };
    let mut mounts = BTreeSet::new();
    for granted in &grants.mounts {
        if !reachable(&granted.host) {
            continue;
        }
        if let Some(guest) = &granted.guest {
            mounts.insert(mount(&granted.host, guest));
            continue;
        }
        mounts.insert(mount(&granted.host, &granted.typed));
        for (root, place) in requested_places(requests) {
            if let Ok(below) = granted.host.strip_prefix(&root) {
                let guest = Path::new(&place).join(below);
                mounts.insert(mount(&granted.host, &guest.to_string_lossy()));
            } else if root.starts_with(&granted.host) {
                mounts.insert(mount(&root, &place));
            }
        }
    }
    if grants.all_requested {
        for request in requests {
            for scope in files_of(request) {
                match (scope.root(), &request.mount) {
                    (Some(root), Some(place)) => mounts.insert(mount(root, place)),
                    (Some(root), None) => mounts.insert(mount(root, &root.to_string_lossy())),
                    (None, _) => mounts.insert(mount(Path::new("/"), "/")),
                };
            }
        }
        mounts.retain(|mount| reachable(&mount.host));
    }
    mounts.into_iter().collect()
}

/// The mounts of a call inside another one: what may be touched below each of them, where its caller may not touch all of it.
/// Its process may not even be able to open what lies above.
fn narrowed(mounts: &[Mount], effective: &Scope) -> Vec<Mount> {
    let roots: Vec<&Path> = [Access::Read, Access::Write]
        .into_iter()
        .flat_map(|access| effective.files(access))
        .map(|scope| scope.root().unwrap_or(Path::new("/")))
        .collect();
    let mut narrowed = BTreeSet::new();
    for whole in mounts {
        if roots.iter().any(|root| whole.host.starts_with(root)) {
            narrowed.insert(whole.clone());
            continue;
        }
        for root in &roots {
            if let Ok(below) = root.strip_prefix(&whole.host) {
                // `.` is how people type the folder that they are in; it is no part of a path.
                let above = Path::new(&whole.guest);
                let above = above.strip_prefix(".").unwrap_or(above);
                let guest = above.join(below);
                narrowed.insert(mount(root, &guest.to_string_lossy()));
            }
        }
    }
    narrowed.into_iter().collect()
}

fn mount(host: &Path, guest: &str) -> Mount {
    // A trailing slash is how people type folders; it names nothing else.
    let guest = match guest.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    Mount {
        host: host.to_owned(),
        guest: guest.to_owned(),
    }
}

fn files_of(request: &Asked) -> impl Iterator<Item = &FileScope> {
    request
        .capabilities
        .iter()
        .filter_map(|capability| match capability {
            Capability::FileRead(scope) | Capability::FileWrite(scope) => Some(scope),
            _ => None,
        })
}

/// The folders that the manifest gives a place of their own.
fn requested_places(requests: &[Asked]) -> Vec<(PathBuf, String)> {
    requests
        .iter()
        .filter_map(|request| Some((request, request.mount.clone()?)))
        .flat_map(|(request, place)| {
            files_of(request)
                .filter_map(|scope| scope.root().map(Path::to_owned))
                .map(move |root| (root, place.clone()))
        })
        .collect()
}

fn environment(effective: &Scope, grants: &Grants, rules: &Rules) -> Vec<(String, String)> {
    let allowed = |name: &str| {
        effective
            .capabilities()
            .iter()
            .any(|capability| match capability {
                Capability::Env(EnvScope::Any) => true,
                Capability::Env(EnvScope::Name(granted)) => granted == name,
                _ => false,
            })
    };
    if !effective.kinds().contains(&Kind::Env) {
        return Vec::new();
    }
    let given = grants.environment.iter();
    let inherited = rules
        .environment
        .iter()
        .filter(|(name, _)| !grants.environment.contains_key(name));
    given
        .chain(inherited.map(|(name, value)| (name, value)))
        .filter(|(name, _)| allowed(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn warnings(grants: &Grants, requested: &Scope, effective: &Scope, source: &Source) -> Vec<String> {
    let mut warnings: Vec<String> = source.notice.iter().cloned().collect();
    for capability in grants.scope.capabilities() {
        let one: Scope = std::iter::once(capability.clone()).collect();
        if requested.meet(&one).is_empty() {
            warnings.push(format!(
                "{} does not ask for {}={capability}, so allowing it changes nothing",
                source.name,
                capability.kind()
            ));
        } else if effective.meet(&one).is_empty() {
            warnings.push(format!(
                "the operator's configuration does not permit {}={capability}",
                capability.kind()
            ));
        }
    }
    warnings
}
