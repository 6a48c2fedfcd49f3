use super::*;

fn unified(name: &str, before: &str, after: &str) -> String {
    Change::between(before, after).unified(name, CONTEXT)
}

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

/// Applies a diff as `patch` does, taking its word for nothing: the lines must be where the headers say.
fn apply(before: &str, diff: &str) -> String {
    let lines: Vec<&str> = before.split_inclusive('\n').collect();
    let mut after = String::new();
    let mut position = 0;
    let mut rest = diff.split_inclusive('\n').skip(2).peekable();
    while let Some(header) = rest.next() {
        let range = header
            .strip_prefix("@@ -")
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let (start, count) = range.split_once(',').unwrap_or((range, "1"));
        let start: usize = start.parse().unwrap();
        let first = if count == "0" { start } else { start - 1 };
        after.extend(lines[position..first].iter().copied());
        position = first;
        while let Some(line) = rest.next_if(|line| !line.starts_with("@@")) {
            let unfinished = rest.next_if(|next| next.starts_with('\\')).is_some();
            let text = line[1..]
                .strip_suffix('\n')
                .filter(|_| unfinished)
                .unwrap_or(&line[1..]);
            if !line.starts_with('+') {
                assert_eq!(lines[position], text, "{diff}");
                position += 1;
            }
            if !line.starts_with('-') {
                after.push_str(text);
            }
        }
    }
    after.extend(lines[position..].iter().copied());
    after
}

#[test]
fn a_diff_leads_from_one_text_to_the_other_whatever_they_are() {
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut text = |most: u64| {
        let mut text = String::new();
        for _ in 0..random(most) {
            text.push_str(["a\n", "b\n", "c\n", "d\n"][random(4) as usize]);
        }
        text.push_str(["", "e"][random(2) as usize]);
        text
    };
    for round in 0..500 {
        let (before, after) = (text(40), text(40));
        let diff = unified("f", &before, &after);
        assert_eq!(diff.is_empty(), before == after);
        assert_eq!(
            apply(&before, &diff),
            after,
            "round {round}: {before:?}\n{diff}"
        );
    }
}
