//! Stage five: what came back is checked, and a failure that follows from a denial says so.

use super::admit::Ran;
use crate::error::{Error, Result};
use crate::exec::{Ended, Output, ToolErrorKind};
use crate::permission::Denial;

impl Ran {
    /// The result, if it is what the tool promised.
    ///
    /// # Errors
    /// The error of the outcome; E3303 where the result does not fit the output schema; the code of the denial where the
    /// tool gave up because of one.
    pub(super) fn check(self) -> Result<Output> {
        let gave_up = matches!(
            &self.outcome.ended,
            Ended::Failed(error) if error.kind == ToolErrorKind::NotPermitted
        );
        match self.outcome.ended.into_result() {
            Ok(output) => {
                self.tool.check_output(output.structured.as_ref())?;
                Ok(output)
            }
            Err(error) => Err(explain(error, &self.events.denials(), gave_up)),
        }
    }
}

/// How many denials are spelled out; all of them are in the report.
const SPELLED_OUT: usize = 3;

/// Tells which denials a failure may follow from, and what would allow it.
fn explain(error: Error, denials: &[Denial], gave_up: bool) -> Error {
    let Some(first) = denials.first() else {
        return error;
    };
    if gave_up {
        // The tool itself says that the denial is why.
        let mut denied = first.to_error().detail("tool_said", error.to_string());
        for other in denials.iter().skip(1).take(SPELLED_OUT - 1) {
            denied = denied.hint(format!("{other}."));
        }
        return denied;
    }
    let mut error = error;
    for denial in denials.iter().take(SPELLED_OUT) {
        error = error.hint(format!("Before that, {denial}."));
        if let Some(flag) = denial.flag() {
            error = error.hint(format!("If you trust the tool with it, add `{flag}`."));
        }
    }
    error
}
