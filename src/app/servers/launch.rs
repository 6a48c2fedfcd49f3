//! From what a person allowed a server to a program that is started with no more than that.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::app::{App, read_grants};
use crate::audit::AuditLog;
use crate::config::{ContainerResources, McpPlace, McpRun, McpServerConfig, Paths};
use crate::error::{Code, Error, Result};
use crate::exec::{
    Changes, EventLimits, EventSink, Launch, Launcher, Reading, SandboxMount, SandboxSpec,
};
use crate::ids::PluginName;
use crate::invoke::outside_calls;
use crate::manifest::container::{Network, User};
use crate::permission::{Access, FileScope, Grants, Kind, Scope, Sensitive};

/// How long a program may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// What holds for every program of a server.
pub(super) struct LaunchRules {
    ceiling: Scope,
    sensitive: Arc<Sensitive>,
    image: String,
    resources: ContainerResources,
    process: Arc<dyn Launcher>,
    container: Arc<dyn Launcher>,
    /// Where it is recorded what programs touch.
    audit: Option<Arc<AuditLog>>,
}

impl App {
    pub(super) fn launch_rules(&self) -> Result<LaunchRules> {
        let rules = self.rules();
        Ok(LaunchRules {
            ceiling: rules.ceiling,
            sensitive: Arc::new(rules.sensitive),
            image: rules.commands.image,
            resources: rules.commands.resources,
            process: Arc::new(self.processes()),
            container: Arc::new(self.commands()?),
            audit: self.audit()?,
        })
    }
}

impl LaunchRules {
    /// What starts programs that are confined like this.
    pub(super) fn launcher(&self, run: McpRun) -> Arc<dyn Launcher> {
        match run {
            McpRun::Process => Arc::clone(&self.process),
            McpRun::Container => Arc::clone(&self.container),
        }
    }

    /// What a server may do: what was written down for it, and no more than the operator permits.
    ///
    /// # Errors
    /// Those of reading grants.
    pub(super) fn granted(&self, server: &McpServerConfig, paths: &Paths) -> Result<Grants> {
        let mut grants = read_grants(&server.allow, false, &paths.workspace)?;
        grants.scope = grants.scope.meet(&self.ceiling);
        Ok(grants)
    }

    /// The program of a server, and all that it may do.
    ///
    /// # Errors
    /// Those of reading grants; E3004 where something is granted that has no place.
    pub(super) fn launch(
        &self,
        name: &PluginName,
        server: &McpServerConfig,
        texts: HashMap<String, String>,
        paths: &Paths,
    ) -> Result<Launch> {
        let McpPlace::Program {
            command,
            workdir,
            run,
            image,
            ..
        } = &server.place
        else {
            return Err(Error::new(Code::E3000, format!("{name} is no program")));
        };
        let grants = self.granted(server, paths)?;
        let scope = grants.scope.clone();
        let mut env: Vec<(String, String)> = texts.into_iter().collect();
        env.sort();
        let mounts = mounts(&grants, &scope, *run);
        let has_workspace = |mount: &SandboxMount| mount.host == paths.workspace;
        let in_workspace = mounts.iter().find(|mount| has_workspace(mount));
        let workdir = match workdir {
            Some(folder) => Some(folder.to_string_lossy().into_owned()),
            None => in_workspace.map(|mount| mount.container.clone()),
        };
        let reaches_out = scope
            .kinds()
            .iter()
            .any(|kind| matches!(kind, Kind::NetworkHttp | Kind::NetworkTcp));
        let reach = scope.entries().into_iter();
        Ok(Launch {
            name: name.to_string(),
            spec: SandboxSpec {
                image: image.clone().unwrap_or_else(|| self.image.clone()),
                argv: command.clone(),
                env,
                workdir,
                stdin: Bytes::new(),
                mounts,
                network: if reaches_out {
                    Network::AllowList
                } else {
                    Network::None
                },
                reach: reach
                    .filter(|(kind, _)| matches!(kind, Kind::NetworkHttp | Kind::NetworkTcp))
                    .map(|(kind, scope)| format!("{kind}={scope}"))
                    .collect(),
                user: User::Workspace,
                resources: self.resources.clone(),
                grace: GRACE,
                keep: None,
                reading: Reading::Whole,
            },
            // Only what the person named opens what is sensitive.
            sensitive: Arc::new((*self.sensitive).clone().naming(&grants.scope)),
            scope: Arc::new(scope),
            veto: None,
            events: Arc::new(self.events(name)),
        })
    }

    /// Records how the program of a server was started, whom it connects to, and what it is denied. It belongs to no call:
    /// which call made it do something nobody knows.
    fn events(&self, name: &PluginName) -> EventSink {
        let limits = EventLimits::default();
        let Some(log) = self.audit.clone() else {
            return EventSink::new(limits);
        };
        let name = name.to_string();
        EventSink::with_listener(limits, move |told| {
            let Some(event) = outside_calls(&told) else {
                return;
            };
            let event = event.subject(&name).principal(App::own_principal());
            if let Err(error) = log.append(event.with("server", name.as_str())) {
                tracing::error!(%error, server = name, "what a server touches is not recorded");
            }
        })
    }
}

/// What of this machine the program sees. A process sees everything where it is.
fn mounts(grants: &Grants, scope: &Scope, run: McpRun) -> Vec<SandboxMount> {
    let allows = |path: &Path, access| scope.files(access).any(|granted| granted.allows(path));
    let mut mounts: Vec<SandboxMount> = Vec::new();
    for granted in &grants.mounts {
        let host = &granted.host;
        let is_granted = scope
            .files(Access::Read)
            .chain(scope.files(Access::Write))
            .filter_map(FileScope::root)
            .any(|root| root == host);
        if !is_granted || mounts.iter().any(|mount| mount.host == *host) {
            continue;
        }
        let own = host.to_string_lossy().into_owned();
        mounts.push(SandboxMount {
            host: host.clone(),
            container: match run {
                McpRun::Container => granted.guest.clone().unwrap_or(own),
                McpRun::Process => own,
            },
            read_only: !allows(host, Access::Write),
            changes: Changes::Direct,
        });
    }
    mounts.sort_by(|a, b| a.container.cmp(&b.container));
    mounts
}
