//! What the records of a call say of it.

use serde_json::Value;

use crate::audit::Record;
use crate::store::{CallEnd, CallRow, CallUsage};

/// The most that is kept of a number.
const MOST: u64 = i64::MAX.cast_unsigned();

/// The call of a record of its start, which has this number.
pub(super) fn begun(record: &Record, number: u64) -> CallRow {
    let tool = record.subject.clone().unwrap_or_else(|| {
        let data = record.data_value();
        let named = data.get("tool").and_then(Value::as_str);
        named.unwrap_or_default().to_owned()
    });
    CallRow {
        start: number,
        call: record.call.clone().unwrap_or_default(),
        tool,
        plugin: record.plugin.clone(),
        principal: record.principal.clone().unwrap_or_default(),
        session: record.session.clone(),
        began: record.time.clone(),
        end: None,
    }
}

/// What a record of the end of a call says.
pub(super) fn ended(record: &Record) -> CallEnd {
    let data = record.data_value();
    let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
    let usage = data.get("usage");
    let number = |key: &str| {
        let value = usage.and_then(|usage| usage.get(key));
        value.and_then(Value::as_u64).map(|number| number.min(MOST))
    };
    CallEnd {
        ended: record.time.clone(),
        outcome: text("outcome"),
        code: text("code"),
        duration_us: micros(data.get("duration_ms")),
        denials: data
            .get("denials")
            .and_then(Value::as_u64)
            .unwrap_or_default()
            .min(MOST),
        usage: CallUsage {
            duration_us: micros(usage.and_then(|usage| usage.get("duration_ms"))),
            cpu_us: micros(usage.and_then(|usage| usage.get("cpu_ms"))),
            fuel: number("fuel"),
            peak_memory: number("peak_memory_bytes"),
            host_calls: number("host_calls"),
            bytes_in: number("bytes_in"),
            bytes_out: number("bytes_out"),
        },
    }
}

/// Microseconds of milliseconds with three digits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is negative is no duration"
)]
fn micros(milliseconds: Option<&Value>) -> Option<u64> {
    let milliseconds = milliseconds?.as_f64()?;
    (milliseconds >= 0.0).then(|| ((milliseconds * 1000.0).round() as u64).min(MOST))
}
