//! What calls cost, read quickly: a page of calls is one row of the answer, since each row and each column of one costs more
//! to be handed over than to be found.

use std::collections::HashMap;

use sqlx::{QueryBuilder, Row as _};

use super::find::{HistoryView, RunQuery};
use super::pack::time_of_hex;
use super::{CallEnd, CallRow, CallUsage};
use crate::error::Result;

/// The columns of a call, with commas between them; what is not known is empty. One that has not ended has no denials.
const CALLS: &str = "SELECT group_concat(line, ';') FROM (SELECT concat_ws(',', start, tool, hex(began), failed,
 ifnull(denials, ''), ifnull(duration, ''), ifnull(ran, ''), ifnull(cpu, ''), ifnull(fuel, ''), ifnull(memory, ''),
 ifnull(host_calls, ''), ifnull(bytes_in, ''), ifnull(bytes_out, '')) AS line FROM history_run WHERE start < ";

impl HistoryView<'_> {
    /// As [`HistoryView::runs`], of each call only its tool, when it began, and what it cost; its outcome is `ok` or nothing.
    /// `tools` are the names of those that were asked for before.
    ///
    /// # Errors
    /// Those of reading the database.
    pub async fn run_costs(
        &mut self,
        wanted: &RunQuery<'_>,
        before: u64,
        limit: u32,
        tools: &mut HashMap<u64, String>,
    ) -> Result<Vec<CallRow>> {
        let mut sql = QueryBuilder::new(CALLS);
        wanted.push(&mut sql, before);
        sql.push(" ORDER BY start DESC LIMIT ")
            .push_bind(limit)
            .push(")");
        let read = async {
            let row = sql.build().fetch_one(&mut *self.snapshot).await?;
            let page: Option<&str> = row.try_get(0)?;
            let mut calls = Vec::new();
            for line in page.into_iter().flat_map(|page| page.split(';')) {
                let (number, mut call) = call(line)
                    .ok_or_else(|| sqlx::Error::Decode("the cost of a call is damaged".into()))?;
                call.tool = match tools.get(&number) {
                    Some(name) => name.clone(),
                    None => {
                        let name: String =
                            sqlx::query_scalar("SELECT text FROM history_text WHERE number = ?1")
                                .bind(number.cast_signed())
                                .fetch_one(&mut *self.snapshot)
                                .await?;
                        tools.insert(number, name.clone());
                        name
                    }
                };
                calls.push(call);
            }
            Ok(calls)
        };
        read.await.map_err(|error| self.failed(error))
    }
}

/// A call with the number of its tool.
fn call(line: &str) -> Option<(u64, CallRow)> {
    let mut columns = line.split(',');
    let start = columns.next()?.parse().ok()?;
    let tool = columns.next()?.parse().ok()?;
    let began = time_of_hex(columns.next()?)?;
    let is_failed = columns.next()? == "1";
    let mut numbers = [None; 9];
    for number in &mut numbers {
        *number = match columns.next()? {
            "" => None,
            digits => Some(digits.parse().ok()?),
        };
    }
    let [
        denials,
        duration_us,
        ran,
        cpu_us,
        fuel,
        peak_memory,
        host_calls,
        bytes_in,
        bytes_out,
    ] = numbers;
    let end = denials.map(|denials| CallEnd {
        outcome: (!is_failed).then(|| "ok".to_owned()),
        duration_us,
        denials,
        usage: CallUsage {
            duration_us: ran,
            cpu_us,
            fuel,
            peak_memory,
            host_calls,
            bytes_in,
            bytes_out,
        },
        ..CallEnd::default()
    });
    let call = CallRow {
        start,
        began,
        end,
        ..CallRow::default()
    };
    Some((tool, call))
}
