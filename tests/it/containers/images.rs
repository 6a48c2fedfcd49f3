//! Images: which may be used, how they are got, and that a name is resolved once.

use super::{exec, machine};
use crate::support::docker::registry::LOGIN;
use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;

#[test]
fn an_image_that_is_not_there_is_told_with_what_to_do() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let output =
        exec(docker, &env, &["--json", "--image", "none:1", "--", "true"]).fails_with(4, "E3101");
    let error = &output.json()["error"];
    assert_eq!(error["details"]["outcome"], "image-not-found", "{output}");
    assert!(
        error["hints"]
            .to_string()
            .contains("docker pull docker.io/library/none:1"),
        "{output}"
    );
    exec(docker, &env, &["--image", "Not An Image", "--", "true"]).fails_with(2, "E3004");
    docker.configure(&env, "");
    let text = std::fs::read_to_string(env.user_config()).expect("written");
    env.write(
        env.user_config(),
        text.replace("never", "if-not-present").as_bytes(),
    );
    let missing = docker.remote("no-such-image:1");
    let output =
        exec(docker, &env, &["--json", "--image", &missing, "--", "true"]).fails_with(4, "E3101");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "image-not-found",
        "{output}"
    );
    let nobody = "127.0.0.1:1/x/y:1";
    let output =
        exec(docker, &env, &["--json", "--image", nobody, "--", "true"]).fails_with(4, "E3502");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "pull-failed",
        "{output}"
    );
}

#[test]
fn images_are_pulled_by_tag_and_by_digest() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let text = std::fs::read_to_string(env.user_config()).expect("written");
    env.write(
        env.user_config(),
        text.replace("never", "always").as_bytes(),
    );
    let tagged = docker.remote("busybox:1");
    let output = exec(docker, &env, &["--image", &tagged, "--", "echo", "pulled"]).ok();
    assert_eq!(output.stdout, "pulled\n", "{output}");
    let (repository, _) = tagged.rsplit_once(':').expect("a tag");
    let pinned = format!("{repository}@{}", docker.digest("busybox:1"));
    exec(docker, &env, &["--image", &pinned, "--", "true"]).ok();
    // Many megabytes in several layers.
    exec(
        docker,
        &env,
        &["--image", &docker.remote("huge:1"), "--", "true"],
    )
    .ok();
    let wrong = format!("{repository}@sha256:{}", "0".repeat(64));
    exec(docker, &env, &["--image", &wrong, "--", "true"]).fails_with(4, "E3101");
}

#[test]
fn only_images_of_the_list_are_used() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let run = |image: &str| exec(docker, &env, &["--json", "--image", image, "--", "true"]);
    let (busybox, shell) = (name("busybox:1"), name("shell:1"));
    docker.configure(
        &env,
        "allowed_images = [\"docker.io/toolhatch-test/shell\"]\n",
    );
    run(&shell).ok();
    let output = run(&busybox).fails_with(3, "E3206");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "policy-denied",
        "{output}"
    );
    // An image that was built here has no digest; its id names it.
    docker.configure(
        &env,
        &format!("allowed_images = [\"{}\"]\n", docker.id("busybox:1")),
    );
    run(&busybox).ok();
    run(docker.id("busybox:1")).ok();
    run(&shell).fails_with(3, "E3206");
    docker.configure(&env, "require_digest = true\n");
    run(&busybox).fails_with(3, "E3206");
    run(docker.id("busybox:1")).ok();
}

#[test]
fn a_tag_that_moves_does_not_move_what_runs() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let output = exec(docker, &env, &["--json", "--", "true"]).ok();
    let effect = &output.json()["effects"][0];
    assert_eq!(effect["image"], name("busybox:1").as_str(), "{output}");
    assert_eq!(effect["id"], docker.id("busybox:1"), "{output}");
}

/// Docker's own configuration, as `docker login` writes it.
fn log_in(env: &TestEnv, config: &serde_json::Value) {
    env.write("../home/.docker/config.json", config.to_string().as_bytes());
}

#[test]
fn pulls_use_the_logins_of_docker() {
    let Some(docker) = Docker::get() else { return };
    let env = machine(docker);
    let text = std::fs::read_to_string(env.user_config()).expect("written");
    let config = text.replace("never", "always");
    env.write(env.user_config(), config.as_bytes());
    let registry = docker.registry_with_login(&env);
    let image = format!("{}/{}", registry.address, name("busybox:1"));
    let run = || exec(docker, &env, &["--json", "--image", &image, "--", "true"]);

    let output = run().fails_with(4, "E3507");
    let hints = output.json()["error"]["hints"].to_string();
    assert!(hints.contains("docker login"), "{output}");

    let auth = |password: &str| {
        use base64::Engine as _;
        let pair = format!("{}:{password}", LOGIN.0);
        let auth = base64::engine::general_purpose::STANDARD.encode(pair);
        serde_json::json!({"auths": {registry.address.clone(): {"auth": auth}}})
    };
    log_in(&env, &auth("wrong"));
    let output = run().fails_with(4, "E3507");
    assert!(!output.to_string().contains("wrong"), "{output}");
    log_in(&env, &auth(LOGIN.1));
    run().ok();

    // A program that keeps logins, and one that fails and prints what nobody should see.
    let program = |text: &str| {
        let path = env.path("../bin/docker-credential-mine");
        env.write(
            &path,
            format!("#!/bin/sh\ncat >/dev/null\n{text}\n").as_bytes(),
        );
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("set");
        let path = format!("{}:/usr/bin:/bin", env.path("../bin").display());
        run().env("PATH", &path)
    };
    log_in(
        &env,
        &serde_json::json!({"credHelpers": {registry.address.clone(): "mine"}}),
    );
    let secret = format!(
        r#"echo '{{"ServerURL": "", "Username": "{}", "Secret": "{}"}}'"#,
        LOGIN.0, LOGIN.1
    );
    program(&secret).ok();
    let output = program("echo hunter2; exit 1").fails_with(4, "E3507");
    assert!(!output.to_string().contains("hunter2"), "{output}");
    assert!(
        output.to_string().contains("docker-credential-mine"),
        "{output}"
    );
}
