//! Commands as processes of another machine, over SSH: bounded by the account there, and by nothing else.
//!
//! The system's own SSH client connects (`client.rs`), to the one machine that has the pinned key and to no other. What it
//! starts there is the runner (`bootstrap.rs`), which is told the command over its standard input, keeps its time, and ends
//! all that it left, also where the connection is lost. Neither the command nor its values are on a command line.
//!
//! Nothing confines a command there: no file of this machine is there, and what its account may do it may do. What a call
//! asks for that cannot be held there is refused before it comes here (`src/invoke/contain.rs`).

mod bootstrap;
mod client;
mod trouble;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::process::Child;
use toolhatch_runner::protocol::{self, Refusal, Refused, Report};

use self::client::Client;
use self::trouble::Trouble;
use super::dialogue::{self, Around, Told};
use super::queue::Queue;
use super::resident::Resident;
use super::{
    Arguments, BoxFuture, CommandEnd, Effect, Ended, Executor, Job, Outcome, SandboxSpec, Usage,
    program, reading,
};
use crate::config::{ARCHITECTURE, SshHostKey};
use crate::error::{Code, Error, Result};
use crate::permission::SSH;

/// How long until the other machine answers for the first time: the connection, the keys, the login and its shell.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// How long sending the runner and starting it may take.
const STARTS_WITHIN: Duration = Duration::from_secs(120);
/// After so long without a word from here the runner ends everything; it hears one three times as often.
const IDLE: Duration = Duration::from_secs(30);
/// A runner may be there so much longer than its command.
const MARGIN: Duration = Duration::from_secs(60);

/// The machine that commands run on, and how it is reached.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// Its name or address.
    pub host: String,
    /// The port it listens on.
    pub port: u16,
    /// Who to log in as; absent for whoever the SSH client would be.
    pub user: Option<String>,
    /// The only key that is accepted from it.
    pub host_key: SshHostKey,
    /// The private key to log in with; absent for what the SSH client would use.
    pub identity_file: Option<PathBuf>,
    /// The folder there that commands start in; absent for the home folder.
    pub workdir: Option<String>,
    /// The folder here that the pinned key is written into, for the client.
    pub folder: PathBuf,
    /// Where the client is looked for: folders, with `:` between them.
    pub search: OsString,
    /// The socket of an agent that has keys to log in with.
    pub agent: Option<OsString>,
    /// How many commands run at once.
    pub concurrency: usize,
}

/// Runs commands on another machine.
#[derive(Debug)]
pub struct SshExecutor {
    settings: SshSettings,
    queue: Queue,
}

/// A runner on the other machine. Dropping it ends the connection, and with that everything there.
struct Connection {
    resident: Resident,
    /// The user it runs as, and the home folder of that.
    user: String,
    home: String,
    _client: Child,
}

impl SshExecutor {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(settings: SshSettings) -> Self {
        Self {
            queue: Queue::new(settings.concurrency),
            settings,
        }
    }

    /// What this process has to be able to read to have commands run, and the port it has to reach: for one that confines
    /// itself before it does.
    #[must_use]
    pub fn reach(&self) -> (Vec<PathBuf>, u16) {
        (client::reach(&self.settings), self.settings.port)
    }

    /// Connects, runs nothing but a question for the system, and gives what was found, in words.
    ///
    /// # Errors
    /// Those of a command that cannot be begun; E3405 where the system there is not one that commands can run on.
    pub async fn look(&self) -> Result<String> {
        let seen = tokio::time::timeout(ANSWERS_WITHIN, self.ask()).await;
        let seen = seen.map_err(|_| self.error(Trouble::Silent))??;
        let wanted = bootstrap::system();
        if seen != wanted {
            return Err(self.error(Trouble::System(seen)));
        }
        let Self { settings, .. } = self;
        Ok(format!(
            "{} at port {} has the pinned key {}, lets us in, and is {wanted}",
            settings.host,
            settings.port,
            settings.host_key.fingerprint()
        ))
    }

    async fn ask(&self) -> Result<String> {
        let mut client = Client::start(&self.settings, bootstrap::QUESTION).await?;
        let answer = bootstrap::answer(&mut client).await;
        answer.map_err(|trouble| self.error(trouble))
    }

    async fn run_command(&self, job: &Job, spec: &SandboxSpec) -> Outcome {
        let started = Instant::now();
        let mut usage = Usage::default();
        let ended = match self.over_there(job, spec, &mut usage).await {
            Ok(ended) => ended,
            Err(error) => Ended::NotRun(error),
        };
        usage.duration = started.elapsed();
        Outcome { ended, usage }
    }

    async fn over_there(&self, job: &Job, spec: &SandboxSpec, usage: &mut Usage) -> Result<Ended> {
        let Some(_place) = self.queue.enter(job).await? else {
            return Ok(Ended::Cancelled);
        };
        let connecting = tokio::time::timeout(job.limits.timeout, self.connect(job, spec));
        let connected = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Ok(Ended::Cancelled),
            connected = connecting => connected,
        };
        let Ok(connected) = connected else {
            return Ok(Ended::TimedOut(job.limits.timeout));
        };
        let mut connection = connected?;
        job.events.effect(self.effect(&connection, spec));
        let around = Around {
            env: vec![("HOME".to_owned(), connection.home.clone())],
            workdir: self.settings.workdir.clone().unwrap_or_default(),
        };
        let resident = &mut connection.resident;
        let (told, printed, _) =
            dialogue::run(resident, rand::random(), spec, &around, job, IDLE / 3).await;
        usage.bytes_in = spec.stdin.len() as u64;
        usage.bytes_out = printed.total();
        if let Told::Ended(reported) | Told::Cancelled(Some(reported)) = &told {
            reading::count(reported, usage);
        }
        Ok(match told {
            Told::Ended(reported) => reading::ended(&reported, printed, spec, job),
            Told::Refused(refused) => self.refused(refused, spec, job),
            Told::Cancelled(_) => {
                printed.keep(&job.events);
                Ended::Cancelled
            }
            Told::Overdue => {
                printed.keep(&job.events);
                Ended::TimedOut(job.limits.timeout)
            }
            Told::Lost(lost) => {
                printed.keep(&job.events);
                let complaints = connection.resident.complaints();
                return Err(self.error(Trouble::Lost(format!("{lost} {complaints}"))));
            }
        })
    }

    /// Has a runner wait over there.
    async fn connect(&self, job: &Job, spec: &SandboxSpec) -> Result<Connection> {
        program::check("running a command on another machine")?;
        let deadline = job.limits.timeout + spec.grace + MARGIN;
        let script = bootstrap::script(IDLE, deadline);
        let mut client = Client::start(&self.settings, &script).await?;
        let told = |trouble| self.error(trouble);
        let welcome = async {
            let answer = tokio::time::timeout(ANSWERS_WITHIN, bootstrap::first(&mut client)).await;
            let answer = answer.unwrap_or(Err(Trouble::Silent))?;
            let rest = bootstrap::provide(&mut client, answer);
            tokio::time::timeout(STARTS_WITHIN, rest)
                .await
                .unwrap_or(Err(Trouble::Silent))
        };
        let welcome = welcome.await.map_err(told)?;
        let (mut resident, client) = client.into_resident();
        match tokio::time::timeout(ANSWERS_WITHIN, resident.next()).await {
            Ok(Ok((_, Report::Ready(protocol::VERSION)))) => {}
            Ok(Ok(_)) => return Err(told(Trouble::Lost("it is of another version".to_owned()))),
            Ok(Err(lost)) => {
                let complaints = resident.complaints();
                return Err(told(Trouble::Lost(format!("{lost} {complaints}"))));
            }
            Err(_) => return Err(told(Trouble::Silent)),
        }
        Ok(Connection {
            resident,
            user: welcome.user,
            home: welcome.home,
            _client: client,
        })
    }

    /// A command that could not be started there.
    fn refused(&self, refused: Refused, spec: &SandboxSpec, job: &Job) -> Ended {
        let host = &self.settings.host;
        match refused.refusal {
            Refusal::Directory => Ended::NotRun(
                CommandEnd::InvalidConfig
                    .error(
                        Code::E3004,
                        format!("starting the command on {host}: {}", refused.text),
                    )
                    .hint(format!(
                        "`--workdir` and `execution.ssh.workdir` name a folder of {host}."
                    )),
            ),
            Refusal::Resources => Ended::NotRun(CommandEnd::InvalidConfig.error(
                Code::E3407,
                format!("starting the command on {host}: {}", refused.text),
            )),
            _ => reading::refused(refused, spec, &job.events, &format!("on {host}")),
        }
    }

    fn error(&self, trouble: Trouble) -> Error {
        trouble.into_error(&self.settings.host, ARCHITECTURE)
    }

    /// Where the command runs, for the record.
    fn effect(&self, connection: &Connection, spec: &SandboxSpec) -> Effect {
        let Self { settings, .. } = self;
        let fingerprint = settings.host_key.fingerprint();
        Effect::Container {
            image: format!("{SSH}{}", settings.host),
            id: fingerprint.clone(),
            program: spec.argv.first().cloned().unwrap_or_default(),
            posture: format!(
                "host={} port={} user={} host_key={fingerprint} confined by that account alone",
                settings.host, settings.port, connection.user
            ),
        }
    }
}

impl Executor for SshExecutor {
    fn run(&self, job: Job) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Arguments::Command(spec) = &job.arguments else {
                let text = "a component was handed to the executor of commands";
                return Outcome {
                    ended: Ended::NotRun(Error::new(Code::E3000, text)),
                    usage: Usage::default(),
                };
            };
            self.run_command(&job, &Arc::clone(spec)).await
        })
    }
}
