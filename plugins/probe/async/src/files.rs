//! Files, with paths exactly as they were given.

use crate::bindings::exports::probe::concurrent::act::{FileOperation, How, Opening};
use crate::bindings::wasi::clocks::system_clock::Instant;
use crate::bindings::wasi::filesystem::preopens::get_directories;
use crate::bindings::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp,
    OpenFlags, PathFlags,
};
use crate::bindings::wit_stream;
use crate::name_of;

/// How much of a file is read.
const BEGINNING: usize = 4096;

/// The names of the folders that are open from the start.
pub(crate) fn open_folders() -> Vec<String> {
    get_directories()
        .into_iter()
        .map(|(_, name)| name)
        .collect()
}

fn named(name: &str) -> Result<Descriptor, String> {
    let folders = get_directories();
    let found = folders.into_iter().find(|(_, other)| other == name);
    found
        .map(|(folder, _)| folder)
        .ok_or_else(|| format!("no-such-folder: {}", open_folders().join(" ")))
}

/// Runs one operation on one of the open folders.
pub(crate) async fn run(folder: &str, operation: FileOperation) -> Result<String, String> {
    let folder = named(folder)?;
    let done = |()| "done".to_owned();
    let result = match operation {
        FileOperation::Open(opening) => open(&folder, opening).await,
        FileOperation::Stat(path) => {
            let stat = folder.stat_at(PathFlags::SYMLINK_FOLLOW, path).await;
            stat.map(|stat| describe(&stat))
        }
        FileOperation::StatLink(path) => {
            let stat = folder.stat_at(PathFlags::empty(), path).await;
            stat.map(|stat| describe(&stat))
        }
        FileOperation::Rename(moving) => {
            let to = named(&moving.to_folder)?;
            folder
                .rename_at(moving.path, &to, moving.to_path)
                .await
                .map(done)
        }
        FileOperation::Link(moving) => {
            let to = named(&moving.to_folder)?;
            let linked = folder.link_at(PathFlags::empty(), moving.path, &to, moving.to_path);
            linked.await.map(done)
        }
        FileOperation::Symlink((path, target)) => folder.symlink_at(target, path).await.map(done),
        FileOperation::ReadLink(path) => folder.readlink_at(path).await,
        FileOperation::MakeFolder(path) => folder.create_directory_at(path).await.map(done),
        FileOperation::RemoveFile(path) => folder.unlink_file_at(path).await.map(done),
        FileOperation::RemoveFolder(path) => folder.remove_directory_at(path).await.map(done),
        FileOperation::SetTimes(path) => {
            let zero = NewTimestamp::Timestamp(Instant {
                seconds: 0,
                nanoseconds: 0,
            });
            let set = folder.set_times_at(PathFlags::SYMLINK_FOLLOW, path, zero, zero);
            set.await.map(done)
        }
        FileOperation::Cut(path) => cut(&folder, path).await.map(done),
    };
    result.map_err(|code| name_of(&code))
}

async fn cut(folder: &Descriptor, path: String) -> Result<(), ErrorCode> {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let file = folder.open_at(follow, path, OpenFlags::empty(), DescriptorFlags::READ);
    file.await?.set_size(0).await
}

async fn open(folder: &Descriptor, opening: Opening) -> Result<String, ErrorCode> {
    let asked = |flag| opening.how.contains(flag);
    let mut path_flags = PathFlags::empty();
    path_flags.set(PathFlags::SYMLINK_FOLLOW, asked(How::FOLLOW));
    let mut open_flags = OpenFlags::empty();
    open_flags.set(OpenFlags::CREATE, asked(How::CREATE));
    open_flags.set(OpenFlags::DIRECTORY, asked(How::FOLDER));
    open_flags.set(OpenFlags::EXCLUSIVE, asked(How::EXCLUSIVE));
    open_flags.set(OpenFlags::TRUNCATE, asked(How::TRUNCATE));
    let mut flags = DescriptorFlags::empty();
    flags.set(DescriptorFlags::READ, asked(How::READ));
    flags.set(DescriptorFlags::WRITE, asked(How::WRITE));
    flags.set(DescriptorFlags::MUTATE_DIRECTORY, asked(How::MUTATE));
    let opened = folder
        .open_at(path_flags, opening.path, open_flags, flags)
        .await?;
    let kind = opened.get_type().await?;
    if !matches!(kind, DescriptorType::RegularFile) || !opening.how.contains(How::READ) {
        return Ok(name(&kind).to_owned());
    }
    let (mut stream, ended) = opened.read_via_stream(0);
    let (_, bytes) = stream.read(Vec::with_capacity(BEGINNING)).await;
    drop(stream);
    if bytes.is_empty() {
        ended.await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn name(kind: &DescriptorType) -> &'static str {
    match kind {
        DescriptorType::RegularFile => "file",
        DescriptorType::Directory => "folder",
        DescriptorType::SymbolicLink => "link",
        DescriptorType::Fifo => "pipe",
        DescriptorType::Socket => "socket",
        DescriptorType::BlockDevice | DescriptorType::CharacterDevice => "device",
        DescriptorType::Other(_) => "unknown",
    }
}

fn describe(stat: &DescriptorStat) -> String {
    format!("{} of {} bytes", name(&stat.type_), stat.size)
}

/// The names in a folder.
pub(crate) async fn list(folder: &str) -> Result<Vec<String>, String> {
    let folder = named(folder)?;
    let (entries, ended) = folder.read_directory();
    let entries = entries.collect().await;
    ended.await.map_err(|code| name_of(&code))?;
    let mut names: Vec<String> = entries.into_iter().map(|entry| entry.name).collect();
    names.sort();
    Ok(names)
}

/// Writes at the start of a file.
pub(crate) async fn write(folder: &str, path: String, text: String) -> Result<(), String> {
    let folder = named(folder)?;
    let follow = PathFlags::SYMLINK_FOLLOW;
    let file = folder.open_at(follow, path, OpenFlags::empty(), DescriptorFlags::WRITE);
    let file = file.await.map_err(|code| name_of(&code))?;
    let (mut writer, reader) = wit_stream::new();
    let ended = file.write_via_stream(reader, 0);
    let rest = writer.write_all(text.into_bytes()).await;
    drop(writer);
    ended.await.map_err(|code| name_of(&code))?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err("cut-short".to_owned())
    }
}
