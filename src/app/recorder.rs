//! The audit log of this process.

use std::sync::{Arc, Mutex, PoisonError};

use super::App;
use crate::audit::{AuditLog, Event, EventType, Options, Outlets};
use crate::error::Result;
use crate::invoke::{Recording, Scribe};
use crate::store::HeadRow;

/// The log, opened when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    log: Mutex<Option<Arc<AuditLog>>>,
    scribe: Mutex<Option<Arc<Scribe>>>,
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
        let config = &self.config.audit;
        if !config.enabled {
            return Ok(None);
        }
        let mut open = self
            .recorder
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = &*open {
            return Ok(Some(Arc::clone(log)));
        }
        let options = Options {
            max_file_bytes: config.max_file_size,
            max_age: Some(config.max_age),
            keep_files: Some(config.keep_files).filter(|keep| *keep > 0),
            ..Options::default()
        };
        let outlets = Outlets {
            sinks: Vec::new(),
            on_error: Some(Box::new(
                |error| tracing::error!(%error, "the audit log is not written"),
            )),
        };
        let log = Arc::new(AuditLog::open(
            &self.audit_folder(),
            &self.keys_folder(),
            options,
            outlets,
        )?);
        *open = Some(Arc::clone(&log));
        Ok(Some(log))
    }

    /// How calls are recorded.
    ///
    /// # Errors
    /// Those of [`App::audit`].
    pub(super) fn recording(&self) -> Result<Option<Recording>> {
        let config = &self.config.audit;
        let Some(log) = self.audit()? else {
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
        let by = format!("uid {}", rustix::process::geteuid().as_raw());
        match self.audit()? {
            Some(log) => log.append_durable(event.principal(by)),
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
        let log = {
            let mut open = self
                .recorder
                .log
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            open.take()
        };
        let Some(log) = log else { return Ok(()) };
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
        self.registry().await?.store().keep_head(&row).await
    }
}
