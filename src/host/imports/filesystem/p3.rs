//! `wasi:filesystem` 0.3 over the same checked operations.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat, Timespec};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmtime::component::{
    Access as StoreAccess, Accessor, Destination, FutureReader, Linker, Resource, StreamProducer,
    StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem};
use wasmtime_wasi::p3::bindings::clocks::system_clock::Instant;
use wasmtime_wasi::p3::bindings::filesystem::preopens;
use wasmtime_wasi::p3::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
    Filesize, HostDescriptorWithStore, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p3::filesystem::{FilesystemError, FilesystemResult};

use super::convert::conversions;
use super::operate::{Base, Entry, OpenRequest, timestamps};
use super::{FilesView, GuardedFiles, Place, blocking, identity};
use crate::host::state::State;
use crate::permission::Access;

/// Adds `wasi:filesystem` 0.3 in place of wasmtime-wasi's.
pub(in crate::host) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, GuardedFiles>(linker, State::files)?;
    preopens::add_to_linker::<State, GuardedFiles>(linker, State::files)
}

type Store = Accessor<State, GuardedFiles>;
type Plain = Accessor<State, WasiFilesystem>;
type Ended = FutureReader<Result<(), ErrorCode>>;

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.preopens()
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FilesystemError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.plain(), error)
    }
}

impl types::HostDescriptor for FilesView<'_> {
    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.remove(fd)
    }
}

conversions! {
    unknown: DescriptorType::Other(None),
    time: |seconds, nanoseconds| Some(Instant { seconds, nanoseconds })
}

fn plain(store: &Store) -> Plain {
    store.with_getter::<WasiFilesystem>(State::plain_files)
}

fn is_synthetic(store: &Store, fd: &Resource<Descriptor>) -> bool {
    store.with(|mut store| store.get().is_synthetic(fd))
}

fn is_synthetic_at(store: &Store, fd: &Resource<Descriptor>, path: &str) -> bool {
    store.with(|mut store| store.get().synthetic_at(fd, path).is_some())
}

/// Finds where a path operation starts, then runs it off the async threads.
async fn at<T: Send + 'static>(
    store: &Store,
    fd: &Resource<Descriptor>,
    path: &str,
    access: Access,
    work: impl FnOnce(&Base, &str) -> io::Result<T> + Send + 'static,
) -> FilesystemResult<T> {
    let (base, path) = store
        .with(|mut store| store.get().start(fd, path, access))
        .map_err(FilesystemError::trap)??;
    Ok(blocking(move || work(&base, &path)).await?)
}

/// Both ends of a link or rename.
async fn between(
    store: &Store,
    from: (&Resource<Descriptor>, &str),
    to: (&Resource<Descriptor>, &str),
    work: impl FnOnce(&Base, &str, &Base, &str) -> io::Result<()> + Send + 'static,
) -> FilesystemResult<()> {
    let start = |(fd, path)| {
        store
            .with(|mut store| store.get().start(fd, path, Access::Write))
            .map_err(FilesystemError::trap)
    };
    let (from_base, from_path) = start(from)??;
    let (to_base, to_path) = start(to)??;
    Ok(blocking(move || work(&from_base, &from_path, &to_base, &to_path)).await?)
}

/// What is meant for a descriptor of wasmtime-wasi's own; a synthetic folder is answered first.
macro_rules! unless_synthetic {
    ($store:ident, $fd:ident, $answer:expr, $call:ident($($argument:expr),*)) => {{
        if is_synthetic($store, &$fd) {
            return $answer;
        }
        <WasiFilesystem as HostDescriptorWithStore<State>>::$call(&plain($store), $fd $(, $argument)*).await
    }};
}

fn plain_access<'a>(
    store: &'a mut StoreAccess<'_, State, GuardedFiles>,
) -> StoreAccess<'a, State, WasiFilesystem> {
    StoreAccess::new(store.as_context_mut(), |state: &mut State| {
        state.plain_files()
    })
}

/// Closes `data` unread and answers that the descriptor is a directory.
fn refuse_write(
    store: &mut StoreAccess<'_, State, GuardedFiles>,
    mut data: StreamReader<u8>,
) -> wasmtime::Result<Ended> {
    data.close(&mut *store)?;
    FutureReader::new(&mut *store, async {
        wasmtime::error::Ok(Err(ErrorCode::IsDirectory))
    })
}

impl HostDescriptorWithStore<State> for GuardedFiles {
    fn read_via_stream(
        mut store: StoreAccess<'_, State, Self>,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> wasmtime::Result<(StreamReader<u8>, Ended)> {
        if store.get().is_synthetic(&fd) {
            return Ok((
                StreamReader::new(&mut store, std::iter::empty())?,
                FutureReader::new(&mut store, async {
                    wasmtime::error::Ok(Err(ErrorCode::IsDirectory))
                })?,
            ));
        }
        WasiFilesystem::read_via_stream(plain_access(&mut store), fd, offset)
    }

    fn write_via_stream(
        mut store: StoreAccess<'_, State, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
        offset: Filesize,
    ) -> wasmtime::Result<Ended> {
        if store.get().is_synthetic(&fd) {
            return refuse_write(&mut store, data);
        }
        WasiFilesystem::write_via_stream(plain_access(&mut store), fd, data, offset)
    }

    fn append_via_stream(
        mut store: StoreAccess<'_, State, Self>,
        fd: Resource<Descriptor>,
        data: StreamReader<u8>,
    ) -> wasmtime::Result<Ended> {
        if store.get().is_synthetic(&fd) {
            return refuse_write(&mut store, data);
        }
        WasiFilesystem::append_via_stream(plain_access(&mut store), fd, data)
    }

    fn read_directory(
        mut store: StoreAccess<'_, State, Self>,
        fd: Resource<Descriptor>,
    ) -> wasmtime::Result<(StreamReader<DirectoryEntry>, Ended)> {
        let (sender, receiver) = oneshot::channel();
        let task = match store.get().place(&fd)? {
            Place::Synthetic(folder) => {
                let entries = store.get().files.synthetic_entries(&folder);
                tokio::task::spawn_blocking(move || Ok(entries))
            }
            Place::File => tokio::task::spawn_blocking(|| Err(rustix::io::Errno::NOTDIR.into())),
            Place::Dir(base) => tokio::task::spawn_blocking(move || base.list()),
        };
        let stream = StreamReader::new(
            &mut store,
            Listing {
                task,
                entries: None,
                ended: Some(sender),
            },
        )?;
        Ok((stream, FutureReader::new(&mut store, receiver)?))
    }

    async fn advise(
        store: &Store,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FilesystemResult<()> {
        unless_synthetic!(
            store,
            fd,
            Err(ErrorCode::BadDescriptor.into()),
            advise(offset, length, advice)
        )
    }

    async fn sync_data(store: &Store, fd: Resource<Descriptor>) -> FilesystemResult<()> {
        unless_synthetic!(store, fd, Ok(()), sync_data())
    }

    async fn sync(store: &Store, fd: Resource<Descriptor>) -> FilesystemResult<()> {
        unless_synthetic!(store, fd, Ok(()), sync())
    }

    async fn get_flags(
        store: &Store,
        fd: Resource<Descriptor>,
    ) -> FilesystemResult<DescriptorFlags> {
        unless_synthetic!(store, fd, Ok(DescriptorFlags::READ), get_flags())
    }

    async fn get_type(store: &Store, fd: Resource<Descriptor>) -> FilesystemResult<DescriptorType> {
        unless_synthetic!(store, fd, Ok(DescriptorType::Directory), get_type())
    }

    async fn set_size(
        store: &Store,
        fd: Resource<Descriptor>,
        size: Filesize,
    ) -> FilesystemResult<()> {
        unless_synthetic!(
            store,
            fd,
            Err(ErrorCode::IsDirectory.into()),
            set_size(size)
        )
    }

    async fn set_times(
        store: &Store,
        fd: Resource<Descriptor>,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FilesystemResult<()> {
        unless_synthetic!(
            store,
            fd,
            Err(ErrorCode::NotPermitted.into()),
            set_times(access, modification)
        )
    }

    async fn stat(store: &Store, fd: Resource<Descriptor>) -> FilesystemResult<DescriptorStat> {
        unless_synthetic!(store, fd, Ok(synthetic_stat()), stat())
    }

    async fn is_same_object(
        store: &Store,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        let places = store.with(|mut store| {
            let view = store.get();
            wasmtime::error::Ok((view.place(&a)?, view.place(&b)?))
        })?;
        match places {
            (Place::Synthetic(a), Place::Synthetic(b)) => Ok(a == b),
            (Place::Synthetic(_), _) | (_, Place::Synthetic(_)) => Ok(false),
            _ => {
                <WasiFilesystem as HostDescriptorWithStore<State>>::is_same_object(
                    &plain(store),
                    a,
                    b,
                )
                .await
            }
        }
    }

    async fn create_directory_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        if is_synthetic_at(store, &fd, &path) {
            return Err(ErrorCode::Exist.into());
        }
        at(store, &fd, &path, Access::Write, |base, path| {
            base.create_directory(path)
        })
        .await
    }

    async fn stat_at(
        store: &Store,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<DescriptorStat> {
        if is_synthetic_at(store, &fd, &path) {
            return Ok(synthetic_stat());
        }
        let stat = at(store, &fd, &path, Access::Read, move |base, path| {
            base.stat(path, follows(flags))
        })
        .await?;
        Ok(descriptor_stat(&stat))
    }

    async fn set_times_at(
        store: &Store,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FilesystemResult<()> {
        let times = timestamps(timespec(access)?, timespec(modification)?);
        at(store, &fd, &path, Access::Write, move |base, path| {
            base.set_times(path, follows(flags), &times)
        })
        .await
    }

    async fn link_at(
        store: &Store,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FilesystemResult<()> {
        if follows(flags) {
            return Err(ErrorCode::Invalid.into());
        }
        between(
            store,
            (&fd, &path),
            (&new_fd, &new_path),
            |from, path, to, new_path| from.hard_link(path, to, new_path),
        )
        .await
    }

    async fn open_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FilesystemResult<Resource<Descriptor>> {
        let request = open_request(path_flags, open_flags, flags)?;
        let access = request.access();
        let synthetic = store.with(|mut store| store.get().synthetic_at(&fd, &path));
        if let Some(folder) = synthetic {
            if access == Access::Write {
                return Err(ErrorCode::NotPermitted.into());
            }
            return Ok(store.with(|mut store| store.get().push_synthetic(folder))?);
        }
        let opened = at(store, &fd, &path, access, move |base, path| {
            base.open(path, request)
        })
        .await?;
        store
            .with(|mut store| store.get().insert(opened))
            .map_err(FilesystemError::trap)
    }

    async fn readlink_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<String> {
        at(store, &fd, &path, Access::Read, |base, path| {
            base.read_link(path)
        })
        .await
    }

    async fn remove_directory_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        at(store, &fd, &path, Access::Write, |base, path| {
            base.remove_directory(path)
        })
        .await
    }

    async fn rename_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FilesystemResult<()> {
        between(
            store,
            (&fd, &path),
            (&new_fd, &new_path),
            |from, path, to, new_path| from.rename(path, to, new_path),
        )
        .await
    }

    async fn symlink_at(
        store: &Store,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FilesystemResult<()> {
        at(store, &fd, &path, Access::Write, move |base, path| {
            base.symlink(&target, path)
        })
        .await
    }

    async fn unlink_file_at(
        store: &Store,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FilesystemResult<()> {
        at(store, &fd, &path, Access::Write, |base, path| {
            base.unlink_file(path)
        })
        .await
    }

    async fn metadata_hash(
        store: &Store,
        fd: Resource<Descriptor>,
    ) -> FilesystemResult<MetadataHashValue> {
        if is_synthetic(store, &fd) {
            return Ok(hash_value((0, 0)));
        }
        let file = store.with(|mut store| {
            FilesystemResult::Ok(match store.get().table.get(&fd)? {
                Descriptor::File(file) => file.file.clone(),
                Descriptor::Dir(dir) => dir.dir.clone(),
            })
        })?;
        let stat = blocking(move || Ok(rustix::fs::fstat(&*file)?)).await?;
        Ok(hash_value(identity(&stat)))
    }

    async fn metadata_hash_at(
        store: &Store,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FilesystemResult<MetadataHashValue> {
        if is_synthetic_at(store, &fd, &path) {
            return Ok(hash_value((0, 0)));
        }
        let stat = at(store, &fd, &path, Access::Read, move |base, path| {
            base.stat(path, follows(flags))
        })
        .await?;
        Ok(hash_value(identity(&stat)))
    }
}

/// Reads a directory on the blocking pool, then hands its entries to the guest as it asks for them.
struct Listing {
    task: JoinHandle<io::Result<Vec<Entry>>>,
    entries: Option<VecDeque<Entry>>,
    ended: Option<oneshot::Sender<Result<(), ErrorCode>>>,
}

impl Listing {
    fn end(&mut self, result: Result<(), ErrorCode>) -> StreamResult {
        if let Some(ended) = self.ended.take() {
            // The guest may have dropped its end; then nobody asks how the listing ended.
            drop(ended.send(result));
        }
        StreamResult::Dropped
    }
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

impl<D> StreamProducer<D> for Listing {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        _finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if self.entries.is_none() {
            let listed = ready!(Pin::new(&mut self.task).poll(context))?;
            match listed {
                Ok(entries) => self.entries = Some(entries.into()),
                Err(error) => return Poll::Ready(Ok(self.end(Err(error.into())))),
            }
        }
        let room = destination.remaining(&mut store).unwrap_or(32);
        if room == 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Some(entries) = self.entries.as_mut().filter(|entries| !entries.is_empty()) else {
            return Poll::Ready(Ok(self.end(Ok(()))));
        };
        let count = room.min(entries.len());
        let chunk: Vec<_> = entries
            .drain(..count)
            .map(|entry| DirectoryEntry {
                type_: descriptor_type(entry.kind),
                name: entry.name,
            })
            .collect();
        destination.set_buffer(chunk.into());
        Poll::Ready(Ok(StreamResult::Completed))
    }
}
