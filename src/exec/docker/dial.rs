//! A daemon of another machine over SSH: as Docker's own client has it, with the system's SSH client and the person's own
//! configuration of that, and with `docker system dial-stdio` over there.
//!
//! bollard's own way takes no port.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Notify;

/// What joins its standard streams to the daemon's socket; there since Docker 18.09, and in Podman's `docker`.
const REMOTE: &str = "docker system dial-stdio";
/// Connections that wait for the next request. Making one takes a login.
const IDLE: usize = 4;
/// So much of what the SSH client complains about is kept.
const COMPLAINTS: u64 = 4096;
/// How long it may take to complain once a connection is over.
const COMPLAINS_WITHIN: Duration = Duration::from_secs(1);

/// A client for the daemon of this machine. Connects to nothing yet.
pub(super) fn client(
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
    timeout: u64,
) -> Result<Docker, bollard::errors::Error> {
    let mut arguments: Vec<String> = ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        .map(str::to_owned)
        .into();
    arguments.extend(port.map(|port| format!("-p{port}")));
    arguments.extend(user.map(|user| format!("-l{user}")));
    // An IPv6 address has brackets in an address of a daemon, and none here.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    arguments.extend(["--", host, REMOTE].map(str::to_owned));
    let dial = Dial {
        arguments: arguments.into(),
        complaints: Arc::default(),
    };
    let complaints = Arc::clone(&dial.complaints);
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(IDLE)
        .build(dial);
    let transport = move |request: BollardRequest| {
        let (client, complaints) = (client.clone(), Arc::clone(&complaints));
        async move {
            match client.request(request).await {
                Ok(answer) => Ok(answer),
                Err(error) => {
                    let said = complaints.told().await;
                    let err = io::Error::other(format!("{error}: ssh says: {}", said.trim()));
                    Err(bollard::errors::Error::IOError { err })
                }
            }
        }
    };
    // Who is asked is decided by the arguments; the name is for the header `Host`.
    Docker::connect_with_custom_transport(
        transport,
        Some("http://docker"),
        timeout,
        API_DEFAULT_VERSION,
    )
}

/// Makes connections.
#[derive(Debug, Clone)]
struct Dial {
    arguments: Arc<[String]>,
    complaints: Arc<Complaints>,
}

/// What the SSH client said last.
#[derive(Debug, Default)]
struct Complaints {
    said: Mutex<String>,
    comes: Notify,
}

impl Complaints {
    fn put(&self, said: String) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
        self.comes.notify_one();
    }

    /// It may come a little after the connection has ended.
    async fn told(&self) -> String {
        let told = || {
            self.said
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        let said = told();
        if said.is_empty() {
            drop(tokio::time::timeout(COMPLAINS_WITHIN, self.comes.notified()).await);
            return told();
        }
        said
    }
}

impl tower_service::Service<Uri> for Dial {
    type Response = TokioIo<Line>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let spawned = self.spawn();
        Box::pin(async move { spawned.map(TokioIo::new) })
    }
}

impl Dial {
    fn spawn(&self) -> io::Result<Line> {
        let mut child = Command::new("ssh")
            .args(self.arguments.iter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let complaints = Arc::clone(&self.complaints);
        tokio::spawn(async move {
            let mut said = Vec::new();
            drop(stderr.take(COMPLAINTS).read_to_end(&mut said).await);
            if !said.is_empty() {
                complaints.put(String::from_utf8_lossy(&said).into_owned());
            }
        });
        Ok(Line {
            stdin,
            stdout,
            _child: child,
        })
    }
}

/// A connection: the client that carries it ends with it.
#[derive(Debug)]
struct Line {
    stdin: ChildStdin,
    stdout: ChildStdout,
    _child: Child,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}
