use super::*;

#[test]
fn a_file_of_example_calls_is_read() {
    let wire = parse(
        "[[call]]\nname = \"greets\"\ntool = \"greet\"\narguments = { name = \"Ada\", times = 2 }\nallow = [\"env=LANG\"]\n\
         session = \"a\"\ntimeout = \"5s\"\n[call.expect]\nresult = { greeting = \"Hello\" }\n\
         [[call]]\nname = \"refuses\"\n[call.expect]\nerror = \"E3301\"\nmessage = \"times\"\n",
    )
    .expect("valid");
    assert_eq!(wire.call.len(), 2);
    assert_eq!(wire.call[0].arguments["times"], 2);
    assert_eq!(wire.call[1].expect.error.as_deref(), Some("E3301"));
}

#[test]
fn everything_that_is_wrong_with_a_file_is_told_with_its_place() {
    for (text, expected) in [
        ("", "call"),
        ("call = []", "call"),
        ("[[call]]\nname = \"a\"\nargs = {}", "args"),
        (
            "[[call]]\nname = \"a\"\n[[call]]\nname = \"a\"",
            "4:8: call[1].name: another call",
        ),
        (
            "[[call]]\nname = \"a\"\nexpect = { error = \"E3301\", result = {} }",
            "a call that fails has no result",
        ),
        (
            "[[call]]\nname = \"a\"\nexpect = { message = \"x\" }",
            "name its code",
        ),
        (
            "[[call]]\nname = \"a\"\nexpect = { error = \"E3999\" }",
            "no such code",
        ),
        (
            "[[call]]\nname = \"a\"\nexpect = { error = \"oops\" }",
            "expect.error",
        ),
        (
            "[[call]]\nname = \"a\"\ntimeout = \"soon\"",
            "call[0].timeout: expected a length of time",
        ),
        (
            "[[call]]\nname = \"a\"\nallow = [\"env=LANG\", \"telepathy=all\"]",
            "call[0].allow[1]",
        ),
        ("not toml", "1:"),
    ] {
        let problems = parse(text)
            .err()
            .unwrap_or_else(|| panic!("{text} is valid"));
        let error = problems.into_error(Code::E3105, "t.toml");
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_snapshot_has_a_file_name_whatever_the_call_is_called() {
    let examples = Examples {
        name: "fetch".into(),
        file: PathBuf::from("p/tests/fetch.toml"),
        project: PathBuf::from("/p"),
        calls: parse("[[call]]\nname = \"../über: a/b\"")
            .expect("valid")
            .call,
    };
    assert_eq!(
        examples.snapshot(&examples.calls[0]).path(),
        Path::new("/p/tests/snapshots/fetch/---über--a-b.json")
    );
}

#[test]
fn no_two_snapshots_of_a_file_are_one() {
    let file = |one: &str, other: &str| {
        let call = |name: &str, is_kept: bool| {
            format!("[[call]]\nname = {name:?}\nexpect = {{ snapshot = {is_kept} }}\n")
        };
        [(true, true), (true, false), (false, true)]
            .map(|(a, b)| parse(&(call(one, a) + &call(other, b))).is_ok())
    };
    assert_eq!(file("a b", "a-b"), [false, true, true]);
    assert_eq!(
        file("a b", "A-b"),
        [false, true, true],
        "some disks know no case"
    );
    assert_eq!(file("a b", "ab"), [true, true, true]);
}

#[test]
fn a_project_without_example_calls_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(of_project(folder.path()).expect("read").is_empty());
    std::fs::create_dir(folder.path().join(FOLDER)).expect("made");
    for (name, text) in [
        ("b.toml", "[[call]]\nname = \"x\""),
        ("a.toml", "[[call]]\nname = \"y\""),
        ("notes.md", "#"),
    ] {
        fsx::write_atomic(
            &folder.path().join(FOLDER).join(name),
            text.as_bytes(),
            0o644,
        )
        .expect("written");
    }
    let names: Vec<String> = of_project(folder.path())
        .expect("read")
        .into_iter()
        .map(|it| it.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
}
