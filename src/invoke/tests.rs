//! The pipeline as a whole, with a tool that asks for a name and an executor that stands in for it.

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::audit::{AuditLog, Options, Outlets, Position, scan};
use crate::config::ApprovalMode;
use crate::exec::{
    Artifact, Ask, Askable, Content, Effect, Ended, Entry, EventLimits, InputRequest, Inquiry, Job,
    Outcome, Respondent,
};
use crate::manifest::Risk;
use crate::permission::Grants;
use crate::registry::{Effects, KnownRequests, Offers, Origin, Validators};

/// Catalogue, executor and ledger in one: the tool greets whoever answers, and counts how often it ran.
struct Greeter {
    source: Arc<Source>,
    runs: Mutex<u32>,
}

impl Greeter {
    fn new() -> Arc<Self> {
        let tool = Tool {
            id: ToolId::new("some", "greet").expect("an id"),
            title: None,
            description: String::new(),
            input_schema: json!({"type": "object"}),
            output_schema: None,
            entry: Entry::Plugin {
                tool: "greet".to_owned(),
            },
            idempotent: true,
            pure: true,
            risk: Risk::Low,
            untrusted_output: false,
            coerce: false,
            effects: Effects::UNKNOWN,
            validators: Validators::default(),
        };
        let source = Source {
            name: "some".to_owned(),
            origin: Origin::File("some.wasm".into()),
            artifact: Artifact::new(Vec::new().into()),
            manifest: None,
            imports: Vec::new(),
            tags: std::collections::BTreeSet::new(),
            notice: None,
            tools: vec![Arc::new(tool)],
            offers: Offers::default(),
            parts: Vec::new(),
            requested: KnownRequests::default(),
        };
        Arc::new(Self {
            source: Arc::new(source),
            runs: Mutex::default(),
        })
    }

    fn runs(&self) -> u32 {
        *self.runs.lock().expect("not poisoned")
    }
}

impl Executor for Greeter {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        *self.runs.lock().expect("not poisoned") += 1;
        if let crate::exec::Arguments::Json(arguments) = &job.arguments
            && let Some(name) = arguments["looks_up"].as_str()
        {
            job.events.effect(Effect::Lookup(name.to_owned()));
            return Box::pin(std::future::pending());
        }
        if let crate::exec::Arguments::Json(arguments) = &job.arguments
            && let Some(often) = arguments["asks"].as_u64()
        {
            return Box::pin(wait_for_answers(job, often));
        }
        let ended = match job.input.answers.first() {
            Some(InputAnswer::Accepted(answer)) => {
                assert_eq!(job.input.state.as_deref(), Some(&b"asked"[..]));
                let name = answer["name"].as_str().unwrap_or_default();
                Ended::Complete(Output {
                    content: vec![Content::text(format!("Hello, {name}!"))],
                    ..Output::default()
                })
            }
            Some(_) => Ended::Complete(Output::default()),
            None => Ended::NeedsInput(needed()),
        };
        Box::pin(std::future::ready(Outcome {
            ended,
            usage: Usage {
                host_calls: 1,
                ..Usage::default()
            },
        }))
    }
}

/// The tool as one that does not return to ask, and asks so often.
async fn wait_for_answers(job: Job, often: u64) -> Outcome {
    let begun = Instant::now();
    let asking = job.asking.as_ref().expect("it can ask");
    let mut said = "Hello, ".to_owned();
    for _ in 0..often {
        let answers = asking.ask(needed().requests).await;
        said.push_str(match answers.as_deref() {
            Some([InputAnswer::Accepted(answer)]) => answer["name"].as_str().unwrap_or_default(),
            Some(_) => "whoever does not say",
            None => "nobody",
        });
    }
    Outcome {
        ended: Ended::Complete(Output {
            content: vec![Content::text(said + "!")],
            ..Output::default()
        }),
        usage: Usage {
            duration: begun.elapsed(),
            host_calls: 1,
            ..Usage::default()
        },
    }
}

impl Catalog for Greeter {
    fn resolve<'a>(&'a self, _: &'a ToolRef) -> BoxFuture<'a, Result<Known>> {
        let known = self.source.tools.first().map(|tool| Known {
            source: Arc::clone(&self.source),
            tool: Arc::clone(tool),
            kept: None,
        });
        Box::pin(std::future::ready(
            known.ok_or_else(|| Error::new(Code::E3101, "there is one tool")),
        ))
    }

    fn locked<'a>(
        &'a self,
        _source: &'a Source,
        _needs: &'a PluginName,
    ) -> BoxFuture<'a, Result<Option<Locked>>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn policies<'a>(&'a self, _: &'a Arc<Source>) -> BoxFuture<'a, Result<Option<Arc<Policies>>>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

impl Ledger for Greeter {
    fn session<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<SessionState>> {
        Box::pin(std::future::ready(Ok(SessionState::default())))
    }

    fn count<'a>(&'a self, _: &'a str, _: bool) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn approval<'a>(&'a self, _: &'a Asked, _: &'a str) -> BoxFuture<'a, Result<Approval>> {
        let error = Error::new(Code::E3213, "nobody is asked here");
        Box::pin(std::future::ready(Err(error)))
    }

    fn answer<'a>(&'a self, _: &'a str, _: bool, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn needed() -> InputNeeded {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    });
    InputNeeded {
        requests: vec![InputRequest {
            name: "user_name".to_owned(),
            ask: Ask::Form {
                message: "What is your name?".to_owned(),
                schema,
            },
        }],
        state: Some(b"asked".to_vec()),
    }
}

fn pipeline(greeter: &Arc<Greeter>) -> Arc<Pipeline> {
    pipeline_with(greeter, None)
}

fn pipeline_with(greeter: &Arc<Greeter>, recording: Option<Recording>) -> Arc<Pipeline> {
    let sharing = Sharing {
        // One place: a call that waits for a person must not keep it.
        total: 1,
        per_caller: 1,
        queue: 1,
        rate: None,
        attempts: 1,
        breaker: true,
    };
    Arc::new(Pipeline::new(Parts {
        catalog: Arc::clone(greeter) as Arc<dyn Catalog>,
        executor: Arc::clone(greeter) as Arc<dyn Executor>,
        ledger: Arc::clone(greeter) as Arc<dyn Ledger>,
        states: None,
        admission: Admission::new(sharing, Arc::new(|_, _| {})),
        rules: Rules {
            default_limits: Limits::default(),
            most_limits: Limits::most(),
            commands: CommandRules::none(),
            ceiling: Scope::nothing(),
            sensitive: Sensitive::default(),
            variables: Variables {
                workspace: "/".into(),
                home: None,
            },
            environment: Vec::new(),
            approvals: ApprovalRules {
                default: ApprovalMode::Never,
                ..ApprovalRules::default()
            },
        },
        recording,
    }))
}

fn request(respondent: Option<Arc<dyn Respondent>>, resumed: Option<Resumed>) -> Request {
    Request {
        call: CallId::generate(),
        tool: ToolRef::File {
            path: "some.wasm".into(),
            tool: None,
        },
        arguments: Arc::new(json!({})),
        resumed,
        caller: Arc::new(Caller {
            respondent,
            ..Caller::of_process()
        }),
        grants: Arc::new(Grants::default()),
        limits: LimitRequest::default(),
        idempotency: None,
        deterministic: false,
        cancel: CancellationToken::new(),
        events: Arc::new(EventSink::new(EventLimits::default())),
    }
}

fn answered(name: &str) -> Resumed {
    Resumed {
        needed: needed(),
        answers: vec![InputAnswer::Accepted(json!({"name": name}))],
    }
}

fn said(report: &Report) -> Option<String> {
    let output = report.result.as_ref().ok()?;
    match output.content.first()? {
        Content::Text { text, .. } => Some(text.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn a_call_that_was_left_open_is_gone_on_with_later() {
    let greeter = Greeter::new();
    let pipeline = pipeline(&greeter);
    let report = pipeline.invoke(request(None, None)).await;
    assert_eq!(report.error().map(Error::code), Some(Code::E3213));
    assert_eq!(report.needs_input, Some(needed()));
    let report = pipeline.invoke(request(None, Some(answered("Ada")))).await;
    assert_eq!(said(&report).as_deref(), Some("Hello, Ada!"));
    assert_eq!((report.needs_input, greeter.runs()), (None, 2));
    // What somebody said is no part of what a result is found by, though the tool only computes.
    let report = pipeline.invoke(request(None, Some(answered("Bob")))).await;
    assert_eq!(said(&report).as_deref(), Some("Hello, Bob!"));
    let report = pipeline.invoke(request(None, None)).await;
    assert_eq!(report.error().map(Error::code), Some(Code::E3213));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_leaves_the_call_open_and_runs_nothing() {
    let greeter = Greeter::new();
    let mut wrong = answered("Ada");
    wrong.answers = vec![InputAnswer::Accepted(json!({"name": 3}))];
    let report = pipeline(&greeter).invoke(request(None, Some(wrong))).await;
    assert_eq!(report.error().map(Error::code), Some(Code::E3216));
    assert_eq!((report.needs_input, greeter.runs()), (Some(needed()), 0));
}

#[tokio::test]
async fn a_request_that_is_made_again_gets_its_questions_again() {
    let greeter = Greeter::new();
    let pipeline = pipeline(&greeter);
    let keyed = |resumed: Option<Resumed>| Request {
        idempotency: Some("once".to_owned()),
        ..request(None, resumed)
    };
    for _ in 0..2 {
        let report = pipeline.invoke(keyed(None)).await;
        assert_eq!(report.needs_input, Some(needed()));
    }
    assert_eq!(greeter.runs(), 1);
    for _ in 0..2 {
        let report = pipeline.invoke(keyed(Some(answered("Ada")))).await;
        assert_eq!(said(&report).as_deref(), Some("Hello, Ada!"));
    }
    assert_eq!(greeter.runs(), 2);
}

/// How long somebody thinks who is busy.
const THOUGHT: Duration = Duration::from_millis(100);

/// Makes a call of its own before it answers, and thinks.
struct Busy(Arc<Pipeline>);

impl Respondent for Busy {
    fn askable(&self) -> Askable {
        Askable {
            form: true,
            ..Askable::default()
        }
    }

    fn answer<'a>(&'a self, inquiry: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>> {
        assert_eq!(inquiry.tool.as_str(), "some.greet");
        Box::pin(async {
            let other = self.0.invoke(request(None, Some(answered("Bob")))).await;
            assert_eq!(said(&other).as_deref(), Some("Hello, Bob!"));
            tokio::time::sleep(THOUGHT).await;
            Some(answered("Ada").answers)
        })
    }

    fn name(&self) -> String {
        "busy".to_owned()
    }
}

#[tokio::test]
async fn a_call_that_waits_for_a_person_keeps_nobody_else_waiting() {
    let greeter = Greeter::new();
    let pipeline = pipeline(&greeter);
    let busy = Arc::new(Busy(Arc::clone(&pipeline)));
    let call = pipeline.invoke(request(Some(busy), None));
    let report = tokio::time::timeout(Duration::from_secs(20), call).await;
    let report = report.expect("there was a place for the other call");
    assert_eq!(said(&report).as_deref(), Some("Hello, Ada!"));
    let both_runs = report.usage.map(|usage| usage.host_calls);
    assert_eq!((both_runs, greeter.runs()), (Some(2), 3));
}

/// A call of the tool as one that does not return to ask.
fn asking(often: u32, respondent: Option<Arc<dyn Respondent>>) -> Request {
    Request {
        arguments: Arc::new(json!({"asks": often})),
        ..request(respondent, None)
    }
}

#[tokio::test]
async fn a_tool_that_waits_where_it_is_keeps_nobody_else_waiting_either() {
    let greeter = Greeter::new();
    let pipeline = pipeline(&greeter);
    let busy = || Some(Arc::new(Busy(Arc::clone(&pipeline))) as Arc<dyn Respondent>);
    let call = pipeline.invoke(asking(2, busy()));
    let report = tokio::time::timeout(Duration::from_secs(20), call).await;
    let report = report.expect("there was a place for the other call");
    assert_eq!(said(&report).as_deref(), Some("Hello, AdaAda!"));
    let usage = report.usage.expect("it ran");
    assert!(usage.duration < THOUGHT, "{:?}", usage.duration);
    // What somebody said is no part of what a result is found by.
    let report = pipeline.invoke(asking(2, None)).await;
    assert_eq!(said(&report).as_deref(), Some("Hello, nobodynobody!"));
}

#[tokio::test]
async fn a_tool_that_waits_where_it_is_does_not_ask_for_ever() {
    let greeter = Greeter::new();
    let report = pipeline(&greeter).invoke(asking(1000, None)).await;
    assert_eq!(report.error().map(Error::code), Some(Code::E3411));
    assert_eq!(report.needs_input, None, "nothing waits for an answer");
}

#[tokio::test]
async fn a_cancelled_call_does_not_wait_for_an_answer() {
    struct Never(CancellationToken);
    impl Respondent for Never {
        fn askable(&self) -> Askable {
            Askable {
                form: true,
                ..Askable::default()
            }
        }

        fn answer<'a>(&'a self, _: &'a Inquiry) -> BoxFuture<'a, Option<Vec<InputAnswer>>> {
            self.0.cancel();
            Box::pin(std::future::pending())
        }

        fn name(&self) -> String {
            "never".to_owned()
        }
    }
    let mut call = asking(1, None);
    let never = Arc::new(Never(call.cancel.clone()));
    call.caller = Arc::new(Caller {
        respondent: Some(never),
        ..Caller::of_process()
    });
    let greeter = Greeter::new();
    let report = pipeline(&greeter).invoke(call).await;
    assert_eq!(report.error().map(Error::code), Some(Code::E3703));
}

#[tokio::test]
async fn what_a_call_did_before_it_was_abandoned_is_recorded() {
    for strict in [false, true] {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("audit");
        let log = AuditLog::open(
            &folder,
            &home.path().join("keys"),
            Options::default(),
            Outlets::default(),
        );
        let log = Arc::new(log.expect("it opens"));
        let scribe = Arc::new(Scribe::start(Arc::clone(&log)).expect("it starts"));
        let recording = Recording {
            log: Arc::clone(&log),
            scribe: Arc::clone(&scribe),
            webhook: None,
            strict,
            arguments: false,
            output: false,
        };
        let greeter = Greeter::new();
        let pipeline = pipeline_with(&greeter, Some(recording));
        let call = Request {
            arguments: Arc::new(json!({"looks_up": "example.com"})),
            ..request(None, None)
        };
        tokio::select! {
            _ = pipeline.invoke(call) => panic!("it never ends"),
            () = async {
                while greeter.runs() == 0 {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        scribe.close();
        log.close().expect("written");
        let records: Vec<(String, Value)> = scan(&folder, Position::START)
            .map(|record| record.expect("it is whole").1)
            .filter(|record| record.call.is_some())
            .map(|record| (record.kind.clone(), record.data_value()))
            .collect();
        let kinds: Vec<&str> = records.iter().map(|(kind, _)| kind.as_str()).collect();
        let all = [
            "execution_start",
            "permission_decided",
            "network_touched",
            "execution_end",
        ];
        assert_eq!(kinds, all);
        assert_eq!(records[3].1["outcome"], "abandoned");
        assert_eq!(records[3].1["effects"], 1);
    }
}
