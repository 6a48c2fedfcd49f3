//! `toolhatch audit deliver`.

use std::time::Duration;

use serde_json::json;

use crate::app::App;
use crate::audit::deliver;
use crate::cli::output::CommandOutput;
use crate::cli::text::{count, one_line};
use crate::error::{Code, Error, Result};

/// How long another process that is delivering is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Delivers what waits for the webhook, now.
///
/// # Errors
/// E3004 where no webhook is configured or its secret cannot be read; E3704 where records still wait.
pub(super) async fn run(app: &App) -> Result<CommandOutput> {
    let Some(receiver) = app.audit_receiver()? else {
        return Err(Error::new(
            Code::E3004,
            "delivering audit records: no webhook is configured",
        )
        .hint("Set `audit.webhook.url`; docs/guide/audit.md tells how."));
    };
    let queue = app.audit_queue();
    let delivered = match deliver(&queue, &receiver, PATIENCE).await {
        Ok(delivered) => delivered,
        Err(error) => {
            let (done, last) = queue.progress()?;
            return Err(error.detail("waiting", last.saturating_sub(done)));
        }
    };
    let mut text = match usize::try_from(delivered.records).unwrap_or(usize::MAX) {
        0 => format!("Nothing waits for {}.", receiver.origin()),
        records => format!(
            "Delivered {} to {} in {}.",
            count(records, "record"),
            receiver.origin(),
            count(
                usize::try_from(delivered.batches).unwrap_or(usize::MAX),
                "request"
            )
        ),
    };
    if delivered.lost > 0 {
        text.push_str(&format!(
            "\n{} will never be delivered.",
            count(
                usize::try_from(delivered.lost).unwrap_or(usize::MAX),
                "record"
            )
        ));
    }
    let json = json!({
        "receiver": receiver.origin(),
        "delivered": delivered.records,
        "batches": delivered.batches,
        "lost": delivered.lost,
    });
    Ok(CommandOutput {
        warnings: delivered.notes.iter().map(one_line).collect(),
        ..CommandOutput::new(text, json)
    })
}
