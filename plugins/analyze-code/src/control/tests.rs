use super::*;

const TS: Language = Language::TypeScript { jsx: false };

/// The words and operators at which the control flow branches.
fn branches(text: &str, language: Language) -> Vec<&str> {
    let code = Code::read(text, language);
    control(&code)
        .branches
        .into_iter()
        .map(|index| code.at(index))
        .collect()
}

fn check(language: Language, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(branches(text, language), *expected, "in {text}");
    }
}

#[test]
fn branches_of_rust() {
    check(
        Language::Rust,
        &[
            (
                "if a && b || c { } else if d { } else { }",
                &["if", "&&", "||", "if"],
            ),
            (
                "for x in y { while z { loop { } } }",
                &["for", "while", "loop"],
            ),
            (
                "match a { 1 => b, 2 if c => d, _ => e }",
                &["=>", "=>", "if"],
            ),
            (
                "match a { B { c } => { match d { _ => e } } _ => f }",
                &["=>"],
            ),
            ("let Some(a) = b else { return };", &["else"]),
            ("if let A { b } = c && let Some(d) = e { }", &["if", "&&"]),
            ("impl A for B { } fn f() where for<'a> C: D<'a> { }", &[]),
            ("let a = &&b; let c = || d; f(|| g, &&h); a?;", &[]),
            ("'a: for x in (0..) { break 'a }", &["for"]),
        ],
    );
}

#[test]
fn branches_of_python() {
    check(
        Language::Python,
        &[
            (
                "if a and b or c:\n    pass\nelif d: pass\nelse: pass\n",
                &["if", "and", "or", "elif"],
            ),
            (
                "x = a if b else [c for d in e if f]\n",
                &["if", "for", "if"],
            ),
            (
                "try:\n    pass\nexcept A: pass\nfinally: pass\n",
                &["except"],
            ),
            (
                "match a:\n    case 1: pass\n    case [b] if c: pass\n    case _: pass\n",
                &["case", "case", "if"],
            ),
            ("match = case = 1\nmatch(case)\ncase[1]\n", &[]),
            (
                "async for a in b:\n    with c: pass\nwhile d: pass\n",
                &["for", "while"],
            ),
        ],
    );
}

#[test]
fn branches_of_javascript_and_typescript() {
    check(
        Language::JavaScript,
        &[
            (
                "if (a && b || c) { } else if (d ?? e) { }",
                &["if", "&&", "||", "if", "??"],
            ),
            ("for (a of b) { } do { } while (c)", &["for", "while"]),
            (
                "switch (a) { case 1: case 2: break; default: }",
                &["case", "case"],
            ),
            ("try { } catch { } finally { }", &["catch"]),
            ("a ? b : c?.d", &["?"]),
            (
                "a.if(b).catch(c); x = { for: 1, case: 2 }; a ||= b",
                &["||="],
            ),
        ],
    );
    check(
        TS,
        &[
            (
                "function f(a?: string, b?) { } class C { x?: string; y?; z?= 1 }",
                &[],
            ),
            ("const a = b ? c : d", &["?"]),
        ],
    );
}

#[test]
fn branches_of_go() {
    check(
        Language::Go,
        &[
            (
                "if a := b(); a && c || d { } else if e { }",
                &["if", "&&", "||", "if"],
            ),
            ("for i := range []int{1, 2} { }", &["for"]),
            (
                "switch a { case 1, 2: case 3: default: }",
                &["case", "case"],
            ),
            ("select { case <-a: default: }", &["case"]),
        ],
    );
}

/// The first lines of the blocks, and how many lines each has.
fn blocks(text: &str, language: Language) -> Vec<(usize, usize)> {
    let code = Code::read(text, language);
    control(&code)
        .blocks
        .into_iter()
        .map(|block| {
            (
                code.line_of(block.start),
                code.line_of(block.end - 1) - code.line_of(block.start) + 1,
            )
        })
        .collect()
}

#[test]
fn a_block_begins_behind_the_head_whatever_braces_are_in_it() {
    for (text, language, expected) in [
        ("if let A {\n b } = c {\n d\n}", Language::Rust, (2, 3)),
        ("if a.any(|b| {\n c }) {\n d\n}", Language::Rust, (2, 3)),
        ("if unsafe {\n a } {\n b\n}", Language::Rust, (2, 3)),
        ("for A {\n b } in c {\n d\n}", Language::Rust, (2, 3)),
        ("match {\n a } {\n b => c\n}", Language::Rust, (2, 3)),
        ("for i := range []int{\n1} {\n a()\n}", Language::Go, (2, 3)),
        ("for i := range []a.B{\n1} {\n a()\n}", Language::Go, (2, 3)),
        ("if a[i].b {\n a()\n}", Language::Go, (1, 3)),
        (
            "if x := func() bool {\n a() }(); x {\n b()\n}",
            Language::Go,
            (2, 3),
        ),
        ("if (a({\n b: c })) {\n d\n}", Language::JavaScript, (2, 3)),
    ] {
        assert_eq!(blocks(text, language), [expected], "in {text}");
    }
}

#[test]
fn errors_that_are_swallowed() {
    for (text, language, expected) in [
        ("try:\n    a()\nexcept E:\n    pass\n", Language::Python, 1),
        ("try: a()\nexcept E: ...\n", Language::Python, 1),
        ("try: a()\nexcept E:\n    log()\n", Language::Python, 0),
        (
            "try: a()\nexcept E:\n    'why'\n    x = 1\n",
            Language::Python,
            0,
        ),
        ("try { } catch (e) { }", Language::JavaScript, 1),
        ("try { } catch { b() }", Language::JavaScript, 0),
        ("if err != nil { }", Language::Go, 1),
        ("if err := f(); err != nil { return err }", Language::Go, 0),
        ("if a != nil { }", Language::Go, 0),
    ] {
        assert_eq!(
            control(&Code::read(text, language)).swallowed.len(),
            expected,
            "in {text}"
        );
    }
}
