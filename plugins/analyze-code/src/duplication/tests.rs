use super::*;
use crate::language::Language;

/// Some lines of code that are like no others.
fn lines(seed: &str, count: usize) -> String {
    (0..count)
        .map(|line| format!("    {seed}{line} = call({seed}, {line});\n"))
        .collect()
}

fn fingerprints(texts: &[&str]) -> Vec<Fingerprint> {
    texts
        .iter()
        .map(|text| Fingerprint::of(&Code::read(text, Language::JavaScript)))
        .collect()
}

/// File, first and last line.
type Lines = (usize, usize, usize);

/// Each copy and its original.
fn found(texts: &[&str], min_tokens: usize) -> Vec<(Lines, Lines)> {
    let place = |place: Place| (place.file, place.first_line, place.last_line);
    duplicates(&fingerprints(texts), min_tokens)
        .into_iter()
        .map(|duplicate| (place(duplicate.copy), place(duplicate.original)))
        .collect()
}

#[test]
fn a_copy_is_found_in_the_same_and_in_another_file() {
    let block = lines("x", 10);
    let first = format!("a();\n{block}b();\n{block}");
    let second = format!("c();\nd();\n{block}");
    assert_eq!(
        found(&[&first, &second], 50),
        [((0, 13, 22), (0, 2, 11)), ((1, 3, 12), (0, 13, 22))]
    );
}

#[test]
fn white_space_and_comments_do_not_matter_and_names_do() {
    let block = lines("x", 10);
    let spaced = block.replace(' ', "  ").replace("\n", " // why\n");
    assert_eq!(found(&[&block, &spaced], 50).len(), 1);
    let renamed = block.replace("call", "other");
    assert_eq!(found(&[&block, &renamed], 50), []);
}

#[test]
fn a_copy_is_found_from_its_shortest_length_on_wherever_it_stands() {
    // Each of these lines has nine tokens, and the semicolon before them may be the same.
    for offset in 0..20 {
        let ahead = "z;\n".repeat(offset);
        let first = format!("{}{}", lines("a", 3), lines("x", 6));
        let second = format!("{ahead}{}{}", lines("x", 6), lines("b", 3));
        assert_eq!(found(&[&first, &second], 54).len(), 1, "offset {offset}");
        assert_eq!(found(&[&first, &second], 56).len(), 0, "offset {offset}");
    }
}

#[test]
fn few_lines_are_no_duplicate_however_many_tokens_they_have() {
    let dense = format!("{}\n", lines("x", 10).replace('\n', " "));
    assert_eq!(found(&[&dense, &dense], 50), []);
}

#[test]
fn what_repeats_itself_does_not_overlap() {
    let repeated = "f(1);\n".repeat(200);
    for (copy, original) in found(&[&repeated], 60) {
        assert!(original.2 < copy.1, "{original:?} overlaps {copy:?}");
    }
}

#[test]
fn every_token_is_reported_once() {
    let block = lines("x", 12);
    let copies = found(&[&block.repeat(6)], 50);
    let mut last = 12;
    for (copy, _) in copies {
        assert!(copy.1 > last, "{copy:?} begins before line {last} ends");
        last = copy.2;
    }
    assert_eq!(last, 72);
}
