//! Instances that are kept between the calls of a session: what they hold, and what ends them.

mod network;

use std::time::{Duration, Instant};

use rustix::process::Pid;
use serde_json::{Value, json};

use crate::support::env::TestEnv;
use crate::support::guests;
use crate::support::mcp_client::{Era, McpClient};
use crate::support::plugin::{grant, install, pack};
use crate::support::procfs;

/// A manifest of a plugin whose instances are kept.
fn kept(more: &str) -> String {
    format!("[component]\nworld = \"probe:tools/probe\"\nlifecycle = \"session\"\n{more}")
}

/// A workspace with such a plugin in `keeper-1.0.0.wasm`.
fn with_keeper(more: &str) -> TestEnv {
    let env = TestEnv::new();
    pack(&env, "keeper", "1.0.0", &kept(more));
    env
}

/// One line of a stream: a call in this session.
fn line(session: Option<&str>, name: &str, args: Value) -> Value {
    let mut line = json!({"tool": "keeper-1.0.0.wasm", "name": name, "args": args});
    if let Some(session) = session {
        line["session"] = session.into();
    }
    line
}

fn count(session: &str) -> Value {
    line(Some(session), "count", json!({}))
}

/// The answers to these lines of one process, in their order.
fn answers(env: &TestEnv, words: &[&str], lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let start = ["call", "--jsonl", "--jobs", "1"];
    let output = env
        .run(start.iter().chain(words))
        .stdin(input)
        .timeout(Duration::from_secs(60))
        .output();
    let answers = output.json_lines();
    assert_eq!(answers.len(), lines.len(), "{output}");
    answers
}

fn results(answers: &[Value]) -> Vec<Value> {
    let result = |answer: &Value| match answer["ok"].as_bool() {
        Some(true) => answer["structured"]["result"].clone(),
        _ => answer["error"]["code"].clone(),
    };
    answers.iter().map(result).collect()
}

#[test]
fn it_counts_in_its_session_a_crash_resets_it_and_other_sessions_never_see_it() {
    let env = with_keeper("");
    let panics = || line(Some("one"), "panic", json!({"message": "boom"}));
    let lines = [
        count("one"),
        count("one"),
        count("two"),
        count("one"),
        panics(),
        count("one"),
        count("two"),
        line(None, "count", json!({})),
        line(None, "count", json!({})),
    ];
    let told = answers(&env, &[], &lines);
    assert_eq!(
        results(&told),
        [
            json!(1),
            json!(2),
            json!(1),
            json!(3),
            json!("E3404"),
            json!(1),
            json!(2),
            json!(1),
            json!(1)
        ]
    );
    let hints = told[4]["error"]["hints"].to_string();
    assert!(hints.contains("for this session is lost"), "{}", told[4]);
    // Another process has instances of its own.
    assert_eq!(results(&answers(&env, &[], &[count("one")])), [1]);
}

#[test]
fn whatever_ends_a_call_badly_ends_the_instance() {
    let env = with_keeper("");
    let with_timeout = |mut line: Value| {
        line["timeout"] = "300ms".into();
        line
    };
    let s = Some("s");
    let bad = [
        (with_timeout(line(s, "spin", json!({}))), "E3402"),
        (
            with_timeout(line(s, "sleep", json!({"milliseconds": 60_000}))),
            "E3402",
        ),
        (line(s, "take-memory", json!({"mebibytes": 1000})), "E3403"),
        (line(s, "recurse", json!({"depth": 100_000_000})), "E3404"),
        (line(s, "exit", json!({"success": false})), "E3410"),
        (line(s, "exit", json!({"success": true})), "E3410"),
    ];
    for (ends, code) in bad {
        let told = answers(&env, &[], &[count("s"), count("s"), ends, count("s")]);
        assert_eq!(
            results(&told)[1..],
            [json!(2), json!(code), json!(1)],
            "{}",
            told[2]
        );
        let hints = told[2]["error"]["hints"].to_string();
        assert!(hints.contains("is lost"), "{}", told[2]);
    }
    // An error of the tool's own is no bad end.
    let fails = line(s, "check", json!({"good": false}));
    let told = answers(&env, &[], &[count("s"), fails, count("s")]);
    assert_eq!(results(&told), [json!(1), json!("E3401"), json!(2)]);
}

#[test]
fn memory_counts_over_the_life_of_an_instance() {
    let env = with_keeper("[limits]\nmemory = \"64MiB\"\n");
    let hold = || line(Some("s"), "hold-memory", json!({"mebibytes": 25}));
    let told = answers(&env, &[], &[hold(), hold(), hold(), hold()]);
    assert_eq!(
        results(&told),
        [json!(25), json!(50), json!("E3403"), json!(25)]
    );
    let peak = told[1]["usage"]["peak_memory_bytes"]
        .as_u64()
        .expect("a number");
    assert!(peak > 50 << 20, "what it holds counts: {peak}");
}

#[test]
fn a_call_that_may_do_something_else_has_another_instance() {
    let env =
        with_keeper("[permissions]\nfile_read = [{ path = \"${workspace}\" }]\nenv = [\"WORD\"]\n");
    env.write("a/secret.txt", b"secret");
    let allowed = |name: &str, args: Value, allow: &[&str]| {
        let mut line = line(Some("s"), name, args);
        line["allow"] = allow.iter().copied().collect();
        line
    };
    let a = ["file_read=a"];
    let lines = [
        allowed("open-file", json!({"path": "a/secret.txt"}), &a),
        allowed("read-open-file", json!({}), &a),
        // What was opened under the wider grant does not live on.
        allowed("read-open-file", json!({}), &[]),
        allowed("count", json!({}), &[]),
        allowed("count", json!({}), &["env=WORD=x"]),
        allowed("variable", json!({"name": "WORD"}), &["env=WORD=x"]),
        allowed("variable", json!({"name": "WORD"}), &["env=WORD=y"]),
    ];
    let told = answers(&env, &[], &lines);
    assert_eq!(told[1]["structured"]["result"], "secret", "{}", told[1]);
    assert_eq!(told[2]["error"]["code"], "E3401", "{}", told[2]);
    assert!(
        told[2]["error"]["hints"]
            .to_string()
            .contains("begins anew"),
        "{}",
        told[2]
    );
    assert_eq!(told[4]["structured"]["result"], 1, "{}", told[4]);
    assert!(
        told[4]["warnings"].to_string().contains("begins anew"),
        "{}",
        told[4]
    );
    assert_eq!(told[5]["structured"]["result"], "x");
    assert!(told[5]["warnings"].is_null(), "{}", told[5]);
    assert_eq!(told[6]["structured"]["result"], "y");
}

#[test]
fn each_call_is_told_and_recorded_by_itself() {
    let env = with_keeper("[permissions]\nstate = { quota = \"1KiB\" }\n");
    let say = |text: &str| line(Some("s"), "say", json!({"text": text}));
    let set = || line(Some("s"), "state-set", json!({"key": "k", "value": "v"}));
    let told = answers(
        &env,
        &["--allow", "state=1KiB"],
        &[say("first"), say("second"), set(), count("s")],
    );
    assert_eq!(told[0]["stdout"], "first");
    assert_eq!(told[1]["stdout"], "second");
    assert_eq!(told[2]["effects"][0]["key"], "k", "{}", told[2]);
    assert!(told[3]["effects"].is_null(), "{}", told[3]);
    let calls = |at: usize| told[at]["usage"]["host_calls"].as_u64().expect("a number");
    assert!(calls(3) <= calls(1), "they are counted call by call");
    let touched = env
        .run(["audit", "query", "--type", "state_touched", "--json"])
        .ok()
        .json();
    assert_eq!(touched["records"][0]["call"], told[2]["call"], "{touched}");
}

#[test]
fn calls_of_one_session_come_one_after_the_other() {
    let env = with_keeper("");
    let lines = vec![count("s"); 40];
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let output = env
        .run(["call", "--jsonl", "--jobs", "8"])
        .stdin(input)
        .timeout(Duration::from_secs(60))
        .ok();
    let mut counted: Vec<u64> = results(&output.json_lines())
        .iter()
        .map(|result| result.as_u64().expect("a number"))
        .collect();
    counted.sort_unstable();
    assert_eq!(counted, (1..=40).collect::<Vec<_>>());
}

#[test]
fn an_instance_that_nobody_calls_ends() {
    let env = with_keeper("");
    pack(&env, "brief", "1.0.0", &kept("idle = \"200ms\"\n"));
    let mut stream = Stream::start(&env, &[]);
    let brief = || {
        let mut line = count("s");
        line["tool"] = "brief-1.0.0.wasm".into();
        line
    };
    assert_eq!(stream.call(&count("s")), 1);
    let before = procfs::resident(stream.pid());
    let mut hold = line(Some("s"), "hold-memory", json!({"mebibytes": 60}));
    hold["tool"] = "brief-1.0.0.wasm".into();
    assert_eq!(stream.call(&hold), 60);
    assert!(procfs::resident(stream.pid()) > before + (50 << 20));
    // Its memory is given back without another call.
    let end = Instant::now() + Duration::from_secs(20);
    while procfs::resident(stream.pid()) > before + (30 << 20) {
        assert!(Instant::now() < end, "it is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(stream.call(&brief()), 1);
    assert_eq!(stream.call(&count("s")), 2);
}

#[test]
fn only_so_many_are_kept_and_the_longest_unused_goes_first() {
    let env = with_keeper("");
    let sessions: Vec<String> = (0..65).map(|number| format!("s{number}")).collect();
    let mut lines: Vec<Value> = sessions.iter().map(|session| count(session)).collect();
    lines.extend([count("s64"), count("s1"), count("s0")]);
    let told = answers(&env, &[], &lines);
    assert_eq!(results(&told)[65..], [json!(2), json!(2), json!(1)]);
}

#[test]
fn a_deterministic_call_has_an_instance_of_its_own() {
    let env = with_keeper("");
    let told = answers(&env, &["--deterministic"], &[count("s"), count("s")]);
    assert_eq!(results(&told), [1, 1]);
}

#[test]
fn a_session_of_a_server_has_its_own() {
    let env = with_keeper("");
    install(&env, "keeper", "1.0.0", &kept(""));
    let counted = |client: &mut McpClient| {
        let result = client.call("keeper_count", json!({}));
        result["structuredContent"]["result"].clone()
    };
    let serve = |session: &str, era| {
        let words = ["mcp", "serve", "--session", session];
        McpClient::start(env.run(words), era)
    };
    let mut one = serve("one", Era::Stateless);
    let mut two = serve("two", Era::Handshake);
    assert_eq!(counted(&mut one), 1);
    assert_eq!(counted(&mut one), 2);
    assert_eq!(counted(&mut two), 1);
    let crashed = one.call("keeper_panic", json!({"message": "boom"}));
    assert_eq!(crashed["isError"], true, "{crashed}");
    assert!(crashed.to_string().contains("is lost"), "{crashed}");
    assert_eq!(counted(&mut one), 1);
    assert_eq!(counted(&mut two), 2);
    // Whoever waits for the instance gets a new one when the call before is cancelled.
    let spinning = one.begin(
        "tools/call",
        json!({"name": "keeper_spin", "arguments": {}}),
    );
    // The server reads in order: by the time this is answered the call has begun.
    one.tools();
    let cancel = json!({"requestId": spinning});
    one.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}));
    assert_eq!(counted(&mut one), 1);
    assert!(one.close().success() && two.close().success());
}

#[test]
fn a_tool_of_a_session_calls_others_and_never_waits_for_itself() {
    let env = TestEnv::new();
    install(
        &env,
        "keeper",
        "1.0.0",
        &kept("[permissions]\ntool_invoke = [\"*\"]\n"),
    );
    install(
        &env,
        "other",
        "1.0.0",
        &kept("[permissions]\ntool_invoke = [\"*\"]\n"),
    );
    for name in ["keeper", "other"] {
        grant(&env, name, &["tool_invoke=*"]);
    }
    let call = |through: &str, tool: &str| {
        let args = json!({"tool": tool, "arguments": "{}"});
        json!({"tool": through, "name": "call-tool", "args": args, "session": "s"})
    };
    let lines = [
        call("keeper", "other.count"),
        call("keeper", "other.count"),
        call("keeper", "keeper.count"),
    ];
    let begun = Instant::now();
    let told = answers(&env, &[], &lines);
    assert_eq!(
        told[0]["structured"]["result"], "{\"result\":1}",
        "{}",
        told[0]
    );
    assert_eq!(
        told[1]["structured"]["result"], "{\"result\":2}",
        "{}",
        told[1]
    );
    assert!(
        told[2]["error"]["message"]
            .to_string()
            .contains("unavailable"),
        "{}",
        told[2]
    );
    assert!(
        begun.elapsed() < Duration::from_secs(25),
        "it waited for itself"
    );
}

#[test]
fn what_cannot_be_in_a_manifest_is_said() {
    let env = TestEnv::new();
    let fails = |component: &str, more: &str, said: &str| {
        let manifest = format!(
            "schema = 1\nname = \"some\"\nversion = \"1.0.0\"\n[component]\nworld = \"a:b/c\"\n{component}\n{more}"
        );
        env.write("some.toml", manifest.as_bytes());
        env.write("some.wasm", &guests::component(guests::ADDER));
        let words = [
            "plugin",
            "pack",
            "some.wasm",
            "--manifest",
            "some.toml",
            "-o",
            "out.wasm",
        ];
        let output = env.run(words).fails_with(2, "E3105");
        assert!(output.stderr.contains(said), "{output}");
    };
    fails("idle = \"1m\"", "", "component.idle");
    fails("lifecycle = \"forever\"", "", "component.lifecycle");
    fails(
        "lifecycle = \"session\"\nidle = \"0s\"",
        "",
        "component.idle",
    );
    fails("lifecycle = \"session\"\nidle = \"25h\"", "", "at most 24h");
    fails(
        "lifecycle = \"session\"",
        "[permissions]\ndeterministic = true",
        "component.lifecycle",
    );
}

/// A process that is fed one call after the other.
struct Stream {
    child: std::process::Child,
    to: Option<std::io::PipeWriter>,
    from: std::io::BufReader<std::io::PipeReader>,
}

impl Stream {
    fn start(env: &TestEnv, words: &[&str]) -> Self {
        let (from, to) = std::io::pipe().expect("a pipe");
        let (told, answered) = std::io::pipe().expect("a pipe");
        let start = ["call", "--jsonl"];
        let child = env
            .run(start.iter().chain(words))
            .spawn_with(from.into(), answered.into());
        Self {
            child,
            to: Some(to),
            from: std::io::BufReader::new(told),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The result of one call.
    #[track_caller]
    fn call(&mut self, line: &Value) -> Value {
        use std::io::{BufRead as _, Write as _};

        let to = self.to.as_mut().expect("it is open");
        to.write_all(format!("{line}\n").as_bytes())
            .expect("written");
        let mut answer = String::new();
        self.from.read_line(&mut answer).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["ok"], true, "{answer}");
        answer["structured"]["result"].clone()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.to.take());
        drop(self.child.wait());
    }
}
