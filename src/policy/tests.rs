//! Behaviour of loading, deciding, explaining and testing.

mod around;
mod loading;

use serde_json::json;

use super::*;

pub(super) fn tool(id: &str) -> Tool {
    serde_json::from_value(json!({
        "id": id, "origin": "wasm", "version": "1.0.0", "digest": Digest::of(id.as_bytes()).to_string(), "risk": "low",
    }))
    .expect("a tool")
}

pub(super) fn invoke(tool: Tool, args: Value) -> Question {
    Question {
        version: question::Version::CURRENT,
        principal: Principal {
            user: Some("ann".to_owned()),
            session: Some("s1".to_owned()),
            ..Principal::default()
        },
        ask: Ask::Invoke {
            resource: tool,
            args: Arc::new(args),
        },
        tool: None,
        time: 1_800_000_000,
        environment: question::Environment::default(),
        session: question::SessionState::default(),
    }
}

pub(super) fn shapes() -> Vec<ToolShape> {
    let schema = json!({
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "mode": {"enum": ["read", "write"]},
            "depth": {"type": "integer"},
            "ratio": {"type": "number"},
            "force": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "options": {"type": "object", "properties": {"deep": {"type": "boolean"}}, "required": ["deep"]},
            "anything": {},
        },
        "required": ["path"],
    });
    ["files.read", "files.write", "web.fetch"]
        .into_iter()
        .map(|id| ToolShape {
            id: id.parse().expect("an id"),
            input_schema: schema.clone(),
        })
        .collect()
}

pub(super) fn load(text: &str) -> Result<Policies> {
    Policies::load(&[("p.cedar", text)], &shapes())
}

/// The facts about a call with these arguments, all of which policies see.
pub(super) fn with_facts<T>(args: Value, ask: impl FnOnce(condition::Facts<'_>) -> T) -> T {
    let question = invoke(tool("files.read"), args);
    let everything = "@id(\"a\") permit (principal, action == Action::\"files.read\", resource) when { context.args == context.args };";
    let policies =
        Policies::load_checked(&[("p.cedar", everything)], &shapes()).expect("it parses");
    let asked = asked::Asked::of(&question).expect("a principal");
    let arguments = policies
        .arguments(
            &question,
            &policies.slices.in_scope(&asked).collect::<Vec<_>>(),
        )
        .expect("arguments of their types");
    ask(condition::Facts {
        question: &question,
        arguments: arguments.as_ref(),
    })
}

fn default_policies() -> Policies {
    Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &shapes()).expect("the default loads")
}

#[test]
fn the_default_allows_what_is_granted_until_something_speaks_against_it() {
    let policies = default_policies();
    let ask = |change: &dyn Fn(&mut Tool)| {
        let mut tool = tool("files.read");
        change(&mut tool);
        policies.decide(&invoke(tool, json!({"path": "/a"})))
    };
    assert_eq!(ask(&|_| {}).outcome(), Outcome::Allow);
    let risky = ask(&|tool| tool.risk = question::Risk::High);
    assert_eq!(risky.outcome(), Outcome::Approval);
    assert!(
        risky.reason.contains("the tool is marked as high risk"),
        "{}",
        risky.reason
    );
    let removed = ask(&|tool| tool.lifecycle = question::Lifecycle::Removed);
    assert_eq!(removed.outcome(), Outcome::Deny);
    let error = removed.refusal().expect("refused");
    assert_eq!(error.code(), Code::E3206);
    assert!(
        error
            .to_string()
            .contains("`no-retired-tools` (default.cedar)"),
        "{error}"
    );
    assert_eq!(
        ask(&|tool| tool.lifecycle = question::Lifecycle::Deprecated).outcome(),
        Outcome::Allow
    );
}

#[test]
fn a_tainted_session_gets_neither_network_nor_secrets() {
    let policies = default_policies();
    for (ask, rule) in [
        (
            json!({"action": "net.connect", "resource": {"name": "a.example", "port": 443, "address": "192.0.2.1"}}),
            "no-egress-when-tainted",
        ),
        (
            json!({"action": "secret.read", "resource": {"name": "TOKEN", "host": "a.example"}}),
            "no-secrets-when-tainted",
        ),
    ] {
        let mut question = invoke(tool("files.read"), json!({}));
        question.ask = serde_json::from_value(ask).expect("an ask");
        question.tool = Some(tool("web.fetch"));
        assert_eq!(policies.decide(&question).outcome(), Outcome::Allow);
        question.session.tainted = true;
        let decision = policies.decide(&question);
        assert_eq!(decision.outcome(), Outcome::Deny);
        assert_eq!(decision.determining.len(), 1);
        assert_eq!(decision.determining[0].id, rule);
    }
}

#[test]
fn an_evaluation_error_denies_though_a_permit_holds() {
    let policies = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"overflow\") forbid (principal, action, resource) when { context.time.unix * 9000000000000000000 > 0 };",
    )
    .expect("loads");
    let decision = policies.decide(&invoke(tool("files.read"), json!({"path": "/a"})));
    assert!(!decision.allow);
    assert_eq!(decision.errors[0].policy.as_deref(), Some("overflow"));
    assert!(
        decision.determining.is_empty(),
        "{:?}",
        decision.determining
    );
    assert_eq!(decision.refusal().expect("refused").code(), Code::E3205);
}

#[test]
fn arguments_reach_the_policies_with_their_types() {
    let policies = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"etc\") forbid (principal, action in Action::\"tool.invoke\", resource)
           when { context.args has path && context.args.path like \"/etc/*\" };
         @id(\"deep\") forbid (principal, action == Action::\"files.read\", resource)
           when { context.args has depth && context.args.depth > 3 };
         @id(\"ratio\") forbid (principal, action == Action::\"files.read\", resource)
           when { context.args has ratio && context.args.ratio.greaterThan(decimal(\"0.5\")) };
         @id(\"tags\") forbid (principal, action == Action::\"files.read\", resource)
           when { context.args has tags && context.args.tags.contains(\"x\") };
         @id(\"options\") forbid (principal, action == Action::\"files.read\", resource)
           when { context.args has options && context.args.options.deep };",
    )
    .expect("loads");
    let by = |args: Value| {
        let decision = policies.decide(&invoke(tool("files.read"), args));
        decision
            .determining
            .iter()
            .map(|one| one.id.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        by(json!({"path": "/a", "depth": 3, "ratio": 0.5, "tags": ["y"], "unknown": {}})),
        "yes"
    );
    assert_eq!(by(json!({"path": "/etc/passwd"})), "etc");
    assert_eq!(by(json!({"path": "/a", "depth": 4})), "deep");
    assert_eq!(by(json!({"path": "/a", "ratio": 0.5001})), "ratio");
    assert_eq!(by(json!({"path": "/a", "tags": ["y", "x"]})), "tags");
    assert_eq!(
        by(json!({"path": "/a", "options": {"deep": true}})),
        "options"
    );
    for (args, says) in [
        (json!({"path": "/a", "ratio": 0.123_45}), "args.ratio"),
        (json!({}), "args.path is missing"),
        (json!({"path": "/".repeat(70_000)}), "64 KiB"),
    ] {
        let decision = policies.decide(&invoke(tool("files.read"), args));
        assert!(
            !decision.allow && decision.reason.contains(says),
            "{}",
            decision.reason
        );
    }
}

#[test]
fn a_tool_the_policies_were_not_checked_against_does_not_run() {
    let decision = default_policies().decide(&invoke(tool("new.tool"), json!({})));
    assert!(!decision.allow);
    assert!(
        decision
            .reason
            .contains("not checked against the tool new.tool"),
        "{}",
        decision.reason
    );
}

#[test]
fn obligations_of_all_permits_that_hold_are_joined() {
    let policies = load(
        "@id(\"a\") @maxSeconds(\"30\") @redact(\"token, key\") permit (principal, action, resource);
         @id(\"b\") @maxSeconds(\"10\") @redact(\"key,mail\") permit (principal in User::\"ann\", action, resource);
         @id(\"c\") @requireApproval(\"no\") permit (principal in User::\"bob\", action, resource);",
    )
    .expect("loads");
    let decision = policies.decide(&invoke(tool("files.read"), json!({"path": "/a"})));
    assert_eq!(decision.outcome(), Outcome::Allow);
    assert_eq!(decision.obligations.max_seconds, Some(10));
    let redact: Vec<&str> = decision
        .obligations
        .redact
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(redact, ["key", "mail", "token"]);
}

#[test]
fn a_plugin_that_calls_still_acts_for_its_user() {
    let policies = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"ann\") forbid (principal in User::\"ann\", action in Action::\"tool.invoke\", resource);
         @id(\"file\") forbid (principal in Origin::\"file\", action in Action::\"tool.invoke\", resource);",
    )
    .expect("loads");
    let mut question = invoke(tool("files.read"), json!({"path": "/a"}));
    let caller = |origin| {
        Some(question::Caller {
            name: "web".to_owned(),
            origin,
        })
    };
    question.principal.plugin = caller(question::Origin::Wasm);
    assert_eq!(policies.decide(&question).determining[0].id, "ann");
    question.principal.user = Some("bob".to_owned());
    assert!(policies.decide(&question).allow);
    question.principal.plugin = caller(question::Origin::File);
    assert_eq!(policies.decide(&question).determining[0].id, "file");
    question.principal = Principal::default();
    assert!(!policies.decide(&question).allow);
}
