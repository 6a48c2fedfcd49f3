use proptest::prelude::*;

use super::*;

#[test]
fn a_patch_is_read_with_whatever_stands_around_its_hunks() {
    let patch = "From 0123\nSubject: x\n\ndiff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -2,3 +2,2 @@ fn f() {\n a\n-b\n\n\
                 @@ -9 +8,0 @@\n-c\n\\ No newline at end of file\n-- \n2.39\n";
    let hunks = parse(patch, false).unwrap();
    assert_eq!(hunks.len(), 2);
    assert_eq!(hunks[0].start, 1);
    assert_eq!(hunks[0].old(), ["a\n", "b\n", "\n"]);
    assert_eq!(hunks[0].new_lines(), ["a\n", "\n"]);
    assert_eq!(hunks[1].old(), ["c"]);
    assert_eq!(
        parse(patch, true).unwrap()[1],
        Hunk {
            start: 8,
            lines: vec![Line::Added("c".to_owned())]
        }
    );
}

#[test]
fn what_does_not_add_up_is_refused_with_its_line() {
    for (patch, why) in [
        ("", "has no hunk"),
        ("nothing\n", "has no hunk"),
        ("@@ nonsense\n", "line 1 is no header"),
        ("@@ -1,2 +1 @@\n a\n", "lacks 1 old and 0 new lines"),
        ("@@ -1,1 +1,1 @@\n-a\n-b\n+c\n", "line 3 is more than"),
        ("@@ -1 +1 @@\n-a\n+b\n+c\n", "line 4 belongs to no hunk"),
        ("@@ -1,3 +1,3 @@\n a\nb\n c\n", "line 3 begins with none of"),
        ("@@ -1,99999999999 +1 @@\n", "line 1 is no header"),
        (
            "--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n--- c\n+++ d\n@@ -1 +1 @@\n-a\n+b\n",
            "line 6 begins with another file",
        ),
        ("GIT binary patch\n", "binary patch"),
    ] {
        let problem = parse(patch, false).unwrap_err();
        assert!(problem.contains(why), "{patch:?}: {problem}");
    }
    let problem = parse(&"@@ -1,0 +1,0 @@\n".repeat(20_000), false).unwrap_err();
    assert!(problem.contains("more than 10000 hunks"), "{problem}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(patch in "(@@ -[0-9]{1,3}(,[0-9]{1,2})? \\+[0-9]{1,3}(,[0-9]{1,2})? @@|[-+ \\\\@]?[aé]{0,3}|--- a|\\+\\+\\+ b|\n|\r\n){0,40}") {
        if let Ok(hunks) = parse(&patch, false) {
            prop_assert!(!hunks.is_empty());
        }
    }
}
