//! Tools that ask a person in the middle of a call, through the binary and with the plugin that the conformance suite takes.

use std::time::Duration;

use crate::support::env::TestEnv;
use crate::support::process::Run;
use crate::support::pty::Terminal;
use crate::support::source::root;

fn call(env: &TestEnv, words: &[&str]) -> Run {
    let plugin = root().join("plugins/dist/conformance.wasm");
    let plugin = plugin.to_string_lossy().into_owned();
    env.run(["call", &plugin].iter().chain(words))
}

/// Answers each question with its line, in the order in which they are shown.
fn answer(terminal: &mut Terminal, lines: &[(&str, &str)]) {
    for (question, line) in lines {
        terminal.expect(question);
        terminal.answer(line);
    }
}

#[test]
fn a_person_fills_in_a_form_field_by_field() {
    let env = TestEnv::new();
    let mut terminal =
        call(&env, &["test_elicitation", "--arg", "message=Who are you?"]).on_terminal();
    terminal.expect("conformance.test_elicitation asks:");
    answer(&mut terminal, &[("| Who are you?", "")]);
    let output = terminal.finish().ok();
    assert!(
        output.stdout.contains("action=decline"),
        "Enter means no: {output}"
    );

    let mut terminal =
        call(&env, &["test_elicitation", "--arg", "message=Who are you?"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("[y/N, c to cancel]", "y"),
            ("username (text):", "ada"),
            ("email (text):", "ada@example.com"),
        ],
    );
    let output = terminal.finish().ok();
    let told = r#"action=accept, content={"username":"ada","email":"ada@example.com"}"#;
    assert!(output.stdout.contains(told), "{output}");

    let mut terminal = call(&env, &["test_elicitation", "--arg", "message=Who?"]).on_terminal();
    answer(&mut terminal, &[("[y/N, c to cancel]", "c")]);
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("action=cancel"), "{output}");
}

#[test]
fn enter_takes_what_the_form_proposes_and_what_does_not_fit_is_asked_again() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["test_elicitation_sep1034_defaults"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("[y/N, c to cancel]", "y"),
            ("name (text [John Doe]):", ""),
            ("age (whole number [30]):", "thirty"),
            ("\"thirty\" is no whole number", "31"),
            ("score (number [95.5]):", ""),
            ("status (one of these [active]):", "3"),
            ("verified (yes or no [yes]):", "n"),
        ],
    );
    let output = terminal.finish().ok();
    let told =
        r#"content={"name":"John Doe","age":31,"score":95.5,"status":"pending","verified":false}"#;
    assert!(output.stdout.contains(told), "{output}");
}

#[test]
fn choices_are_made_by_number_or_by_name() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["test_elicitation_sep1330_enums"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("[y/N, c to cancel]", "y"),
            ("untitledSingle (", "option2"),
            ("2. Second Option", "2"),
            ("2. Option Two", "Option Two"),
            ("untitledMulti (some of these", "1, option3"),
            ("3. Third Choice", "Third Choice,1"),
        ],
    );
    let output = terminal.finish().ok();
    let told = r#""untitledSingle":"option2","titledSingle":"value2","legacyEnum":"opt2","untitledMulti":["option1","option3"],"titledMulti":["value3","value1"]"#;
    assert!(output.stdout.contains(told), "{output}");
}

#[test]
fn a_tool_remembers_from_question_to_question() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["test_input_required_result_multi_round"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("Step 1", "y"),
            ("name (text):", "Ada"),
            ("Step 2", "y"),
            ("color (text):", "green"),
        ],
    );
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("Ada likes green"), "{output}");
}

#[test]
fn what_only_a_client_can_do_is_declined_on_a_terminal() {
    let env = TestEnv::new();
    let terminal = call(&env, &["test_sampling", "--arg", "prompt=Hi"]).on_terminal();
    let output = terminal.finish().fails_with(1, "E3401");
    assert!(
        output.stdout.contains("sampling/createMessage")
            && output.stdout.contains("does not sample"),
        "{output}"
    );
    // A tool is told what it can ask, and asks a person only.
    let mut terminal = call(&env, &["test_input_required_result_capabilities"]).on_terminal();
    answer(
        &mut terminal,
        &[("What is your name?", "y"), ("name (text):", "Ada")],
    );
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("There are 1 answers"), "{output}");
}

#[test]
fn without_a_person_the_call_ends_with_its_questions() {
    let env = TestEnv::new();
    let tool = "test_input_required_result_multiple_inputs";
    let output = call(&env, &[tool, "--json"]).fails_with(3, "E3213").json();
    let requests = &output["error"]["details"]["requests"];
    let asked: Vec<_> = (0..3)
        .map(|index| {
            (
                requests[index]["name"].clone(),
                requests[index]["kind"].clone(),
            )
        })
        .collect();
    assert_eq!(
        asked,
        [
            ("user_name".into(), "form".into()),
            ("greeting".into(), "sampling/createMessage".into()),
            ("client_roots".into(), "roots/list".into()),
        ],
        "{output}"
    );
    // Nobody is asked who said that they are not to be.
    let terminal = call(&env, &[tool, "--headless"]).on_terminal();
    drop(terminal.finish().fails_with(3, "E3213"));
    let output = call(&env, &["test_input_required_result_capabilities"]).ok();
    assert!(output.stdout.contains("Nothing can be asked"), "{output}");
}

#[test]
fn a_person_may_take_longer_than_the_tool() {
    let env = TestEnv::new();
    let tool = "test_input_required_result_elicitation";
    let mut terminal = call(&env, &[tool, "--timeout", "3s"]).on_terminal();
    terminal.expect("[y/N, c to cancel]");
    std::thread::sleep(Duration::from_millis(3200));
    terminal.answer("y");
    answer(&mut terminal, &[("name (text):", "Ada")]);
    let output = terminal.finish().ok();
    assert!(output.stdout.contains("Hello, Ada!"), "{output}");
}

#[test]
fn ctrl_c_ends_a_call_that_waits_for_a_person() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["test_input_required_result_elicitation"]).on_terminal();
    terminal.expect("[y/N, c to cancel]");
    terminal.press("\u{3}");
    let _ = terminal.finish().fails_with(130, "E3703");
}

#[test]
fn the_record_says_that_a_person_was_asked_and_never_what_they_said() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["test_input_required_result_elicitation"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("[y/N, c to cancel]", "y"),
            ("name (text):", "Rumpelstiltskin"),
        ],
    );
    drop(terminal.finish().ok());
    let log = env.run(["audit", "query", "--json"]).ok();
    assert!(
        log.stdout.contains("input_answered")
            && log.stdout.contains("accepted")
            && log.stdout.contains("(terminal)"),
        "{log}"
    );
    assert!(!log.stdout.contains("Rumpelstiltskin"), "{log}");
}

#[test]
fn a_prompt_asks_as_a_tool_does() {
    let env = TestEnv::new();
    let mut terminal = call(&env, &["prompt:test_input_required_result_prompt"]).on_terminal();
    answer(
        &mut terminal,
        &[
            ("What context should the prompt use?", "y"),
            ("context (text):", "tea"),
        ],
    );
    let output = terminal.finish().ok();
    assert!(
        output.stdout.contains("user: Use this context: tea"),
        "{output}"
    );
}
