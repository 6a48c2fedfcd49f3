//! The SSH client of the system as a child process: what it is told to do and not to do, and its three streams.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use super::SshSettings;
use super::trouble::Trouble;
use crate::error::{Code, Error, Result};
use crate::exec::resident::{Broken, Piece, Resident};
use crate::exec::{Capture, CommandEnd};
use crate::fsx;

/// The program.
const PROGRAM: &str = "ssh";
/// Where it is where nobody says.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin";
/// What the machine is called in the file with its key, whatever its name and port are.
const ALIAS: &str = "toolhatch-pinned";
/// How long the client tries to connect, and to agree with the machine on keys.
const CONNECTS_WITHIN: u32 = 10;
/// How much is read at once.
const PIECE: usize = 64 << 10;
/// The most that a machine may print before the script begins.
const MOST_NOISE: usize = 256 << 10;
/// How much of what the client complains about is kept.
const COMPLAINTS: usize = 4096;
/// How long a client that has ended what it says may take to end itself.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// What the client never does, whatever files of the system and of the user say: those are not read.
const OPTIONS: &[&str] = &[
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "CheckHostIP=no",
    "UpdateHostKeys=no",
    "VerifyHostKeyDNS=no",
    "CanonicalizeHostname=no",
    "PreferredAuthentications=publickey",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "NumberOfPasswordPrompts=0",
    "AddKeysToAgent=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "Tunnel=no",
    "PermitLocalCommand=no",
    "ProxyCommand=none",
    "ControlMaster=no",
    "ControlPath=none",
    "RequestTTY=no",
    "EscapeChar=none",
    // With less it does not say why the two could not agree on keys.
    "LogLevel=INFO",
    "ConnectionAttempts=1",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
];

/// What a client needs to read of the system, besides what every program does.
const SYSTEM: &[&str] = &[
    "/etc/crypto-policies",
    "/etc/gss",
    "/etc/passwd",
    "/etc/group",
    "/etc/ssl",
    "/usr/bin",
    "/bin",
    "/dev/tty",
];

/// A client that runs. Dropping it ends it.
pub(super) struct Client {
    child: Child,
    stdin: ChildStdin,
    pieces: Pieces,
    /// What was said and not read as a line yet.
    said: Vec<u8>,
    noise: usize,
    complaints: Capture,
}

type Pieces = Pin<Box<dyn Stream<Item = std::result::Result<Piece, Broken>> + Send>>;

/// What comes from the other machine before there is a runner.
pub(super) enum Heard {
    /// A line.
    Line(String),
    /// Nothing more.
    End,
}

impl Client {
    /// Starts it, to have this run on the other machine.
    ///
    /// # Errors
    /// E3405 where there is none, or the key of the machine cannot be written down for it.
    pub(super) async fn start(settings: &SshSettings, remote: &str) -> Result<Self> {
        let (of, remote) = (settings.clone(), remote.to_owned());
        let prepared = tokio::task::spawn_blocking(move || -> Result<_> {
            let program = find(&of.search).ok_or_else(absent)?;
            Ok((program, arguments(&of, &pin(&of)?, &remote)?))
        });
        let (program, arguments) = prepared.await.map_err(|error| {
            Error::new(Code::E3000, "preparing the SSH client").caused_by(error)
        })??;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            // What it complains about is read.
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Who interrupts Toolhatch at a terminal does not end it first: the command there has to hear of it.
            .process_group(0)
            .kill_on_drop(true);
        if let Some(agent) = &settings.agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        let failed = |error: std::io::Error| {
            Error::new(
                Code::E3405,
                "running a command on another machine: starting the SSH client",
            )
            .caused_by(error)
        };
        let mut child = command.spawn().map_err(failed)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let pieces = stream::select(
            pieces(stdout, Piece::Said),
            pieces(stderr, Piece::Complained),
        );
        Ok(Self {
            child,
            stdin,
            pieces: Box::pin(pieces),
            said: Vec::new(),
            noise: 0,
            complaints: Capture::new(COMPLAINTS),
        })
    }

    /// The next line that the other machine prints.
    pub(super) async fn line(&mut self) -> std::result::Result<Heard, Trouble> {
        loop {
            if let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.said.drain(..=end).collect();
                return Ok(Heard::Line(String::from_utf8_lossy(&line).into_owned()));
            }
            match self.pieces.next().await {
                Some(Ok(Piece::Said(bytes))) => {
                    self.noise += bytes.len();
                    if self.noise > MOST_NOISE {
                        let text = "its shell prints too much before the runner begins";
                        return Err(Trouble::Runner(text.to_owned()));
                    }
                    self.said.extend_from_slice(&bytes);
                }
                Some(Ok(Piece::Complained(bytes))) => self.complaints.push(&bytes),
                Some(Err(_)) | None => return Ok(Heard::End),
            }
        }
    }

    /// Sends bytes to what runs on the other machine.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> std::result::Result<(), Trouble> {
        let sent = async {
            self.stdin.write_all(bytes).await?;
            self.stdin.flush().await
        };
        match sent.await {
            Ok(()) => Ok(()),
            Err(_) => Err(self.refused().await),
        }
    }

    /// Why it has ended, which it says before it does.
    pub(super) async fn refused(&mut self) -> Trouble {
        let rest = async {
            while let Some(piece) = self.pieces.next().await {
                if let Ok(Piece::Complained(bytes)) = piece {
                    self.complaints.push(&bytes);
                }
            }
        };
        // One that does not end has said enough.
        let _whether_or_not = tokio::time::timeout(ENDS_WITHIN, rest).await;
        let complaints = std::mem::replace(&mut self.complaints, Capture::new(COMPLAINTS));
        Trouble::Refused(String::from_utf8_lossy(&complaints.into_bytes()).into_owned())
    }

    /// The runner that the script has become, and the process that carries its words.
    pub(super) fn into_resident(self) -> (Resident, Child) {
        let already = Bytes::from(self.said);
        let pieces = stream::iter([Ok(Piece::Said(already))]).chain(self.pieces);
        (Resident::new(self.stdin, pieces), self.child)
    }
}

fn pieces(
    from: impl AsyncRead + Unpin + Send + 'static,
    kind: fn(Bytes) -> Piece,
) -> impl Stream<Item = std::result::Result<Piece, Broken>> + Send {
    stream::unfold(Some((from, vec![0; PIECE])), move |state| async move {
        let (mut from, mut buffer) = state?;
        match from.read(&mut buffer).await {
            Ok(0) => None,
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
                Some((Ok(kind(bytes)), Some((from, buffer))))
            }
            Err(error) => Some((Err(Broken::from(error)), None)),
        }
    })
}

/// What a process that has commands run this way needs to read.
pub(super) fn reach(settings: &SshSettings) -> Vec<PathBuf> {
    let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    read.extend(find(&settings.search));
    read.extend(settings.identity_file.clone());
    read.push(settings.folder.clone());
    read
}

/// The program, in one of these folders.
fn find(search: &OsStr) -> Option<PathBuf> {
    let search = if search.is_empty() {
        OsStr::new(USUAL)
    } else {
        search
    };
    fsx::find_program(search, PROGRAM)
}

fn absent() -> Error {
    CommandEnd::InvalidConfig
        .error(
            Code::E3405,
            "running a command on another machine: there is no SSH client here",
        )
        .hint("Install it (on Debian: apt-get install openssh-client), and have it in `PATH`.")
}

/// Writes down the one key that is accepted, where the client reads it.
fn pin(settings: &SshSettings) -> Result<PathBuf> {
    let line = format!("{ALIAS} {}\n", settings.host_key);
    let name = settings
        .host_key
        .fingerprint()
        .replace(['/', '+', ':'], "_");
    fsx::create_private_dir(&settings.folder)?;
    let path = settings.folder.join(name);
    fsx::write_atomic(&path, line.as_bytes(), 0o600)?;
    Ok(path)
}

/// All that the client is told. No shell reads it; the last of it is a line for the shell on the other machine, which is ours.
fn arguments(settings: &SshSettings, known: &Path, remote: &str) -> Result<Vec<OsString>> {
    let mut options: Vec<String> = OPTIONS.iter().map(|option| (*option).to_owned()).collect();
    options.push(format!("HostKeyAlias={ALIAS}"));
    options.push(format!(
        "HostKeyAlgorithms={}",
        algorithms(settings.host_key.algorithm())
    ));
    options.push(format!("ConnectTimeout={CONNECTS_WITHIN}"));
    options.push(format!("UserKnownHostsFile={}", quoted(known)?));
    if let Some(identity) = &settings.identity_file {
        options.push("IdentitiesOnly=yes".to_owned());
        options.push(format!("IdentityFile={}", quoted(identity)?));
    }
    let mut arguments: Vec<String> = vec!["-F".to_owned(), "none".to_owned(), "-T".to_owned()];
    for option in options {
        arguments.extend(["-o".to_owned(), option]);
    }
    arguments.extend(["-p".to_owned(), settings.port.to_string()]);
    if let Some(user) = &settings.user {
        arguments.extend(["-l".to_owned(), user.clone()]);
    }
    arguments.extend(["--".to_owned(), settings.host.clone(), remote.to_owned()]);
    Ok(arguments.into_iter().map(OsString::from).collect())
}

/// The signatures that a key of this kind makes.
fn algorithms(key: &str) -> &str {
    match key {
        // Not those with SHA-1.
        "ssh-rsa" => "rsa-sha2-512,rsa-sha2-256",
        other => other,
    }
}

/// A path as a value of an option: in quotes, with nothing in it that the client would read as something else.
fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['"', '\\', '$']) && !text.chars().any(char::is_control));
    match text {
        Some(text) => Ok(format!("\"{}\"", text.replace('%', "%%"))),
        None => Err(CommandEnd::InvalidConfig
            .error(
                Code::E3004,
                format!(
                    "running a command on another machine: the SSH client cannot be told of {}",
                    path.display()
                ),
            )
            .hint("Its path may have no quotes, backslashes and dollar signs in it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SshSettings {
        SshSettings {
            host: "build.example".to_owned(),
            port: 2222,
            user: Some("me".to_owned()),
            host_key:
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
                    .parse()
                    .expect("a key"),
            identity_file: Some("/keys/100% mine".into()),
            workdir: None,
            folder: "/nowhere".into(),
            search: OsString::new(),
            agent: None,
            concurrency: 1,
        }
    }

    #[test]
    fn the_client_is_told_everything_and_asks_nobody() {
        let told = arguments(&settings(), Path::new("/f/known"), "exec true").expect("told");
        let told: Vec<&str> = told.iter().filter_map(|word| word.to_str()).collect();
        assert_eq!(told[..3], ["-F", "none", "-T"]);
        for option in [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile=\"/f/known\"",
            "IdentityFile=\"/keys/100%% mine\"",
            "HostKeyAlgorithms=ssh-ed25519",
            "ForwardAgent=no",
            "PermitLocalCommand=no",
        ] {
            let at = told.iter().position(|word| *word == option).expect(option);
            assert_eq!(told[at - 1], "-o", "{option}");
        }
        let end = ["-p", "2222", "-l", "me", "--", "build.example", "exec true"];
        assert!(told.ends_with(&end), "{told:?}");
    }

    #[test]
    fn a_path_that_the_client_would_misread_is_refused() {
        for path in ["/a\"b", "/a\\b", "/${HOME}", "/a\nb"] {
            let refused = quoted(Path::new(path)).expect_err(path);
            assert_eq!(refused.code(), Code::E3004);
        }
    }

    #[test]
    fn the_program_is_not_taken_from_the_working_directory() {
        assert_eq!(find(OsStr::new(".:nowhere:/nowhere")), None);
    }
}
