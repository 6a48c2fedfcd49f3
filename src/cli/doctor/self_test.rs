//! A guest of our own, run with nothing granted: whether components compile and answer here, and whether one that never
//! ends is stopped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::choose_tool;
use crate::error::{Code, Error, Result};
use crate::exec::{Artifact, BoxFuture, Entry, EventLimits, EventSink};
use crate::host::Host;
use crate::ids::{CallId, PluginName, ToolId};
use crate::invoke::{
    Admission, Approval, ApprovalRules, Asked, Caller, Catalog, CommandRules, Known, Ledger, Parts,
    Pipeline, Request, Rules, Sharing, ToolRef,
};
use crate::manifest::{LimitRequest, Limits, Risk, Variables};
use crate::permission::{Grants, Scope, Sensitive};
use crate::policy::Policies;
use crate::policy::question::SessionState;
use crate::registry::{Effects, KnownRequests, Locked, Offers, Origin, Source, Tool, Validators};
use crate::schema::{input_schema, read_component};

/// The component whose text is in the tests below: `answer` gives 42, `spin` never ends.
#[rustfmt::skip]
const GUEST: [u8; 153] = [
    0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, 0x01, 0x3a, 0x00, 0x61, 0x73, 0x6d, 0x01, 0x00,
    0x00, 0x00, 0x01, 0x08, 0x02, 0x60, 0x00, 0x01, 0x7f, 0x60, 0x00, 0x00, 0x03, 0x03, 0x02, 0x00,
    0x01, 0x07, 0x11, 0x02, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x00, 0x00, 0x04, 0x73, 0x70,
    0x69, 0x6e, 0x00, 0x01, 0x0a, 0x0e, 0x02, 0x04, 0x00, 0x41, 0x2a, 0x0b, 0x07, 0x00, 0x03, 0x40,
    0x0c, 0x00, 0x0b, 0x0b, 0x02, 0x04, 0x01, 0x00, 0x00, 0x00, 0x07, 0x05, 0x01, 0x40, 0x00, 0x00,
    0x79, 0x06, 0x0c, 0x01, 0x00, 0x00, 0x01, 0x00, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x08,
    0x06, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0x05, 0x01, 0x40, 0x00, 0x01, 0x00, 0x06, 0x0a,
    0x01, 0x00, 0x00, 0x01, 0x00, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x08, 0x06, 0x01, 0x00, 0x00, 0x01,
    0x00, 0x01, 0x0b, 0x15, 0x02, 0x00, 0x06, 0x61, 0x6e, 0x73, 0x77, 0x65, 0x72, 0x01, 0x00, 0x00,
    0x00, 0x04, 0x73, 0x70, 0x69, 0x6e, 0x01, 0x01, 0x00,
];

/// How long the guest that never ends may run.
const SPIN: Duration = Duration::from_millis(50);

/// The guest as a source of tools, so that it takes the way every call takes.
struct Guest(Arc<Source>);

impl Guest {
    fn new() -> Result<Self> {
        let artifact = Artifact::new(Bytes::from_static(&GUEST));
        let functions = read_component(&artifact.bytes, None)?.functions;
        let tools = functions
            .into_iter()
            .map(|function| {
                let id = ToolId::new("self-test", &function.name).map_err(|error| {
                    Error::new(Code::E3000, "naming a tool of the self-test").caused_by(error)
                })?;
                Ok(Arc::new(Tool {
                    id,
                    title: None,
                    description: function.description(),
                    input_schema: input_schema(&function),
                    output_schema: None,
                    entry: Entry::Function(Arc::new(function)),
                    idempotent: true,
                    pure: true,
                    risk: Risk::Low,
                    untrusted_output: false,
                    coerce: false,
                    effects: Effects::UNKNOWN,
                    validators: Validators::default(),
                }))
            })
            .collect::<Result<_>>()?;
        Ok(Self(Arc::new(Source {
            tags: std::collections::BTreeSet::new(),
            name: "self-test".to_owned(),
            origin: Origin::Installed,
            artifact,
            manifest: None,
            imports: Vec::new(),
            notice: None,
            tools,
            offers: Offers::default(),
            parts: Vec::new(),
            requested: KnownRequests::default(),
        })))
    }
}

impl Catalog for Guest {
    fn resolve<'a>(&'a self, reference: &'a ToolRef) -> BoxFuture<'a, Result<Known>> {
        Box::pin(async move {
            let tool = choose_tool(&self.0, reference.tool())?;
            Ok(Known {
                source: Arc::clone(&self.0),
                tool,
                kept: None,
            })
        })
    }

    fn locked<'a>(
        &'a self,
        _source: &'a Source,
        _needs: &'a PluginName,
    ) -> BoxFuture<'a, Result<Option<Locked>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn policies<'a>(
        &'a self,
        _source: &'a Arc<Source>,
    ) -> BoxFuture<'a, Result<Option<Arc<Policies>>>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

/// The guest asks nobody and belongs to no session.
impl Ledger for Guest {
    fn session<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<SessionState>> {
        Box::pin(std::future::ready(Ok(SessionState::default())))
    }

    fn count<'a>(&'a self, _id: &'a str, _tainted: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn approval<'a>(
        &'a self,
        _asked: &'a Asked,
        _call: &'a str,
    ) -> BoxFuture<'a, Result<Approval>> {
        let error = Error::new(Code::E3213, "nobody is asked in a self-test");
        Box::pin(std::future::ready(Err(error)))
    }

    fn answer<'a>(&'a self, _id: &'a str, _yes: bool, _by: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Runs both functions of the guest.
///
/// # Errors
/// E3405 that says what went otherwise than it should.
pub(super) async fn run(host: Arc<Host>) -> Result<()> {
    // Rules of its own: the self-test works also where the configuration is broken.
    let rules = Rules {
        default_limits: Limits::default(),
        most_limits: Limits::most(),
        commands: CommandRules::none(),
        ceiling: Scope::nothing(),
        sensitive: Sensitive::default(),
        variables: Variables {
            workspace: PathBuf::from("/"),
            home: None,
        },
        environment: Vec::new(),
        approvals: ApprovalRules::default(),
    };
    let guest = Arc::new(Guest::new()?);
    let sharing = Sharing {
        total: 1,
        per_caller: 1,
        queue: 1,
        rate: None,
        attempts: 1,
        breaker: false,
    };
    let pipeline = Pipeline::new(Parts {
        catalog: Arc::clone(&guest) as Arc<dyn Catalog>,
        executor: host,
        ledger: guest,
        states: None,
        admission: Admission::new(sharing, Arc::new(|_, _| {})),
        rules,
        recording: None,
    });
    let answer = pipeline.invoke(request("answer", None)).await.result;
    match answer {
        Ok(output) if output.structured == Some(json!({"result": 42})) => {}
        other => return Err(failed("a guest did not give its answer", other.err())),
    }
    match pipeline.invoke(request("spin", Some(SPIN))).await.result {
        Err(error) if error.code() == Code::E3402 => Ok(()),
        other => Err(failed(
            "a guest that never ends was not stopped by its deadline",
            other.err(),
        )),
    }
}

fn failed(what: &str, cause: Option<Error>) -> Error {
    let error = Error::new(Code::E3405, what);
    match cause {
        Some(cause) => error.caused_by(cause),
        None => error,
    }
}

fn request(tool: &str, timeout: Option<Duration>) -> Request {
    Request {
        call: CallId::generate(),
        // The catalogue of the self-test has one source, whatever it is called.
        tool: ToolRef::File {
            path: PathBuf::new(),
            tool: Some(tool.to_owned()),
        },
        arguments: Arc::new(json!({})),
        resumed: None,
        caller: Arc::new(Caller::of_process()),
        grants: Arc::new(Grants::default()),
        limits: LimitRequest {
            timeout,
            ..LimitRequest::default()
        },
        idempotency: None,
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(EventLimits::default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guest in its text form.
    const TEXT: &str = r#"
        (component
          (core module
            (func (export "answer") (result i32) (i32.const 42))
            (func (export "spin") (loop (br 0))))
          (core instance (instantiate 0))
          (func (export "answer") (result u32) (canon lift (core func 0 "answer")))
          (func (export "spin") (canon lift (core func 0 "spin"))))"#;

    #[test]
    fn the_guest_is_what_its_text_says() {
        assert_eq!(wat::parse_str(TEXT).expect("valid"), GUEST);
    }
}
