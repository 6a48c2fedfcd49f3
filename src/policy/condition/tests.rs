//! That what people usually write needs no Cedar; that the answers are Cedar's is a property test of the policies.

use serde_json::json;

use super::*;
use crate::policy::tests::with_facts;

fn condition(text: &str) -> Condition {
    let policy = format!("forbid (principal, action, resource) {text};");
    let policy: cedar_policy::Policy = policy.parse().expect("a policy");
    Condition::of(&policy.to_json().expect("JSON"))
}

fn holds(text: &str) -> Truth {
    let args = json!({"path": "/srv/a.txt", "mode": "read", "depth": 2, "options": {"deep": true}});
    with_facts(args, |facts| condition(text).holds(facts))
}

#[test]
fn plain_comparisons_are_decided() {
    for (text, expected) in [
        ("", true),
        ("when { true }", true),
        ("when { context.args.path like \"/srv/*\" }", true),
        ("when { context.args.path like \"/srv\" }", false),
        ("when { context.args.path like \"*/*.txt\" }", true),
        ("when { context.args.path like \"*a*a*\" }", false),
        (
            "when { context.args has depth && context.args.depth > 1 }",
            true,
        ),
        (
            "when { context.args has ratio && context.args.ratio.lessThan(decimal(\"1.0\")) }",
            false,
        ),
        (
            "when { context.args has options.deep } unless { context.args.options.deep }",
            false,
        ),
        (
            "when { resource.risk == \"high\" || resource.tags.contains(\"x\") }",
            false,
        ),
        (
            "when { [\"read\", \"write\"].contains(context.args.mode) }",
            true,
        ),
        ("when { context.session.calls >= 100 }", false),
        (
            "when { principal in User::\"ann\" && resource.risk == \"high\" }",
            false,
        ),
        ("unless { context.time.hour < 24 }", false),
    ] {
        assert_eq!(holds(text), expected.into(), "{text}");
    }
}

#[test]
fn what_may_be_an_error_and_what_is_not_understood_is_left_to_cedar() {
    for text in [
        "when { context.args.ratio == 1 }",
        "when { context.args.path < 2 }",
        "when { context.args.ratio.lessThan(decimal(\"1.0\")) && false }",
        "when { context.session.calls * 2 > 1 }",
        "when { resource.path like \"*\" }",
        "when { context.args.mode }",
    ] {
        assert_eq!(holds(text), Truth::Unknown, "{text}");
    }
    assert_eq!(holds("when { principal in User::\"ann\" }"), Truth::Either);
}
