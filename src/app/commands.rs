//! Where commands run, and what they get there: from the configuration to the settings of the executor that was chosen.

use std::path::PathBuf;
use std::sync::Arc;

use super::{App, read_grants};
use crate::config::{ImagePullPolicy, Strategy, env_vars};
use crate::error::Result;
use crate::exec::direct::{self, DirectExecutor, DirectSettings};
use crate::exec::docker::{DockerExecutor, DockerSettings, ImageRules, KeptRules, Reviews};
use crate::exec::ssh::{SshExecutor, SshSettings};
use crate::exec::{Executor, Job, Obstructed, PlaceRules, Reading, SandboxSpec};
use crate::fsx;
use crate::invoke::{CommandPlace, CommandRules};
use crate::manifest::container::{Network, User};
use crate::permission::Grants;

/// A seccomp profile is a list of system calls; more is none.
const MAX_PROFILE: u64 = 1 << 20;

/// What a process has to be able to reach to have commands run.
#[derive(Debug, Default)]
pub(super) struct CommandReach {
    /// Files and folders to read.
    pub(super) read: Vec<PathBuf>,
    /// Files and folders to change.
    pub(super) write: Vec<PathBuf>,
    /// A TCP port to connect to.
    pub(super) port: Option<u16>,
}

impl App {
    /// What runs commands, made when it is first needed; it connects to nothing before a command runs.
    ///
    /// # Errors
    /// E3004 where the configured seccomp profile cannot be read.
    pub fn commands(&self) -> Result<DockerExecutor> {
        if let Some(commands) = self.commands.get() {
            return Ok(commands.clone());
        }
        let commands = DockerExecutor::new(self.command_settings()?, self.environment.clone());
        // Two callers may have made it at the same time; the first one counts for both.
        Ok(self.commands.get_or_init(|| commands).clone())
    }

    /// The executor of commands that was chosen. Nothing takes its place where it cannot be used: then everything is refused,
    /// with the reason.
    ///
    /// # Errors
    /// Those of [`App::commands`].
    pub(super) fn command_executor(&self) -> Result<Arc<dyn Executor>> {
        if let Some(obstructed) = self.obstructed() {
            return Ok(Arc::new(obstructed));
        }
        Ok(match self.config.execution.strategy {
            Strategy::Direct => Arc::new(self.processes()),
            Strategy::Ssh => match self.ssh() {
                Some(ssh) => Arc::new(ssh),
                None => Arc::new(Obstructed {
                    chosen: Strategy::Ssh.word(),
                    why: "no machine is configured for it",
                }),
            },
            Strategy::Auto | Strategy::Docker => Arc::new(self.commands()?),
        })
    }

    /// What runs programs as processes of this machine.
    pub(super) fn processes(&self) -> DirectExecutor {
        DirectExecutor::new(DirectSettings {
            places: self.place_rules(),
            concurrency: self.config.docker.concurrency as usize,
            supervisor: direct::this_binary(),
        })
    }

    /// What runs commands on another machine; nothing where none is configured, or its key is not pinned.
    #[must_use]
    pub fn ssh(&self) -> Option<SshExecutor> {
        let ssh = &self.config.execution.ssh;
        let variable = |name| self.environment.get(name).map(ToOwned::to_owned);
        Some(SshExecutor::new(SshSettings {
            host: ssh.host.clone()?,
            port: ssh.port,
            user: ssh.user.clone(),
            host_key: ssh.host_key.clone()?,
            identity_file: ssh.identity_file.clone(),
            workdir: ssh.workdir.clone(),
            folder: self.paths.home.join("ssh"),
            search: variable(env_vars::PATH).unwrap_or_default(),
            agent: variable(env_vars::SSH_AUTH_SOCK),
            concurrency: self.config.docker.concurrency as usize,
        }))
    }

    /// Why the chosen executor of commands cannot be used, as far as is known before it is.
    #[must_use]
    pub fn command_obstacle(&self) -> Option<&'static str> {
        self.config.execution.obstacle()
    }

    fn obstructed(&self) -> Option<Obstructed> {
        self.command_obstacle().map(|why| Obstructed {
            chosen: self.config.execution.strategy.word(),
            why,
        })
    }

    /// What this process has to be able to reach to have commands run: for one that confines itself before it does.
    pub(super) fn command_reach(&self) -> CommandReach {
        match self.config.execution.strategy {
            _ if self.command_obstacle().is_some() => CommandReach::default(),
            Strategy::Direct => {
                let (read, write) = direct::reach();
                CommandReach {
                    read,
                    write,
                    port: None,
                }
            }
            Strategy::Ssh => self.ssh().map_or_else(CommandReach::default, |ssh| {
                let (read, port) = ssh.reach();
                CommandReach {
                    read,
                    write: vec!["/dev/null".into()],
                    port: Some(port),
                }
            }),
            // Where there is no daemon, the command is what is refused.
            Strategy::Auto | Strategy::Docker => self
                .commands()
                .and_then(|commands| commands.reach())
                .map(|(read, port)| CommandReach {
                    read,
                    write: Vec::new(),
                    port,
                })
                .unwrap_or_default(),
        }
    }

    fn place_rules(&self) -> PlaceRules {
        PlaceRules {
            roots: self.config.docker.volume_roots.clone(),
            allow_root: self.config.docker.allow_root,
        }
    }

    /// Where commands run.
    #[must_use]
    pub fn command_place(&self) -> CommandPlace {
        let execution = &self.config.execution;
        match execution.strategy {
            Strategy::Auto | Strategy::Docker => CommandPlace::Container,
            Strategy::Direct => CommandPlace::Direct,
            Strategy::Ssh => CommandPlace::Ssh(execution.ssh.host.clone().unwrap_or_default()),
        }
    }

    fn command_settings(&self) -> Result<DockerSettings> {
        let docker = &self.config.docker;
        let profile = docker.seccomp.as_ref().map(|path| {
            fsx::read_text(path, MAX_PROFILE)
                .map_err(|error| error.while_doing("reading `docker.seccomp`"))
        });
        Ok(DockerSettings {
            daemon: docker.daemon.clone(),
            tls: docker.tls.clone(),
            images: ImageRules {
                allowed: docker.allowed_images.clone(),
                require_digest: docker.require_digest,
                pull: docker.image_pull_policy,
                pull_timeout: docker.pull_timeout,
                attempts: docker.retry.attempts,
                base_delay: docker.retry.base_delay,
            },
            places: self.place_rules(),
            reviews: Reviews {
                kept: self.kept_changes(),
                rules: self.change_rules(),
            },
            runtime: docker.runtime.clone(),
            seccomp: profile.transpose()?,
            concurrency: docker.concurrency as usize,
            kept: KeptRules {
                // Whoever runs one command has no use for a container that waits for the next.
                waiting: match self.slots.get() {
                    Some(_) => 0,
                    None => docker.pool.size as usize,
                },
                idle: docker.pool.idle,
                folder: self.paths.home.join("sandboxes"),
            },
        })
    }

    /// Makes a container as commands get it, looks at it from inside, and removes it; gives what was found, in words.
    ///
    /// # Errors
    /// Those of [`DockerExecutor::prove`]; E3101 where the configured image is not here.
    pub async fn prove_sandbox(&self) -> Result<String> {
        let docker = &self.config.docker;
        let spec = SandboxSpec {
            image: docker.image.to_string(),
            argv: vec!["true".to_owned()],
            env: Vec::new(),
            workdir: None,
            stdin: bytes::Bytes::new(),
            mounts: Vec::new(),
            network: Network::None,
            reach: Vec::new(),
            user: User::Nobody,
            resources: docker.resources.clone(),
            grace: docker.grace,
            keep: None,
            reading: Reading::Raw,
        };
        let mut settings = self.command_settings()?;
        // Looking is no reason to ask anybody's server for anything.
        settings.images.pull = ImagePullPolicy::Never;
        let rules = self.rules();
        let job = Job::of_command(spec, &rules.default_limits, &rules.sensitive);
        let executor = DockerExecutor::new(settings, self.environment.clone());
        let proof = executor.prove(&job).await;
        executor.settle().await;
        proof
    }

    /// Waits until the containers that have to be removed are.
    pub async fn settle_containers(&self) {
        if let Some(commands) = self.commands.get() {
            commands.settle().await;
        }
    }

    /// What `docker.volumes` mounts, as if a person had granted it: it stands in files that only they and the operator write.
    fn configured_volumes(&self) -> Grants {
        let mut grants = Grants::default();
        for volume in &self.config.docker.volumes {
            let place = format!("{}:{}", volume.host_path.display(), volume.container_path);
            let mut texts = vec![format!("file_read={place}")];
            if !volume.read_only {
                texts.push(format!("file_write={place}"));
            }
            match read_grants(&texts, false, &self.paths.current) {
                Ok(read) => grants = grants.and(&read),
                Err(error) => {
                    tracing::warn!(%error, "a volume of the configuration is not mounted")
                }
            }
        }
        grants
    }

    /// What holds for every command.
    pub(super) fn command_rules(&self) -> CommandRules {
        let docker = &self.config.docker;
        CommandRules {
            place: self.command_place(),
            image: docker.image.familiar(),
            resources: docker.resources.clone(),
            most: docker.ceiling.clone(),
            timeout: docker.timeout,
            grace: docker.grace,
            network: docker.network_mode,
            allow_bridge: docker.allow_bridge,
            allow_host_network: docker.allow_host_network,
            volumes: match self.config.execution.strategy {
                // Nothing of this machine is there.
                Strategy::Ssh => Grants::default(),
                Strategy::Auto | Strategy::Docker | Strategy::Direct => self.configured_volumes(),
            },
            obstacle: self.obstructed(),
        }
    }
}
