//! Commands as processes of this machine: only where the operator says so, and confined by the kernel.
//!
//! They run under an operator's configuration (`support/namespace.rs`), as the root of a namespace that is no root outside.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::env::TestEnv;
use crate::support::namespace::{under_operator, under_operator_as_root, works, works_as_root};
use crate::support::process::{Run, with_argument};
use crate::support::source::root;

const ALLOWED: &str = "[enforced.execution]\nstrategy = \"direct\"\nallow_direct = true\n";
/// In a namespace everybody is its root.
const AS_ROOT: &str = "[enforced.docker]\nallow_root = true\n";

/// A machine where commands run as processes. Nothing where the system does not let its users have an `/etc` of their own,
/// which `scripts/test` lists, or where the kernel is too old to confine a process.
struct Direct {
    env: TestEnv,
    config: String,
}

impl Direct {
    fn new() -> Option<Self> {
        Self::with("")
    }

    fn with(more: &str) -> Option<Self> {
        (works() && is_enforced()).then(|| Self {
            env: TestEnv::new(),
            config: format!("{ALLOWED}{AS_ROOT}{more}"),
        })
    }

    fn run(&self, words: &[&str]) -> Run {
        let run = self.env.run(words).timeout(Duration::from_secs(60));
        under_operator(&self.env, Some(&self.config), run)
    }

    fn exec(&self, words: &[&str]) -> Run {
        // Where nothing is granted it runs as nobody, whom a namespace of one user does not have.
        std::fs::create_dir_all(self.env.path("here")).expect("created");
        let here = ["exec", "--mount", "here"];
        let here = if words.contains(&"--mount") {
            &here[..1]
        } else {
            &here[..]
        };
        let words: Vec<&str> = here.iter().chain(words).copied().collect();
        self.run(&words)
    }

    fn shell(&self, script: &str) -> Run {
        self.exec(&["--", "sh", "-c", script])
    }
}

/// Linux 6.12 is the first that keeps signals within what Landlock confines.
pub fn is_enforced() -> bool {
    let system = rustix::system::uname();
    let release = system.release().to_string_lossy().into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map(|number| number.parse::<u32>());
    let (major, minor) = (numbers.next(), numbers.next());
    matches!((major, minor), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= (6, 12))
}

#[test]
fn a_command_is_run_and_looked_after() {
    let Some(direct) = Direct::new() else { return };
    let output = direct.shell("echo out; echo err >&2").ok();
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("out\n", "err\n")
    );
    for code in [0, 1, 3, 77, 124, 137, 255] {
        let output = direct.shell(&format!("exit {code}")).output();
        assert_eq!(output.code, Some(code), "{output}");
    }
    let output = direct.exec(&["--json", "--", "sh", "-c", "kill -9 $$"]);
    let output = output.fails_with(1, "E3404");
    assert_eq!(output.json()["error"]["details"]["signal"], 9, "{output}");
    let output = direct.exec(&["--", "no-such-program"]).output();
    assert_eq!(output.code, Some(127), "{output}");
    assert!(output.stderr.contains("no such program"), "{output}");
    let output = direct.exec(&["--", "/usr/bin"]).output();
    assert_eq!(output.code, Some(126), "{output}");
    direct
        .exec(&["--workdir", "/nowhere", "--", "true"])
        .fails_with(2, "E3004");
    // What it reads is passed on, and nothing else.
    let large = vec![b'x'; 3_000_000];
    let output = direct
        .exec(&["--stdin", "--", "wc", "-c"])
        .stdin(large)
        .ok();
    assert_eq!(output.stdout.trim(), "3000000", "{output}");
    let output = direct.exec(&["--", "wc", "-c"]).stdin("not passed on").ok();
    assert_eq!(output.stdout.trim(), "0", "{output}");
    let output = direct.shell("head -c 50000000 /dev/zero").ok();
    assert_eq!(output.stdout.len(), 50_000_000);
    let output = direct.run(&["audit", "query", "--json"]).ok();
    let found = output.stdout.contains("command_executed")
        && output
            .stdout
            .contains("no_new_privs=1 seccomp=2 landlock=6");
    assert!(found, "{output}");
}

#[test]
fn only_the_operator_allows_it() {
    if !works() {
        return;
    }
    let env = TestEnv::new();
    let exec = |operator: Option<&str>| {
        let words = [
            "exec",
            "--json",
            "--",
            "touch",
            "/tmp/toolhatch-must-not-be",
        ];
        under_operator(&env, operator, env.run(words))
    };
    // Not the user, even where nobody forbids it.
    env.write(
        env.user_config(),
        b"[execution]\nstrategy = \"direct\"\nallow_direct = true\n",
    );
    let output = exec(None).output();
    assert_ne!(output.code, Some(0), "{output}");
    env.write(env.user_config(), b"[execution]\nstrategy = \"direct\"\n");
    let output = exec(None).output();
    assert_ne!(output.code, Some(0), "{output}");
    // Not choosing alone either; nothing takes its place.
    env.write(env.user_config(), b"");
    let output = exec(Some("[enforced.execution]\nstrategy = \"direct\"\n")).fails_with(4, "E3405");
    let details = &output.json()["error"]["details"];
    assert_eq!(details["outcome"], "invalid-config", "{output}");
    assert!(output.stdout.contains("allow_direct"), "{output}");
    assert!(!Path::new("/tmp/toolhatch-must-not-be").exists());
}

#[test]
fn only_what_was_granted_is_reached() {
    let Some(direct) = Direct::new() else { return };
    let env = &direct.env;
    env.write("granted/a.txt", b"granted\n");
    env.write("other/b.txt", b"secret\n");
    let other = env.path("other/b.txt").display().to_string();
    let home = env.toolhatch_home().display().to_string();
    let granted = env.path("granted").display().to_string();
    for script in [
        "cat /etc/toolhatch/config.toml".to_owned(),
        format!("cat {other}"),
        format!("ls {home}"),
        "ls /".to_owned(),
        "ls /tmp".to_owned(),
        "ls /proc".to_owned(),
        "cat /proc/1/cmdline".to_owned(),
        format!("cat {granted}/../other/b.txt"),
        format!("ln -s {other} /$TMPDIR/l && cat $TMPDIR/l"),
        format!("echo x > {other}"),
        format!("echo x > {granted}/a.txt"),
        format!("touch {granted}/new"),
        format!("chmod 777 {other}"),
        format!("touch -d 2001-01-01 {other}"),
        format!("ln {other} $TMPDIR/hard"),
        "touch /tmp/toolhatch-outside".to_owned(),
        "mkdir /var/tmp/toolhatch-outside".to_owned(),
        "echo x > /dev/shm/toolhatch-outside".to_owned(),
    ] {
        let output = direct
            .exec(&["--mount", "granted", "--", "sh", "-c", &script])
            .output();
        assert_ne!(output.code, Some(0), "{script}: {output}");
        assert!(
            ["denied", "not permitted", "cross-device"]
                .iter()
                .any(|word| output.stderr.contains(word)),
            "{script}: {output}"
        );
        assert!(!output.stdout.contains("secret"), "{script}: {output}");
    }
    let output = direct.exec(&["--mount", "granted", "--", "sh", "-c", "pwd; cat a.txt"]);
    assert_eq!(output.ok().stdout, format!("{granted}\ngranted\n"));
    let write = [
        "--mount",
        "granted:/data:rw",
        "--",
        "sh",
        "-c",
        "echo new > b.txt; mkdir c",
    ];
    direct.exec(&write).ok();
    assert_eq!(
        std::fs::read(env.path("granted/b.txt")).expect("made"),
        b"new\n"
    );
    // It can name where in the container it would be.
    let words = [
        "--mount",
        "granted:/data",
        "--workdir",
        "/data/c",
        "--",
        "pwd",
    ];
    assert_eq!(direct.exec(&words).ok().stdout, format!("{granted}/c\n"));
}

#[test]
fn what_is_closed_in_a_granted_folder_stays_closed() {
    let Some(direct) = Direct::new() else { return };
    let env = &direct.env;
    env.write("work/.ssh/id_ed25519", b"secret\n");
    env.write("work/.git/hooks/pre-commit", b"hook\n");
    env.write("work/.git/HEAD", b"ref\n");
    env.write("work/src/a.txt", b"text\n");
    let run = |script: &str| direct.exec(&["--mount", "work:/w:rw", "--", "sh", "-c", script]);
    for script in [
        "cat .ssh/id_ed25519",
        "ls .ssh",
        "echo x > .git/hooks/pre-commit",
        "echo x > .git/hooks/post-commit",
        "mv .git/hooks .git/other",
        "mv .git other",
    ] {
        let output = run(script).output();
        assert_ne!(output.code, Some(0), "{script}: {output}");
        assert!(!output.stdout.contains("secret"), "{script}: {output}");
    }
    // The same where another folder is granted besides.
    env.write("z/b.txt", b"text\n");
    let both = ["--mount", "work:/w:rw", "--mount", "z:/z:rw", "--"];
    let write = "cat .ssh/id_ed25519; echo x > .git/hooks/pre-commit; echo new > ../z/b.txt";
    let output = direct
        .exec(&[&both[..], &["sh", "-c", write]].concat())
        .ok();
    assert!(!output.stdout.contains("secret"), "{output}");
    let read = |path: &str| std::fs::read(env.path(path)).expect("there");
    assert_eq!(read("work/.git/hooks/pre-commit"), b"hook\n");
    assert_eq!(read("z/b.txt"), b"new\n");
    let output =
        run("cat src/a.txt .git/hooks/pre-commit; echo new > src/b.txt; echo x > .git/HEAD").ok();
    assert_eq!(output.stdout, "text\nhook\n", "{output}");
    assert_eq!(
        std::fs::read(env.path("work/src/b.txt")).expect("made"),
        b"new\n"
    );
}

#[test]
fn it_cannot_reach_other_processes_or_the_network() {
    let Some(direct) = Direct::new() else { return };
    let socket = "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM)";
    let unix = "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)";
    let raw = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)";
    let netlink = "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)";
    let call = |number: u32, arguments: &str| {
        format!(
            "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); r = l.syscall({number}, {arguments}); e = ctypes.get_errno(); print(r, e); raise OSError(e, os.strerror(e)) if r < 0 else SystemExit(0)"
        )
    };
    let python = Path::new("/usr/bin/python3").exists();
    let mut scripts = vec![
        "kill -0 1".to_owned(),
        format!("kill -0 {}", std::process::id()),
        "unshare --user true".to_owned(),
        "unshare --net true".to_owned(),
        "mount -t tmpfs none /tmp".to_owned(),
    ];
    if python {
        for code in [socket, unix, raw, netlink] {
            scripts.push(format!("python3 -c '{code}'"));
        }
        if cfg!(target_arch = "x86_64") {
            for code in [
                // ptrace, keyctl, bpf, io_uring_setup, userfaultfd, setns, process_vm_readv, prlimit64 of another, clone
                // with a namespace.
                call(101, "0, 0, 0, 0"),
                call(250, "0, -3, 0"),
                call(321, "0, 0, 0"),
                call(425, "1, 0"),
                call(323, "0"),
                call(308, "0, 0"),
                call(310, "1, 0, 0, 0, 0, 0"),
                call(302, "1, 7, 0, 0"),
                call(56, "0x10000011, 0, 0, 0, 0"),
                call(435, "0, 0"),
                // The numbers of x32.
                call(0x4000_0000 + 39, "0"),
            ] {
                scripts.push(format!("python3 -c '{code}'"));
            }
        }
    }
    for script in scripts {
        let output = direct.shell(&script).output();
        assert_ne!(output.code, Some(0), "{script}: {output}");
        let is_refused = ["not permitted", "denied", "not implemented"]
            .iter()
            .any(|word| output.stderr.contains(word));
        assert!(is_refused, "{script}: {output}");
    }
    // The network is granted as for containers, and still nothing but TCP and UDP.
    if python {
        let run = |code: &str| direct.exec(&["--net", "bridge", "--", "python3", "-c", code]);
        run(socket).ok();
        for code in [unix, raw, netlink] {
            assert_eq!(run(code).output().code, Some(1), "{code}");
        }
    }
}

#[test]
fn nothing_of_its_environment_is_inherited() {
    let Some(direct) = Direct::new() else { return };
    let run = direct.exec(&["--env", "GIVEN=value", "--", "env"]);
    let output = run.env("NOT_GRANTED", "secret").ok();
    let mut names: Vec<&str> = output
        .stdout
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["GIVEN", "HOME", "LANG", "PATH", "TMPDIR"],
        "{output}"
    );
    // The three of every process, and that of the folder itself.
    let output = direct.exec(&["--", "ls", "/proc/self/fd"]).ok();
    assert_eq!(output.stdout, "0\n1\n2\n3\n", "{output}");
    let output = direct.shell("umask; ulimit -c").ok();
    assert_eq!(output.stdout, "0022\n0\n", "{output}");
    let output = direct.shell("cd $TMPDIR && pwd && touch x && ls").ok();
    let (folder, rest) = output.stdout.split_once('\n').expect("two lines");
    assert!(folder.starts_with("/tmp/toolhatch-"), "{output}");
    assert_eq!(rest, "x\n", "{output}");
    assert!(!Path::new(folder).exists(), "{folder} is left");
}

#[test]
fn time_that_is_over_ends_all_that_was_started() {
    let Some(direct) = Direct::new() else { return };
    let begun = Instant::now();
    let marker = format!("{}.5", 70_000 + std::process::id());
    let escape =
        format!("setsid setsid sleep {marker} & (sleep {marker} &) ; trap '' TERM; sleep {marker}");
    let words = ["--timeout", "1s", "--json", "--", "sh", "-c", &escape];
    let output = direct.exec(&words).fails_with(124, "E3402");
    assert_eq!(
        output.json()["error"]["details"]["outcome"],
        "timeout",
        "{output}"
    );
    assert!(begun.elapsed() < Duration::from_secs(40), "{output}");
    assert_eq!(with_argument(&marker), 0, "something is left");
    // What it leaves when it ends by itself.
    direct
        .shell(&format!("setsid sleep {marker} & exit 0"))
        .ok();
    assert_eq!(with_argument(&marker), 0, "something is left");
}

#[test]
fn what_was_started_ends_with_toolhatch() {
    let Some(direct) = Direct::new() else { return };
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::KILL] {
        let marker = format!("{}.25", 80_000 + std::process::id());
        let running = direct
            .shell(&format!(
                "echo begun >&2; setsid sleep {marker} & sleep {marker}"
            ))
            .start();
        running.wait_for("begun");
        running.signal(signal);
        let output = running.finish();
        if signal == rustix::process::Signal::INT {
            assert_eq!(output.code, Some(130), "{output}");
        }
        let begun = Instant::now();
        while with_argument(&marker) > 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "something is left"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_grant_of_an_image_does_not_allow_it() {
    let Some(direct) = Direct::new() else { return };
    let call = |allow: &str| {
        let arguments = "{\"command\": [\"echo\", \"hello\"]}";
        let folder = direct.env.write("here/a", b"");
        let folder = folder.parent().expect("a folder").display();
        let words = ["call", "sandbox.run", "--args", arguments, "--json"];
        let allow = [
            "--allow",
            allow,
            "--allow",
            &format!("file_read={folder}:/here"),
        ];
        direct.run(&[&words[..], &allow[..]].concat())
    };
    for other in [
        "subprocess=*",
        "subprocess=command:echo",
        "subprocess=image:debian:stable-slim;command:echo",
        "subprocess=image:library/direct;command:echo",
        "subprocess=image:direct;command:ls",
        "subprocess=image:ssh:direct;command:echo",
    ] {
        call(other).fails_with(3, "E3206");
    }
    let output = call("subprocess=image:direct;command:echo").ok();
    assert_eq!(output.json()["structured"]["stdout"], "hello\n", "{output}");
    let diff = ["--diff"];
    for container in [&["--image", "debian"][..], &["--keep", "it"], &diff] {
        let words = [container, &["--json", "--", "true"]].concat();
        direct.exec(&words).fails_with(2, "E3004");
    }
    // Nothing stands in front of it that could decide on single connections.
    let listed = ["--allow-host", "localhost:1", "--json", "--", "true"];
    direct.exec(&listed).fails_with(3, "E3211");
    // Policy knows it by the same word.
    let env = &direct.env;
    let folder = env.user_config().parent().expect("a folder").join("policy");
    let forbid = "@id(\"no-direct\")\nforbid (principal, action == Action::\"exec.container\", resource) when { resource.reference == \"direct\" };\n";
    env.write(folder.join("own.cedar"), forbid.as_bytes());
    let output = direct
        .exec(&["--json", "--", "true"])
        .fails_with(3, "E3206");
    assert!(output.stdout.contains("no-direct"), "{output}");
}

#[test]
fn a_component_has_commands_run_with_its_own_grants() {
    let Some(direct) = Direct::new() else { return };
    direct.env.write("here/notes.txt", b"text");
    let probe = root().join("tests/fixtures/guests/probe.wasm");
    let probe = probe.to_str().expect("UTF-8");
    let arguments = "{\"image\": \"any\", \"command\": [\"cat\", \"notes.txt\"]}";
    let run = |allow: &str| {
        let words = ["call", probe, "run-command", "--json", "--args", arguments];
        let allow = ["--allow", allow, "--allow", "file_read=here:/workspace"];
        direct.run(&[&words[..], &allow[..]].concat())
    };
    let output = run("subprocess=image:any").output();
    assert!(output.stdout.contains("not-permitted"), "{output}");
    let output = run("subprocess=image:direct").ok();
    assert_eq!(output.json()["structured"]["result"], "text", "{output}");
}

#[test]
fn resources_have_limits() {
    let Some(direct) = Direct::new() else { return };
    if Path::new("/usr/bin/python3").exists() {
        let hog = "x = bytearray(1 << 30)";
        let words = ["--memory", "256MiB", "--", "python3", "-c", hog];
        let output = direct.exec(&words).output();
        assert!(output.stderr.contains("MemoryError"), "{output}");
    }
    let output = direct.shell("ulimit -n; ulimit -u; ulimit -v").ok();
    assert!(!output.stdout.contains("unlimited"), "{output}");
}

#[test]
fn nobody_runs_as_root_unless_the_operator_says_so() {
    if !works() || !is_enforced() {
        return;
    }
    let env = TestEnv::new();
    // In a namespace there is nobody else to become: nothing runs then.
    let run = env.run(["exec", "--json", "--", "id", "-u"]);
    under_operator(&env, Some(ALLOWED), run).fails_with(4, "E3405");
    if !works_as_root() {
        return;
    }
    let run = |words: &[&str]| under_operator_as_root(&env, ALLOWED, env.run(words));
    let output = run(&["exec", "--", "id", "-u"]).ok();
    assert_eq!(output.stdout, "65534\n", "{output}");
}

#[test]
fn doctor_tells_what_was_chosen() {
    let Some(direct) = Direct::new() else { return };
    let output = direct.run(&["doctor"]).output();
    assert!(output.stdout.contains("outside of a container"), "{output}");
    assert!(output.stdout.contains("direct"), "{output}");
}
