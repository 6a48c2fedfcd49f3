//! As processes of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolhatch::exec::direct::{DirectExecutor, DirectSettings};
use toolhatch::exec::{Changes, Launched, PlaceRules, SandboxMount};
use toolhatch::fsx;
use toolhatch::manifest::container::Network;
use toolhatch::permission::Kind;

use super::{Machine, PATIENCE, Process, STUBBORN, finish, ids, places, wait_until};
use crate::direct::is_enforced;
use crate::support::env::TestEnv;
use crate::support::http::{Response, Server};

/// A machine where the kernel can confine processes.
fn machine() -> Option<(TestEnv, Machine)> {
    is_enforced().then(|| {
        let env = TestEnv::new();
        let granted = env.path("granted");
        std::fs::create_dir_all(&granted).expect("created");
        (env, in_folder(granted, places()))
    })
}

/// One that grants this folder.
pub fn in_folder(granted: PathBuf, places: PlaceRules) -> Machine {
    let launcher = DirectExecutor::new(DirectSettings {
        places,
        concurrency: 1,
        supervisor: env!("CARGO_BIN_EXE_toolhatch").into(),
    });
    Machine {
        launcher: Box::new(launcher),
        image: "none".to_owned(),
        seen: granted.to_str().expect("UTF-8").to_owned(),
        granted,
    }
}

/// True where somebody can have a network of their own.
fn has_namespaces() -> bool {
    let mut command = std::process::Command::new("unshare");
    command.args(["--map-current-user", "--net", "true"]);
    command.output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn much_flows_both_ways() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    super::much_flows_both_ways(&machine).await;
}

#[tokio::test]
async fn what_nobody_reads_is_held_back() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    super::what_nobody_reads_is_held_back(&machine).await;
}

#[tokio::test]
async fn it_says_how_it_ended() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    super::it_says_how_it_ended(&machine).await;
}

#[tokio::test]
async fn it_has_what_it_was_given() {
    let Some((env, machine)) = machine() else {
        return;
    };
    super::it_has_what_it_was_given(&machine).await;
    env.write("beside/secret", b"secret");
    let secret = env.path("beside/secret").display().to_string();
    let (printed, _) = machine
        .told(&format!(
            "cat {secret}; ls /; kill -0 {}",
            std::process::id()
        ))
        .await;
    assert!(!printed.contains("secret\n"), "{printed}");
    assert_eq!(printed.matches("denied").count(), 2, "{printed}");
    assert!(printed.contains("not permitted"), "{printed}");
    let (printed, _) = machine
        .told("ulimit -t; ulimit -v; ulimit -d; ulimit -c")
        .await;
    assert_eq!(printed, "unlimited\nunlimited\n1048576\n0\n");
}

#[tokio::test]
async fn a_stream_ends_where_the_program_ends_it() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    let mut launched = machine.shell("exec >&- 2>&-; cat").await;
    assert!(
        launched.posture.contains("landlock=6 network=none"),
        "{}",
        launched.posture
    );
    let mut all = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut launched.output, &mut all);
    let read = tokio::time::timeout(PATIENCE, reading).await;
    assert_eq!(read.expect("it ends").expect("read"), 0);
    finish(launched).await;
}

#[tokio::test]
async fn nothing_is_left_of_it() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    for is_stopped in [true, false] {
        let launched = machine.shell(STUBBORN).await;
        let left: Vec<Process> = ids(&machine.granted)
            .await
            .into_iter()
            .filter_map(Process::of)
            .collect();
        assert_eq!(left.len(), 3);
        let folder = std::fs::read_to_string(machine.granted.join("folder")).expect("written");
        let folder = Path::new(folder.trim());
        assert!(folder.is_dir(), "{}", folder.display());
        if is_stopped {
            launched.program.stop().await;
            assert!(!left.iter().any(Process::is_there), "{left:?}");
            assert!(!folder.exists());
        } else {
            drop(launched);
            wait_until(|| !left.iter().any(Process::is_there) && !folder.exists()).await;
        }
        std::fs::remove_file(machine.granted.join("ids")).expect("removed");
    }
}

#[tokio::test]
async fn whoever_closes_its_input_need_not_kill_it() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    let Launched { input, program, .. } = machine.shell("cat; echo ended > by-itself").await;
    drop(input);
    program.stop().await;
    assert!(machine.granted.join("by-itself").exists());
    // It is asked before it is killed.
    let script = "trap 'echo asked > asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut launched = machine.shell(script).await;
    super::read(&mut *launched.output, 6).await;
    launched.program.stop().await;
    assert!(machine.granted.join("asked").exists());
}

#[tokio::test]
async fn it_has_no_network() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    let server = Server::start(|_| Response::new(200, "reached"));
    let port = server.address().port();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected");
    let argv = ["bash", "-c", &script];
    let (printed, _) = finish(machine.start(&argv).await).await;
    assert!(!printed.contains("connected"), "{printed}");
    let mut launch = machine.launch(&argv);
    launch.spec.network = Network::Host;
    let launched = machine.launcher.launch(launch).await.expect("launched");
    assert!(
        launched.posture.contains("network=host"),
        "{}",
        launched.posture
    );
    let (printed, _) = finish(launched).await;
    assert!(printed.contains("connected"), "{printed}");
}

#[tokio::test]
async fn it_reaches_the_hosts_of_its_list_and_nobody_else() {
    let Some((_env, machine)) = machine() else {
        return;
    };
    let server = Server::start(|_| Response::new(200, "the answer"));
    let other = Server::start(|_| Response::new(200, "reached"));
    let (granted, denied) = (server.address(), other.address());
    let script = format!(
        r#"ask() {{
    exec 3<>/dev/tcp/127.0.0.1/3128
    printf 'GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' $1 $1 >&3
    cat <&3
    echo
}}
ask {granted}
ask {denied}
echo $HTTP_PROXY $no_proxy
(exec 3<>/dev/tcp/{}/{}) && echo connected
(echo > /dev/udp/192.0.2.1/53) && echo sent"#,
        granted.ip(),
        granted.port(),
    );
    let mut launch = machine.launch(&["bash", "-c", &script]);
    launch.spec.network = Network::AllowList;
    launch.scope = super::scope(&[(Kind::NetworkTcp, &granted.to_string())]);
    let events = Arc::clone(&launch.events);
    let launched = machine.launcher.launch(launch).await;
    if !has_namespaces() {
        // Not without a network of its own.
        let refused = launched.err().expect("refused").to_string();
        assert!(refused.contains("network of its own"), "{refused}");
        return;
    }
    let launched = launched.expect("launched");
    assert!(
        launched.posture.contains("network=proxy"),
        "{}",
        launched.posture
    );
    let (printed, _) = finish(launched).await;
    assert!(printed.contains("the answer"), "{printed}");
    assert!(printed.contains("403"), "{printed}");
    assert!(
        printed.contains("http://127.0.0.1:3128 localhost"),
        "{printed}"
    );
    assert!(
        !printed.contains("connected") && !printed.contains("sent\n"),
        "{printed}"
    );
    assert_eq!((server.requests().len(), other.requests().len()), (1, 0));
    let told = events.take();
    assert_eq!(told.denials.len(), 1, "{:?}", told.denials);
}

#[tokio::test]
async fn what_it_cannot_read_is_named() {
    let Some((env, machine)) = machine() else {
        return;
    };
    let interpreter = env.path("tools/bin/interpreter");
    let fails = async |argv: &[&str], mounts: &[&Path]| {
        let mut launch = machine.launch(argv);
        let more = mounts.iter().map(|folder| SandboxMount {
            host: (*folder).to_owned(),
            container: folder.display().to_string(),
            read_only: true,
            changes: Changes::Direct,
        });
        launch.spec.mounts.extend(more);
        machine.launcher.launch(launch).await.err()
    };
    std::fs::create_dir_all(env.path("tools/lib")).expect("created");
    std::fs::create_dir_all(env.path("tools/bin")).expect("created");
    std::fs::copy("/bin/sh", &interpreter).expect("copied");
    let script = env.path("package/script");
    let text = format!("#!{}\necho ran\n", interpreter.display());
    env.write("package/data", b"");
    fsx::write_atomic(&script, text.as_bytes(), 0o755).expect("written");
    let called = script.display().to_string();
    // The program itself, and what interprets it.
    let error = fails(&[&called], &[]).await.expect("refused");
    assert_eq!(error.code().to_string(), "E3210", "{error}");
    assert!(error.to_string().contains(&called), "{error}");
    assert_eq!(error.hints().len(), 2, "{:?}", error.hints());
    let error = fails(&[&called], &[&env.path("package")])
        .await
        .expect("refused");
    let hint = format!("file_read={}", env.path("tools").display());
    assert!(
        error.hints().iter().any(|it| it.contains(&hint)),
        "{:?}",
        error.hints()
    );
    let granted = [env.path("package"), env.path("tools")];
    let granted: Vec<&Path> = granted.iter().map(PathBuf::as_path).collect();
    assert!(fails(&[&called], &granted).await.is_none());
    let error = fails(&["no-such-program"], &[]).await.expect("refused");
    assert_eq!(error.code().to_string(), "E3101", "{error}");
}

#[tokio::test]
async fn it_is_not_root_and_told_where_that_is_too_little() {
    if !is_enforced() || !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::Builder::new()
        .prefix("toolhatch-test-")
        .tempdir_in("/tmp")
        .expect("a folder");
    let places = PlaceRules {
        allow_root: false,
        ..places()
    };
    let machine = in_folder(folder.path().canonicalize().expect("there"), places);
    let mode = |bits| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(bits))
    };
    // What is root's alone: nobody may not even look at it.
    mode(0o700).expect("set");
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).expect("created");
    let mut launch = machine.launch(&["id", "-u"]);
    for mount in &mut launch.spec.mounts {
        mount.host = inner.canonicalize().expect("there");
    }
    launch.spec.workdir = None;
    let error = machine
        .launcher
        .launch(launch)
        .await
        .err()
        .expect("refused");
    assert!(error.to_string().contains("as user 65534"), "{error}");
    mode(0o755).expect("set");
    let (printed, ended) = machine
        .told("id -u; echo $HOME; echo x > $HOME/x && echo written")
        .await;
    assert!(printed.starts_with("65534\n/tmp/toolhatch-"), "{printed}");
    assert!(printed.ends_with("written\n"), "{printed}");
    assert_eq!(ended, "exit code 0");
}
