//! Calls that tools make of other tools: where such a call stands, and what its caller leaves it.
//!
//! A call inside another one may do what was granted to its own tool, and of that no more than its caller may: every link of
//! the chain only narrows. It runs on the place of the call that all of it began with, within the time that its caller has
//! left, and ends with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use semver::VersionReq;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::authorise::Plan;
use super::{Caller, Parts, Pipeline, Report, Request, ToolRef};
use crate::error::{Code, Error, Result};
use crate::exec::{
    BoxFuture, Effect, EventLimits, EventSink, InvokeFailure, Invoked, Invoker, LogLevel,
    ToolErrorKind,
};
use crate::ids::{CallId, Digest, PluginName, ToolId};
use crate::manifest::LimitRequest;
use crate::permission::{Action, Denial, GrantedMount, Grants, Scope, Sensitive};
use crate::policy::question;
use crate::registry::{Origin, Source};

/// How many calls may be inside one another, the first included.
pub const MAX_DEPTH: usize = 8;
/// How many calls the tools of one call may make in all, at whatever depth.
pub const MAX_CALLS: u32 = 64;

/// What is summed up over all runs of a call.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    /// How many calls were made inside the first one of the chain.
    made: Arc<AtomicU32>,
    /// A call inside this one returned content that nobody vouches for.
    tainted: Arc<AtomicBool>,
    /// The same of the calls that this one is inside of: they chose its arguments.
    above: Vec<Arc<AtomicBool>>,
}

impl Sum {
    /// Of a call that is about to begin.
    pub(super) fn of(request: &Request) -> Self {
        let before = request.caller.chain.as_deref();
        Self {
            made: before.map_or_else(Arc::default, |it| Arc::clone(&it.sum.made)),
            tainted: Arc::default(),
            above: before.map_or_else(Vec::new, |it| {
                let mut above = it.sum.above.clone();
                above.push(Arc::clone(&it.sum.tainted));
                above
            }),
        }
    }

    /// True where the call, by now, may know of content that nobody vouches for: that came from a call inside it, or inside
    /// one that it is inside of.
    pub(super) fn knows_untrusted(&self) -> bool {
        self.is_tainted() || self.above.iter().any(|it| it.load(Ordering::Relaxed))
    }

    /// True where a call inside it returned content that nobody vouches for.
    pub(super) fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }
}

/// A call as those see it that its tool makes.
#[derive(Debug)]
pub struct Chain {
    /// The id of the call.
    pub(super) call: CallId,
    /// The tools from the first call to this one.
    tools: Vec<ToolId>,
    sum: Sum,
    /// What the call may do.
    pub(super) scope: Arc<Scope>,
    /// What is refused to it even inside that.
    pub(super) sensitive: Arc<Sensitive>,
    /// The same as a grant, for tools that nobody grants anything for good.
    pub(super) grants: Grants,
    /// When its time is over.
    ends: Instant,
    /// What runs it, as policies are told.
    plugin: question::Caller,
    /// The artifacts whose kept instances wait for what is called.
    kept: Vec<Digest>,
}

impl Chain {
    /// The link of a call that is about to run, and has so much time left.
    pub(super) fn link(
        request: &Request,
        source: &Source,
        tool: &ToolId,
        plan: &Plan,
        sum: &Sum,
        left: Duration,
        is_kept: bool,
    ) -> Arc<Self> {
        let before = request.caller.chain.as_deref();
        let mut tools = before.map(|it| it.tools.clone()).unwrap_or_default();
        tools.push(tool.clone());
        let mut kept = before.map(|it| it.kept.clone()).unwrap_or_default();
        kept.extend(is_kept.then_some(source.artifact.digest));
        Arc::new(Self {
            call: request.call,
            tools,
            sum: sum.clone(),
            scope: Arc::clone(&plan.effective),
            sensitive: Arc::clone(&plan.sensitive),
            grants: own(plan),
            ends: Instant::now() + left,
            plugin: question::Caller {
                name: source.name.clone(),
                origin: match source.origin {
                    Origin::Installed => question::Origin::Wasm,
                    _ => question::Origin::File,
                },
            },
            kept,
        })
    }

    /// The time that a call inside it has.
    pub(super) fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// What runs the call, as policies are told.
    pub(super) fn plugin(&self) -> question::Caller {
        self.plugin.clone()
    }

    /// True where an instance of this artifact, of the same session, waits for what is called.
    pub(super) fn holds(&self, artifact: &Digest) -> bool {
        self.kept.contains(artifact)
    }

    /// Whether another call may begin inside this one.
    fn admit(&self, tool: &ToolId) -> Result<(), InvokeFailure> {
        if self.tools.contains(tool) {
            let mut circle: Vec<&str> = self.tools.iter().map(ToolId::as_str).collect();
            circle.push(tool.as_str());
            return Err(InvokeFailure::NotPermitted(format!(
                "the calls would go in a circle: {}",
                circle.join(" → ")
            )));
        }
        if self.tools.len() >= MAX_DEPTH {
            return Err(InvokeFailure::Unavailable(format!(
                "there are too many calls: at most {MAX_DEPTH} may be inside one another"
            )));
        }
        if self.sum.made.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS {
            return Err(InvokeFailure::Unavailable(format!(
                "there are too many calls: the tools of one call make at most {MAX_CALLS}"
            )));
        }
        Ok(())
    }
}

/// What a call may do, as a grant for what it calls.
fn own(plan: &Plan) -> Grants {
    let mounts = plan.mounts.iter().map(|mount| GrantedMount {
        host: mount.host.clone(),
        guest: Some(mount.guest.clone()),
        typed: mount.guest.clone(),
    });
    Grants {
        scope: Scope::clone(&plan.effective),
        accepted: Scope::nothing(),
        all_requested: false,
        mounts: mounts.collect(),
        environment: plan.environment.iter().cloned().collect(),
    }
}

/// Calls tools for one call.
pub(super) struct CallInvoker {
    pub(super) parts: Arc<Parts>,
    pub(super) chain: Arc<Chain>,
    /// Where the tool of the call comes from.
    pub(super) source: Arc<Source>,
    pub(super) caller: Arc<Caller>,
    pub(super) cancel: CancellationToken,
    pub(super) events: Arc<EventSink>,
}

impl std::fmt::Debug for CallInvoker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallInvoker")
            .field("chain", &self.chain)
            .finish_non_exhaustive()
    }
}

impl CallInvoker {
    /// Which version is meant: of a dependency the one that was locked, or else one that the manifest asks for.
    async fn version(&self, plugin: &PluginName) -> Result<(VersionReq, Option<Digest>)> {
        let manifest = self.source.manifest.as_deref();
        let needed = manifest.and_then(|manifest| manifest.dependencies.get(plugin));
        let Some(range) = needed else {
            return Ok((VersionReq::STAR, None));
        };
        if self.source.origin != Origin::Installed {
            return Ok((range.clone(), None));
        }
        let locked = self.parts.catalog.locked(&self.source, plugin).await?;
        let Some(locked) = locked else {
            return Ok((range.clone(), None));
        };
        let exact = format!("={}", locked.version).parse().map_err(|error| {
            Error::new(
                Code::E3109,
                format!("reading the locked version of {plugin}"),
            )
            .caused_by(error)
        })?;
        Ok((exact, Some(locked.digest)))
    }

    async fn call(&self, tool: &ToolId, arguments: Value, call: CallId) -> Report {
        let events = Arc::new(EventSink::new(EventLimits::default()));
        let found = match tool.source().parse::<PluginName>() {
            Ok(plugin) => self.version(&plugin).await.map(|version| (plugin, version)),
            Err(error) => {
                Err(Error::new(Code::E3101, format!("there is no tool {tool}")).caused_by(error))
            }
        };
        let (plugin, (range, digest)) = match found {
            Ok(found) => found,
            Err(error) => return Report::of(call, Err(error)),
        };
        let request = Request {
            call,
            tool: ToolRef::Installed {
                plugin,
                range,
                tool: Some(tool.tool().to_owned()),
            },
            arguments: Arc::new(arguments),
            resumed: None,
            caller: Arc::new(Caller {
                chain: Some(Arc::clone(&self.chain)),
                ..Caller::clone(&self.caller)
            }),
            grants: Arc::default(),
            limits: LimitRequest::default(),
            idempotency: None,
            deterministic: false,
            cancel: self.cancel.child_token(),
            events,
        };
        let pipeline = Pipeline {
            parts: Arc::clone(&self.parts),
        };
        pipeline.invoke_pinned(request, digest).await
    }

    async fn invoke_to_end(&self, tool: ToolId, arguments: Value) -> Invoked {
        if let Err(refused) = self.chain.admit(&tool) {
            let (InvokeFailure::NotPermitted(why) | InvokeFailure::Unavailable(why)) = &refused
            else {
                return Invoked {
                    call: None,
                    result: Err(refused),
                };
            };
            self.events
                .log(LogLevel::Warn, &format!("{tool} was not called: {why}"));
            let tool_id = tool.as_str().to_owned();
            self.events
                .denied(Denial::rule(&Action::ToolInvoke { tool_id }, why.clone()));
            return Invoked {
                call: None,
                result: Err(refused),
            };
        }
        let call = CallId::generate();
        // Before it runs, so that it is known of a caller that ends meanwhile. The guard's word of it later adds nothing.
        self.events.effect(Effect::Invoked {
            tool: tool.clone(),
            call,
        });
        let report = self.call(&tool, arguments, call).await;
        let told_something = report.usage.is_some() || report.result.is_ok();
        if report.untrusted && told_something {
            self.chain.sum.tainted.store(true, Ordering::Relaxed);
        }
        let asked = report.needs_input.is_some();
        let result = report.result.map_err(|error| {
            // For people: what a guest is told has nothing of the host in it.
            self.events.log(
                LogLevel::Info,
                &format!("{tool} gave no result (call {call}): {error}"),
            );
            failure(&error, asked)
        });
        Invoked {
            call: Some(call),
            result,
        }
    }
}

impl Invoker for CallInvoker {
    fn invoke(&self, tool: ToolId, arguments: Value) -> BoxFuture<'_, Invoked> {
        Box::pin(self.invoke_to_end(tool, arguments))
    }
}

/// What a guest is told. The words of the tool itself are passed on; those of the host only where they are about the tool and
/// its arguments.
fn failure(error: &Error, asked: bool) -> InvokeFailure {
    if asked {
        return InvokeFailure::Failed("the tool asks something that nobody answers".to_owned());
    }
    let text = || error.to_string();
    let details = error.details();
    let kind = details.get("kind").and_then(Value::as_str);
    match error.code() {
        Code::E3401 if kind == Some(ToolErrorKind::Retryable(None).name()) => {
            InvokeFailure::Retryable {
                message: text(),
                after_ms: details.get("retry_after_ms").and_then(Value::as_u64),
            }
        }
        Code::E3401 if kind == Some(ToolErrorKind::NotFound.name()) => {
            InvokeFailure::NotFound(text())
        }
        Code::E3401 | Code::E3403 | Code::E3407 | Code::E3411 | Code::E3306 | Code::E3410 => {
            InvokeFailure::Failed(text())
        }
        Code::E3404 => InvokeFailure::Failed("the tool crashed".to_owned()),
        Code::E3303 | Code::E3304 | Code::E3308 => {
            InvokeFailure::Failed("the tool returned something that does not fit".to_owned())
        }
        Code::E3301 => InvokeFailure::InvalidArguments(text()),
        Code::E3101 | Code::E3102 | Code::E3104 | Code::E3107 => {
            InvokeFailure::NotFound("there is no such tool that can be called".to_owned())
        }
        Code::E3205 | Code::E3206 | Code::E3210 | Code::E3211 | Code::E3212 => {
            InvokeFailure::NotPermitted(
                "policy forbids it, or the tool was denied what it cannot do without".to_owned(),
            )
        }
        Code::E3213 | Code::E3214 | Code::E3215 => {
            InvokeFailure::NotPermitted("a person has to agree to it first".to_owned())
        }
        Code::E3402 => InvokeFailure::Unavailable("its time was over".to_owned()),
        _ => InvokeFailure::Unavailable("it cannot be called now".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(tools: &[&str], made: u32) -> Chain {
        Chain {
            call: CallId::generate(),
            tools: tools
                .iter()
                .map(|tool| tool.parse().expect("an id"))
                .collect(),
            sum: Sum {
                made: Arc::new(AtomicU32::new(made)),
                tainted: Arc::default(),
                above: Vec::new(),
            },
            scope: Arc::default(),
            sensitive: Arc::default(),
            grants: Grants::default(),
            ends: Instant::now(),
            plugin: question::Caller {
                name: "some".to_owned(),
                origin: question::Origin::File,
            },
            kept: Vec::new(),
        }
    }

    #[test]
    fn a_tool_of_the_chain_is_not_called_again_and_the_chain_is_told() {
        let chain = chain(&["a.x", "b.y"], 0);
        let tool = |text: &str| text.parse::<ToolId>().expect("an id");
        assert_eq!(chain.admit(&tool("b.x")), Ok(()));
        let refused = chain.admit(&tool("a.x")).expect_err("a circle");
        assert_eq!(
            refused,
            InvokeFailure::NotPermitted(
                "the calls would go in a circle: a.x → b.y → a.x".to_owned()
            )
        );
    }

    #[test]
    fn calls_are_counted_and_only_so_deep() {
        let tool = "z.z".parse::<ToolId>().expect("an id");
        assert_eq!(chain(&["a.a"; MAX_DEPTH - 1], 0).admit(&tool), Ok(()));
        assert!(chain(&["a.a"; MAX_DEPTH], 0).admit(&tool).is_err());
        let almost = chain(&["a.a"], MAX_CALLS - 1);
        assert_eq!(almost.admit(&tool), Ok(()));
        assert!(almost.admit(&tool).is_err());
    }

    #[test]
    fn what_the_host_says_of_itself_stays_there() {
        let denied = Error::new(Code::E3210, "reading /home/me/secret was denied");
        let InvokeFailure::NotPermitted(told) = failure(&denied, false) else {
            panic!("it is denied");
        };
        assert!(!told.contains("/home/me"), "{told}");
        for code in [
            Code::E3000,
            Code::E3001,
            Code::E3109,
            Code::E3405,
            Code::E3801,
        ] {
            let InvokeFailure::Unavailable(told) = failure(&Error::new(code, "/secret"), false)
            else {
                panic!("it cannot be called");
            };
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
