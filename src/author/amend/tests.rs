use proptest::prelude::*;

use super::*;
use crate::manifest::{Variables, parse_toml};
use crate::permission::Scope;

const HEAD: &str = "schema = 1\nname = \"x\"\nversion = \"1.0.0\"\n";

/// Everything that a manifest with these permissions asks for, and where its files appear.
fn asked(permissions: &str) -> (Scope, Vec<String>) {
    let manifest = parse_toml(permissions, "plugin.toml").unwrap_or_else(|error| {
        panic!("{permissions}\n{error}");
    });
    let variables = Variables {
        workspace: "/w".into(),
        home: Some("/home/me".into()),
    };
    let requests = manifest
        .permissions
        .requests(&variables)
        .expect("filled in");
    let mounts = requests
        .iter()
        .filter_map(|request| {
            Some(format!(
                "{:?} {}",
                request.capabilities,
                request.mount.as_ref()?
            ))
        })
        .collect();
    let all = requests
        .iter()
        .flat_map(|request| request.capabilities.iter().cloned());
    (all.collect(), mounts)
}

/// One permission in each of the forms that a manifest takes, as keys of `[permissions]`.
const INLINE: &[&str] = &[
    "file_read = [{ path = \"/a\" }, { path = \"/b c\", mount = \"/m\" }]\n",
    "file_read = [\"/a\"]\n",
    "file_write = [\n  { path = \"/a\" }, # why\n]\n",
    "network_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\"] }]\n",
    "network_http = [{ host = \"example.com\", scheme = \"https\" }, \"https://other.org\"]\n",
    "network_tcp = [\"db.example.com:5432\", { host = \"h.example.com\", port = 1 }]\n",
    "env = [\"LANG\"]\n",
    "env = []\n",
    "state = { quota = \"10MiB\" }\n",
    "state = { quota = \"1KiB\" }\n",
    "state.quota = \"2 KiB\"\n",
    "tool_invoke = [\"files.read\"]\n",
    "checkpoint = false # why\n",
    "checkpoint = true\n",
];

/// The same as tables of their own.
const TABLES: &[&str] = &[
    "[[permissions.file_read]]\npath = \"/a\" # why\n\n[[permissions.file_read]]\npath = \"/b c\"\nmount = \"/m\"\n",
    "[[permissions.file_write]]\npath = \"/a\"\n",
    "[[permissions.network_http]]\nhost = \"example.com\"\nscheme = \"https\"\nmethods = [\"GET\"]\n",
    "[[permissions.secrets]]\nname = \"token\"\n[permissions.secrets.inject]\nhost = \"example.com\"\n",
    "[permissions.state]\nquota = \"10MiB\"\n",
    "[permissions.state]\nquota = \"10kB\" # why\n",
    "[permissions.optional]\nenv = [\"TERM\"]\n",
];

/// What may be learnt.
const LINES: &[&str] = &[
    "file_read = [{ path = \"/a\" }]",
    "file_read = [{ path = \"/b c\" }]",
    "file_read = [{ path = \"/bc\", mount = \"/m\" }]",
    "file_write = [{ path = \"/new\" }]",
    "network_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"GET\"] }]",
    "network_http = [{ host = \"example.com\", scheme = \"https\", methods = [\"POST\"] }]",
    "network_http = [{ host = \"third.org\", scheme = \"https\", methods = [\"GET\"] }]",
    "network_tcp = [\"127.0.0.1:9\"]",
    "env = [\"TZ\"]",
    "secrets = [{ name = \"token\", reveal = true }]",
    "state = { quota = \"1MiB\" }",
    "tool_invoke = [\"files.write\"]",
    "checkpoint = true",
];

fn key(text: &str) -> &str {
    let text = text
        .trim_start_matches("[[permissions.")
        .trim_start_matches("[permissions.");
    text.split([' ', '.', ']', '=']).next().unwrap_or_default()
}

/// Amends the manifest, and holds it against what it asked for before.
fn keeps_all(manifest: &str, lines: &[&str]) {
    let (before, mounts_before) = asked(manifest);
    let amended = amend(manifest, lines.iter().copied()).expect("amended");
    let (after, mounts_after) = asked(&amended);
    assert!(
        before.is_within(&after),
        "{manifest}\nwith {lines:?}\n{amended}"
    );
    for mount in mounts_before {
        assert!(
            mounts_after.contains(&mount),
            "{mount}: {manifest}\n{amended}"
        );
    }
    for line in lines {
        let (new, mounts_new) = asked(&format!("{HEAD}[permissions]\n{line}\n"));
        assert!(new.is_within(&after), "{line}: {manifest}\n{amended}");
        for mount in mounts_new {
            assert!(
                mounts_after.contains(&mount),
                "{mount}: {manifest}\n{amended}"
            );
        }
    }
    for comment in manifest.matches("# why") {
        assert!(amended.contains(comment), "{amended}");
    }
    let again = amend(&amended, lines.iter().copied()).expect("again");
    assert_eq!(again, amended, "it asks for all of it now");
}

proptest! {
    #[test]
    fn whatever_is_learnt_a_manifest_asks_for_all_that_it_asked_for(
        inline in proptest::sample::subsequence(INLINE, 0..=INLINE.len()),
        tables in proptest::sample::subsequence(TABLES, 0..=TABLES.len()),
        lines in proptest::sample::subsequence(LINES, 0..=LINES.len()),
    ) {
        // A key is written in one form, once.
        let mut seen = Vec::new();
        let mut chosen = [Vec::new(), Vec::new()];
        for (place, texts) in [tables, inline].into_iter().enumerate() {
            for text in texts {
                if !seen.contains(&key(text)) {
                    seen.push(key(text));
                    chosen[place].push(text);
                }
            }
        }
        let [tables, inline] = chosen;
        let head = if inline.is_empty() { "" } else { "[permissions]\n" };
        let manifest = format!("{HEAD}{head}{}{}", inline.concat(), tables.concat());
        keeps_all(&manifest, &lines);
    }
}

#[test]
fn tables_of_their_own_stay_and_get_another_one() {
    let manifest = format!("{HEAD}\n{}\n[limits]\ntimeout = \"5s\"\n", TABLES[0]);
    let amended = amend(&manifest, ["file_read = [{ path = \"/new\" }]"]).expect("amended");
    let expected = manifest.replace(
        "mount = \"/m\"\n",
        "mount = \"/m\"\n\n[[permissions.file_read]]\npath = \"/new\"\n",
    );
    assert_eq!(amended, expected);
}

#[test]
fn a_quota_only_grows_and_blanks_in_a_name_count() {
    for (before, line, expected) in [
        (
            "state = { quota = \"10MiB\" }",
            "state = { quota = \"1MiB\" }",
            "state = { quota = \"10MiB\" }",
        ),
        (
            "state = { quota = \"1kB\" }",
            "state = { quota = \"1MiB\" }",
            "state = { quota = \"1MiB\" }",
        ),
        (
            "state = { quota = \"*\" }",
            "state = { quota = \"1MiB\" }",
            "state = { quota = \"*\" }",
        ),
        (
            "file_read = [{ path = \"/ab\" }]",
            "file_read = [{ path = \"/a b\" }]",
            "file_read = [{ path = \"/ab\" }, { path = \"/a b\" }]",
        ),
        (
            "file_read = [{path='/a'}]",
            "file_read = [{ path = \"/a\" }]",
            "file_read = [{path='/a'}]",
        ),
    ] {
        let manifest = |permission: &str| format!("{HEAD}[permissions]\n{permission}\n");
        let amended = amend(&manifest(before), [line]).expect("amended");
        assert_eq!(amended, manifest(expected));
    }
}

#[test]
fn what_has_another_form_is_left_to_its_author() {
    for (before, line) in [
        (
            "[[permissions.network_tcp]]\nhost = \"db.example.com\"\nport = 1\n",
            "network_tcp = [\"127.0.0.1:9\"]",
        ),
        (
            "[permissions]\nfile_read = \"/a\"\n",
            "file_read = [{ path = \"/b\" }]",
        ),
        (
            "[permissions]\nstate = \"1MiB\"\n",
            "state = { quota = \"1MiB\" }",
        ),
        (
            "[permissions.state]\nquota = \"much\"\n",
            "state = { quota = \"1MiB\" }",
        ),
        ("[permissions.env]\nLANG = true\n", "env = [\"TZ\"]"),
    ] {
        let error = amend(before, ["checkpoint = true", line]).expect_err("refused");
        assert_eq!(error.code(), Code::E3105, "{before}");
        let hint = error.hints().join("\n");
        let has_all = hint.contains(line) && hint.contains("checkpoint = true");
        assert!(has_all, "{before}: {hint}");
    }
}
