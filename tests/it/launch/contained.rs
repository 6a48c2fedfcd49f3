//! In containers of a real daemon.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use toolhatch::changes::{Kept, Rules};
use toolhatch::config::{
    DaemonChoice, DockerHost, Environment, ImagePullPolicy, Narrowed, ProtectedPaths, TlsFiles,
};
use toolhatch::exec::docker::{DockerExecutor, DockerSettings, ImageRules, KeptRules, Reviews};
use toolhatch::exec::{Changes, Launched};
use toolhatch::manifest::container::Network;
use toolhatch::permission::{Kind, Sensitive};

use super::{Machine, STUBBORN, finish, ids, killed, places, wait_until};
use crate::support::docker::{Docker, name};
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};

/// The socket of the daemon, for one that is killed.
pub const HOST: &str = "TOOLHATCH_TEST_LAUNCH_WITH";
/// On everything that belongs to Toolhatch; the volume with the runner stays.
const OURS: &str = "toolhatch.call";

fn executor(socket: &str, folder: PathBuf) -> DockerExecutor {
    let settings = DockerSettings {
        daemon: DaemonChoice::Host(DockerHost::Unix(socket.into())),
        tls: TlsFiles::default(),
        images: ImageRules {
            allowed: Narrowed::everything(),
            require_digest: false,
            pull: ImagePullPolicy::Never,
            pull_timeout: Duration::from_secs(1),
            attempts: 1,
            base_delay: Duration::ZERO,
        },
        places: places(),
        reviews: Reviews {
            kept: Kept::new(folder.join("changes")),
            rules: Rules {
                protected: ProtectedPaths::default(),
                sensitive: Sensitive::default(),
            },
        },
        runtime: None,
        seccomp: None,
        concurrency: 4,
        kept: KeptRules {
            waiting: 0,
            idle: Duration::from_secs(60),
            folder: folder.join("sandboxes"),
        },
    };
    DockerExecutor::new(settings, Environment::default())
}

fn machine(executor: DockerExecutor, granted: PathBuf) -> Machine {
    Machine {
        launcher: Box::new(executor),
        image: name("busybox:1"),
        granted,
        seen: "/workspace".to_owned(),
    }
}

/// One that grants this folder, with the daemon that listens there.
pub fn in_folder(granted: PathBuf, socket: &str) -> Machine {
    let state = granted.join("../state");
    machine(executor(socket, state), granted)
}

/// A machine with a daemon of this test alone.
fn private() -> Option<(
    TestEnv,
    crate::support::docker::Private,
    DockerExecutor,
    Machine,
)> {
    Docker::get()?;
    let docker = Docker::private();
    let env = TestEnv::new();
    let granted = env.path("granted");
    std::fs::create_dir_all(&granted).expect("created");
    let socket = docker.socket();
    let executor = executor(socket.to_str().expect("UTF-8"), env.toolhatch_home());
    let machine = machine(executor.clone(), granted);
    Some((env, docker, executor, machine))
}

/// A machine with the daemon that the tests share.
fn shared() -> Option<(TestEnv, DockerExecutor, Machine)> {
    let docker = Docker::get()?;
    let env = TestEnv::new();
    let granted = env.path("granted");
    std::fs::create_dir_all(&granted).expect("created");
    let socket = docker.socket();
    let executor = executor(socket.to_str().expect("UTF-8"), env.toolhatch_home());
    let machine = machine(executor.clone(), granted);
    Some((env, executor, machine))
}

#[tokio::test]
async fn much_flows_both_ways() {
    let Some((_env, executor, machine)) = shared() else {
        return;
    };
    super::much_flows_both_ways(&machine).await;
    executor.settle().await;
}

#[tokio::test]
async fn what_nobody_reads_is_held_back() {
    let Some((_env, executor, machine)) = shared() else {
        return;
    };
    super::what_nobody_reads_is_held_back(&machine).await;
    executor.settle().await;
}

#[tokio::test]
async fn it_says_how_it_ended() {
    let Some((_env, executor, machine)) = shared() else {
        return;
    };
    super::it_says_how_it_ended(&machine).await;
    let mut launch = machine.launch(&["sh", "-c", "x=xxxxxxxx; while :; do x=$x$x; done"]);
    launch.spec.resources.memory = 16 << 20;
    let launched = machine.launcher.launch(launch).await.expect("launched");
    let (_, ended) = finish(launched).await;
    assert_eq!(ended, "killed for memory");
    executor.settle().await;
}

#[tokio::test]
async fn it_has_what_it_was_given() {
    let Some((_env, executor, machine)) = shared() else {
        return;
    };
    super::it_has_what_it_was_given(&machine).await;
    for (argv, code) in [(["no-such-program"], "E3101"), (["/etc"], "E3405")] {
        let failed = machine.launcher.launch(machine.launch(&argv)).await;
        let error = failed.err().expect("refused");
        assert_eq!(error.code().to_string(), code, "{error}");
    }
    let mut launch = machine.launch(&["true"]);
    for mount in &mut launch.spec.mounts {
        mount.changes = Changes::Reviewed;
    }
    let error = machine
        .launcher
        .launch(launch)
        .await
        .err()
        .expect("refused");
    assert!(error.to_string().contains("reviewed"), "{error}");
    executor.settle().await;
}

#[tokio::test]
async fn it_reaches_the_hosts_of_its_list_and_nobody_else() {
    let Some((_env, executor, machine)) = shared() else {
        return;
    };
    let server = Server::start(|_| Response::new(200, "the answer"));
    let other = Server::start(|_| Response::new(200, "reached"));
    let script = format!(
        "exec 2>&1; wget -q -O - {}; wget -q -O - {}; unset http_proxy HTTP_PROXY; wget -q -T 2 -O - {}",
        server.url("/"),
        other.url("/"),
        server.url("/"),
    );
    let ask = async |network| {
        let mut launch = machine.launch(&["sh", "-c", &script]);
        launch.spec.network = network;
        launch.scope = super::scope(&[(Kind::NetworkTcp, &server.address().to_string())]);
        let launched = machine.launcher.launch(launch).await.expect("launched");
        finish(launched).await
    };
    let (printed, ended) = ask(Network::AllowList).await;
    assert_eq!(
        printed.matches("the answer").count(),
        1,
        "{ended}: {printed}"
    );
    assert_eq!(
        (server.requests().len(), other.requests().len()),
        (1, 0),
        "{printed}"
    );
    let (printed, _) = ask(Network::None).await;
    assert!(!printed.contains("the answer"), "{printed}");
    assert_eq!(server.requests().len(), 1);
    executor.settle().await;
}

#[tokio::test]
async fn nothing_is_left_of_it() {
    let Some((_env, docker, executor, machine)) = private() else {
        return;
    };
    let gone = |id: &str| docker.engine().inspect(id).is_none();
    let only = || {
        let containers = docker.engine().containers(OURS);
        let ids = containers.iter().filter_map(|it| it["Id"].as_str());
        ids.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    for is_stopped in [true, false] {
        let Launched {
            program, posture, ..
        } = machine.shell(STUBBORN).await;
        ids(&machine.granted).await;
        assert!(posture.contains("capabilities=none"), "{posture}");
        let containers = only();
        assert_eq!(containers.len(), 1);
        if is_stopped {
            program.stop().await;
        } else {
            drop(program);
        }
        wait_until(|| gone(&containers[0])).await;
        std::fs::remove_file(machine.granted.join("ids")).expect("removed");
    }
    executor.settle().await;
    docker.assert_nothing_left(OURS);
}

#[tokio::test]
async fn nothing_of_it_goes_on_where_its_owner_was_killed() {
    let Some((_env, docker, executor, machine)) = private() else {
        return;
    };
    let socket = docker.socket();
    let socket = socket.to_str().expect("UTF-8");
    let mut killed = killed::start(&machine.granted, &[(HOST, socket)]);
    ids(&machine.granted).await;
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    // It ends by itself; what it was in is removed by the next who comes.
    let is_over = |it: &Value| it["State"] == "exited";
    wait_until(|| docker.engine().containers(OURS).iter().all(is_over)).await;
    executor.daemon().await.expect("there");
    executor.settle().await;
    docker.assert_nothing_left(OURS);
}
