//! Bringing the index up to the end of the log.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::read::{Reader, bytes_from, last_line, look_at, numbers};
use super::{Progress, Trouble};
use crate::audit::{self, Position};
use crate::error::{Code, Error, Result};
use crate::store::{HistoryFile, HistoryNames, Index, Reached};

/// How often one begins again because others change the index at the same time. What they did need not be done again.
const ROUNDS: u32 = 100;

/// What the log is to the index that was made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It begins with what was read.
    Same,
    /// Retention removed the files before this one; for the rest it begins with what was read.
    Shortened(u32),
    /// Something that was read is not there any more, or is something else.
    Other,
}

/// Reads what was added to the log; gives how far the index has come then, or nothing where there is no record.
pub(super) async fn catch_up(
    index: &Index,
    folder: &Path,
    progress: Progress<'_>,
) -> Result<Option<Reached>, Trouble> {
    for _ in 0..ROUNDS {
        let known = index.history().await.map_err(Trouble::Index)?;
        let reached = match known {
            None => None,
            Some((reached, files)) => match standing(folder, &reached, &files)? {
                Standing::Same => Some(reached),
                Standing::Shortened(first) => {
                    let dropped = index.drop_history_before(first, &reached).await;
                    dropped.map_err(Trouble::Index)?;
                    continue;
                }
                Standing::Other => {
                    let cleared = index.clear_history(&reached).await;
                    cleared.map_err(Trouble::Index)?;
                    continue;
                }
            },
        };
        if let Some(reached) = go_on(index, folder, reached, progress).await? {
            return Ok(reached);
        }
    }
    Err(Trouble::Contended)
}

fn standing(folder: &Path, reached: &Reached, files: &[HistoryFile]) -> Result<Standing, Trouble> {
    let there = numbers(folder).map_err(|_| Trouble::Log)?;
    Ok(compare(folder, there, reached, files).unwrap_or(Standing::Other))
}

/// Files that were read to their end are never written to again, so it is enough to look at them; of the last one, the last
/// line that was read must still be there.
fn compare(
    folder: &Path,
    mut there: Vec<u32>,
    reached: &Reached,
    files: &[HistoryFile],
) -> Result<Standing> {
    there.retain(|number| *number <= reached.file);
    let Some(first) = there.first().copied() else {
        return Ok(Standing::Other);
    };
    let kept = files.iter().filter(|file| file.number >= first);
    if !kept.clone().map(|file| file.number).eq(there) {
        return Ok(Standing::Other);
    }
    let line = audit::read_at(folder, last_line(reached))?;
    if <[u8; 32]>::from(Sha256::digest(&line)) != reached.digest {
        return Ok(Standing::Other);
    }
    let end = last_line(reached).after().offset;
    for file in kept {
        let now = look_at(folder, file.number)?;
        // More may have been written to the last one, after it was read or even before it was looked at.
        let is_open = file.number == reached.file && (now.size > end || file.size > end);
        let is_same = if is_open {
            now.inode == file.inode && now.size >= end
        } else {
            now == *file
        };
        if !is_same {
            return Ok(Standing::Other);
        }
    }
    let is_shortened = files.iter().any(|file| file.number < first);
    Ok(if is_shortened {
        Standing::Shortened(first)
    } else {
        Standing::Same
    })
}

/// Reads on from here while what was read before is being kept; nothing where another process kept something in between.
async fn go_on(
    index: &Index,
    folder: &Path,
    reached: Option<Reached>,
    progress: Progress<'_>,
) -> Result<Option<Option<Reached>>, Trouble> {
    let from = reached
        .as_ref()
        .map_or(Position::START, |reached| last_line(reached).after());
    let total = bytes_from(folder, from);
    if total == 0 && reached.is_some() {
        return Ok(Some(reached));
    }
    let mut reader = Reader::new(folder, reached.clone());
    let (send, mut batches) = tokio::sync::mpsc::channel(1);
    let reading = tokio::task::spawn_blocking(move || {
        while let Some(batch) = reader.next()? {
            if send.blocking_send(batch).is_err() {
                break;
            }
        }
        Ok::<_, Error>(())
    });
    let mut reached = reached;
    let mut names = HistoryNames::default();
    let mut done = 0;
    while let Some(batch) = batches.recv().await {
        match index.keep_history(&batch, &mut names).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                // Another process that does the same may hold the lock all the time. Then it is not in vain to wait.
                let now = index.history().await.map_err(Trouble::Index)?;
                return if error.code() == Code::E3001 && now.map(|(now, _)| now) != batch.from {
                    Ok(None)
                } else {
                    Err(Trouble::Index(error))
                };
            }
        }
        let lines = batch.pieces.iter().flat_map(|piece| &piece.lines);
        done += lines.map(|line| line.length + 1).sum::<u64>();
        progress(done, total.max(done));
        reached = Some(batch.to);
    }
    match reading.await {
        Ok(Ok(())) => Ok(Some(reached)),
        Ok(Err(_)) | Err(_) => Err(Trouble::Log),
    }
}
