//! Tools that are commands: plugins without code, files of a project, and components that have commands run.

use serde_json::json;

use super::machine;
use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;
use crate::support::source::root;

/// Gives a local image the name that the shipped plugins use.
fn tag(docker: &Docker, image: &str, repository: &str, tag: &str) {
    let target = format!("/images/{}/tag?repo={repository}&tag={tag}", name(image));
    docker.engine().must("POST", &target, None);
}

fn shipped(plugin: &str) -> String {
    let path = root()
        .join("plugins/dist")
        .join(plugin)
        .with_extension("wasm");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_shell_is_denied_until_it_is_granted() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    tag(docker, "shell:1", "docker.io/library/debian", "stable-slim");
    env.write("notes.txt", b"one\ntwo\n");
    docker
        .run(&env, ["plugin", "install", &shipped("shell")])
        .ok();
    let call = |allow: &[&str]| {
        let mut words = vec![
            "call",
            "shell.run",
            "--json",
            "--arg",
            "script=wc -l < notes.txt; echo $1",
            "--arg",
            "arguments:=[\"a b\"]",
        ];
        words.extend(allow);
        docker.run(&env, words)
    };
    let output = call(&[]).fails_with(3, "E3213");
    assert!(output.stdout.contains("run the command sh"), "{output}");
    let output = call(&["--allow", "file_read=."]).fails_with(3, "E3206");
    assert!(output.stdout.contains("subprocess"), "{output}");
    let output = call(&["--allow-requested"]).ok();
    assert_eq!(
        output.json()["structured"],
        json!({"text": "2\na b\n"}),
        "{output}"
    );
    let words = [
        "call",
        "shell.bash",
        "--arg",
        "script=false; echo not reached",
        "--allow-requested",
    ];
    let output = docker.run(&env, words).fails_with(1, "E3410");
    assert!(!output.stdout.contains("not reached"), "{output}");
    // A script that looks like a flag is a script.
    let words = [
        "call",
        "shell.run",
        "--arg",
        "script=-c 'echo x'",
        "--allow-requested",
    ];
    docker.run(&env, words).fails_with(1, "E3410");
}

#[test]
fn python_runs_with_nothing_but_its_script() {
    let Some(docker) = Docker::get() else { return };
    if !docker.local_images().contains(&"python:1") {
        return;
    }
    let env = machine(docker);
    tag(
        docker,
        "python:1",
        "docker.io/library/python",
        "3.13.1-slim-bookworm",
    );
    let script = "script=import sys, os; print(sys.stdin.read().upper(), sys.argv[1], os.getuid())";
    let file = shipped("python-run");
    let words = [
        "call",
        &file,
        "--json",
        "--arg",
        script,
        "--arg",
        "arguments:=[\"-x\"]",
        "--arg",
        "input=text",
    ];
    docker.run(&env, words).fails_with(3, "E3206");
    let output = docker
        .run(&env, words.iter().chain(&["--allow-requested"]))
        .ok();
    assert_eq!(
        output.json()["structured"]["text"],
        "TEXT -x 65534\n",
        "{output}"
    );
    let words = [
        "call",
        &file,
        "--json",
        "--arg",
        "script=1/0",
        "--allow-requested",
    ];
    let output = docker.run(&env, words).fails_with(1, "E3410");
    assert!(output.stdout.contains("ZeroDivisionError"), "{output}");
}

/// A tool that counts, as a project would propose it.
fn count(env: &TestEnv) {
    let image = name("busybox:1");
    let text = format!(
        "schema = 1\n[[tools]]\nname = \"lines\"\ndescription = \"Counts the lines of a file.\"\n\
         [tools.input_schema]\ntype = \"object\"\nrequired = [\"file\"]\nproperties.file = {{ type = \"string\" }}\n\
         [tools.container]\nimage = \"{image}\"\ncommand = [\"wc\", \"-l\", \"--\", \"{{file}}\"]\n\
         [tools.container.output]\nformat = \"lines\"\nexit_codes = {{ 1 = \"not-found\" }}\n\
         [permissions]\nfile_read = [{{ path = \"${{workspace}}\", mount = \"/workspace\" }}]\n"
    );
    env.write(".toolhatch/tools/count.toml", text.as_bytes());
}

#[test]
fn a_project_proposes_tools_and_a_person_allows_them() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    count(&env);
    env.write("notes.txt", b"one\ntwo\n");
    let listed = docker.run(&env, ["tools", "list"]).ok();
    assert!(listed.stdout.contains("count.lines"), "{listed}");
    let call = |file: &str, words: &[&str]| {
        let file = format!("file={file}");
        let words: Vec<&str> = ["call", "count.lines", "--json", "--arg", &file]
            .iter()
            .chain(words)
            .copied()
            .collect();
        docker.run(&env, words)
    };
    call("notes.txt", &[]).fails_with(3, "E3206");
    let output = call("notes.txt", &["--allow-requested"]).ok();
    assert_eq!(
        output.json()["structured"],
        json!({"lines": ["2 notes.txt"]}),
        "{output}"
    );
    let output = call("none.txt", &["--allow-requested"]).fails_with(1, "E3401");
    assert_eq!(
        output.json()["error"]["details"]["kind"],
        "not-found",
        "{output}"
    );
    // A broken proposal hides nothing else.
    env.write(".toolhatch/tools/broken.toml", b"schema = 1\n[[tools]]\n");
    let listed = docker.run(&env, ["tools", "list"]).ok();
    assert!(
        listed.stdout.contains("count.lines") && listed.stderr.contains("broken"),
        "{listed}"
    );
}

#[test]
fn a_command_sees_no_more_than_both_its_author_and_a_person_said() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let image = name("busybox:1");
    let text = format!(
        "schema = 1\n[[tools]]\nname = \"all\"\ndescription = \"Reads all there is.\"\n[tools.input_schema]\ntype = \"object\"\n\
         [tools.container]\nimage = \"{image}\"\n\
         command = [\"sh\", \"-c\", \"find /workspace /src -type f | sort | xargs cat\"]\n\
         [permissions]\nfile_read = [{{ path = \"${{workspace}}/src\", mount = \"/src\" }}]\n\
         [permissions.optional]\nfile_write = [{{ path = \"${{workspace}}/src\", mount = \"/src\" }}]\n"
    );
    env.write(".toolhatch/tools/look.toml", text.as_bytes());
    env.write("secret.txt", b"secret ");
    env.write("src/in.txt", b"inner ");
    let call = |allow: &[&str]| {
        let mut words = vec!["call", "look.all", "--json", "--allow", "subprocess=*"];
        for grant in allow {
            words.extend(["--allow", grant]);
        }
        docker.run(&env, words)
    };
    // The person grants the whole folder, and its author asks for a part of it.
    let output = call(&["file_read=."]).ok();
    let seen = output.json()["structured"]["text"].to_string();
    assert!(
        seen.contains("inner") && !seen.contains("secret"),
        "{output}"
    );
    // What is mounted can be read: writing alone cannot be given.
    call(&["file_write=src"]).fails_with(3, "E3210");
}

#[test]
fn a_component_has_commands_run_with_its_own_grants() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    env.write("notes.txt", b"text");
    let probe = root().join("tests/fixtures/guests/probe.wasm");
    let probe = probe.to_str().expect("UTF-8");
    let image = name("busybox:1");
    let run = |command: &[&str], allow: &[&str]| {
        let arguments = json!({"image": image, "command": command}).to_string();
        let mut words = vec!["call", probe, "run-command", "--json", "--args", &arguments];
        for grant in allow {
            words.extend(["--allow", grant]);
        }
        docker.run(&env, words)
    };
    let output = run(&["echo", "hello"], &[]).output();
    assert!(output.stdout.contains("not-permitted"), "{output}");
    assert!(
        output.json()["denials"].to_string().contains("subprocess"),
        "{output}"
    );
    let any = format!("subprocess=image:{image}");
    let output = run(&["echo", "hello"], &[&any]).ok();
    assert_eq!(output.json()["structured"]["result"], "hello\n", "{output}");
    assert!(
        output.json()["effects"]
            .to_string()
            .contains("no_new_privs=1"),
        "{output}"
    );
    // It sees what its call was granted, and no more.
    let output = run(&["cat", "/workspace/notes.txt"], &[&any]).output();
    assert!(output.stdout.contains("exit 1"), "{output}");
    let output = run(
        &["cat", "/workspace/notes.txt"],
        &[&any, "file_read=.:/workspace"],
    )
    .ok();
    assert_eq!(output.json()["structured"]["result"], "text", "{output}");
    let output = run(&["sh", "-c", "exit 3"], &[&any]).output();
    assert!(output.stdout.contains("exit 3"), "{output}");
    // It does not outlive its call.
    let arguments = json!({"image": image, "command": ["sleep", "60"]}).to_string();
    let words = [
        "call",
        probe,
        "run-command",
        "--args",
        &arguments,
        "--allow",
        &any,
        "--timeout",
        "2s",
    ];
    docker.run(&env, words).fails_with(124, "E3402");
}
