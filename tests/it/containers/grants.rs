//! What a command may do is what was granted: each permission denies by its absence, and works where it is there.

use serde_json::json;

use super::machine;
use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;
use crate::support::process::Run;

/// A call of `sandbox.run` with these arguments and grants.
fn call(docker: &Docker, env: &TestEnv, arguments: &serde_json::Value, allow: &[&str]) -> Run {
    let arguments = arguments.to_string();
    let mut words = vec!["call", "sandbox.run", "--json", "--args", &arguments];
    for grant in allow {
        words.extend(["--allow", grant]);
    }
    docker.run(env, words)
}

#[test]
fn a_command_takes_the_grant_of_its_image_and_program() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let hello = json!({"command": ["echo", "hello"]});
    let output = call(docker, &env, &hello, &[]).fails_with(3, "E3206");
    let denied = output.json();
    assert_eq!(
        denied["error"]["details"]["outcome"], "policy-denied",
        "{output}"
    );
    let hint = denied["error"]["hints"][0]
        .as_str()
        .expect("a hint")
        .to_owned();
    let flag = format!(
        "subprocess=image:docker.io/{};command:echo",
        name("busybox:1")
    );
    assert!(hint.contains(&flag), "{hint}");
    let output = call(docker, &env, &hello, &[&flag]).ok();
    assert_eq!(output.json()["structured"]["stdout"], "hello\n", "{output}");
    // The short name is the same image; another image or program is another grant.
    let short = format!("subprocess=image:{};command:echo", name("busybox:1"));
    call(docker, &env, &hello, &[&short]).ok();
    for other in [
        format!("subprocess=image:{};command:cat", name("busybox:1")),
        format!("subprocess=image:{};command:echo", name("shell:1")),
    ] {
        call(docker, &env, &hello, &[&other]).fails_with(3, "E3206");
    }
    // MCP has no dots.
    let words = [
        "call",
        "sandbox_run",
        "--args",
        &hello.to_string(),
        "--allow",
        &short,
    ];
    docker.run(&env, words).ok();
}

#[test]
fn folders_are_seen_where_they_were_granted_and_as_they_were_granted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    env.write("notes/a.txt", b"text");
    std::os::unix::fs::chown(env.path("notes"), Some(1000), Some(1000)).expect("root");
    let any = format!("subprocess=image:{}", name("busybox:1"));
    let run = |script: &str, allow: &[&str]| {
        let allow: Vec<&str> = allow.iter().copied().chain([any.as_str()]).collect();
        call(
            docker,
            &env,
            &json!({"command": ["sh", "-c", script]}),
            &allow,
        )
    };
    let output = run("ls /workspace", &[]).output();
    assert_eq!(output.json()["structured"]["stdout"], "", "{output}");
    let output = run("cat /data/a.txt; touch /data/b", &["file_read=notes:/data"]);
    let output = output.fails_with(1, "E3410");
    let result = &output.json()["error"]["details"]["structured"];
    assert_eq!(result["stdout"], "text", "{output}");
    assert!(
        result["stderr"].to_string().contains("Read-only"),
        "{output}"
    );
    let output = run(
        "id -u; touch /data/b",
        &["file_read=notes:/data", "file_write=notes:/data"],
    )
    .ok();
    assert_eq!(output.json()["structured"]["stdout"], "1000\n", "{output}");
    let made = std::fs::metadata(env.path("notes/b")).expect("made");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), 1000);
    // A relative grant appears in /workspace.
    let output = run("pwd; ls", &["file_read=."]).ok();
    assert_eq!(
        output.json()["structured"]["stdout"],
        "/workspace\nnotes\n",
        "{output}"
    );
}

#[test]
fn the_bridge_takes_every_connection_and_the_host_an_operator() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let any = format!("subprocess=image:{}", name("busybox:1"));
    let arguments = json!({"command": ["ls", "/sys/class/net"], "network": "bridge"});
    call(docker, &env, &arguments, &[&any]).fails_with(3, "E3211");
    call(docker, &env, &arguments, &[&any, "network_tcp=*:*"]).fails_with(3, "E3211");
    let host = json!({"command": ["ls", "/sys/class/net"], "network": "host"});
    let all = [
        any.as_str(),
        "network_tcp=*:*;private",
        "network_udp=*:*;private",
    ];
    let output = call(docker, &env, &host, &all).fails_with(3, "E3211");
    assert!(output.stdout.contains("only the operator"), "{output}");
    docker.configure(&env, "allow_bridge = false\n");
    let output = call(docker, &env, &arguments, &all).fails_with(3, "E3211");
    assert!(output.stdout.contains("allow_bridge"), "{output}");
}

#[test]
fn variables_reach_a_command_by_name_and_nobody_else() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let script = ["--", "sh", "-c", "echo $GIVEN $FROM_HERE $NOT"];
    let mut words = vec!["exec", "--env", "GIVEN=value", "--env", "FROM_HERE"];
    words.extend(script);
    let output = docker
        .run(&env, words)
        .env("FROM_HERE", "here")
        .env("NOT", "granted")
        .ok();
    assert_eq!(output.stdout, "value here\n", "{output}");
}

#[test]
fn policy_is_asked_about_the_image_and_about_each_mount() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let folder = env.user_config().parent().expect("a folder").join("policy");
    let image = format!("docker.io/{}", name("busybox:1"));
    let forbid = format!(
        "@id(\"no-busybox\")\nforbid (principal, action == Action::\"exec.container\", resource) when {{ resource.reference == \"{image}\" }};\n"
    );
    env.write(folder.join("own.cedar"), forbid.as_bytes());
    let output = docker
        .run(&env, ["exec", "--json", "--", "true"])
        .fails_with(3, "E3206");
    assert!(output.stdout.contains("no-busybox"), "{output}");
    let output = docker.run(&env, ["exec", "--image", &name("shell:1"), "--", "true"]);
    output.ok();
}

#[test]
fn what_ran_is_in_the_record_with_what_was_proven() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    docker.run(&env, ["exec", "--", "true"]).ok();
    let output = docker.run(&env, ["audit", "query", "--json"]).ok();
    let found = output.stdout.contains("command_executed")
        && output.stdout.contains(docker.id("busybox:1"))
        && output
            .stdout
            .contains("capabilities=none no_new_privs=1 seccomp=2");
    assert!(found, "{output}");
}
