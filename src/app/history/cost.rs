//! What calls cost, by tool.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::store::CallRow;

/// What the calls of one tool cost. Sums are over those calls that say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCost {
    /// The id of the tool.
    pub tool: String,
    /// How many calls there were.
    pub calls: u64,
    /// How many of them did not end well.
    pub failures: u64,
    /// How often something was denied to them.
    pub denials: u64,
    /// How long they took together, in microseconds.
    pub total_us: u64,
    /// Half of the calls took no longer than this, in microseconds.
    pub p50_us: u64,
    /// 95 of 100 took no longer.
    pub p95_us: u64,
    /// The one that took longest.
    pub max_us: u64,
    /// The time of the processor together, in microseconds.
    pub cpu_us: u64,
    /// Fuel of components together.
    pub fuel: u64,
    /// The most memory that one of them had, in bytes.
    pub peak_memory: u64,
    /// Bytes that went in together.
    pub bytes_in: u64,
    /// Bytes that came out together.
    pub bytes_out: u64,
}

/// Adds calls up.
#[derive(Debug, Default)]
pub(super) struct Costs(HashMap<String, (ToolCost, Vec<u64>)>);

impl Costs {
    pub(super) fn add(&mut self, call: &CallRow) {
        if !self.0.contains_key(&call.tool) {
            self.0.insert(call.tool.clone(), Default::default());
        }
        let Some((cost, durations)) = self.0.get_mut(&call.tool) else {
            return;
        };
        cost.calls += 1;
        cost.failures += u64::from(call.is_failed());
        let Some(end) = &call.end else { return };
        durations.extend(end.duration_us);
        let used = &end.usage;
        for (sum, more) in [
            (&mut cost.denials, Some(end.denials)),
            (&mut cost.total_us, end.duration_us),
            (&mut cost.cpu_us, used.cpu_us),
            (&mut cost.fuel, used.fuel),
            (&mut cost.bytes_in, used.bytes_in),
            (&mut cost.bytes_out, used.bytes_out),
        ] {
            *sum = sum.saturating_add(more.unwrap_or_default());
        }
        cost.peak_memory = cost.peak_memory.max(used.peak_memory.unwrap_or_default());
    }

    pub(super) fn finish(self) -> Vec<ToolCost> {
        let mut costs: Vec<ToolCost> = self
            .0
            .into_iter()
            .map(|(tool, (cost, mut durations))| {
                durations.sort_unstable();
                ToolCost {
                    tool,
                    p50_us: percentile(&durations, 50),
                    p95_us: percentile(&durations, 95),
                    max_us: percentile(&durations, 100),
                    ..cost
                }
            })
            .collect();
        costs.sort_by(|a, b| (Reverse(a.total_us), &a.tool).cmp(&(Reverse(b.total_us), &b.tool)));
        costs
    }
}

/// The smallest of these ascending numbers that `percent` of 100 do not exceed.
fn percentile(ascending: &[u64], percent: usize) -> u64 {
    let rank = (ascending.len() * percent).div_ceil(100);
    ascending
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CallEnd;

    fn call(tool: &str, outcome: Option<&str>, duration_us: u64) -> CallRow {
        CallRow {
            tool: tool.to_owned(),
            end: outcome.map(|outcome| CallEnd {
                outcome: Some(outcome.to_owned()),
                duration_us: Some(duration_us),
                denials: 1,
                ..CallEnd::default()
            }),
            ..CallRow::default()
        }
    }

    #[test]
    fn costs_are_summed_by_tool_and_the_dearest_comes_first() {
        let mut costs = Costs::default();
        for duration in 1..=100 {
            costs.add(&call("a.b", Some("ok"), duration));
        }
        costs.add(&call("a.c", Some("error"), 9_000));
        costs.add(&call("a.c", None, 0));
        let [first, second] = costs.finish().try_into().expect("two tools");
        assert_eq!((first.tool.as_str(), first.calls), ("a.c", 2));
        assert_eq!((first.failures, first.total_us), (2, 9_000));
        assert_eq!(
            (first.p50_us, first.p95_us, first.max_us),
            (9_000, 9_000, 9_000)
        );
        assert_eq!((second.failures, second.total_us), (0, 5_050));
        assert_eq!((second.p50_us, second.p95_us, second.max_us), (50, 95, 100));
        assert_eq!(second.denials, 100);
    }
}
