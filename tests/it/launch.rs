//! Programs that go on running, through the library: no command of the binary leads to them yet. What looks after them is the
//! binary all the same.

mod contained;
mod direct;
mod killed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use toolhatch::config::{ContainerResources, Narrowed};
use toolhatch::exec::{
    Changes, EventLimits, EventSink, Launch, Launched, Launcher, PlaceRules, Reading, SandboxMount,
    SandboxSpec,
};
use toolhatch::manifest::container::{Network, User};
use toolhatch::permission::{Capability, Kind, Scope, Sensitive};

/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// What does not come within this does not come: for what must not.
const STANDSTILL: Duration = Duration::from_millis(300);

/// Somewhere that programs run.
struct Machine {
    launcher: Box<dyn Launcher>,
    image: String,
    /// A folder that is granted for writing, and where the program sees it.
    granted: PathBuf,
    seen: String,
}

impl Machine {
    fn launch(&self, argv: &[&str]) -> Launch {
        Launch {
            name: "the server".to_owned(),
            spec: SandboxSpec {
                image: self.image.clone(),
                argv: argv.iter().map(|word| (*word).to_owned()).collect(),
                env: vec![("GIVEN".to_owned(), "yes".to_owned())],
                workdir: Some(self.seen.clone()),
                stdin: bytes::Bytes::new(),
                mounts: vec![SandboxMount {
                    host: self.granted.clone(),
                    container: self.seen.clone(),
                    read_only: false,
                    changes: Changes::Direct,
                }],
                network: Network::None,
                reach: Vec::new(),
                user: User::Workspace,
                resources: ContainerResources::default(),
                grace: Duration::from_millis(300),
                keep: None,
                reading: Reading::Raw,
            },
            scope: Arc::default(),
            sensitive: Arc::new(Sensitive::default()),
            veto: None,
            events: Arc::new(EventSink::new(EventLimits::default())),
        }
    }

    async fn start(&self, argv: &[&str]) -> Launched {
        let launched = self.launcher.launch(self.launch(argv)).await;
        launched.unwrap_or_else(|error| panic!("{argv:?}: {error:?}"))
    }

    async fn shell(&self, script: &str) -> Launched {
        self.start(&["sh", "-c", script]).await
    }

    /// What a script prints, and how it ended.
    async fn told(&self, script: &str) -> (String, String) {
        let launched = self.shell(script).await;
        finish(launched).await
    }
}

/// In a test everybody is root, whom things belong to.
fn places() -> PlaceRules {
    PlaceRules {
        roots: Narrowed::everything(),
        allow_root: true,
    }
}

/// Leaves a program to itself: everything that it prints, and how it ended.
async fn finish(launched: Launched) -> (String, String) {
    let Launched {
        input,
        mut output,
        mut errors,
        mut program,
        ..
    } = launched;
    drop(input);
    let mut printed = (Vec::new(), Vec::new());
    let all = async {
        let read = tokio::join!(
            output.read_to_end(&mut printed.0),
            errors.read_to_end(&mut printed.1),
        );
        read.0.expect("read");
        read.1.expect("read");
        program.ended().await
    };
    let ended = tokio::time::timeout(PATIENCE, all).await.expect("it ends");
    let printed = [printed.0, printed.1].concat();
    (String::from_utf8_lossy(&printed).into_owned(), ended)
}

async fn wait_until(mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it does not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Reads so many bytes, which have to come.
async fn read(from: &mut (dyn AsyncRead + Send + Unpin), count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = tokio::time::timeout(PATIENCE, from.read_exact(&mut bytes)).await;
    read.expect("they come").expect("read");
    bytes
}

async fn much_flows_both_ways(machine: &Machine) {
    const SIZE: usize = 50_000_000;
    let Launched {
        mut input,
        mut output,
        mut program,
        ..
    } = machine.start(&["cat"]).await;
    let sent: Vec<u8> = (0..SIZE).map(|at| (at / 7 % 251) as u8).collect();
    let expected = sent.clone();
    let writing = async move {
        input.write_all(&sent).await.expect("taken");
        input.shutdown().await.expect("closed");
    };
    let reading = async {
        let mut received = Vec::new();
        output.read_to_end(&mut received).await.expect("read");
        received
    };
    let both = async { tokio::join!(writing, reading).1 };
    let received = tokio::time::timeout(PATIENCE, both)
        .await
        .expect("it comes");
    assert!(received == expected, "{} bytes came", received.len());
    assert_eq!(program.ended().await, "exit code 0");
}

/// How much is taken before nothing more is.
async fn taken(launched: &mut Launched) -> usize {
    let piece = vec![b'x'; 64 << 10];
    let mut taken = 0;
    loop {
        match tokio::time::timeout(STANDSTILL, launched.input.write(&piece)).await {
            Ok(count) => taken += count.expect("it is there"),
            Err(_) => return taken,
        }
        assert!(taken < 4 << 20, "{taken} bytes are kept somewhere");
    }
}

async fn what_nobody_reads_is_held_back(machine: &Machine) {
    // A program that does not read.
    let mut launched = machine.start(&["sleep", "1000"]).await;
    assert!(taken(&mut launched).await > 0);
    tokio::time::timeout(PATIENCE, launched.program.stop())
        .await
        .expect("it is ended all the same");
    // One that reads, and whose output nobody does.
    let mut launched = machine.start(&["cat"]).await;
    let taken = taken(&mut launched).await;
    let echoed = read(&mut *launched.output, taken).await;
    assert!(echoed.iter().all(|byte| *byte == b'x'));
    // It is where it was: what was held back goes on.
    launched.input.write_all(b"more").await.expect("taken");
    assert_eq!(read(&mut *launched.output, 4).await, b"more");
    // One that writes for ever.
    let mut launched = machine.shell("echo first; exec yes").await;
    assert_eq!(read(&mut *launched.output, 6).await, b"first\n");
    tokio::time::sleep(STANDSTILL).await;
    assert_eq!(
        read(&mut *launched.output, 10_000_000).await.len(),
        10_000_000
    );
    drop(launched);
}

async fn it_says_how_it_ended(machine: &Machine) {
    for (script, expected) in [
        ("exit 0", "exit code 0"),
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "signal 9 (SIGKILL)"),
        ("kill -15 $$", "signal 15 (SIGTERM)"),
    ] {
        let (_, ended) = machine.told(script).await;
        assert_eq!(ended, expected, "{script}");
    }
    // Asked more than once, and before the end.
    let mut launched = machine.start(&["cat"]).await;
    let early = tokio::time::timeout(STANDSTILL, launched.program.ended()).await;
    assert!(early.is_err(), "{early:?}");
    drop(launched.input);
    for _ in 0..2 {
        let ended = tokio::time::timeout(PATIENCE, launched.program.ended()).await;
        assert_eq!(ended.expect("it ends"), "exit code 0");
    }
}

async fn it_has_what_it_was_given(machine: &Machine) {
    let (printed, _) = machine.told("env; pwd; id -u").await;
    assert!(printed.contains("GIVEN=yes\n"), "{printed}");
    assert!(
        printed.contains(&format!("{}\n", machine.seen)),
        "{printed}"
    );
    for name in ["CARGO", "TOOLHATCH", "XDG_"] {
        assert!(!printed.contains(name), "{printed}");
    }
    let (printed, ended) = machine
        .told("echo written > file; cat file; cat /etc/shadow /etc/toolhatch/config.toml; touch /x")
        .await;
    assert_ne!(ended, "exit code 0");
    assert!(printed.starts_with("written\n"), "{printed}");
    assert_eq!(printed.matches("written").count(), 1, "{printed}");
    let file = std::fs::read_to_string(machine.granted.join("file"));
    assert_eq!(file.expect("it was written"), "written\n");
}

/// Starts three in sessions of their own that ignore what they are asked, and writes down their ids.
const STUBBORN: &str = r#"trap "" TERM
echo $TMPDIR > folder
for i in 1 2 3; do
    setsid sh -c 'trap "" TERM; echo $$ >> ids; while :; do sleep 1000; done' &
done
while :; do sleep 1000; done"#;

/// A process, told apart from a later one of its id.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    began: String,
}

impl Process {
    fn of(id: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields = stat.rsplit_once(')')?.1;
        let began = fields.split_whitespace().nth(19)?.to_owned();
        Some(Self { id, began })
    }

    fn is_there(&self) -> bool {
        Self::of(self.id).as_ref() == Some(self)
    }
}

/// The ids that [`STUBBORN`] has written down in this folder.
async fn ids(folder: &Path) -> Vec<u32> {
    let ids = folder.join("ids");
    let read = || -> Vec<u32> {
        let text = std::fs::read_to_string(&ids).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    };
    wait_until(|| read().len() == 3).await;
    read()
}

/// A scope of these grants.
fn scope(grants: &[(Kind, &str)]) -> Arc<Scope> {
    let parsed = grants
        .iter()
        .map(|(kind, text)| Capability::parse(*kind, text).expect("a scope"));
    Arc::new(parsed.collect())
}
