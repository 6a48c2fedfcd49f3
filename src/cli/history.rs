//! Asking what was recorded, and telling how far that has come.

use super::block_on_here;
use super::output::Printer;
use crate::app::{App, History};
use crate::error::Result;

/// Asks questions of the history.
///
/// # Errors
/// Those of the questions.
pub(in crate::cli) fn history<T>(
    app: &App,
    printer: &Printer,
    ask: impl AsyncFnOnce(&mut History<'_>) -> Result<T>,
) -> Result<T> {
    /// Progress is shown in whole mebibytes.
    const MIB: f64 = (1 << 20) as f64;

    let tell = |done: u64, total: u64| {
        printer.progress(
            done as f64 / MIB,
            Some(total as f64 / MIB),
            Some("MiB of the audit log read"),
        );
    };
    block_on_here(async {
        let mut history = app.history().await.telling(&tell);
        let answer = ask(&mut history).await;
        history.close().await;
        answer
    })
}
