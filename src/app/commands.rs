//! What commands in containers get here: from the configuration to the executor's settings.

use super::{App, read_grants};
use crate::config::{ImagePullPolicy, Strategy};
use crate::error::Result;
use crate::exec::docker::{DockerExecutor, DockerSettings, ImageRules, KeptRules, PlaceRules};
use crate::exec::{Job, Reading, SandboxSpec};
use crate::fsx;
use crate::invoke::CommandRules;
use crate::manifest::container::{Network, User};
use crate::permission::Grants;

/// A seccomp profile is a list of system calls; more is none.
const MAX_PROFILE: u64 = 1 << 20;

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
            places: PlaceRules {
                roots: docker.volume_roots.clone(),
                allow_root: docker.allow_root,
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
            image: docker.image.familiar(),
            resources: docker.resources.clone(),
            most: docker.ceiling.clone(),
            timeout: docker.timeout,
            grace: docker.grace,
            network: docker.network_mode,
            allow_bridge: docker.allow_bridge,
            allow_host_network: docker.allow_host_network,
            volumes: self.configured_volumes(),
            obstacle: match self.config.execution.strategy {
                Strategy::Auto | Strategy::Docker => None,
                strategy @ (Strategy::Direct | Strategy::Ssh) => Some(format!(
                    "`execution.strategy` is `{}`, and this version runs commands in containers alone",
                    strategy.word()
                )),
            },
        }
    }
}
