//! What loads and what does not.

use serde_json::json;

use super::*;

/// The message of the error the text is refused with.
fn refused(text: &str) -> String {
    let error = load(text).err().unwrap_or_else(|| panic!("loads: {text}"));
    assert_eq!(error.code(), Code::E3004, "{error}");
    error.to_string()
}

#[test]
fn a_policy_that_is_not_certain_to_work_is_refused_with_its_place() {
    for (text, place, says) in [
        // A typo in an attribute.
        (
            "@id(\"a\") permit (principal, action, resource)\nwhen { context.session.taintd };",
            "p.cedar:2:8: policy `a`:",
            "did you mean `tainted`?",
        ),
        // A tool that is not installed.
        (
            "@id(\"a\") permit (principal, action == Action::\"files.raed\", resource);",
            "p.cedar:1:39:",
            "did you mean `files.read`?",
        ),
        // An optional argument without a test that it is there: the forbid would not apply where it is absent.
        (
            "@id(\"a\") forbid (principal, action == Action::\"files.read\", resource) when { context.args.mode == \"w\" };",
            "p.cedar:1:78:",
            "context.args has mode",
        ),
        // Without types, `in` on a text is an evaluation error, which skips the forbid.
        (
            "@id(\"a\") forbid (principal, action == Action::\"files.read\", resource) when { context.args.path in [\"a\", \"b\"] };",
            "p.cedar:1:78:",
            "unexpected type",
        ),
        // An argument without a Cedar type.
        (
            "@id(\"a\") forbid (principal, action == Action::\"files.read\", resource) when { context.args.anything == 1 };",
            "p.cedar:1:78:",
            "`args.anything`",
        ),
        // A type that does not fit.
        (
            "@id(\"a\") forbid (principal, action, resource) when { context.session.calls > \"3\" };",
            "p.cedar:1:78:",
            "unexpected type",
        ),
        // A word the attribute never has.
        (
            "@id(\"a\") forbid (principal, action, resource is Tool) when { resource.risk == \"hihg\" };",
            "p.cedar:1:1: policy `a`:",
            "did you mean `high`?",
        ),
        (
            "@id(\"a\") permit (principal, action, resource in Origin::\"wasn\");",
            "p.cedar:1:49:",
            "wasn",
        ),
        // A policy that can never apply.
        (
            "@id(\"a\") forbid (principal, action == Action::\"net.connect\", resource is Tool);",
            "p.cedar:1:1: policy `a`:",
            "unable to find an applicable action",
        ),
        (
            "@id(\"a\") permit (principal, action, resource)\n\n when { context. };",
            "p.cedar:3:18:",
            "unexpected token",
        ),
        (
            "permit (principal, action, resource);",
            "p.cedar:1:1:",
            "no `@id(",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
            "p.cedar:2:1:",
            "another policy `a`",
        ),
        (
            "@id(\"a\") permit (principal == ?principal, action, resource);",
            "p.cedar:1:1:",
            "template",
        ),
        (
            "@id(\"a\") @require_approval(\"x\") permit (principal, action, resource);",
            "p.cedar:1:1:",
            "did you mean `@requireApproval`?",
        ),
        (
            "@id(\"a\") @maxSeconds(\"soon\") permit (principal, action, resource);",
            "p.cedar:1:1:",
            "whole number",
        ),
        (
            "@id(\"a\") @requireApproval(\"x\") forbid (principal, action, resource);",
            "p.cedar:1:1:",
            "a forbid obliges to nothing",
        ),
    ] {
        let message = refused(text);
        assert!(message.contains(place), "{place} in: {message}");
        assert!(message.contains(says), "{says} in: {message}");
    }
}

#[test]
fn one_slip_is_told_once() {
    let message =
        refused("@id(\"a\") permit (principal, action, resource) when { context.sesion.tainted };");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn every_problem_of_every_file_is_told_at_once() {
    let good = "@id(\"g\") permit (principal, action, resource);";
    let files = [("a.cedar", "permit;"), ("b.cedar", good), ("c.cedar", good)];
    let message = Policies::load(&files, &[])
        .expect_err("refused")
        .to_string();
    assert!(message.contains("a.cedar:1:"), "{message}");
    assert!(
        message.contains("another policy `g`, in b.cedar"),
        "{message}"
    );
}

#[test]
fn without_policies_the_answer_is_no() {
    for sources in [&[][..], &[("empty.cedar", "// nothing")][..]] {
        assert_eq!(
            Policies::load(sources, &[]).expect_err("refused").code(),
            Code::E3205
        );
    }
    let question = invoke(tool("files.read"), json!({"path": "/a"}));
    assert_eq!(
        Policies::ask(None, &question).expect_err("refused").code(),
        Code::E3205
    );
}

#[test]
fn a_tool_may_not_pass_for_an_action() {
    let tools = [ToolShape {
        id: "fs.mount".parse().expect("an id"),
        input_schema: json!({}),
    }];
    let error = Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &tools).expect_err("refused");
    assert!(error.to_string().contains("fs.mount"), "{error}");
}

#[test]
fn a_tool_whose_new_schema_breaks_a_policy_is_found_before_it_is_installed() {
    let policies = load(
        "@id(\"yes\") permit (principal, action, resource);
         @id(\"etc\") forbid (principal, action == Action::\"files.read\", resource) when { context.args.path like \"/etc/*\" };",
    )
    .expect("loads");
    policies.check_with(&shapes()).expect("nothing changed");
    let mut changed = shapes();
    changed[0].input_schema = json!({"type": "object", "properties": {"file": {"type": "string"}}});
    let error = policies.check_with(&changed).expect_err("breaks");
    assert_eq!(error.details()["policies"], json!(["etc"]));
    assert!(
        policies.check_with(&changed[1..]).is_err(),
        "a policy names the tool that would be gone"
    );
    changed[0] = shapes()[0].clone();
    changed[1].input_schema = json!({});
    policies
        .check_with(&changed)
        .expect("no policy looks at its arguments");
}

#[test]
fn a_checked_set_loads_again_and_another_one_is_checked() {
    let good = [(
        "p.cedar",
        "@id(\"a\") permit (principal, action, resource);",
    )];
    let bad = [(
        "p.cedar",
        "@id(\"a\") permit (principal, action, resource) when { context.nothing };",
    )];
    let fingerprint = Policies::fingerprint(&good, &shapes());
    assert_ne!(fingerprint, Policies::fingerprint(&bad, &shapes()));
    assert_ne!(fingerprint, Policies::fingerprint(&good, &[]));
    let asked = invoke(tool("files.read"), json!({"path": "x"}));
    let checked = Policies::load_checked(&good, &shapes()).expect("loads");
    assert!(checked.decide(&asked).allow);
    // One that would not have passed is read, and every answer is a no.
    Policies::load(&bad, &shapes()).expect_err("refused");
    let unchecked = Policies::load_checked(&bad, &shapes()).expect("loads");
    let decision = unchecked.decide(&asked);
    assert!(
        !decision.allow && !decision.errors.is_empty(),
        "{decision:?}"
    );
}

#[test]
fn no_tool_can_make_the_shipped_policies_wrong() {
    // They are loaded without the check of types, so they must not look at what tools differ in.
    for schema in [
        json!({}),
        json!({"type": "object", "properties": {"risk": {"type": "integer"}}}),
        json!({"type": "array"}),
    ] {
        let any = ToolShape {
            id: "any.tool".parse().expect("an id"),
            input_schema: schema,
        };
        Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &[any]).expect("right for every tool");
    }
    Policies::load(&[(DEFAULT_FILE, DEFAULT_POLICIES)], &[]).expect("and without any");
}
