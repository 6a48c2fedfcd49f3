use super::*;
use crate::issue::Severity;
use crate::language::Language;
use crate::metrics::measure;

/// Line, column, rule and message of each issue.
fn issues(
    text: &str,
    language: Language,
    thresholds: &Thresholds,
) -> Vec<(usize, usize, &'static str, String)> {
    let code = Code::read(text, language);
    let metrics = measure(&code);
    let mut issues = Issues::new(100);
    Rules {
        file: "f",
        code: &code,
        metrics: &metrics,
        thresholds,
    }
    .check(&mut issues);
    let mut issues = issues.finish();
    issues.sort_by_key(|issue| (issue.line, issue.column));
    issues
        .into_iter()
        .map(|issue| (issue.line, issue.column, issue.rule.name(), issue.message))
        .collect()
}

fn check(text: &str, language: Language, expected: &[(usize, usize, &str, &str)]) {
    let found = issues(text, language, &Thresholds::default());
    let found: Vec<_> = found
        .iter()
        .map(|(a, b, c, d)| (*a, *b, *c, d.as_str()))
        .collect();
    assert_eq!(found, expected, "in {text}");
}

#[test]
fn brackets_without_a_partner() {
    let unbalanced = "unbalanced-bracket";
    check(
        "fn f() {",
        Language::Rust,
        &[(1, 8, unbalanced, "`{` is never closed")],
    );
    check(
        "fn f() { } }",
        Language::Rust,
        &[(1, 12, unbalanced, "`}` closes nothing")],
    );
    check(
        "fn f() {\n    g((1, 2);\n}",
        Language::Rust,
        &[(
            2,
            6,
            unbalanced,
            "`(` is never closed: `}` in line 3 closes what is around it",
        )],
    );
    check(
        "fn f() {\n    g(1];\n}",
        Language::Rust,
        &[
            (
                2,
                6,
                unbalanced,
                "`(` is never closed: `}` in line 3 closes what is around it",
            ),
            (2, 8, unbalanced, "`]` does not close the `(` of line 2"),
        ],
    );
    check(
        "a = [1,\ndef f():\n    return (2\n",
        Language::Python,
        &[
            (1, 5, unbalanced, "`[` is never closed"),
            (3, 12, unbalanced, "`(` is never closed"),
        ],
    );
    check(
        "x = `${a",
        Language::JavaScript,
        &[(1, 5, "unterminated-string", "this string is never closed")],
    );
}

#[test]
fn a_string_that_swallows_the_rest_is_the_only_error() {
    check(
        "fn f() {\n    g(\"x);\n}\n",
        Language::Rust,
        &[(2, 7, "unterminated-string", "this string is never closed")],
    );
    check(
        "func f() {\n\tg(1)\n\t/* x\n}\n",
        Language::Go,
        &[(3, 2, "unterminated-comment", "this comment is never closed")],
    );
}

#[test]
fn a_file_that_is_no_code_gives_no_flood() {
    let found = issues(&")\n".repeat(10_000), Language::Go, &Thresholds::default());
    assert_eq!(
        found
            .iter()
            .filter(|(_, _, rule, _)| *rule == "unbalanced-bracket")
            .count(),
        MAX_BROKEN
    );
}

#[test]
fn markers_of_a_merge() {
    let text = "a()\n<<<<<<< HEAD\nb()\n=======\nc()\n>>>>>>> topic\n";
    let found = issues(text, Language::JavaScript, &Thresholds::default());
    let lines: Vec<_> = found
        .iter()
        .filter(|found| found.2 == "merge-conflict")
        .map(|found| found.0)
        .collect();
    assert_eq!(lines, [2, 6]);
    check("x = '''\n<<<<<<< HEAD\n'''\n", Language::Python, &[]);
}

#[test]
fn limits_are_exceeded_not_reached() {
    let text = "fn f(a: u8, b: u8) {\n    if a {\n        if b {\n        }\n    }\n}\n";
    let limits = |number: usize| Thresholds {
        complexity: 3 - number,
        function_lines: 6 - number,
        nesting: 2 - number,
        parameters: 2 - number,
        file_lines: 6 - number,
        line_length: 20 - number,
        ..Thresholds::default()
    };
    assert_eq!(issues(text, Language::Rust, &limits(0)), []);
    let found = issues(text, Language::Rust, &limits(1));
    let mut rules: Vec<_> = found
        .iter()
        .map(|(line, _, rule, _)| (*rule, *line))
        .collect();
    rules.sort_unstable();
    assert_eq!(
        rules,
        [
            ("complexity", 1),
            ("file-length", 1),
            ("function-length", 1),
            ("long-line", 1),
            ("nesting", 1),
            ("parameters", 1)
        ]
    );
    let complexity = &found
        .iter()
        .find(|found| found.2 == "complexity")
        .unwrap()
        .3;
    assert_eq!(
        complexity,
        "`f` has a cyclomatic complexity of 3; the limit is 2"
    );
}

#[test]
fn a_swallowed_error_with_a_reason_is_fine() {
    let message = "the error is ignored, and no comment says why";
    check(
        "try:\n    f()\nexcept E:\n    pass\ntry:\n    f()\nexcept E:\n    pass  # not there yet\n",
        Language::Python,
        &[(3, 1, "swallowed-error", message)],
    );
    check(
        "try { f() } catch { }\ntry { f() } catch { /* not there yet */ }\n",
        Language::JavaScript,
        &[(1, 13, "swallowed-error", message)],
    );
}

#[test]
fn comments_that_say_what_is_to_be_done() {
    check(
        "fn f() {} // TODO(me): more\n/* a\n   FIXME b */\nlet a = \"TODO\"; // todo, TODOS, MY_TODO\n",
        Language::Rust,
        &[
            (1, 14, "todo-comment", "TODO(me): more"),
            (3, 4, "todo-comment", "FIXME b"),
        ],
    );
    check(
        "def f():\n    '''Do.\n\n    HACK: x\n    '''\n",
        Language::Python,
        &[(4, 5, "todo-comment", "HACK: x")],
    );
}

#[test]
fn long_lines_are_measured_in_characters() {
    let thresholds = Thresholds {
        line_length: 20,
        ..Thresholds::default()
    };
    assert_eq!(
        issues("// éééééééééééééé 20", Language::Rust, &thresholds),
        []
    );
    let found = issues("\n// éééééééééééééé 21!", Language::Rust, &thresholds);
    assert_eq!((found[0].0, found[0].1, found[0].2), (2, 21, "long-line"));
}

#[test]
fn severities_follow_the_rule() {
    assert_eq!(Rule::MergeConflict.severity(), Severity::Error);
    assert_eq!(Rule::Nesting.severity(), Severity::Warning);
    assert_eq!(Rule::TodoComment.severity(), Severity::Info);
}
