use super::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

#[test]
fn equal_texts_have_no_diff() {
    assert_eq!(unified("f", "a\nb\n", "a\nb\n"), "");
}

#[test]
fn a_change_is_shown_with_three_lines_around_it() {
    let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    assert_eq!(
        unified("dir/f.txt", before, &before.replace('5', "five")),
        "--- a/dir/f.txt\n+++ b/dir/f.txt\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
    );
}

#[test]
fn changes_far_apart_are_hunks_of_their_own() {
    let before: String = (1..=30).map(|line| format!("{line}\n")).collect();
    let near = unified(
        "f",
        &before,
        &before.replace("\n10\n", "\nx\n").replace("\n17\n", "\ny\n"),
    );
    let far = unified(
        "f",
        &before,
        &before.replace("\n10\n", "\nx\n").replace("\n18\n", "\ny\n"),
    );
    assert_eq!(near.matches("@@ -").count(), 1);
    assert_eq!(far.matches("@@ -").count(), 2);
}

#[test]
fn empty_and_unfinished_texts() {
    assert_eq!(
        unified("f", "", "a\n"),
        "--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+a\n"
    );
    assert_eq!(
        unified("f", "a\n", ""),
        "--- a/f\n+++ b/f\n@@ -1 +0,0 @@\n-a\n"
    );
    assert_eq!(
        unified("f", "a\nb", "a\nc"),
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n\\ No newline at end of file\n"
    );
}

/// Whatever the texts are, `patch` makes the second of the first.
#[test]
fn patch_understands_every_diff() {
    let lines = ["a\n", "b\n", "c\n", "d\n", "e"];
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut text = |length: u64| {
        let mut text = String::new();
        for _ in 0..random(length) {
            text.push_str(lines[random(4) as usize]);
        }
        if random(2) == 0 {
            text.push_str(lines[4]);
        }
        text
    };
    if Command::new("patch").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    for _ in 0..60 {
        let (before, after) = (text(40), text(40));
        let diff = unified("f", &before, &after);
        std::fs::File::create(&file)
            .unwrap()
            .write_all(before.as_bytes())
            .unwrap();
        let mut patch = Command::new("patch")
            .args(["-p1", "--silent"])
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        patch
            .stdin
            .take()
            .unwrap()
            .write_all(diff.as_bytes())
            .unwrap();
        assert!(patch.wait().unwrap().success(), "{diff}");
        // `patch` removes a file that becomes empty.
        let patched = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(patched, after, "{before:?}\n{diff}");
    }
}
