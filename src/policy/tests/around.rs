//! Explaining, cases, shadow and stored questions.

use serde_json::json;

use super::*;

#[test]
fn explain_names_the_rule_and_what_would_change_the_answer() {
    let policies = default_policies();
    let mut question = invoke(tool("files.read"), json!({"path": "/a"}));
    question.ask = serde_json::from_value(
        json!({"action": "net.connect", "resource": {"name": "a.example", "port": 443}}),
    )
    .expect("an ask");
    question.session.tainted = true;
    let explanation = policies.explain(&question);
    assert_eq!(
        explanation.decision.determining[0].id,
        "no-egress-when-tainted"
    );
    assert_eq!(explanation.changes.len(), 1, "{:?}", explanation.changes);
    let change = &explanation.changes[0];
    assert_eq!(
        (change.what.as_str(), &change.to),
        ("context.session.tainted", &json!(false))
    );
    assert_eq!(change.outcome, Outcome::Allow);

    let mut risky = tool("files.read");
    risky.risk = question::Risk::High;
    let explanation = policies.explain(&invoke(risky, json!({"path": "/a"})));
    let found: Vec<_> = explanation
        .changes
        .iter()
        .map(|change| {
            (
                change.what.as_str(),
                change.to.as_str().expect("a word"),
                change.outcome,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("resource.lifecycle", "sunset", Outcome::Deny),
            ("resource.lifecycle", "removed", Outcome::Deny),
            ("resource.risk", "low", Outcome::Allow),
            ("resource.risk", "medium", Outcome::Allow),
        ]
    );
}

#[test]
fn explain_finds_bounds_hours_arguments_and_the_principal() {
    let policies = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"a\") forbid (principal in User::\"ann\", action == Action::\"files.read\", resource)
           when { context.args has depth && context.args.depth > 3 && context.time.hour >= 8 };",
    )
    .expect("loads");
    let question = invoke(tool("files.read"), json!({"path": "/a", "depth": 9}));
    let found = policies.explain(&question).changes;
    let has = |what: &str, to: Value| {
        found
            .iter()
            .any(|change| change.what == what && change.to == to)
    };
    assert!(has("context.args.depth", json!(3)), "{found:?}");
    assert!(has("context.args.depth", Value::Null), "{found:?}");
    assert!(!has("context.args.depth", json!(4)), "{found:?}");
    assert!(has("context.time.hour", json!(7)), "{found:?}");
    assert!(has("principal user", Value::Null), "{found:?}");
}

#[test]
fn cases_say_which_answer_and_which_policy_they_expect() {
    let text = r#"
        [[case]]
        name = "reading is fine"
        action = "tool.invoke"
        resource = "files.read"
        args = { path = "/a" }
        expect = "allow"

        [[case]]
        name = "high risk"
        action = "tool.invoke"
        resource = "files.read"
        facts = { risk = "high" }
        expect = "approval"
        by = "high-risk-needs-approval"

        [[case]]
        name = "no network when tainted"
        principal = { user = "ann", session = "s1" }
        action = "net.connect"
        resource = "a.example:443"
        session = { tainted = true }
        expect = "deny"
        by = "no-egress-when-tainted"

        [[case]]
        name = "wrong policy"
        action = "secret.read"
        resource = { name = "TOKEN", host = "a.example" }
        session = { tainted = true }
        expect = "deny"
        by = "no-egress-when-tainted"

        [[case]]
        name = "no question"
        action = "net.conect"
        resource = "a.example:443"
        expect = "deny"

        [[case]]
        name = "no answer"
        action = "tool.invoke"
        resource = "not.installed"
        expect = "deny"
    "#;
    let cases = cases::Cases::parse("cases.toml", text).expect("reads");
    let results = cases.run(&default_policies(), &|_| None);
    let passed: Vec<bool> = results.iter().map(|result| result.passed).collect();
    assert_eq!(
        passed,
        [true, true, true, false, false, false],
        "{results:?}"
    );
    assert!(
        results[3].message.contains("no-secrets-when-tainted"),
        "{}",
        results[3].message
    );
    assert!(
        results[4].message.contains("net.connect"),
        "{}",
        results[4].message
    );

    for bad in ["", "[[case]]\nname = \"x\"\nexpct = \"deny\"", "[[case"] {
        assert_eq!(
            cases::Cases::parse("c.toml", bad)
                .expect_err("refused")
                .code(),
            Code::E3004
        );
    }
}

#[test]
fn shadow_lists_the_questions_a_proposed_policy_answers_differently() {
    let proposed = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"no-bob\") forbid (principal in User::\"bob\", action, resource);",
    )
    .expect("loads");
    let ann = invoke(tool("files.read"), json!({"path": "/a"}));
    let mut bob = ann.clone();
    bob.principal.user = Some("bob".to_owned());
    let recalled = |name: &str, question: Question| shadow::Recalled {
        name: name.to_owned(),
        question,
        answer: Some((Outcome::Allow, vec!["granted-is-allowed".to_owned()])),
    };
    let mut unknown = ann.clone();
    if let Ask::Invoke { args, .. } = &mut unknown.ask {
        *args = Arc::default();
    }
    let questions = [
        recalled("call-1", ann),
        recalled("call-2", bob),
        recalled("call-3", unknown),
    ];
    let comparison = shadow::compare(
        &default_policies(),
        &proposed,
        questions.clone().into_iter(),
    );
    assert_eq!(comparison.asked, 3);
    assert_eq!(comparison.differences.len(), 1);
    assert!(
        comparison.unknown.is_empty(),
        "no policy looks at arguments"
    );
    let difference = &comparison.differences[0];
    assert_eq!(difference.name, "call-2");
    assert_eq!(difference.proposed.by[0].id, "no-bob");
    assert_eq!(
        (difference.current.outcome, difference.proposed.outcome),
        (Outcome::Allow, Outcome::Deny)
    );

    // Where policies look at arguments that were not recorded, the record is what is known.
    let looks = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"paths\") forbid (principal, action == Action::\"files.read\", resource) when { context.args.path == \"/b\" };",
    )
    .expect("loads");
    let comparison = shadow::compare(&default_policies(), &looks, questions.clone().into_iter());
    assert_eq!(
        (comparison.differences.len(), comparison.unknown),
        (0, vec!["call-3".to_owned()])
    );
    let comparison = shadow::compare(&looks, &proposed, questions.into_iter());
    let names: Vec<&str> = comparison
        .differences
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!((names, comparison.unknown), (vec!["call-2"], vec![]));
}

#[test]
fn a_stored_question_of_another_version_or_shape_is_refused() {
    let stored = invoke(tool("files.read"), json!({"path": "/a", "n": 1.5})).to_json();
    assert_eq!(stored["version"], 1);
    for (field, value) in [("version", json!(2)), ("extra", json!(1))] {
        let mut other = stored.clone();
        other[field] = value;
        assert!(Question::from_json(&other.to_string()).is_err(), "{field}");
    }
}
