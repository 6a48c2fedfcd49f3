//! The record of a call: opened with the request, finished on every exit.

use std::time::Instant;

use super::{Plan, Report, Request, Resolved};
use crate::ids::CallId;

/// What is known of a call so far. Dropping it unfinished, as a cancelled future does, finishes it as abandoned.
#[derive(Debug)]
pub(super) struct CallRecord {
    call: CallId,
    started: Instant,
    finished: bool,
}

impl CallRecord {
    pub(super) fn open(request: &Request) -> Self {
        tracing::debug!(call = %request.call, tool = %request.tool, "call requested");
        Self {
            call: request.call,
            started: Instant::now(),
            finished: false,
        }
    }

    pub(super) fn resolved(&mut self, resolved: &Resolved) {
        let digest = resolved.source.artifact.digest;
        tracing::debug!(call = %self.call, tool = %resolved.tool.id, %digest, "call resolved");
    }

    pub(super) fn authorised(&mut self, plan: &Plan) {
        tracing::debug!(call = %self.call, scope = %plan.effective, "call authorised");
    }

    pub(super) fn finish(mut self, report: &Report) {
        self.finished = true;
        let duration = self.started.elapsed();
        match report.error() {
            None => tracing::debug!(call = %self.call, ?duration, "call complete"),
            Some(error) => {
                tracing::debug!(call = %self.call, ?duration, code = %error.code(), %error, "call failed");
            }
        }
        for denial in &report.events.denials {
            tracing::debug!(call = %self.call, code = %denial.code(), %denial, "denied");
        }
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if !self.finished {
            let duration = self.started.elapsed();
            tracing::debug!(call = %self.call, ?duration, "call abandoned");
        }
    }
}
