//! The operator's `/etc/toolhatch/config.toml`: what it lets others decide, and what it keeps them from.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::namespace::{under_operator, works};
use crate::support::probe;
use crate::support::process::{Output, Run};
use crate::support::source::root;

/// An environment under an operator's configuration.
struct Operated {
    env: TestEnv,
    config: String,
}

impl Operated {
    /// Nothing where the system does not let its users have an `/etc` of their own; `scripts/test` lists that.
    fn new(config: &str) -> Option<Self> {
        works().then(|| Self {
            env: TestEnv::new(),
            config: config.to_owned(),
        })
    }

    fn run<I>(&self, words: I) -> Run
    where
        I: IntoIterator<Item: AsRef<std::ffi::OsStr>>,
    {
        under_operator(&self.env, Some(&self.config), self.env.run(words))
    }

    fn install(&self) {
        let file = root().join("plugins/dist/files.wasm");
        let words = ["plugin", "install", file.to_str().expect("UTF-8")];
        self.run(words).ok();
        self.env.write("notes.txt", b"a line\n");
    }

    fn read(&self) -> Output {
        let words = ["call", "files.read", "--arg", "path=/workspace/notes.txt"];
        self.run(words.iter().chain(&["--json"])).output()
    }

    fn add(&self, words: &[&str]) -> Run {
        let bytes = guests::component(guests::ADDER);
        self.env.write("adder.wasm", &bytes);
        self.run(guests::ADD.iter().chain(words))
    }
}

const GRANT: [&str; 4] = ["grant", "files", "--allow", "file_read=.:/workspace"];

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn question(output: &Output) -> String {
    output.json()["error"]["details"]["approval"]
        .as_str()
        .unwrap_or_else(|| panic!("it asks: {output}"))
        .to_owned()
}

#[test]
fn yes_decides_where_the_operator_lets_it_and_nowhere_else() {
    for config in [
        "",
        "[enforced.permissions]\nyes = false\n",
        "[enforced.permissions]\nallow_flag = true\n",
    ] {
        let Some(operated) = Operated::new(config) else {
            return;
        };
        operated.install();
        let grant = || operated.run(GRANT.iter().chain(&["--yes"]));
        grant().fails_with(3, "E3206");
        operated.read().fails_with(3, "E3213");
    }
    // What everybody starts from is no rule of the operator's.
    let operated = Operated::new("[defaults.permissions]\nyes = true\n").expect("it worked before");
    operated.run(["plugin", "list"]).fails_with(2, "E3004");

    let operated = Operated::new("[enforced.permissions]\nyes = true\n").expect("as before");
    operated.install();
    // A request that says nothing grants nothing.
    operated
        .run(["grant", "files", "--yes"])
        .fails_with(2, "E3004");
    operated.read().fails_with(3, "E3213");
    operated.run(GRANT.iter().chain(&["--yes"])).ok();
    operated.read().ok();
    let list = operated.run(["grants", "list", "--json"]).ok().json();
    assert_eq!(list["grants"][0]["how"], "yes", "{list}");
    let records = operated
        .run(["audit", "query", "--type", "grant_given", "--json"])
        .ok()
        .json();
    assert_eq!(
        records["records"].as_array().map(Vec::len),
        Some(1),
        "{records}"
    );
}

#[test]
fn an_approvers_credential_grants_and_another_one_does_not() {
    let config = format!(
        "[enforced.approvers]\nfirst-shift = \"{}\"\n",
        sha256("a long secret")
    );
    let Some(operated) = Operated::new(&config) else {
        return;
    };
    operated.install();
    let env = &operated.env;
    env.write("right", b"a long secret\n");
    let with = |file: &str| operated.run(GRANT.iter().copied().chain(["--credential", file]));
    for wrong in [
        "",
        "another secret",
        "a long secre",
        // What stands in the configuration is not the credential.
        &sha256("a long secret"),
    ] {
        env.write("wrong", wrong.as_bytes());
        with("wrong").fails_with(3, "E3206");
    }
    with("missing").fails_with(4, "E3101");
    with(".").fails_with(2, "E3004");
    operated.read().fails_with(3, "E3213");
    with("right").ok();
    operated.read().ok();
    let list = operated.run(["grants", "list", "--json"]).ok().json();
    assert_eq!(
        list["grants"][0]["given_by"], "approver first-shift",
        "{list}"
    );
    // The secret is told to nobody.
    let log = operated.run(["audit", "export"]).ok();
    assert!(!log.stdout.contains("long secret"), "{log}");
    // Neither the user nor a project names approvers.
    for (path, table) in [
        (env.user_config(), "approvers"),
        (env.path(".toolhatch/config.toml"), "approvers"),
        (env.user_config(), "enforced.approvers"),
    ] {
        let text = format!("[{table}]\nmyself = \"{}\"\n", sha256("mine"));
        env.write(&path, text.as_bytes());
        env.write("mine", b"mine");
        with("mine").fails_with(2, "E3004");
        env.write(&path, b"");
    }
    // Where the operator takes the approver's name away, the credential is one no longer.
    under_operator(
        env,
        None,
        env.run(GRANT.iter().chain(&["--credential", "right"])),
    )
    .fails_with(3, "E3206");
}

#[test]
fn an_approver_answers_questions_and_the_requester_does_not() {
    let own = format!("uid {}", if works() { 0 } else { return });
    let config = format!(
        "[enforced.approvers]\nfirst-shift = \"{}\"\n\"{own}\" = \"{}\"\n[enforced.approvals]\ndefault = \"always\"\n",
        sha256("theirs"),
        sha256("my own"),
    );
    let operated = Operated::new(&config).expect("it works");
    let env = &operated.env;
    env.write("theirs", b"theirs");
    env.write("own", b"my own");
    env.write("wrong", b"neither");
    let id = question(&operated.add(&[]).fails_with(3, "E3213"));
    let allow = |words: &[&str]| {
        let start = ["approvals", "allow", id.as_str()];
        operated.run(start.iter().chain(words))
    };
    allow(&["--credential", "wrong"]).fails_with(3, "E3206");
    allow(&["--credential", "own"]).fails_with(3, "E3206");
    allow(&["--yes"]).fails_with(3, "E3206");
    allow(&[]).fails_with(3, "E3213");
    operated.add(&[]).fails_with(3, "E3213");
    allow(&["--credential", "theirs"]).ok();
    operated.add(&[]).ok();
    let answered = operated
        .run(["approvals", "list", "--all", "--json"])
        .ok()
        .json();
    assert_eq!(
        answered["approvals"][0]["decided_by"], "approver first-shift",
        "{answered}"
    );
    // It is used up, and cannot be given again.
    allow(&["--credential", "theirs"]).fails_with(3, "E3215");
    operated.add(&[]).fails_with(3, "E3213");
}

#[test]
fn the_floor_of_approvals_holds_against_everybody() {
    let Some(operated) = Operated::new(
        "[enforced.approvals]\ndefault = \"first\"\nttl = \"1h\"\n[enforced.approvals.tools]\n\"adder.add\" = \"always\"\n",
    ) else {
        return;
    };
    let env = &operated.env;
    operated.add(&[]).fails_with(3, "E3213");
    for text in [
        "[approvals]\ndefault = \"never\"\n",
        "[approvals.tools]\n\"adder.add\" = \"never\"\n",
        "[approvals.tools]\n\"adder.add\" = \"first\"\n",
    ] {
        env.write(env.user_config(), text.as_bytes());
        let first = question(&operated.add(&[]).fails_with(3, "E3213"));
        let id = question(&operated.add(&[]).fails_with(3, "E3213"));
        assert_eq!(first, id, "{text}");
        let mut terminal = operated.run(["approvals", "allow", &id]).on_terminal();
        terminal.expect("Allow this call?");
        terminal.answer("y");
        terminal.finish().ok();
        operated.add(&[]).ok();
        // `always`, and not `first`.
        operated.add(&[]).fails_with(3, "E3213");
    }
    env.write(env.user_config(), b"");
    operated.add(&["--headless"]).fails_with(3, "E3213");
}

#[test]
fn what_the_operator_asks_of_all_tools_is_asked_of_each() {
    let Some(operated) = Operated::new("[enforced.approvals]\ndefault = \"always\"\n") else {
        return;
    };
    operated.env.write(
        operated.env.user_config(),
        b"[approvals.tools]\n\"adder.add\" = \"never\"\n",
    );
    operated.add(&[]).fails_with(3, "E3213");
}

#[test]
fn the_ceiling_and_what_is_denied_hold_against_everybody() {
    let Some(operated) = Operated::new(
        "[enforced.ceiling]\ntimeout = \"200ms\"\nmemory = \"16MiB\"\n[enforced.permissions]\ndeny = [\"file_write\"]\n",
    ) else {
        return;
    };
    let env = &operated.env;
    env.write("spin.wasm", &guests::component(guests::SPIN));
    let spin = |words: &[&str]| {
        let start = ["call", "spin.wasm", "spin"];
        operated.run(start.iter().chain(words))
    };
    let soon = std::time::Duration::from_secs(10);
    let output = spin(&["--timeout", "50s"]).fails_with(124, "E3402");
    assert!(output.elapsed < soon, "{output}");
    for text in [
        "[ceiling]\ntimeout = \"50s\"\n[limits]\ntimeout = \"50s\"\n",
        "[limits]\ntimeout = \"50s\"\n",
    ] {
        env.write(env.user_config(), text.as_bytes());
        let output = spin(&[]).fails_with(124, "E3402");
        assert!(output.elapsed < soon, "{output}");
        let output = spin(&["--timeout", "50s"])
            .env("TOOLHATCH_TIMEOUT", "50s")
            .fails_with(124, "E3402");
        assert!(output.elapsed < soon, "{output}");
    }
    env.write(env.user_config(), b"");
    let probe = probe::file();
    let probe = probe.to_str().expect("UTF-8");
    operated
        .run([
            "call",
            probe,
            "take-memory",
            "--arg",
            "mebibytes=64",
            "--memory",
            "1GiB",
        ])
        .env("TOOLHATCH_MEMORY", "1GiB")
        .fails_with(6, "E3403");
    std::fs::create_dir_all(env.path("out")).expect("created");
    let words = [
        "call",
        probe,
        "write-file",
        "--json",
        "--arg",
        "path=/out/made",
        "--arg",
        "text=x",
        "--allow",
        "file_write=out:/out",
    ];
    let output = operated.run(words).output();
    assert_ne!(output.code, Some(0), "{output}");
    assert!(!env.path("out/made").exists(), "{output}");
}

#[test]
fn what_is_enforced_cannot_be_switched_off() {
    let Some(operated) = Operated::new(
        "[enforced]\nstrict = true\n[enforced.permissions]\nallow_flag = false\n[enforced.audit]\nenabled = true\nstrict = true\n\
         [enforced.policy]\nuser = false\ndefault = true\n[enforced.calls]\nconcurrency = 2\nper_minute = 3\n",
    ) else {
        return;
    };
    let env = &operated.env;
    let keys = [
        ("permissions.allow_flag", "true", "false"),
        ("audit.enabled", "false", "true"),
        ("audit.strict", "false", "true"),
        ("policy.user", "true", "false"),
        ("policy.default", "false", "true"),
        ("strict", "false", "true"),
        ("calls.concurrency", "64", "2"),
        ("calls.per_minute", "1000", "3"),
    ];
    let text: String = keys
        .iter()
        .map(|(key, other, _)| format!("{key} = {other}\n"))
        .collect();
    env.write(env.user_config(), text.as_bytes());
    let set = |run: Run| {
        run.env("TOOLHATCH_STRICT", "false")
            .env("TOOLHATCH_CONCURRENCY", "64")
    };
    let shown = set(operated.run(["config", "show", "--json"])).ok().json();
    let entries = shown["entries"].as_array().expect("a list");
    for (key, _, enforced) in keys {
        let entry = entries.iter().find(|entry| entry["key"] == key);
        let value = entry.map(|entry| &entry["value"]);
        assert_eq!(value, Some(&Value::from(enforced)), "{key}: {entry:?}");
    }
    let words = ["--allow", "file_read=.:/workspace"];
    set(operated.add(&words)).fails_with(3, "E3206");
    let output = set(operated.add(&[])).ok();
    let call = output.json()["call"].as_str().expect("an id").to_owned();
    operated.run(["audit", "why", &call]).ok();
    let line = "{\"tool\": \"adder.wasm\", \"args\": {\"a\": 1, \"b\": 2}}\n";
    let told = set(operated.run(["call", "--jsonl", "--jobs", "1"]))
        .stdin(line.repeat(6))
        .output();
    let refused = told
        .json_lines()
        .iter()
        .filter(|answer| answer["error"]["code"] == "E3003")
        .count();
    assert!(refused >= 1, "{told}");
}

#[test]
fn an_operators_file_that_is_not_valid_stops_everything() {
    for config in [
        "[enforced.limits]\ntimeout = \"1s\"\n",
        "[enforced.approvers]\nnobody = \"not a digest\"\n",
        "[enforced\n",
        "[enforced]\nnonsense = 1\n",
    ] {
        let Some(operated) = Operated::new(config) else {
            return;
        };
        let output = operated.add(&[]).fails_with(2, "E3004");
        assert!(!output.stdout.contains("\"result\""), "{output}");
    }
}
