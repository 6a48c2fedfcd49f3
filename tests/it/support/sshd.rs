//! An SSH server of this user on a free port of the loopback interface, with keys of its own and nothing of the system's.
//!
//! A test that needs it begins with `let Some(machine) = Sshd::start() else { return };`. Where there is none installed,
//! that very question writes the test down as left out, and `scripts/test` tells how many there were.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::left_out::leave_out;

/// It has to be named by its whole path: it starts itself again for every connection.
const PROGRAM: &str = "/usr/sbin/sshd";
/// The folder that one which is root gives to its unprivileged half.
const EMPTY: &str = "/run/sshd";
/// It listens at once, on a machine that is not busy.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// A server that runs until this is dropped.
pub struct Sshd {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Sshd {
    /// Starts one, or writes the test down as left out.
    #[track_caller]
    pub fn start() -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            let needs = "an SSH server; on Debian: apt-get install openssh-server";
            leave_out("sshd", needs, Location::caller());
            return None;
        }
        let mut folder = tempfile::Builder::new()
            .prefix("sshd-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a folder");
        if rustix::process::geteuid().is_root() {
            // Where no system's own was ever started. It stays, and is empty.
            std::fs::create_dir_all(EMPTY).expect("created");
        }
        for name in ["host", "user"] {
            make_key(folder.path(), name, "ed25519");
        }
        std::fs::create_dir(folder.path().join("cache")).expect("created");
        // Another process may take the port in between: then it ends, and the next one is tried.
        for _ in 0..5 {
            let port = free_port();
            let process = run(folder.path(), port);
            let mut server = Self {
                folder,
                port,
                process,
            };
            if server.listens() {
                return Some(server);
            }
            eprintln!("{}", server.log());
            folder = std::mem::replace(&mut server.folder, TempDir::new().expect("a folder"));
        }
        panic!("no SSH server can be started");
    }

    fn listens(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < LISTENS_WITHIN {
            if self.process.try_wait().expect("a child").is_some() {
                return false;
            }
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                let mut line = String::new();
                let read = BufReader::new(stream).read_line(&mut line);
                return read.is_ok() && line.starts_with("SSH-");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its public key, as `execution.ssh.host_key` takes it.
    pub fn host_key(&self) -> String {
        self.public_key("host")
    }

    /// What `ssh-keygen -l` tells of that key.
    pub fn fingerprint(&self) -> String {
        let output = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(self.folder.path().join("host.pub"))
            .output()
            .expect("started");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The private key that may log in.
    pub fn identity(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// Has everybody who logs in get this command, whatever they ask for.
    pub fn force(&self, command: &str) {
        let line = format!("command=\"{command}\" {}\n", self.public_key("user"));
        let file = self.folder.path().join("user.pub");
        toolhatch::fsx::write_atomic(&file, line.as_bytes(), 0o600).expect("written");
    }

    /// Another key of this kind: its private part, and its public one.
    pub fn other_key(&self, kind: &str) -> (PathBuf, String) {
        let name = format!("other-{kind}");
        make_key(self.folder.path(), &name, kind);
        (self.folder.path().join(&name), self.public_key(&name))
    }

    /// Where runners are kept on this machine.
    pub fn runners(&self) -> PathBuf {
        self.folder.path().join("cache/toolhatch")
    }

    /// What it has written down.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn public_key(&self, name: &str) -> String {
        let file = self.folder.path().join(format!("{name}.pub"));
        let line = std::fs::read_to_string(file).expect("a key");
        line.trim().to_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _its_code = self.process.wait();
    }
}

/// Who runs the tests, and logs in.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("started");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .trim()
        .to_owned()
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("bound").port()
}

fn make_key(folder: &Path, name: &str, kind: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", "test", "-t", kind, "-f"])
        .arg(folder.join(name))
        .stdin(Stdio::null())
        .status()
        .expect("started");
    assert!(made.success());
}

fn run(folder: &Path, port: u16) -> Child {
    let shown = folder.display();
    let config = format!(
        "ListenAddress 127.0.0.1:{port}\n\
         HostKey {shown}/host\n\
         AuthorizedKeysFile {shown}/user.pub\n\
         PidFile none\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PermitRootLogin prohibit-password\n\
         StrictModes no\n\
         UsePAM no\n\
         PrintMotd no\n\
         MaxStartups 100\n\
         SetEnv XDG_CACHE_HOME={shown}/cache\n"
    );
    let file = folder.join("config");
    toolhatch::fsx::write_atomic(&file, config.as_bytes(), 0o600).expect("written");
    let log = std::fs::File::create(folder.join("log")).expect("created");
    Command::new(PROGRAM)
        .args(["-D", "-e", "-f"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("started")
}
