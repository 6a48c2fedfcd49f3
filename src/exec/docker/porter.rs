//! What carries files into volumes and out of them: a container that is never started.
//!
//! It has all volumes of a command's copies, and a system of its own that can be written, without which a daemon takes no
//! archive that begins above a mount; and only such an archive gives the folder of a volume itself an owner and a mode. What
//! comes back goes through it too, when the container of the command is gone: nothing runs that could put a link in the way.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;

use super::copies::Copied;
use super::daemon::Daemon;
use super::error;
use super::image::Image;
use super::overlay::{Laid, Work};
use crate::changes::{self, LayerChanges, Returned, Room, Workspace};
use crate::error::{Code, Error, Result};
use crate::exec::places::Bind;
use crate::exec::{CommandEnd, EventSink, Job, LogLevel, Usage};

/// So much of a workspace is copied at most. It goes over a network before a command begins, and lies on the daemon's disk: what
/// is larger is better mounted by a daemon beside it.
const MOST_IN: Room = Room {
    bytes: 2 << 30,
    entries: 200_000,
};
/// So much comes back: twice of that, for what a command builds.
const MOST_OUT: Room = Room {
    bytes: 4 << 30,
    entries: 400_000,
};
/// One way takes no longer: 2 GiB at 30 Mbit/s.
pub(super) const WITHIN: Duration = Duration::from_secs(600);
/// Whoever cancelled a command does not wait long for what it changed.
const WITHIN_OF_CANCELLED: Duration = Duration::from_secs(8);
/// Copying that takes longer is told of, as often.
const TELL_AFTER: Duration = Duration::from_secs(1);
/// Pieces of an archive, and how many of them wait to be sent or read.
const PIECE: usize = 128 << 10;
const WAITING: usize = 8;
/// So many entries at the top of a workspace are enough to know its copy.
const WITNESSES: usize = 16;

/// The carrier of one container.
#[derive(Debug, Default)]
pub(super) struct Porter {
    /// Empty until it is made.
    pub(super) id: String,
    /// Bytes of content that were carried in.
    pub(super) bytes: u64,
}

impl Porter {
    /// Fills the volumes of copies, which are there; nothing where there are none. `image` is any that is there.
    ///
    /// # Errors
    /// E3407 where there is too much to copy; E3405.
    pub(super) async fn carry_in(
        &mut self,
        daemon: &Daemon,
        image: &Image,
        laid: &mut Laid,
        labels: &HashMap<String, String>,
        events: &Arc<EventSink>,
    ) -> Result<()> {
        if !laid.copies.is_empty() {
            self.id = make(daemon, image, laid, labels.clone()).await?;
            self.bytes = fill(daemon, &self.id, laid, events).await?;
        }
        Ok(())
    }

    /// Reads back what became of copies that are reviewed, when nothing uses them any more. Gives whether that was let come to its
    /// end: somebody may cancel it.
    ///
    /// # Errors
    /// E3407 where it is too much; E3502 where it is nothing that can be taken.
    pub(super) async fn carry_out(
        &self,
        daemon: &Daemon,
        work: &mut Work,
        job: &Job,
        usage: &mut Usage,
    ) -> Result<bool> {
        let within = if job.cancel.is_cancelled() {
            WITHIN_OF_CANCELLED
        } else {
            WITHIN
        };
        let fetching = fetch(daemon, &self.id, work, within, &job.events);
        let fetched = tokio::select! {
            biased;
            () = job.cancel.cancelled(), if within == WITHIN => return Ok(false),
            fetched = fetching => fetched,
        };
        match fetched {
            Ok(bytes) => usage.bytes_out += bytes,
            // That it was cancelled is what matters of it.
            Err(error) if job.cancel.is_cancelled() => {
                let told = format!("what the command changed is lost: {error}");
                job.events.log(LogLevel::Warn, &told);
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

/// Makes the container; gives its id. `image` is any that is there.
///
/// # Errors
/// E3405.
async fn make(
    daemon: &Daemon,
    image: &Image,
    laid: &Laid,
    labels: HashMap<String, String>,
) -> Result<String> {
    let mounts = laid.copies.values().map(|copied| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(copied.volume.clone()),
        target: Some(copied.place().to_string_lossy().into_owned()),
        read_only: Some(false),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    });
    let body = ContainerCreateBody {
        image: Some(image.id.clone()),
        // It is never started.
        entrypoint: Some(vec!["/none".to_owned()]),
        labels: Some(labels),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = daemon
        .api
        .create_container(None::<CreateContainerOptions>, body)
        .await;
    Ok(made
        .map_err(|why| error::of("making room for copies", why))?
        .id)
}

/// Fills the volumes; gives how many bytes of content that took.
///
/// # Errors
/// E3407 where there is too much to copy; E3405.
async fn fill(
    daemon: &Daemon,
    porter: &str,
    laid: &mut Laid,
    events: &Arc<EventSink>,
) -> Result<u64> {
    let doing = "copying the workspace to the daemon";
    let (sender, receiver) = mpsc::channel(WAITING);
    let moved = Arc::new(AtomicU64::new(0));
    let is_refused = Arc::new(AtomicBool::new(false));
    let to = Sending {
        sender,
        piece: Vec::with_capacity(PIECE),
        moved: Arc::clone(&moved),
        is_refused: Arc::clone(&is_refused),
    };
    let sources = laid.clone();
    let packing = tokio::task::spawn_blocking(move || {
        // In the archive there is no root.
        let copies: Vec<(&Bind, &Copied, PathBuf)> = sources
            .copied()
            .map(|(bind, copied)| (bind, copied, copied.place().components().skip(1).collect()))
            .collect();
        let owner = (sources.places.user.uid, sources.places.user.gid);
        let workspaces: Vec<Workspace<'_>> = copies
            .iter()
            .map(|(bind, copied, place)| Workspace {
                host: &bind.host,
                file: bind.file,
                place,
                owner,
                apart: copied.apart.clone(),
            })
            .collect();
        changes::pack(&workspaces, &MOST_IN, to)
    });
    let body = stream::unfold(receiver, |mut receiver| async move {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, io::Error>(piece), receiver))
    });
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    let api = daemon.api.clone().with_timeout(WITHIN);
    let putting = api.upload_to_container(porter, Some(options), bollard::body_try_stream(body));
    let both = async { tokio::join!(packing, putting) };
    let (packed, put) = watched(both, WITHIN, doing, &moved, events).await?;
    let packed = packed.map_err(|error| Error::new(Code::E3000, doing).caused_by(error))?;
    let put = put.map_err(|why| error::of(doing, why));
    // A daemon that takes no more is why there was nowhere to write to; otherwise what went wrong here went wrong first.
    let packed = if is_refused.load(Ordering::Relaxed) {
        put.and(packed)?
    } else {
        let packed = packed?;
        put?;
        packed
    };
    let mut bytes = 0;
    for ((container, copied), packed) in laid.copies.iter_mut().zip(packed) {
        for warning in &packed.warnings {
            events.log(LogLevel::Warn, warning);
        }
        bytes += packed.bytes;
        let top = packed.top().take(WITNESSES);
        let top = top.filter_map(|path| Some(Path::new(container).join(path).to_str()?.to_owned()));
        copied.witnesses = top.collect();
        copied.packed = Some(Arc::new(packed));
    }
    Ok(bytes)
}

/// Reads back what a command left in copies that are reviewed, once nothing runs any more; gives how many bytes came.
///
/// # Errors
/// E3407 where it is too much; E3502 where it is nothing that can be taken.
async fn fetch(
    daemon: &Daemon,
    porter: &str,
    work: &mut Work,
    within: Duration,
    events: &Arc<EventSink>,
) -> Result<u64> {
    let doing = "copying back what the command left";
    let ends = Instant::now() + within;
    let moved = Arc::new(AtomicU64::new(0));
    let mut left = MOST_OUT.clone();
    let mut layers = Vec::new();
    for (bind, copied) in work.laid.copied() {
        let (Some((name, upper)), Some(packed)) = (copied.layer.clone(), copied.packed.clone())
        else {
            continue;
        };
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(&copied.place().to_string_lossy())
            .build();
        let mut pieces = Box::pin(daemon.api.download_from_container(porter, Some(options)));
        let (sender, receiver) = mpsc::channel(WAITING);
        let (host, base, mut room) = (bind.host.clone(), copied.base.clone(), left.clone());
        // As long as somebody writes into the draft it is there.
        let draft = Arc::clone(&work.draft);
        let unpacking = tokio::task::spawn_blocking(move || {
            let returned = Returned {
                host: &host,
                packed: &packed,
                base: &base,
                upper: &upper,
            };
            let archive = Receiving {
                receiver,
                piece: Bytes::new(),
            };
            let changes = changes::unpack(archive, &returned, &mut room, &MOST_OUT);
            drop(draft);
            (changes, room)
        });
        let counted = Arc::clone(&moved);
        let receiving = async move {
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|why| error::of(doing, why))?;
                counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
                // Whoever reads it has had enough: why, it says itself.
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        let both = async { tokio::join!(unpacking, receiving) };
        let rest = ends.saturating_duration_since(Instant::now());
        let (unpacked, received) = watched(both, rest, doing, &moved, events).await?;
        received?;
        let (changes, room) =
            unpacked.map_err(|error| Error::new(Code::E3000, doing).caused_by(error))?;
        left = room;
        layers.push(LayerChanges {
            name,
            host: bind.host.clone().into(),
            container: bind.container.clone(),
            changes: changes?,
        });
    }
    work.returned = layers;
    Ok(moved.load(Ordering::Relaxed))
}

/// Waits for something that is copied, tells how far it came where that takes long, and no longer than it may take.
async fn watched<T>(
    copying: impl Future<Output = T>,
    within: Duration,
    doing: &str,
    moved: &AtomicU64,
    events: &EventSink,
) -> Result<T> {
    let mut copying = std::pin::pin!(copying);
    let ends = Instant::now() + within;
    loop {
        let rest = ends.saturating_duration_since(Instant::now());
        match tokio::time::timeout(rest.min(TELL_AFTER), &mut copying).await {
            Ok(copied) => return Ok(copied),
            Err(_) if Instant::now() >= ends => {
                return Err(CommandEnd::InvalidConfig
                    .error(
                        Code::E3407,
                        format!("{doing}: it was not done within {} s", within.as_secs()),
                    )
                    .hint("Mount a smaller folder, or use a daemon that is nearer."));
            }
            Err(_) => {
                let bytes = moved.load(Ordering::Relaxed);
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "it is shown, and not counted with"
                )]
                events.progress(bytes as f64, None, Some(doing));
            }
        }
    }
}

/// Collects an archive into pieces, which are sent.
struct Sending {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
    moved: Arc<AtomicU64>,
    is_refused: Arc<AtomicBool>,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let length = piece.len() as u64;
        if self.sender.blocking_send(piece.into()).is_err() {
            self.is_refused.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.moved.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

/// Reads an archive from the pieces that come. Where they end early, so does the archive, and it has no end of its own.
struct Receiving {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Receiving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        let taken = self.piece.split_to(count);
        if let Some(buffer) = buffer.get_mut(..count) {
            buffer.copy_from_slice(&taken);
        }
        Ok(count)
    }
}
