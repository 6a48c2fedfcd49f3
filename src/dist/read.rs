//! Reading the file of an artifact.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread::Builder;

use crate::error::{Code, Error, Result};
use crate::exec::Artifact;
use crate::fsx;
use crate::ids::Digest;
use crate::schema::artifact::MAX_BYTES;

/// Of a file of this size and more the digest is taken while it is read, which takes two thirds of the time.
const LARGE: u64 = 4 << 20;
/// How much is read before the digest of it is taken.
const PIECE: usize = 1 << 20;
/// How many pieces may wait for that.
const WAITING: usize = 64;

/// Reads a file, and takes its digest.
///
/// # Errors
/// Those of [`fsx::open_capped`]; E3004 where the file changed meanwhile, or no thread can be started for a large one.
pub(super) fn artifact(path: &Path) -> Result<Artifact> {
    let (mut file, size) = fsx::open_capped(path, MAX_BYTES)?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    let digest = if size < LARGE {
        file.read_exact(&mut bytes).map(|()| Digest::of(&bytes))
    } else {
        side_by_side(&mut file, &mut bytes)
    };
    let has_grown = file.read(&mut [0]).is_ok_and(|more| more > 0);
    match digest {
        Ok(digest) if !has_grown => Ok(Artifact {
            digest,
            bytes: bytes.into(),
        }),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => {
            Err(fsx::io_error("reading", path, error))
        }
        _ => Err(Error::new(
            Code::E3004,
            format!("reading {}: it changed meanwhile", path.display()),
        )
        .hint("Try again when nothing writes to it any more.")),
    }
}

/// Fills the bytes from a file while another thread takes their digest.
fn side_by_side(file: &mut File, bytes: &mut [u8]) -> io::Result<Digest> {
    std::thread::scope(|scope| {
        let (read, pieces) = sync_channel::<&[u8]>(WAITING);
        let digest = Builder::new().spawn_scoped(scope, move || Digest::of_pieces(pieces))?;
        for piece in bytes.chunks_mut(PIECE) {
            file.read_exact(piece)?;
            // Whoever takes the digest is there until the last piece was sent.
            let _ = read.send(piece);
        }
        drop(read);
        let gone = |_| io::Error::other("the thread that takes its digest is gone");
        digest.join().map_err(gone)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_large_file_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large");
        for more in [0, 1, PIECE, PIECE + 7] {
            let size = usize::try_from(LARGE).expect("small") + more;
            let bytes: Vec<u8> = (0..size).map(|at| (at / 3) as u8).collect();
            fsx::write_atomic(&path, &bytes, 0o600).expect("written");
            let read = artifact(&path).expect("read");
            assert_eq!(read.digest, Digest::of(&bytes), "{more}");
            assert!(read.bytes == bytes, "{more}");
        }
    }
}
