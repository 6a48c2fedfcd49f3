//! `toolhatch plugin import-policy`: policies of Wassette, good ones and hostile ones.

use super::probe_project;
use crate::support::env::TestEnv;
use crate::support::process::Run;

const POLICY: &str = r#"version: "1.0"
description: "Of somebody else"
permissions:
  storage:
    allow:
      - uri: "fs:///data/in/**"
        access: ["read"]
      - uri: "fs://work"
        access: ["read", "write"]
      - uri: "fs:///a/*/b"
        access: ["read"]
      - uri: "s3://bucket"
        access: ["read"]
    deny:
      - uri: "fs:///data/in/secret"
        access: ["read"]
  network:
    allow:
      - host: "https://api.github.com/"
      - host: "*.example.com"
      - cidr: "10.0.0.0/8"
  environment:
    allow:
      - key: "LANG"
      - key: "A=B"
  resources:
    limits:
      memory: 512Mi
      cpu: 500m
  runtime:
    docker: {}
"#;

const PROPOSED: &str = r#"file_read = [{ path = "/data/in", mount = "/data/in" }, { path = "${workspace}/work", mount = "/work" }]
file_write = [{ path = "${workspace}/work", mount = "/work" }]
network_http = [{ host = "api.github.com", scheme = "https" }, { host = "*.example.com" }]
env = ["LANG"]
"#;

fn import(env: &TestEnv, more: &[&str]) -> Run {
    env.run(
        ["plugin", "import-policy", "policy.yaml"]
            .iter()
            .chain(more),
    )
}

#[test]
fn a_policy_becomes_requests_and_what_it_cannot_become_is_told() {
    let env = TestEnv::new();
    env.write("policy.yaml", POLICY.as_bytes());
    let shown = import(&env, &[]).ok();
    let expected = format!("[permissions]\n{PROPOSED}\n[limits]\nmemory = \"512MiB\"\n");
    assert_eq!(shown.stdout, expected, "{shown}");
    for left_out in [
        "fs:///a/*/b",
        "s3://bucket",
        "`storage.deny` (1 ",
        "10.0.0.0/8",
        "A=B",
        "`cpu`",
        "`runtime`",
    ] {
        let told = shown
            .stderr
            .lines()
            .any(|line| line.contains("left out: ") && line.contains(left_out));
        assert!(told, "{left_out}\n{shown}");
    }

    let project = probe_project(
        &env,
        "prober",
        "\n[permissions]\nenv = [\"LANG\"]  # mine\n",
    );
    let manifest = || std::fs::read_to_string(project.join("plugin.toml")).expect("read");
    let before = manifest();
    let into = ["--into", "prober/plugin.toml"];
    let diff = import(&env, &into).ok();
    assert!(
        diff.stdout
            .starts_with("--- a/plugin.toml\n+++ b/plugin.toml\n"),
        "{diff}"
    );
    assert!(
        !diff.stdout.contains("+env"),
        "it asks for that already\n{diff}"
    );
    assert_eq!(manifest(), before);
    import(&env, &[into[0], into[1], "--write"]).ok();
    let after = manifest();
    assert!(after.starts_with(&before), "{after}");
    for line in PROPOSED.lines().filter(|line| !line.starts_with("env")) {
        assert!(after.contains(line), "{line}: {after}");
    }
    // It is a manifest, and asks for no more the second time.
    env.run(["plugin", "inspect", "prober"]).ok();
    let again = import(&env, &into).ok();
    let told = "prober/plugin.toml asks for all of it already.";
    assert_eq!(again.stdout.trim(), told, "{again}");
    assert_eq!(
        import(&env, &["--write"]).output().code,
        Some(2),
        "into which?"
    );
}

#[test]
fn hostile_policies_are_refused() {
    let env = TestEnv::new();
    // Ten times ten times ten … of a list.
    let mut bomb =
        String::from("permissions:\n  environment:\n    allow: &a0\n      - key: LANG\n");
    for level in 1..12 {
        let again = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("  x{level}: &a{level} [{again}]\n"));
    }
    let deep = format!("permissions: {}{}", "[".repeat(30_000), "]".repeat(30_000));
    for (policy, code, said) in [
        (bomb.into_bytes(), "E3105", "repetition limit"),
        (deep.into_bytes(), "E3105", "not valid YAML"),
        (vec![b'a'; 70_000], "E3105", "at most 65536 are read"),
        (vec![b'a'; 2 << 20], "E3004", "it is larger than"),
        (b"\0".to_vec(), "E3105", "control characters"),
        (b"\xff\xfe".to_vec(), "E3004", "not UTF-8"),
        (Vec::new(), "E3105", "found nothing"),
        (b"permissions: {}".to_vec(), "E3105", "it allows nothing"),
        (
            b"- a: &x [1]\n- *x\n".to_vec(),
            "E3105",
            "expected a table, found an array",
        ),
        (
            b"permissions: {storage: 3}".to_vec(),
            "E3105",
            "permissions.storage: expected a table",
        ),
        (
            b"permissions: {}\npermissions: {}\n".to_vec(),
            "E3105",
            "duplicate",
        ),
        (b"{\"permissions\": [".to_vec(), "E3105", "not valid YAML"),
    ] {
        env.write("policy.yaml", &policy);
        let failed = import(&env, &[]).fails_with(2, code);
        assert!(failed.stderr.contains(said), "{said:?}\n{failed}");
        assert!(
            !failed.stderr.contains("plugin check FILE"),
            "that is for plugins\n{failed}"
        );
    }
    std::fs::remove_file(env.path("policy.yaml")).expect("removed");
    import(&env, &[]).fails_with(4, "E3101");

    // Nothing of it gets out of its place in the manifest, nor is a path widened.
    env.write(
        "policy.yaml",
        b"permissions:\n  environment:\n    allow:\n      - key: \"X\\\"]\\nnetwork_http = [\\\"*\"\n  storage:\n    allow:\n      \
          - uri: \"fs:///a\\\" }]\\nfile_write = [\\\"/\"\n        access: [\"read\"]\n      - uri: \"fs:///data/../etc\"\n        \
          access: [\"read\"]\n  network:\n    allow:\n      - host: \"*\\\"\"\n",
    );
    let shown = import(&env, &[]).ok();
    assert!(
        !shown.stdout.contains("network_http") && !shown.stdout.contains("file_write = [\"/\""),
        "{shown}"
    );
    assert_eq!(shown.stdout.trim(), "", "{shown}");
}

#[test]
fn what_is_not_known_is_told_and_nothing_is_widened() {
    let env = TestEnv::new();
    env.write(
        "policy.yaml",
        b"versoin: 1\npermissions:\n  netwrok: {}\n  storage:\n    allow:\n      - { uri: \"fs:///etc/*\", access: [read] }\n      - { uri: \
          \"fs://${HOME}/x\", access: [read] }\n      - { uri: \"fs://**\", access: [read] }\n      - { uri: \"fs://a/$B\", access: [read] }\n  \
          network:\n    alow: []\n    allow:\n      - { hots: a.example }\n      - { host: \"a.example;private\" }\n      - { host: \
          \"http://b.example\" }\n  resources:\n    memory: 1Gi\n    limits: { memory: 512Mi }\n",
    );
    let shown = import(&env, &["--json"]).ok().json();
    let left_out = shown["left_out"].to_string();
    for told in [
        "`versoin`",
        "`permissions.netwrok`: it is unknown; did you mean `network`?",
        "fs:///etc/*",
        "fs://a/$B",
        "`network.alow`: it is unknown; did you mean `allow`?",
        "did you mean `host`?",
        "an entry names no host",
        "a.example;private",
        "`resources.memory`",
    ] {
        assert!(left_out.contains(told), "{told}\n{left_out}");
    }
    let proposal = shown["proposal"].as_str().expect("text");
    assert_eq!(
        proposal,
        "[permissions]\nfile_read = [{ path = \"${home}/x\", mount = \"/x\" }, { path = \"${workspace}\", mount = \"/workspace\" \
         }]\nnetwork_http = [{ host = \"b.example\", scheme = \"http\" }]\n\n[limits]\nmemory = \"512MiB\"\n"
    );
    // A manifest takes it, and says so where it has it already.
    let manifest = probe_project(&env, "imported", "").join("plugin.toml");
    let words = ["--into", "imported/plugin.toml", "--write"];
    let written = import(&env, &words).ok();
    assert!(
        written
            .stdout
            .starts_with("Wrote into imported/plugin.toml:"),
        "{written}"
    );
    env.run(["plugin", "check", "imported"]).ok();
    let before = std::fs::read(&manifest).expect("it is there");
    let again = import(&env, &words).ok();
    assert!(
        again.stdout.contains("asks for all of it already"),
        "{again}"
    );
    assert_eq!(std::fs::read(&manifest).expect("it is there"), before);
}
