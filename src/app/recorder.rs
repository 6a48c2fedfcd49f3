//! The audit log of this process.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{App, outlets};
use crate::audit::{
    self, AuditLog, Event, EventType, Head, Options, Queue, Receiver, RecentCalls, Webhook,
};
use crate::error::{Code, Error, Result};
use crate::invoke::{Recording, Scribe};
use crate::store::HeadRow;

/// The log, opened when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    log: Mutex<Option<Open>>,
    scribe: Mutex<Option<Arc<Scribe>>>,
    /// The last calls, where somebody may ask for them.
    recent: OnceLock<Arc<RecentCalls>>,
}

/// The open log.
#[derive(Debug, Clone)]
struct Open {
    log: Arc<AuditLog>,
    /// The last record that was there when it was opened.
    at: Head,
    webhook: Option<Arc<Webhook>>,
}

impl App {
    /// Where the audit log lies.
    #[must_use]
    pub fn audit_folder(&self) -> std::path::PathBuf {
        self.paths.home.join("audit")
    }

    /// Where the keys lie.
    #[must_use]
    pub fn keys_folder(&self) -> std::path::PathBuf {
        self.paths.home.join("keys")
    }

    /// The audit log; nothing where the configuration switched it off.
    ///
    /// # Errors
    /// E3801 where it cannot be written, E3109 where its key cannot be used: without a record nothing runs.
    pub fn audit(&self) -> Result<Option<Arc<AuditLog>>> {
        Ok(self.open_audit()?.map(|open| open.log))
    }

    fn open_audit(&self) -> Result<Option<Open>> {
        let config = &self.config.audit;
        if !config.enabled {
            return Ok(None);
        }
        let mut open = self
            .recorder
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(Some(open.clone()));
        }
        let options = Options {
            max_file_bytes: config.max_file_size,
            max_age: Some(config.max_age),
            keep_files: Some(config.keep_files).filter(|keep| *keep > 0),
            ..Options::default()
        };
        let (mut outlets, webhook) = outlets::outlets(
            config,
            &self.paths.home,
            &self.environment,
            config.strict || self.config.strict,
            self.stdout.get().copied(),
        )?;
        outlets
            .sinks
            .extend(self.recorder.recent.get().map(RecentCalls::sink));
        let log = Arc::new(AuditLog::open(
            &self.audit_folder(),
            &self.keys_folder(),
            options,
            outlets,
        )?);
        let opened = Open {
            at: log.head(),
            log,
            webhook: webhook.map(Arc::new),
        };
        self.note_config(&opened.log)?;
        *open = Some(opened.clone());
        Ok(Some(opened))
    }

    /// Has what is recorded of calls kept for those who made them, within bounds. Counts before anything is recorded.
    pub fn keep_recent_calls(&self) {
        // The first one counts.
        drop(self.recorder.recent.set(Arc::default()));
    }

    /// What was recorded of the last calls, where it is kept and anything is recorded at all.
    #[must_use]
    pub fn recent_calls(&self) -> Option<Arc<RecentCalls>> {
        let recent = self.recorder.recent.get()?;
        self.config.audit.enabled.then(|| Arc::clone(recent))
    }

    /// The webhook that records are delivered to, where one is configured.
    ///
    /// # Errors
    /// Those of [`Receiver::configured`].
    pub fn audit_receiver(&self) -> Result<Option<Receiver>> {
        Receiver::configured(&self.config.audit.webhook, &self.environment)
    }

    /// What waits for it.
    #[must_use]
    pub fn audit_queue(&self) -> Queue {
        outlets::queue(&self.paths.home)
    }

    /// How calls are recorded.
    ///
    /// # Errors
    /// Those of [`App::audit`].
    pub(super) fn recording(&self) -> Result<Option<Recording>> {
        let config = &self.config.audit;
        let Some(Open { log, webhook, .. }) = self.open_audit()? else {
            return Ok(None);
        };
        let mut scribe = self
            .recorder
            .scribe
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let started = match &*scribe {
            Some(started) => Arc::clone(started),
            None => Arc::new(Scribe::start(Arc::clone(&log))?),
        };
        *scribe = Some(Arc::clone(&started));
        Ok(Some(Recording {
            log,
            scribe: started,
            webhook,
            strict: config.strict || self.config.strict,
            arguments: config.include_arguments,
            output: config.include_output,
        }))
    }

    /// Records something that is no call: a grant, an installation. It is on the disk when this returns.
    ///
    /// # Errors
    /// Those of [`App::audit`], and of writing.
    pub fn record(&self, event: Event) -> Result<()> {
        match self.audit()? {
            Some(log) => log.append_durable(event.principal(Self::own_principal())),
            None => Ok(()),
        }
    }

    /// Who does what this process does by itself.
    pub(super) fn own_principal() -> String {
        format!("uid {}", rustix::process::geteuid().as_raw())
    }

    /// Waits until the calls that have ended are in the file of the log: nobody is told of a call before. Whether the disk
    /// has them too is what strict mode is for.
    ///
    /// # Errors
    /// E3801 where they could not be written.
    pub async fn recorded(&self) -> Result<()> {
        let Some(log) = self.audit()? else {
            return Ok(());
        };
        let scribe = {
            let scribe = self
                .recorder
                .scribe
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            scribe.clone()
        };
        match scribe {
            Some(scribe) => scribe.written(log).await,
            None => Ok(()),
        }
    }

    /// An event about an installed plugin.
    #[must_use]
    pub fn plugin_event(kind: EventType, plugin: &crate::registry::Installed) -> Event {
        Event::new(kind)
            .plugin(&plugin.name)
            .digest(plugin.digest)
            .with("version", plugin.version.to_string())
    }

    /// Writes what waits, signs it, and keeps how far the log has come where somebody who changes the log does not reach it.
    ///
    /// # Errors
    /// E3801 where something could not be written.
    pub async fn close_audit(&self) -> Result<()> {
        let open = {
            let mut open = self
                .recorder
                .log
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            open.take()
        };
        let Some(Open { log, at, webhook }) = open else {
            return Ok(());
        };
        let scribe = {
            let mut scribe = self
                .recorder
                .scribe
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            scribe.take()
        };
        if let Some(scribe) = scribe {
            scribe.close();
        }
        log.close()?;
        let head = log.head();
        let row = HeadRow {
            log: log.log().to_owned(),
            seq: i64::try_from(head.seq).unwrap_or(i64::MAX),
            hash: head.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let kept = self.keep_head(&row, at).await;
        if let Some(webhook) = webhook {
            webhook.close(self.config.audit.webhook.close_wait);
        }
        kept
    }

    /// Keeps how far the log has come, unless the record it had come to before is gone: a newer one in its place would hide
    /// that. `at` is the last record this process found.
    async fn keep_head(&self, row: &HeadRow, at: Head) -> Result<()> {
        let registry = self.registry().await?;
        let is_there = |kept: &HeadRow| {
            let known: Head = format!("{}:{}", kept.seq, kept.hash)
                .parse()
                .map_err(|error| {
                    Error::new(Code::E3109, "reading the head that was kept").caused_by(error)
                })?;
            if known != at && !audit::holds(&self.audit_folder(), known)? {
                return Err(Error::new(
                    Code::E3109,
                    format!(
                        "the audit log has lost record {}, which it had before",
                        kept.seq
                    ),
                )
                .hint("`toolhatch audit verify` shows where it goes on from."));
            }
            Ok(())
        };
        registry.store().keep_head(row, is_there).await
    }
}
