//! Taking more than one should: time, stack, memory, output.

use std::hint::black_box;
use std::io;

use crate::tools::exports::probe::tools::act::Output;

const MEBIBYTE: usize = 1 << 20;

/// A length of something in memory; more than there can be becomes as much as there can be.
pub(crate) fn length(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Writes so many bytes, in lines.
pub(crate) fn chatter(to: Output, bytes: u64) {
    let mut line = [b'x'; 4096];
    line[4095] = b'\n';
    let mut left = length(bytes);
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let stream: &mut dyn io::Write = match to {
        Output::StandardOutput => &mut out,
        Output::StandardError => &mut err,
    };
    while left > 0 {
        let part = &line[..left.min(line.len())];
        if stream.write_all(part).is_err() {
            break;
        }
        left -= part.len();
    }
    drop(stream.flush());
}

/// Never returns.
pub(crate) fn spin() {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Uses some stack for each level.
pub(crate) fn recurse(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    let room = black_box([depth; 8]);
    recurse(depth - 1) + room.iter().filter(|level| **level == depth).count() as u64 / 8
}

/// Takes memory, a MiB at a time, and writes to all of it; returns how much it holds in the end.
pub(crate) fn take_memory(mebibytes: u32) -> u32 {
    let held: Vec<Vec<u8>> = (0..mebibytes).map(|_| vec![1; MEBIBYTE]).collect();
    black_box(&held).len().try_into().unwrap_or(u32::MAX)
}

/// Takes memory at once, if it is given.
pub(crate) fn try_memory(mebibytes: u32) -> Result<u32, String> {
    let mut held: Vec<u8> = Vec::new();
    match held.try_reserve_exact(mebibytes as usize * MEBIBYTE) {
        Ok(()) => Ok(mebibytes),
        Err(error) => Err(format!("OutOfMemory: {error}")),
    }
}
