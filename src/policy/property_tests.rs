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
        "action == Other::Action::\"files.read\"",
        "action in [Action::\"files.read\", Action::\"files.write\"]",
        "action in [Action::\"files.read\", Action::\"tool.invoke\"]",
        "action in [Action::\"tool.invoke\", Action::\"tool.list\"]",
    ]);
    let resource = prop::sample::select(vec![
        "resource is Tool",
        "resource",
        "resource == Tool::\"files.read\"",
        "resource in Plugin::\"files\"",
        "resource in Origin::\"wasm\"",
        "resource is Tool in Server::\"files\"",
    ]);
    let condition = prop_oneof![
        Just(String::new()),
        expression().prop_map(|what| format!("when {{ {what} }}")),
        expression().prop_map(|what| format!("unless {{ {what} }}")),
        (expression(), expression())
            .prop_map(|(when, unless)| format!("when {{ {when} }} unless {{ {unless} }}")),
    ];
    (effect, principal, action, resource, condition).prop_map(
        |(effect, principal, action, resource, condition)| {
            format!("{effect} ({principal}, {action}, {resource}) {condition};")
        },
    )
}

/// What a condition asks. Some of it is an error for every question, some for those without the argument or of another kind.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "true",
        "context.session.tainted",
        "context.session.calls < 2",
        "context.session.calls * 9000000000000000000 > 0",
        "context.session.labels.contains(\"x\")",
        "context.session has id && context.session.id == \"s1\"",
        "context.environment.headless",
        "context.time.hour < 12",
        "12 >= context.time.hour",
        "context.time.weekday == \"sunday\"",
        "context.time.unix > context.session.calls",
        "resource.risk == \"high\"",
        "\"files\" == resource.plugin",
        "resource.name != resource.plugin",
        "[\"read\", \"write\"].contains(resource.name)",
        "resource.tags.contains(\"x\")",
        "resource.tags.containsAll([\"w\", \"x\"])",
        "resource.path like \"/a*\"",
        "resource.port == 443",
        "resource in Plugin::\"web\"",
        "resource in User::\"ann\"",
        "resource in Origin::\"mcp\"",
        "principal in User::\"ann\"",
        "principal is Plugin",
        "principal == Session::\"s1\"",
        "action == Action::\"files.read\"",
        "context.args has mode",
        "context.args.mode == \"read\"",
        "context.args.depth > 1",
        "context.args.depth <= 1",
        "context.args.depth == \"1\"",
        "context.args.force",
        "context.args.tags.contains(\"x\")",
        "context.args has options.deep",
        "context.args.options has deep",
        "context.args.options.deep",
        "context.args.ratio.lessThan(decimal(\"0.5\"))",
        "context.args.mode.deep == 1",
        "context.args.path < 2",
    ])
    .prop_map(str::to_owned);
    let like = "[/ab*é]{0,5}".prop_map(|like| format!("context.args.path like \"{like}\""));
    prop_oneof![3 => leaf, 1 => like].prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a}) && ({b})")),
            two.prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("(if ({a}) then ({b}) else ({c}))")),
        ]
    })
}

fn arguments() -> impl Strategy<Value = Value> {
    (
        "[/abé]{0,6}",
        prop::option::of(prop::sample::select(vec!["read", "write"])),
        prop::option::of(0i64..3),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::sample::subsequence(vec!["x", "y"], 0..2)),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::sample::select(vec![0.25, 0.75, 0.123_456])),
    )
        .prop_map(|(path, mode, depth, force, tags, deep, ratio)| {
            let options = deep.map(|deep| json!({"deep": deep}));
            json!({
                "path": path, "mode": mode, "depth": depth, "force": force, "tags": tags, "options": options,
                "ratio": ratio,
            })
        })
}

fn question() -> impl Strategy<Value = Question> {
    let id = prop::sample::select(vec!["files.read", "files.write", "web.fetch"]);
    let who = (
        prop::option::of(prop::sample::select(vec!["ann", "bob"])),
        prop::option::of(Just("a")),
        prop::option::of(Just("s1")),
        prop::option::of(prop::sample::select(vec!["files", "web"])),
    );
    let what = (0..9u8, prop::sample::select(vec!["wasm", "mcp", "file"]));
    let state = (
        any::<bool>(),
        0u32..4,
        prop::sample::select(vec!["low", "high"]),
    );
    (id, who, what, state, any::<i32>(), arguments()).prop_map(
        |(id, (user, agent, session, plugin), (action, origin), (tainted, calls, risk), time, args)| {
            let mut tool = serde_json::to_value(tool(id)).expect("json");
            tool["origin"] = origin.into();
            tool["risk"] = risk.into();
            let tags: &[&str] = match time.rem_euclid(3) {
                0 => &[],
                1 => &["x"],
                _ => &["w", "x", "y"],
            };
            tool["tags"] = tags.into();
            let ask = match action {
                0 => json!({"action": "tool.list", "resource": tool}),
                1 => json!({"action": "fs.mount", "resource": {"path": args["path"], "access": "write"}}),
                2 => json!({"action": "net.connect", "resource": {"name": "web", "port": 443}}),
                3 => json!({"action": "mcp.register", "resource": {"name": "web"}}),
                4 => json!({"action": "secret.read", "resource": {"name": "read"}}),
                _ => json!({"action": "tool.invoke", "resource": tool, "args": args}),
            };
            let plugin = plugin.map(|name| json!({"name": name, "origin": "wasm"}));
            let mut principal = json!({"user": user, "agent": agent, "session": session, "plugin": plugin});
            principal.as_object_mut().expect("object").retain(|_, part| !part.is_null());
            serde_json::from_value(json!({
                "version": 1, "principal": principal, "ask": ask, "time": time,
                "tool": if calls == 0 { Value::Null } else { tool },
                "session": {"tainted": tainted, "calls": calls, "labels": if tainted { vec!["x"] } else { vec![] }},
            }))
            .expect("a question")
        },
    )
}

/// These policies, of which some would not have passed the check of their types.
fn loaded(policies: &[String]) -> Policies {
    let numbered = policies.iter().enumerate();
    let text: Vec<String> = numbered
        .map(|(number, policy)| format!("@id(\"p{number}\") {policy}"))
        .collect();
    let text = text.join("\n");
    Policies::load_checked(&[("p.cedar", &text)], &shapes()).expect("they parse")
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
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_decided_without_cedar_is_what_cedar_decides(
        policies in prop::collection::vec(policy(), 1..10),
        questions in prop::collection::vec(question(), 1..12),
    ) {
        // Each by itself too: one that forbids or fails hides what the others say.
        let alone = policies.iter().map(std::slice::from_ref);
        for policies in alone.chain([policies.as_slice()]).map(loaded) {
            for question in &questions {
                prop_assert_eq!(policies.decide(question), policies.decide_by_cedar(question));
            }
        }
    }

    #[test]
    fn an_error_is_always_a_no(
        policies in prop::collection::vec(policy(), 1..8),
        question in question(),
    ) {
        let decision = loaded(&policies).decide(&question);
        prop_assert!(decision.errors.is_empty() || !decision.allow);
        prop_assert!(decision.errors.is_empty() || decision.outcome() == Outcome::Deny);
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
