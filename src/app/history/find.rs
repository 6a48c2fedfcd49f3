//! Answers from the index.

use std::collections::HashMap;
use std::path::Path;

use super::catch_up::catch_up;
use super::filter::{CallFilter, RecordFilter, shape_of};
use super::read::call_bits;
use super::{Progress, Trouble};
use crate::audit::{self, Position, Record};
use crate::error::Result;
use crate::store::{CallRow, HistoryChunk, HistoryView, Index, PlacedRecord, RunQuery, Shape};

/// Where what is asked for occurs in more chunks than this, all of them are gone through: that takes no longer then.
const FEW: u32 = 4000;
/// How many chunks are unpacked at once, at first and at most.
const CHUNKS: u32 = 4;
const MOST_CHUNKS: u32 = 64;
/// How many lines are read at once, and how many bytes.
const LINES: usize = 64;
const BYTES: u64 = 4 << 20;
/// How many calls are asked for at once.
const CALLS: u32 = 4096;
/// Behind every number.
const END: u64 = i64::MAX.cast_unsigned();

/// The index as it is at the end of the log; nothing where the log has no record.
async fn up_to_date<'a>(
    index: &'a Index,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Option<HistoryView<'a>>, Trouble> {
    let Some(reached) = catch_up(index, folder, progress).await? else {
        return Ok(None);
    };
    let mut view = index.view_history().await.map_err(Trouble::Index)?;
    let now = view.reached().await.map_err(Trouble::Index)?;
    // Another process may have gone on in between, or begun anew.
    let is_there = now
        .is_some_and(|now| now.generation == reached.generation && now.records >= reached.records);
    if is_there {
        Ok(Some(view))
    } else {
        Err(Trouble::Contended)
    }
}

/// The newest records that fit, in the order of the log.
pub(super) async fn records(
    index: &Index,
    folder: &Path,
    filter: &RecordFilter,
    progress: Progress<'_>,
) -> Result<Vec<Record>, Trouble> {
    let Some(mut view) = up_to_date(index, folder, progress).await? else {
        return Ok(Vec::new());
    };
    let Some(walk) = Walk::plan(&mut view, filter)
        .await
        .map_err(Trouble::Index)?
    else {
        return Ok(Vec::new());
    };
    let times = (filter.since.as_deref(), filter.until.as_deref());
    let (from, mut before) = walk.range;
    let mut at_once = CHUNKS;
    let mut found = Vec::new();
    while found.len() < filter.limit {
        let among = walk.chunks.as_deref();
        let wanted = |placed: &PlacedRecord| walk.wants(placed);
        let chunks = view.chunks(among, from, before, times, at_once, wanted);
        let chunks = chunks.await.map_err(Trouble::Index)?;
        let Some(last) = chunks.last() else { break };
        before = last.number;
        at_once = (at_once * 2).min(MOST_CHUNKS);
        for chunk in &chunks {
            walk.read(folder, chunk, filter, &mut found)?;
        }
    }
    found.truncate(filter.limit);
    found.reverse();
    Ok(found)
}

/// Where records can be that fit.
struct Walk {
    /// By their numbers, in order.
    shapes: Vec<(i64, Shape)>,
    session: Option<i64>,
    call: Option<u16>,
    /// The first chunk, and the one behind the last.
    range: (u64, u64),
    /// The chunks, where they are few.
    chunks: Option<Vec<i64>>,
}

impl Walk {
    /// Nothing where no record fits.
    async fn plan(view: &mut HistoryView<'_>, filter: &RecordFilter) -> Result<Option<Self>> {
        let mut shapes = view.shapes(&filter.shape()).await?;
        shapes.retain(|(_, shape)| filter.fits_shape(shape));
        if shapes.is_empty() {
            return Ok(None);
        }
        let mut walk = Self {
            shapes: Vec::new(),
            session: None,
            call: filter.call.as_deref().map(|call| call_bits(Some(call))),
            range: (0, END),
            chunks: None,
        };
        if let Some(call) = &filter.call {
            let Some((first, last)) = view.chunks_of_call(call).await? else {
                return Ok(None);
            };
            walk.range = (first, last + 1);
        } else {
            let numbers: Vec<i64> = shapes.iter().map(|(number, _)| *number).collect();
            walk.chunks = view.chunks_with_shapes(&numbers, FEW).await?;
        }
        if let Some(session) = &filter.session {
            let Some(session) = view.text(session).await? else {
                return Ok(None);
            };
            walk.session = Some(session);
            let chunks = view.chunks_with_session(session, FEW).await?;
            walk.chunks = match (walk.chunks, chunks) {
                (Some(mut these), Some(those)) => {
                    these.retain(|chunk| those.binary_search(chunk).is_ok());
                    Some(these)
                }
                (these, those) => these.or(those),
            };
        }
        shapes.sort_unstable_by_key(|(number, _)| *number);
        walk.shapes = shapes;
        Ok(Some(walk))
    }

    /// The shape of a record, where it is one that is asked for.
    fn shape(&self, placed: &PlacedRecord) -> Option<&Shape> {
        let found = self
            .shapes
            .binary_search_by_key(&placed.shape, |(number, _)| *number);
        let (_, shape) = self.shapes.get(found.ok()?)?;
        Some(shape)
    }

    /// Whether a record may fit.
    fn wants(&self, placed: &PlacedRecord) -> bool {
        self.shape(placed).is_some()
            && (self.session.is_none() || self.session == placed.session)
            && self.call.is_none_or(|call| call == placed.call)
    }

    /// Adds the records of a chunk that fit, the newest first, until there are enough.
    fn read(
        &self,
        folder: &Path,
        chunk: &HistoryChunk,
        filter: &RecordFilter,
        found: &mut Vec<Record>,
    ) -> Result<(), Trouble> {
        for group in chunk.records.rchunks(LINES) {
            let lines = Lines::read(folder, chunk.file, group)?;
            for placed in group.iter().rev() {
                if found.len() >= filter.limit {
                    return Ok(());
                }
                let record = self.check(placed, lines.get(folder, placed)?.as_ref())?;
                if filter.fits(&record) {
                    found.push(record);
                }
            }
        }
        Ok(())
    }

    /// Reads a line, which must be what the index says of it.
    fn check(&self, placed: &PlacedRecord, line: &[u8]) -> Result<Record, Trouble> {
        let record = Record::parse(line).map_err(|_| Trouble::Stale)?;
        let is_same = self.shape(placed) == Some(&shape_of(&record))
            && placed.call == call_bits(record.call.as_deref())
            && placed.session.is_some() == record.session.is_some();
        if is_same {
            Ok(record)
        } else {
            Err(Trouble::Stale)
        }
    }
}

/// Lines that stand close together, read in one go where that is not too much.
struct Lines {
    file: u32,
    offset: u64,
    bytes: Option<Vec<u8>>,
}

impl Lines {
    fn read(folder: &Path, file: u32, group: &[PlacedRecord]) -> Result<Self, Trouble> {
        let offset = group.first().map_or(0, |first| first.offset);
        let end = group.last().map_or(0, |last| last.offset + last.length);
        let mut lines = Self {
            file,
            offset,
            bytes: None,
        };
        if group.len() > 1 && end - offset <= BYTES {
            lines.bytes = Some(lines.at(folder, offset, end - offset)?);
        }
        Ok(lines)
    }

    fn get(
        &self,
        folder: &Path,
        placed: &PlacedRecord,
    ) -> Result<std::borrow::Cow<'_, [u8]>, Trouble> {
        let Some(bytes) = &self.bytes else {
            return self
                .at(folder, placed.offset, placed.length)
                .map(std::borrow::Cow::Owned);
        };
        let begin = usize::try_from(placed.offset - self.offset).unwrap_or(usize::MAX);
        let length = usize::try_from(placed.length).unwrap_or(usize::MAX);
        bytes
            .get(begin..begin.saturating_add(length))
            .map(std::borrow::Cow::Borrowed)
            .ok_or(Trouble::Stale)
    }

    fn at(&self, folder: &Path, offset: u64, len: u64) -> Result<Vec<u8>, Trouble> {
        let position = Position {
            file: self.file,
            offset,
            len,
        };
        audit::read_at(folder, position).map_err(|_| Trouble::Stale)
    }
}

/// How much is wanted of each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    All,
    /// What sums are made of.
    Cost,
}

/// Gives the calls that fit, the newest first.
pub(super) async fn calls(
    index: &Index,
    folder: &Path,
    filter: &CallFilter,
    wanted: Wanted,
    progress: Progress<'_>,
    mut each: impl FnMut(CallRow),
) -> Result<(), Trouble> {
    let Some(mut view) = up_to_date(index, folder, progress).await? else {
        return Ok(());
    };
    let query = RunQuery {
        tool: filter.tool.as_deref(),
        plugin: filter.plugin.as_deref(),
        session: filter.session.as_deref(),
        failed: filter.failed,
        since: filter.since.as_deref(),
    };
    let mut tools = HashMap::new();
    let mut left = filter.limit.unwrap_or(usize::MAX);
    let mut before = END;
    while left > 0 {
        let at_once = u32::try_from(left).unwrap_or(CALLS).min(CALLS);
        let calls = match wanted {
            Wanted::All => view.runs(&query, before, at_once).await,
            Wanted::Cost => view.run_costs(&query, before, at_once, &mut tools).await,
        };
        let calls = calls.map_err(Trouble::Index)?;
        let Some(first) = calls.iter().map(|call| call.start).min() else {
            break;
        };
        before = first;
        // The index knows chunks by their times, and of calls everything else.
        for call in calls.into_iter().filter(|call| filter.fits_time(call)) {
            if left > 0 {
                each(call);
                left -= 1;
            }
        }
    }
    Ok(())
}
