//! Where records of this process go beside the log: standard output, a syslog, a webhook.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::audit::{
    OnTrouble, Outlets, Queue, Receiver, Sink, SyslogSink, Webhook, WriteSink, queue_folder,
};
use crate::config::{AuditConfig, CredentialSource, Environment, SyslogAddress};
use crate::error::Result;

/// The outlets of the configuration, and the delivery to its webhook. `home` is `TOOLHATCH_HOME`, `strict` what counts for
/// calls; standard output is left alone where there is no `stdout`, as where it carries a protocol.
///
/// # Errors
/// Those of [`Receiver::configured`], [`Webhook::start`] and [`SyslogSink::start`].
pub fn outlets(
    config: &AuditConfig,
    home: &Path,
    environment: &Environment,
    strict: bool,
    stdout: Option<fn() -> Box<dyn std::io::Write + Send>>,
) -> Result<(Outlets, Option<Webhook>)> {
    let tell: OnTrouble = Arc::new(
        |error| tracing::warn!(%error, causes = ?error.causes(), "audit records are not passed on"),
    );
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(open) = stdout.filter(|_| config.stdout) {
        sinks.push(Box::new(WriteSink(open())));
    }
    if let Some(address) = &config.syslog.address {
        let sink = SyslogSink::start(address.clone(), &config.syslog, Arc::clone(&tell))?;
        sinks.push(Box::new(sink));
    }
    let webhook = match Receiver::configured(&config.webhook, environment)? {
        None => None,
        Some(receiver) => {
            let max_lag: Option<Duration> = strict.then_some(config.webhook.max_lag);
            let patience = config.webhook.close_wait;
            let queue = queue(home);
            let webhook = Webhook::start(queue, receiver, max_lag, patience, tell)?;
            sinks.push(webhook.sink());
            Some(webhook)
        }
    };
    let outlets = Outlets {
        sinks,
        on_error: Some(Box::new(
            |error| tracing::error!(%error, "the audit log is not written"),
        )),
    };
    Ok((outlets, webhook))
}

/// What a process that confines itself must still reach to pass records on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Files to read: the secret, certificates.
    pub files: Vec<PathBuf>,
    /// TCP ports to connect to; nothing means that they are not known, as those of a proxy are.
    pub ports: Option<Vec<u16>>,
}

/// What passing records on takes; nothing at all where the log is off.
#[must_use]
pub fn reach(config: &AuditConfig) -> Reach {
    let mut reach = Reach {
        files: Vec::new(),
        ports: Some(Vec::new()),
    };
    if !config.enabled {
        return reach;
    }
    let mut ports: Vec<u16> = Vec::new();
    ports.extend(
        config
            .syslog
            .address
            .as_ref()
            .and_then(SyslogAddress::tcp_port),
    );
    let webhook = &config.webhook;
    if let Some(url) = &webhook.url {
        ports.push(url.port());
        reach.files.extend(webhook.ca_file.clone());
        if let Some(CredentialSource::File(file)) = &webhook.secret {
            reach.files.push(file.clone());
        }
    }
    let is_known = webhook.url.is_none() || !webhook.proxy;
    reach.ports = is_known.then_some(ports);
    reach
}

/// The queue of the webhook of a `TOOLHATCH_HOME`.
#[must_use]
pub fn queue(home: &Path) -> Queue {
    Queue {
        log: home.join("audit"),
        folder: queue_folder(home),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::audit::{AuditLog, Event, EventType, Options};
    use crate::config::{SyslogConfig, WebhookConfig};
    use crate::web::testing::{Reply, Server};

    #[test]
    fn records_go_where_the_configuration_says() {
        let home = tempfile::tempdir().expect("folder");
        let path = home.path().join("dev-log");
        let syslog = UnixDatagram::bind(&path).expect("bound");
        let second = Some(Duration::from_secs(10));
        syslog.set_read_timeout(second).expect("set");
        let server = Server::start(|_, _| Reply::status(200));
        let config = AuditConfig {
            syslog: SyslogConfig {
                address: Some(
                    format!("unix://{}", path.display())
                        .parse()
                        .expect("an address"),
                ),
                ..SyslogConfig::default()
            },
            webhook: WebhookConfig {
                url: Some(server.url("/").parse().expect("a URL")),
                secret: Some(CredentialSource::Variable("HOOK".to_owned())),
                ..WebhookConfig::default()
            },
            ..AuditConfig::default()
        };
        let secret = [("HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")];
        let environment: Environment = secret.into_iter().collect();
        let (outlets, webhook) =
            outlets(&config, home.path(), &environment, true, None).expect("valid");
        let folder = queue(home.path()).log;
        let keys = home.path().join("keys");
        let log = AuditLog::open(&folder, &keys, Options::default(), outlets).expect("opened");
        let event = Event::new(EventType::GrantGiven).with("name", "x");
        log.append_durable(event).expect("written");
        log.close().expect("closed");
        let webhook = webhook.expect("configured");
        webhook.close(config.webhook.close_wait);
        assert!(webhook.admit().is_ok());
        let bodies: Vec<Vec<u8>> = server
            .requests()
            .into_iter()
            .map(|request| request.body)
            .collect();
        let body = String::from_utf8(bodies.concat()).expect("UTF-8");
        assert!(body.contains("toolhatch.grant_given"), "{body}");
        let mut buffer = vec![0; 1 << 16];
        let mut kinds = Vec::new();
        while !kinds.contains(&"grant_given".to_owned()) {
            let length = syslog.recv(&mut buffer).expect("a message");
            let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
            kinds.push(message.split(' ').nth(5).expect("a header").to_owned());
        }

        let unset = outlets_error(&config, home.path());
        assert!(unset.contains("the variable HOOK"), "{unset}");
    }

    #[test]
    fn a_confined_process_keeps_what_passing_on_takes() {
        let mut config = AuditConfig {
            syslog: SyslogConfig {
                address: Some("tcp://logs.example:601".parse().expect("an address")),
                ..SyslogConfig::default()
            },
            webhook: WebhookConfig {
                url: Some("https://collector.example/x".parse().expect("a URL")),
                secret: Some(CredentialSource::File("/secret".into())),
                ca_file: Some("/ca.pem".into()),
                ..WebhookConfig::default()
            },
            ..AuditConfig::default()
        };
        let reached = reach(&config);
        assert_eq!(reached.ports, Some(vec![601, 443]));
        assert_eq!(
            reached.files,
            [PathBuf::from("/ca.pem"), PathBuf::from("/secret")]
        );
        config.webhook.proxy = true;
        assert_eq!(reach(&config).ports, None);
        config.enabled = false;
        assert_eq!(reach(&config).ports, Some(Vec::new()));
        let nothing = reach(&AuditConfig::default());
        assert_eq!(
            (nothing.ports, nothing.files),
            (Some(Vec::new()), Vec::new())
        );
    }

    fn outlets_error(config: &AuditConfig, home: &Path) -> String {
        let error = outlets(config, home, &Environment::default(), false, None);
        error.expect_err("no secret").to_string()
    }
}
