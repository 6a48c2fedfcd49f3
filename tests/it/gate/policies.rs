//! Policies through the binary.

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::probe::{Probe, file};
use crate::support::process::{Output, Run};

/// Writes a policy file of the user's.
fn policy(env: &TestEnv, text: &str) {
    let folder = env.user_config().parent().expect("a folder").join("policy");
    env.write(folder.join("own.cedar"), text.as_bytes());
}

fn add(env: &TestEnv, words: &[&str]) -> Run {
    env.write("adder.wasm", &guests::component(guests::ADDER));
    env.run(guests::ADD.iter().chain(words))
}

/// A server that sends each line back; gives its port. It goes away with the test's process.
fn answering() -> u16 {
    use std::io::{BufRead, BufReader, Write};

    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("a connection");
            let mut line = String::new();
            let read = BufReader::new(&stream).read_line(&mut line);
            if read.is_ok() {
                drop(stream.write_all(line.as_bytes()));
            }
        }
    });
    port
}

fn call_of(output: &Output) -> String {
    output.json()["call"].as_str().expect("an id").to_owned()
}

const NO_ADDING: &str = r#"
@id("no-adding")
forbid (principal, action in Action::"tool.invoke", resource)
when { resource.name == "add" && context.environment.headless };
"#;

#[test]
fn a_policy_forbids_what_was_granted_and_says_which_rule_it_was() {
    let env = TestEnv::new();
    add(&env, &[]).ok();
    policy(&env, NO_ADDING);
    let output = add(&env, &[]).fails_with(3, "E3206");
    assert!(output.stdout.contains("no-adding"), "{output}");
    let call = call_of(&output);
    let explained = env.run(["policy", "explain", &call]).ok();
    assert!(explained.stdout.contains("no-adding"), "{explained}");
    let explained = env.run(["policy", "explain", &call, "--json"]).ok().json();
    let changes = explained["explanation"]["changes"]
        .as_array()
        .expect("a list");
    assert!(
        changes
            .iter()
            .any(|change| change["what"] == "context.environment.headless"),
        "{explained}"
    );
    let story = env.run(["audit", "why", &call]).ok();
    for word in ["no-adding", "E3206", "deny"] {
        assert!(story.stdout.contains(word), "{word}: {story}");
    }
}

#[test]
fn a_policy_that_cannot_be_sure_to_work_refuses_every_call() {
    let env = TestEnv::new();
    for (text, told) in [
        ("forbid (principal, action, resource", "own.cedar"),
        ("forbid (principal, action, resource);", "@id"),
        (
            "@id(\"typo\") forbid (principal, action in Action::\"tool.invoke\", resource) when { resource.rsik == \"high\" };",
            "rsik",
        ),
        (
            // Without a schema this is an error for each call, and a forbid that errs forbids nothing.
            "@id(\"void\") forbid (principal, action in Action::\"tool.invoke\", resource) when { resource.name in [\"add\"] };",
            "void",
        ),
        (
            "@id(\"never\") forbid (principal, action in Action::\"tool.invoke\", resource) when { resource.risk == \"hihg\" };",
            "hihg",
        ),
    ] {
        policy(&env, text);
        let output = add(&env, &[]).fails_with(2, "E3004");
        assert!(output.stdout.contains(told), "{text}: {output}");
        env.run(["policy", "check"]).fails_with(2, "E3004");
    }
    policy(&env, "");
    add(&env, &[]).ok();
}

#[test]
fn a_session_that_read_what_nobody_vouches_for_sends_nothing_out() {
    let env = Probe::new();
    let port = answering();
    let manifest = format!(
        "schema = 1\nname = \"stranger\"\nversion = \"1.0.0\"\ndescription = \"Reads\"\n\
         [[tools]]\nname = \"echo-string\"\ndescription = \"Echoes\"\nuntrusted_output = true\n\
         [[tools]]\nname = \"tcp-ask\"\ndescription = \"Connects\"\n\
         [permissions]\nnetwork_tcp = [\"127.0.0.1:{port}\"]\n"
    );
    let manifest = env.env.write("manifest.toml", manifest.as_bytes());
    let packed = env.env.path("stranger.wasm");
    let words = ["plugin", "pack"].map(str::to_owned).into_iter().chain([
        file().to_string_lossy().into_owned(),
        "--manifest".to_owned(),
        manifest.to_string_lossy().into_owned(),
        "-o".to_owned(),
        packed.to_string_lossy().into_owned(),
    ]);
    env.env.run(words).ok();
    let connect = |session: &str| {
        let address = format!("127.0.0.1:{port}");
        env.env.run([
            "call",
            "stranger.wasm",
            "tcp-ask",
            "--json",
            "--arg",
            &format!("address={address}"),
            "--arg",
            "line=hello",
            "--allow",
            &format!("network_tcp={address}"),
            "--session",
            session,
        ])
    };
    connect("s1").ok();
    env.env
        .run([
            "call",
            "stranger.wasm",
            "echo-string",
            "--json",
            "--arg",
            "value=send everything",
            "--session",
            "s1",
        ])
        .ok();
    let output = connect("s1").output();
    let denials = output.json()["denials"].to_string();
    assert!(denials.contains("no-egress-when-tainted"), "{output}");
    connect("s2").ok();
}

#[test]
fn what_a_proposed_policy_would_have_said_is_replayed_from_the_log() {
    let env = TestEnv::new();
    for _ in 0..3 {
        add(&env, &[]).ok();
    }
    env.write("proposed.cedar", NO_ADDING.as_bytes());
    let report = env
        .run(["policy", "shadow", "proposed.cedar", "--json"])
        .ok()
        .json();
    assert_eq!(report["asked"], 3, "{report}");
    let differences = report["differences"].as_array().expect("a list");
    assert_eq!(differences.len(), 3, "{report}");
    assert!(
        differences
            .iter()
            .all(|it| it["proposed"]["by"][0]["id"] == "no-adding"),
        "{report}"
    );
}

/// Arguments can hold secrets, so they are not recorded unless somebody wants that.
#[test]
fn a_denial_for_its_arguments_is_explained_though_they_were_not_recorded() {
    let env = TestEnv::new();
    let file = adder(&env, "1.0.0", "a");
    env.run(["plugin", "install", file.to_str().expect("UTF-8")])
        .ok();
    let add = || {
        env.run([
            "call",
            "adder.add",
            "--json",
            "--arg",
            "a=2",
            "--arg",
            "b=3",
        ])
    };
    add().ok();
    let rule = r#"@id("not-two") forbid (principal, action == Action::"adder.add", resource) when { context.args.a == 2 };"#;
    policy(&env, rule);
    let call = call_of(&add().fails_with(3, "E3206"));
    let explained = env.run(["policy", "explain", &call]).ok();
    assert!(explained.stdout.contains("not-two"), "{explained}");
    assert!(explained.stderr.contains("--args"), "{explained}");
    let arguments = r#"{"a": 2, "b": 3}"#;
    let explained = env.run(["policy", "explain", &call, "--args", arguments, "--json"]);
    let explained = explained.ok().json()["explanation"].clone();
    assert_eq!(explained["decision"]["determining"][0]["id"], "not-two");
    let changes = explained["changes"].as_array().expect("a list");
    assert!(
        changes
            .iter()
            .any(|change| change["what"] == "context.args.a"),
        "{explained}"
    );

    // The answer of then is compared where the rules of now cannot be asked; who looks at arguments cannot be asked either.
    env.write(
        "all.cedar",
        b"@id(\"nothing\") permit (principal, action, resource);",
    );
    let report = env
        .run(["policy", "shadow", "all.cedar", "--json"])
        .ok()
        .json();
    assert_eq!(report["asked"], 2, "{report}");
    let differences = report["differences"].as_array().expect("a list");
    assert_eq!(differences.len(), 1, "{report}");
    assert_eq!(differences[0]["current"]["outcome"], "deny", "{report}");
    env.write(
        "looks.cedar",
        rule.replace("not-two", "still-not").as_bytes(),
    );
    let report = env
        .run(["policy", "shadow", "looks.cedar", "--json"])
        .ok()
        .json();
    assert_eq!(
        report["unknown"].as_array().map(Vec::len),
        Some(2),
        "{report}"
    );
}

#[test]
fn cases_are_tested() {
    let env = TestEnv::new();
    let case = |expect: &str| {
        format!(
            "[[case]]\nname = \"high risk\"\naction = \"tool.invoke\"\nresource = \"a.b\"\n\
             facts = {{ risk = \"high\" }}\nexpect = \"{expect}\"\n"
        )
    };
    env.write("cases.toml", case("approval").as_bytes());
    let output = env.run(["policy", "test", "cases.toml", "--json"]).ok();
    assert_eq!(output.json()["failed"], 0, "{output}");
    env.write("cases.toml", case("deny").as_bytes());
    let output = env.run(["policy", "test", "cases.toml"]).output();
    assert_eq!(output.code, Some(1), "{output}");
    env.write("cases.toml", b"[[case]]\nnome = 1\n");
    env.run(["policy", "test", "cases.toml"])
        .fails_with(2, "E3004");
}

#[test]
fn what_a_policy_leaves_out_is_left_out_of_failures_too() {
    let probe = Probe::new();
    policy(
        &probe.env,
        "@id(\"no-x\") @redact(\"x\") permit (principal, action in Action::\"tool.invoke\", resource);",
    );
    let output = probe
        .call("echo-point", serde_json::json!({"value": {"x": 7, "y": 8}}))
        .run()
        .ok();
    let report = output.json();
    assert_eq!(report["structured"]["x"], "[redacted]", "{output}");
    assert_eq!(report["structured"]["y"], 8.0, "{output}");
    assert!(!report["content"].to_string().contains('7'), "{output}");
    // A failure has no fields to go by.
    let output = probe
        .call("read-file", serde_json::json!({"path": "a-telling-name"}))
        .run()
        .fails_with(1, "E3401");
    assert!(output.stdout.contains("left out"), "{output}");
    assert!(
        output.json()["error"]["details"]["structured"].is_null(),
        "{output}"
    );
}

/// Version `version` of a plugin that adds two numbers, which are called `first` and `b`.
fn adder(env: &TestEnv, version: &str, first: &str) -> std::path::PathBuf {
    let component = env.write(
        format!("adder-{version}.wasm"),
        &guests::component(
            &guests::ADDER.replace("(param \"a\" ", &format!("(param \"{first}\" ")),
        ),
    );
    let manifest = env.write(
        format!("adder-{version}.toml"),
        format!(
            "schema = 1\nname = \"adder\"\nversion = \"{version}\"\ndescription = \"Adds\"\n\
             [[tools]]\nname = \"add\"\ndescription = \"Adds two numbers\"\n"
        )
        .as_bytes(),
    );
    let out = env.path(format!("packed-{version}.wasm"));
    let words = [&component, &manifest, &out].map(|path| path.to_str().expect("UTF-8").to_owned());
    let [component, manifest, packed] = &words;
    env.run([
        "plugin",
        "pack",
        component,
        "--manifest",
        manifest,
        "-o",
        packed,
    ])
    .ok();
    out
}

#[test]
fn a_version_whose_schema_breaks_a_policy_waits_until_the_policy_is_changed() {
    let env = TestEnv::new();
    let install = |file: &std::path::Path| {
        let file = file.to_str().expect("UTF-8");
        env.run(["plugin", "install", file, "--json"]).ok().json()
    };
    install(&adder(&env, "1.0.0", "a"));
    let policy_about = |name: &str| {
        let text = format!(
            "@id(\"no-thirteen\") forbid (principal, action == Action::\"adder.add\", resource)\n\
             when {{ context.args.{name} == 13 }};"
        );
        policy(&env, &text);
    };
    policy_about("a");
    let call = |a: &str| {
        let first = format!("a={a}");
        env.run([
            "call",
            "adder.add",
            "--arg",
            &first,
            "--arg",
            "b=2",
            "--json",
        ])
        .output()
    };
    call("13").fails_with(3, "E3206");
    let now = call("1").ok().json()["digest"].clone();

    let staged = install(&adder(&env, "1.1.0", "left"));
    assert_eq!(staged["stage"], "staged", "{staged}");
    let why = staged["breaks_policies"].as_str().expect("says why");
    assert!(why.contains("no-thirteen"), "{staged}");
    // Nothing has changed: the policy still forbids, and 1.0.0 still answers.
    call("13").fails_with(3, "E3206");
    assert_eq!(call("1").ok().json()["digest"], now);
    let terminal = env.run(["grant", "adder"]).on_terminal();
    terminal.expect("no-thirteen");
    terminal.finish().fails_with(2, "E3004");

    policy_about("left");
    env.run(["grant", "adder"]).on_terminal().finish().ok();
    let left = |left: &str| {
        let first = format!("left={left}");
        env.run([
            "call",
            "adder.add",
            "--arg",
            &first,
            "--arg",
            "b=2",
            "--json",
        ])
        .output()
    };
    left("13").fails_with(3, "E3206");
    left("1").ok();
}

#[test]
fn a_change_of_the_policies_or_the_configuration_is_recorded_once() {
    let env = TestEnv::new();
    let records = |kind: &str| {
        let listed = env.run(["audit", "query", "--type", kind, "--json"]).ok();
        listed.json()["records"].as_array().expect("a list").clone()
    };
    add(&env, &[]).ok();
    add(&env, &[]).ok();
    let first = records("policy_changed");
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["data"]["added"][0], "default.cedar", "{first:?}");

    policy(&env, NO_ADDING);
    add(&env, &[]).fails_with(3, "E3206");
    add(&env, &[]).fails_with(3, "E3206");
    let all = records("policy_changed");
    assert_eq!(all.len(), 2, "{all:?}");
    let added = all[1]["data"]["added"].to_string();
    assert!(added.contains("own.cedar"), "{all:?}");
    policy(&env, &NO_ADDING.replace("no-adding", "no-sums"));
    add(&env, &[]).fails_with(3, "E3206");
    let all = records("policy_changed");
    assert!(
        all[2]["data"]["edited"].to_string().contains("own.cedar"),
        "{all:?}"
    );

    assert_eq!(records("config_changed"), [] as [serde_json::Value; 0]);
    env.write(env.user_config(), b"[limits]\ntimeout = \"7s\"\n");
    add(&env, &[]).fails_with(3, "E3206");
    add(&env, &[]).fails_with(3, "E3206");
    env.write(env.user_config(), b"[limits]\ntimeout = \"8s\"\n");
    add(&env, &[]).fails_with(3, "E3206");
    std::fs::remove_file(env.user_config()).expect("there");
    add(&env, &[]).fails_with(3, "E3206");
    let changes: Vec<_> = records("config_changed")
        .iter()
        .map(|record| record["data"]["keys"]["limits.timeout"].clone())
        .collect();
    assert_eq!(
        changes,
        [
            serde_json::json!({"from": null, "to": "\"7s\""}),
            serde_json::json!({"from": "\"7s\"", "to": "\"8s\""}),
            serde_json::json!({"from": "\"8s\"", "to": null}),
        ]
    );
    env.run(["audit", "verify"]).ok();
}

#[test]
fn a_policy_sees_the_tags_that_a_person_put_on_a_plugin() {
    let env = TestEnv::new();
    let file = adder(&env, "1.0.0", "a");
    env.run(["plugin", "install", file.to_str().expect("UTF-8")])
        .ok();
    policy(
        &env,
        "@id(\"reviewed-only\") forbid (principal, action in Action::\"tool.invoke\", resource)\n\
         unless { resource.tags.contains(\"reviewed\") };",
    );
    let call = || {
        env.run([
            "call",
            "adder.add",
            "--arg",
            "a=1",
            "--arg",
            "b=2",
            "--json",
        ])
        .output()
    };
    call().fails_with(3, "E3206");
    // Nobody there, nobody tags.
    env.run(["plugin", "tag", "adder", "reviewed"])
        .fails_with(3, "E3213");
    let tag = |words: &[&str], answer: &str| {
        let start = ["plugin", "tag", "adder", "reviewed"];
        let mut terminal = env.run(start.iter().chain(words)).on_terminal();
        terminal.expect("reviewed");
        terminal.answer(answer);
        terminal.finish()
    };
    tag(&[], "n").fails_with(3, "E3214");
    call().fails_with(3, "E3206");
    tag(&[], "y").ok();
    call().ok();
    let found = env
        .run(["tools", "search", "reviewed", "--json"])
        .ok()
        .json();
    assert_eq!(found["hits"][0]["id"], "adder.add", "{found}");
    tag(&["--remove"], "y").ok();
    call().fails_with(3, "E3206");
    let listed = env
        .run(["audit", "query", "--type", "plugin_changed", "--json"])
        .ok();
    let tags: Vec<_> = listed.json()["records"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|record| record["data"]["tags"].clone())
        .collect();
    assert_eq!(
        tags,
        [serde_json::json!(["reviewed"]), serde_json::json!([])]
    );
}

#[test]
fn arguments_of_nearly_the_right_type_are_taken_only_where_the_tool_says_so() {
    let env = TestEnv::new();
    policy(
        &env,
        "@id(\"no-thirteen\") forbid (principal, action == Action::\"adder.add\", resource)\n\
         when { context.args.a == 13 };",
    );
    let component = env.write("adder.wasm", &guests::component(guests::ADDER));
    let call = |manifest: &str, a: &str| {
        env.write("adder.toml", manifest.as_bytes());
        let packed = env.path("packed.wasm");
        let words = [
            component.as_path(),
            env.path("adder.toml").as_path(),
            &packed,
        ]
        .map(|path| path.to_str().expect("UTF-8").to_owned());
        let [component, manifest, packed] = &words;
        env.run([
            "plugin",
            "pack",
            component,
            "--manifest",
            manifest,
            "-o",
            packed,
            "--force",
        ])
        .ok();
        let args = format!("{{\"a\": {a}, \"b\": 2}}");
        env.run(["call", packed, "--args", &args, "--json"])
            .output()
    };
    let manifest = "schema = 1\nname = \"adder\"\nversion = \"1.0.0\"\ndescription = \"Adds\"\n\
                    [[tools]]\nname = \"add\"\ndescription = \"Adds two numbers\"\n";
    call(manifest, "\"1\"").fails_with(2, "E3301");
    let lenient = format!("{manifest}coerce = true\n");
    let output = call(&lenient, "\"1\"").ok();
    assert_eq!(output.json()["structured"]["result"], 3, "{output}");
    call(&lenient, "\"one\"").fails_with(2, "E3301");
    // Policy is asked about what the tool gets.
    call(&lenient, "\"13\"").fails_with(3, "E3206");
}

#[test]
fn what_policy_does_not_let_be_seen_is_in_no_list() {
    let env = TestEnv::new();
    for plugin in ["files.wasm", "analyze-code.wasm"] {
        let file = crate::support::source::root()
            .join("plugins/dist")
            .join(plugin);
        env.run(["plugin", "install", file.to_str().expect("UTF-8")])
            .ok();
    }
    let ids = |words: &[&str], of: &str| -> Vec<String> {
        let json = env.run(words.iter().chain(&["--json"])).ok().json();
        let tools = json[of].as_array().expect("a list");
        tools
            .iter()
            .map(|tool| tool["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    let list = || ids(&["tools", "list"], "tools");
    let search = || ids(&["tools", "search", "write", "a", "file"], "hits");
    assert!(list().contains(&"files.write".to_owned()));
    assert!(search().contains(&"files.write".to_owned()));

    policy(
        &env,
        "@id(\"hide-writing\") forbid (principal, action == Action::\"tool.list\", resource)\n\
         when { resource.name == \"write\" };",
    );
    assert!(list().contains(&"files.read".to_owned()));
    assert!(!list().contains(&"files.write".to_owned()));
    assert!(!search().contains(&"files.write".to_owned()));
    let listed = env.run(["tools", "list"]).ok();
    assert!(
        listed.stderr.contains("1 tool hidden by policy"),
        "{listed}"
    );
    env.run(["tools", "show", "files.write"])
        .fails_with(3, "E3206");
    env.run(["tools", "show", "files.read"]).ok();
}

#[test]
fn a_policy_that_would_overflow_the_stack_is_refused() {
    let env = TestEnv::new();
    for condition in [
        format!("{}1{} == 1", "(".repeat(5_000), ")".repeat(5_000)),
        format!("true{}", " && true".repeat(20_000)),
    ] {
        policy(
            &env,
            &format!("@id(\"deep\") forbid (principal, action, resource) when {{ {condition} }};"),
        );
        add(&env, &[]).fails_with(2, "E3004");
        env.run(["policy", "check"]).fails_with(2, "E3004");
    }
    let deep = format!("x = {}1{}\n", "[".repeat(5_000), "]".repeat(5_000));
    env.write("cases.toml", deep.as_bytes());
    env.write(
        env.user_config()
            .parent()
            .expect("a folder")
            .join("policy/own.cedar"),
        b"",
    );
    env.run(["policy", "test", "cases.toml"])
        .fails_with(2, "E3004");
}
