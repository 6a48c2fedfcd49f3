use proptest::prelude::*;

use super::*;
use crate::registry::search::words::{identifier, prose, stem};

const ALL: u64 = 1000;

fn tool(id: &str, summary: &str) -> ToolText {
    let (source, name) = id.split_once('.').expect("an id");
    let mut fields = <[String; FIELDS]>::default();
    fields[0] = identifier(name).join(" ");
    fields[1] = identifier(source).join(" ");
    fields[2] = prose(summary).join(" ");
    ToolText {
        id: id.to_owned(),
        fields,
    }
}

/// Groups of words without other forms; every word is in ten tools.
fn groups(words: &[&str]) -> Vec<Group> {
    words.iter().map(|word| group(&[(word, 1.0)])).collect()
}

fn group(forms: &[(&str, f64)]) -> Group {
    let forms: Vec<Form> = forms
        .iter()
        .map(|(word, weight)| Form {
            stem: stem(word),
            weight: *weight,
            rarity: rarity(10, ALL),
            tools: 10,
        })
        .collect();
    Group {
        stem: forms[0].stem.clone(),
        rarity: rarity(10, ALL),
        forms,
    }
}

/// The ids in their order, the best first.
fn order(groups: &[Group], wanted: Option<Action>, tools: &[ToolText]) -> Vec<String> {
    let fits = fits(groups, wanted, &HashMap::new(), ALL, tools);
    let mut found: Vec<(f64, &str)> = fits
        .into_iter()
        .zip(tools.iter().map(|tool| tool.id.as_str()))
        .filter(|(fit, _)| *fit > 0.0)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, id)| id.to_owned()).collect()
}

#[test]
fn a_name_counts_more_than_a_description_and_a_word_that_is_not_there_for_nothing() {
    let tools = [
        tool("a.other", "Nothing of the kind"),
        tool("b.table", "Says what there is to sort"),
        tool("c.sort", "Gives an order to a table"),
    ];
    assert_eq!(
        order(&groups(&["sort"]), None, &tools),
        ["c.sort", "b.table"]
    );
}

#[test]
fn covering_the_query_counts_more_than_repeating_a_part_of_it() {
    let tools = [
        tool("a.x", "Column column column of a column"),
        tool("b.x", "One column of a workbook and so on"),
    ];
    assert_eq!(
        order(&groups(&["column", "workbook"]), None, &tools),
        ["b.x", "a.x"]
    );
}

#[test]
fn of_two_names_the_one_that_says_no_more_than_was_asked_comes_first() {
    let tools = [
        tool("a.branch_protection_rule", "About a branch"),
        tool("b.branch", "About a branch"),
    ];
    assert_eq!(
        order(&groups(&["branch"]), None, &tools),
        ["b.branch", "a.branch_protection_rule"]
    );
    // The name of the source is not held against a tool that repeats it.
    let tools = [
        tool("trello.trello_card_page", "A card"),
        tool("trello.trello_card", "A card"),
    ];
    assert_eq!(
        order(&groups(&["card"]), None, &tools)[0],
        "trello.trello_card"
    );
}

#[test]
fn a_synonym_counts_for_less_than_the_word() {
    let tools = [tool("a.directory", "x"), tool("b.folder", "x")];
    let groups = [group(&[("folder", 1.0), ("directory", 0.7)])];
    assert_eq!(order(&groups, None, &tools), ["b.folder", "a.directory"]);
}

#[test]
fn what_the_tool_does_decides_between_tools_for_the_same_thing() {
    let tools = [
        tool("a.delete_branch", "A branch"),
        tool("a.list_branch", "A branch"),
        tool("a.create_branch", "A branch"),
    ];
    let groups = groups(&["branch"]);
    assert_eq!(
        order(&groups, Some(Action::Read), &tools),
        ["a.list_branch", "a.create_branch", "a.delete_branch"]
    );
    assert_eq!(
        order(&groups, Some(Action::Create), &tools)[0],
        "a.create_branch"
    );
    assert_eq!(
        order(&groups, Some(Action::Delete), &tools)[0],
        "a.delete_branch"
    );
    assert_eq!(order(&groups, None, &tools)[2], "a.delete_branch");
}

#[test]
fn rare_words_are_worth_more() {
    assert!(rarity(1, ALL) > rarity(100, ALL));
    assert!(rarity(ALL, ALL) >= 0.0 && rarity(ALL + 1, ALL) >= 0.0);
    assert!(rarity(0, 0).is_finite());
}

proptest! {
    #[test]
    fn every_fit_is_a_number_from_zero_up_and_does_not_depend_on_the_others(
        names in prop::collection::vec("[a-c]{1,2}(_[a-c]{1,2}){0,3}", 1..8),
        asked in prop::collection::vec("[a-c]{1,2}", 0..5),
    ) {
        let tools: Vec<ToolText> = names.iter().map(|name| tool(&format!("s.{name}"), name)).collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let groups = groups(&asked);
        let together = fits(&groups, None, &HashMap::new(), ALL, &tools);
        for (tool, fit) in tools.iter().zip(together) {
            prop_assert!(fit.is_finite() && fit >= 0.0);
            let alone = fits(&groups, None, &HashMap::new(), ALL, std::slice::from_ref(tool));
            prop_assert_eq!(alone, vec![fit]);
        }
    }
}
