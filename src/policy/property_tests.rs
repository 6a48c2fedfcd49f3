//! Properties of deciding, for policies and questions made at random.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::tests::{shapes, tool};
use super::*;

/// The scopes and conditions policies are put together from; with them some that fail for some questions.
fn policy() -> impl Strategy<Value = String> {
    let effect = prop::sample::select(vec!["permit", "forbid"]);
    let principal = prop::sample::select(vec![
        "principal",
        "principal == Session::\"s1\"",
        "principal in User::\"ann\"",
        "principal in Agent::\"a\"",
        "principal is Plugin",
        "principal is Session in User::\"bob\"",
        "principal in Origin::\"wasm\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action in Action::\"tool.invoke\"",
        "action == Action::\"files.read\"",
        "action in [Action::\"files.read\", Action::\"files.write\"]",
        "action in [Action::\"files.read\", Action::\"tool.invoke\"]",
        "action in [Action::\"tool.invoke\", Action::\"tool.list\"]",
    ]);
    let resource = prop::sample::select(vec![
        "resource is Tool",
        "resource == Tool::\"files.read\"",
        "resource in Plugin::\"files\"",
        "resource in Origin::\"wasm\"",
        "resource is Tool in Server::\"files\"",
    ]);
    let condition = prop::sample::select(vec![
        "",
        "when { context.session.tainted }",
        "unless { resource.risk == \"high\" }",
        "when { context.session.calls * 9000000000000000000 > 0 }",
        "when { resource.risk == \"high\" }",
        "when { \"files\" == resource.plugin && context.session.calls < 2 }",
        "when { [\"read\", \"write\"].contains(resource.name) && !context.session.tainted }",
        "when { !context.session.tainted } unless { context.session.calls * 9000000000000000000 > 0 }",
        "when { context.environment.headless || context.session.egress }",
        "when { context.time.hour < 12 && principal in User::\"ann\" }",
        "when { resource.tags.contains(\"x\") && context.session.calls < 2 }",
        "when { resource in Plugin::\"web\" || context.session.labels.contains(\"x\") }",
    ]);
    (effect, principal, action, resource, condition).prop_map(
        |(effect, principal, action, resource, condition)| {
            format!("{effect} ({principal}, {action}, {resource}) {condition};")
        },
    )
}

fn question() -> impl Strategy<Value = Question> {
    let id = prop::sample::select(vec!["files.read", "files.write", "web.fetch"]);
    let who = (
        prop::option::of(prop::sample::select(vec!["ann", "bob"])),
        prop::option::of(Just("a")),
        prop::option::of(Just("s1")),
        prop::option::of(prop::sample::select(vec!["files", "web"])),
    );
    let what = (any::<bool>(), prop::sample::select(vec!["wasm", "mcp"]));
    let state = (
        any::<bool>(),
        0u32..4,
        prop::sample::select(vec!["low", "high"]),
    );
    (id, who, what, state, any::<i32>()).prop_map(
        |(id, (user, agent, session, plugin), (list, origin), (tainted, calls, risk), time)| {
            let mut resource = serde_json::to_value(tool(id)).expect("json");
            resource["origin"] = origin.into();
            resource["risk"] = risk.into();
            let tags: &[&str] = match time.rem_euclid(3) {
                0 => &[],
                1 => &["x"],
                _ => &["w", "x", "y"],
            };
            resource["tags"] = tags.into();
            let ask = if list {
                json!({"action": "tool.list", "resource": resource})
            } else {
                json!({"action": "tool.invoke", "resource": resource, "args": {"path": "/a"}})
            };
            let plugin = plugin.map(|name| json!({"name": name, "origin": "wasm"}));
            let mut principal = json!({"user": user, "agent": agent, "session": session, "plugin": plugin});
            principal.as_object_mut().expect("object").retain(|_, part| !part.is_null());
            serde_json::from_value(json!({
                "version": 1, "principal": principal, "ask": ask, "time": time,
                "session": {"tainted": tainted, "calls": calls, "labels": if tainted { vec!["x"] } else { vec![] }},
            }))
            .expect("a question")
        },
    )
}

/// The policies that load, of those given.
fn loaded(policies: &[String]) -> Option<Policies> {
    let kept: Vec<String> = policies
        .iter()
        .enumerate()
        .map(|(number, policy)| format!("@id(\"p{number}\") {policy}"))
        .filter(|policy| tests::load(policy).is_ok())
        .collect();
    tests::load(&kept.join("\n")).ok()
}

/// Policies that look at arguments, with the schema they were checked against.
static FIXED: LazyLock<(Policies, cedar_policy::Schema)> = LazyLock::new(|| {
    let policies = tests::load(
        "@id(\"a\") permit (principal, action, resource);
         @id(\"b\") forbid (principal, action in Action::\"tool.invoke\", resource)
           when { context.args has path && context.args.path == \"/b\" };",
    );
    let text = Policies::schema(&shapes()).expect("a schema");
    let (schema, _) = cedar_policy::Schema::from_cedarschema_str(&text).expect("valid");
    (policies.expect("loads"), schema)
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn asking_only_the_policies_in_question_changes_no_answer(
        policies in prop::collection::vec(policy(), 1..10),
        questions in prop::collection::vec(question(), 1..12),
    ) {
        if let Some(policies) = loaded(&policies) {
            for question in &questions {
                prop_assert_eq!(policies.decide(question), policies.decide_unsliced(question));
            }
        }
    }

    #[test]
    fn an_error_is_always_a_no(
        policies in prop::collection::vec(policy(), 1..8),
        question in question(),
    ) {
        if let Some(policies) = loaded(&policies) {
            let decision = policies.decide(&question);
            prop_assert!(decision.errors.is_empty() || !decision.allow);
            prop_assert!(decision.errors.is_empty() || decision.outcome() == Outcome::Deny);
        }
    }

    #[test]
    fn a_question_survives_its_stored_form(question in question()) {
        let text = question.to_json().to_string();
        prop_assert_eq!(Question::from_json(&text).expect("reads"), question);
    }

    /// What the request builder makes is what the schema promised the policies.
    #[test]
    fn every_question_fits_the_schema(question in question()) {
        let (policies, schema) = &*FIXED;
        if let Ok(put) = policies.put(&question) {
            let request = cedar_policy::Request::new(
                put.request.principal().expect("known").clone(),
                put.request.action().expect("known").clone(),
                put.request.resource().expect("known").clone(),
                put.request.context().expect("known").clone(),
                Some(schema),
            );
            prop_assert!(request.is_ok(), "{}", request.expect_err("fails"));
            let actions = schema.action_entities().expect("actions");
            let others = put.entities.iter().filter(|one| actions.get(&one.uid()).is_none()).cloned();
            let entities = cedar_policy::Entities::from_entities(others, Some(schema));
            prop_assert!(entities.is_ok(), "{}", entities.expect_err("fails"));
        }
    }
}
