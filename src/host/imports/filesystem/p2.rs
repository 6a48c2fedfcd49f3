//! `wasi:filesystem` 0.2 over the checked operations.

use std::collections::VecDeque;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Stat, Timespec};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream,
    MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::convert::conversions;
use super::operate::{Entry, OpenRequest, timestamps};
use super::{FilesView, GuardedFiles, Place, blocking, identity};
use crate::host::state::State;
use crate::permission::Access;

/// Adds `wasi:filesystem` 0.2 in place of wasmtime-wasi's.
pub(in crate::host) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    types::add_to_linker::<State, GuardedFiles>(linker, State::files)?;
    preopens::add_to_linker::<State, GuardedFiles>(linker, State::files)
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.preopens()
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.plain(), error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.plain(), error)
    }
}

/// A directory listing that was read, entry by entry.
struct Listing(VecDeque<Entry>);

/// A synthetic folder has no bytes.
fn is_a_directory() -> FsError {
    ErrorCode::IsDirectory.into()
}

conversions! {
    unknown: DescriptorType::Unknown,
    time: |seconds: i64, nanoseconds| Some(Datetime {
        seconds: u64::try_from(seconds).ok()?,
        nanoseconds,
    })
}

/// A synthetic folder is not in wasmtime-wasi's hands: what is meant for a descriptor of its own is answered first.
macro_rules! unless_synthetic {
    ($self:ident, $fd:ident, $answer:expr, $call:ident($($argument:expr),*)) => {{
        if $self.is_synthetic(&$fd) {
            return $answer;
        }
        HostDescriptor::$call(&mut $self.plain(), $fd $(, $argument)*).await
    }};
}

impl FilesView<'_> {
    /// Finds where a path operation starts, then runs it off the async threads.
    async fn at<T: Send + 'static>(
        &mut self,
        fd: &Resource<Descriptor>,
        path: &str,
        access: Access,
        work: impl FnOnce(&super::operate::Base, &str) -> io::Result<T> + Send + 'static,
    ) -> FsResult<T> {
        let (base, path) = self.start(fd, path, access).map_err(FsError::trap)??;
        Ok(blocking(move || work(&base, &path)).await?)
    }

    /// Both ends of a link or rename.
    async fn between(
        &mut self,
        from: (&Resource<Descriptor>, &str),
        to: (&Resource<Descriptor>, &str),
        work: impl FnOnce(&super::operate::Base, &str, &super::operate::Base, &str) -> io::Result<()>
        + Send
        + 'static,
    ) -> FsResult<()> {
        let (from_base, from_path) = self
            .start(from.0, from.1, Access::Write)
            .map_err(FsError::trap)??;
        let (to_base, to_path) = self
            .start(to.0, to.1, Access::Write)
            .map_err(FsError::trap)??;
        Ok(blocking(move || work(&from_base, &from_path, &to_base, &to_path)).await?)
    }
}

impl HostDescriptor for FilesView<'_> {
    async fn advise(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
        length: Filesize,
        advice: Advice,
    ) -> FsResult<()> {
        unless_synthetic!(
            self,
            fd,
            Err(ErrorCode::BadDescriptor.into()),
            advise(offset, length, advice)
        )
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        unless_synthetic!(self, fd, Ok(()), sync_data())
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        unless_synthetic!(self, fd, Ok(()), sync())
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        unless_synthetic!(self, fd, Ok(DescriptorFlags::READ), get_flags())
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        unless_synthetic!(self, fd, Ok(DescriptorType::Directory), get_type())
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        unless_synthetic!(self, fd, Err(is_a_directory()), set_size(size))
    }

    async fn set_times(
        &mut self,
        fd: Resource<Descriptor>,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        unless_synthetic!(
            self,
            fd,
            Err(ErrorCode::NotPermitted.into()),
            set_times(access, modification)
        )
    }

    async fn read(
        &mut self,
        fd: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        unless_synthetic!(self, fd, Err(is_a_directory()), read(length, offset))
    }

    async fn write(
        &mut self,
        fd: Resource<Descriptor>,
        buffer: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        unless_synthetic!(self, fd, Err(is_a_directory()), write(buffer, offset))
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        unless_synthetic!(self, fd, Ok(synthetic_stat()), stat())
    }

    fn read_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        if self.is_synthetic(&fd) {
            return Err(is_a_directory());
        }
        HostDescriptor::read_via_stream(&mut self.plain(), fd, offset)
    }

    fn write_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        if self.is_synthetic(&fd) {
            return Err(is_a_directory());
        }
        HostDescriptor::write_via_stream(&mut self.plain(), fd, offset)
    }

    fn append_via_stream(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DynOutputStream>> {
        if self.is_synthetic(&fd) {
            return Err(is_a_directory());
        }
        HostDescriptor::append_via_stream(&mut self.plain(), fd)
    }

    async fn is_same_object(
        &mut self,
        a: Resource<Descriptor>,
        b: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        match (self.place(&a)?, self.place(&b)?) {
            (Place::Synthetic(a), Place::Synthetic(b)) => Ok(a == b),
            (Place::Synthetic(_), _) | (_, Place::Synthetic(_)) => Ok(false),
            _ => HostDescriptor::is_same_object(&mut self.plain(), a, b).await,
        }
    }

    async fn read_directory(
        &mut self,
        fd: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let entries = match self.place(&fd).map_err(FsError::trap)? {
            Place::Synthetic(folder) => self.files.synthetic_entries(&folder),
            Place::File => return Err(ErrorCode::NotDirectory.into()),
            Place::Dir(base) => blocking(move || base.list()).await?,
        };
        let listing = self.table.push(Listing(entries.into()))?;
        Ok(Resource::new_own(listing.rep()))
    }

    async fn create_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        if self.synthetic_at(&fd, &path).is_some() {
            return Err(ErrorCode::Exist.into());
        }
        self.at(&fd, &path, Access::Write, |base, path| {
            base.create_directory(path)
        })
        .await
    }

    async fn stat_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        if self.synthetic_at(&fd, &path).is_some() {
            return Ok(synthetic_stat());
        }
        let stat = self
            .at(&fd, &path, Access::Read, move |base, path| {
                base.stat(path, follows(flags))
            })
            .await?;
        Ok(descriptor_stat(&stat))
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let times = timestamps(timespec(access)?, timespec(modification)?);
        self.at(&fd, &path, Access::Write, move |base, path| {
            base.set_times(path, follows(flags), &times)
        })
        .await
    }

    async fn link_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        if follows(flags) {
            return Err(ErrorCode::Invalid.into());
        }
        self.between(
            (&fd, &path),
            (&new_fd, &new_path),
            |from, path, to, new_path| from.hard_link(path, to, new_path),
        )
        .await
    }

    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let request = open_request(path_flags, open_flags, flags)?;
        let access = request.access();
        if let Some(folder) = self.synthetic_at(&fd, &path) {
            if access == Access::Write {
                return Err(ErrorCode::NotPermitted.into());
            }
            return Ok(self.push_synthetic(folder)?);
        }
        let opened = self
            .at(&fd, &path, access, move |base, path| {
                base.open(path, request)
            })
            .await?;
        self.insert(opened).map_err(FsError::trap)
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.remove(fd)
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.at(&fd, &path, Access::Read, |base, path| base.read_link(path))
            .await
    }

    async fn remove_directory_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        self.at(&fd, &path, Access::Write, |base, path| {
            base.remove_directory(path)
        })
        .await
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        self.between(
            (&fd, &path),
            (&new_fd, &new_path),
            |from, path, to, new_path| from.rename(path, to, new_path),
        )
        .await
    }

    async fn symlink_at(
        &mut self,
        fd: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        self.at(&fd, &path, Access::Write, move |base, path| {
            base.symlink(&target, path)
        })
        .await
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        self.at(&fd, &path, Access::Write, |base, path| {
            base.unlink_file(path)
        })
        .await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        if self.is_synthetic(&fd) {
            return Ok(hash_value((0, 0)));
        }
        let file = match self.table.get(&fd)? {
            Descriptor::File(file) => file.file.clone(),
            Descriptor::Dir(dir) => dir.dir.clone(),
        };
        let stat = blocking(move || Ok(rustix::fs::fstat(&*file)?)).await?;
        Ok(hash_value(identity(&stat)))
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        if self.synthetic_at(&fd, &path).is_some() {
            return Ok(hash_value((0, 0)));
        }
        let stat = self
            .at(&fd, &path, Access::Read, move |base, path| {
                base.stat(path, follows(flags))
            })
            .await?;
        Ok(hash_value(identity(&stat)))
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let listing = self
            .table
            .get_mut(&Resource::<Listing>::new_borrow(stream.rep()))?;
        Ok(listing.0.pop_front().map(|entry| DirectoryEntry {
            type_: descriptor_type(entry.kind),
            name: entry.name,
        }))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table
            .delete(Resource::<Listing>::new_own(stream.rep()))?;
        Ok(())
    }
}
