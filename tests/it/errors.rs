//! `docs/reference/errors.md` is generated from the table of errors.

use std::fmt::Write as _;

use toolhatch::error::Code;
use toolhatch::exit_code::Exit;

use crate::support::env::TestEnv;
use crate::support::source::root;

/// Set to anything, it rewrites the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn the_error_reference_is_up_to_date() {
    let path = root().join("docs/reference/errors.md");
    let expected = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        toolhatch::fsx::write_atomic(&path, expected.as_bytes(), 0o644).expect("written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/reference/errors.md is not what the table in src/error/codes.rs gives; \
         rewrite it with `{UPDATE}=1 cargo test --test it errors`"
    );
}

/// The whole page.
fn page() -> String {
    let mut page = String::from(
        "<!-- Generated from src/error/codes.rs by tests/it/errors.rs. Do not edit: UPDATE_DOCS=1 cargo test --test it errors -->\n\
         # Errors and exit codes\n\n\
         Every failure has a number that never changes its meaning. `toolhatch explain E3402` prints what stands here; with\n\
         `--json` an error has the fields `code`, `symbol`, `message`, `causes`, `hints`, `retryable`, `exit` and `details`.\n\n\
         ## Exit codes\n\n\
         | exit | meaning | errors |\n|---:|---|---|\n",
    );
    for exit in Exit::ALL {
        let codes: Vec<&str> = Code::ALL
            .iter()
            .filter(|code| code.exit() == exit && exit != Exit::Ok)
            .map(|code| code.name())
            .collect();
        row(
            &mut page,
            &[
                &exit.number().to_string(),
                exit.meaning(),
                &codes.join(", "),
            ],
        );
    }
    page.push_str(
        "\n## Errors\n\n\
         *Again* says whether the same request may succeed when it is sent again. *HTTP* is the status a server answers with. A\n\
         severity with an asterisk is also a security event.\n",
    );
    let mut range = "";
    for code in Code::ALL {
        if code.range() != range {
            range = code.range();
            let _ = write!(
                page,
                "\n### {}\n\n| code | symbol | meaning | what to do | again | HTTP | exit | severity |\n|---|---|---|---|---|---:|---:|---|\n",
                capitalised(range)
            );
        }
        let severity = code.severity().word();
        let mark = if code.is_security_event() { "*" } else { "" };
        row(
            &mut page,
            &[
                code.name(),
                &format!("`{}`", code.symbol()),
                code.meaning(),
                code.hint(),
                code.retry().word(),
                &code.http_status().to_string(),
                &code.exit().number().to_string(),
                &format!("{severity}{}", mark.replace('*', "\\*")),
            ],
        );
    }
    page
}

fn row(page: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[test]
fn numbers_that_were_given_out_stay() {
    // Public numbers never change their meaning; this list only grows.
    let given_out = [
        (Code::E3000, "internal", 70),
        (Code::E3004, "bad-request", 2),
        (Code::E3101, "tool-not-found", 4),
        (Code::E3105, "manifest-invalid", 2),
        (Code::E3109, "digest-mismatch", 5),
        (Code::E3110, "signature-untrusted", 5),
        (Code::E3206, "denied", 3),
        (Code::E3210, "file-denied", 3),
        (Code::E3211, "network-denied", 3),
        (Code::E3212, "secret-denied", 3),
        (Code::E3213, "approval-missing", 3),
        (Code::E3301, "arguments-invalid", 2),
        (Code::E3306, "output-too-large", 6),
        (Code::E3401, "tool-failed", 1),
        (Code::E3402, "tool-timeout", 124),
        (Code::E3403, "tool-oom", 6),
        (Code::E3404, "tool-crashed", 1),
        (Code::E3405, "sandbox-create-failed", 4),
        (Code::E3407, "resource-limit", 6),
        (Code::E3408, "concurrency-limit", 6),
        (Code::E3410, "exit-nonzero", 1),
        (Code::E3411, "budget-exhausted", 6),
        (Code::E3501, "circuit-open", 4),
        (Code::E3502, "upstream-unavailable", 4),
        (Code::E3703, "cancelled", 130),
    ];
    for (code, symbol, exit) in given_out {
        assert_eq!(
            (code.symbol(), code.exit().number()),
            (symbol, exit),
            "{code}"
        );
    }
}

#[test]
fn a_command_line_that_is_not_understood_is_an_error_like_any_other() {
    let env = TestEnv::new();
    for words in [
        &["plugin", "new", "js", "--json"][..],
        &["call", "--json"],
        &["--json", "plugin", "nwe"],
        &["--json"],
        &["tools", "list", "--nonsense", "--json"],
    ] {
        let output = env.run(words).output();
        assert_eq!(
            (output.code, output.json_lines().len()),
            (Some(2), 1),
            "{output}"
        );
        assert_eq!(output.json()["error"]["code"], "E3004", "{output}");
        assert!(!output.stdout.contains("internal-"), "{output}");
    }
    let output = env.run(["tools", "list", "--nonsense"]).output();
    assert_eq!(output.code, Some(2), "{output}");
    assert!(
        output
            .stderr
            .starts_with("error[E3004]: unexpected argument"),
        "{output}"
    );
}
