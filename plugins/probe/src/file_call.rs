//! Files by calls of `wasi:filesystem`, with paths exactly as they were given.

use crate::tools::exports::probe::tools::act::{FileOperation, How, Opening};
use crate::wasi::wasi::filesystem::preopens::get_directories;
use crate::wasi::wasi::filesystem::types::{
    Datetime, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp,
    OpenFlags, PathFlags,
};

/// How much of a file is read.
const BEGINNING: u64 = 4096;

/// The names of the folders that are open from the start.
pub(crate) fn open_folders() -> Vec<String> {
    get_directories()
        .into_iter()
        .map(|(_, name)| name)
        .collect()
}

/// Runs one operation on one of the open folders.
pub(crate) fn run(folder: &str, operation: FileOperation) -> Result<String, String> {
    let folder = named(folder)?;
    let done = |()| "done".to_owned();
    let result = match operation {
        FileOperation::Open(opening) => open(&folder, &opening),
        FileOperation::Stat(path) => folder
            .stat_at(PathFlags::SYMLINK_FOLLOW, &path)
            .map(describe),
        FileOperation::StatLink(path) => folder.stat_at(PathFlags::empty(), &path).map(describe),
        FileOperation::Rename(moving) => {
            let to = named(&moving.to_folder)?;
            folder
                .rename_at(&moving.path, &to, &moving.to_path)
                .map(done)
        }
        FileOperation::Link(moving) => {
            let to = named(&moving.to_folder)?;
            folder
                .link_at(PathFlags::empty(), &moving.path, &to, &moving.to_path)
                .map(done)
        }
        FileOperation::Symlink((path, target)) => folder.symlink_at(&target, &path).map(done),
        FileOperation::ReadLink(path) => folder.readlink_at(&path),
        FileOperation::MakeFolder(path) => folder.create_directory_at(&path).map(done),
        FileOperation::RemoveFile(path) => folder.unlink_file_at(&path).map(done),
        FileOperation::RemoveFolder(path) => folder.remove_directory_at(&path).map(done),
        FileOperation::SetTimes(path) => {
            let zero = NewTimestamp::Timestamp(Datetime {
                seconds: 0,
                nanoseconds: 0,
            });
            folder
                .set_times_at(PathFlags::SYMLINK_FOLLOW, &path, zero, zero)
                .map(done)
        }
        FileOperation::Cut(path) => folder
            .open_at(
                PathFlags::SYMLINK_FOLLOW,
                &path,
                OpenFlags::empty(),
                DescriptorFlags::READ,
            )
            .and_then(|file| file.set_size(0))
            .map(done),
    };
    result.map_err(|code: ErrorCode| code.name().to_owned())
}

fn named(name: &str) -> Result<Descriptor, String> {
    let folders = get_directories();
    let found = folders.into_iter().find(|(_, other)| other == name);
    found
        .map(|(folder, _)| folder)
        .ok_or_else(|| format!("no-such-folder: {}", open_folders().join(" ")))
}

fn open(folder: &Descriptor, opening: &Opening) -> Result<String, ErrorCode> {
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
    let opened = folder.open_at(path_flags, &opening.path, open_flags, flags)?;
    if opened.get_type()? != DescriptorType::RegularFile || !asked(How::READ) {
        return Ok(kind(opened.get_type()?).to_owned());
    }
    let (bytes, _) = opened.read(BEGINNING, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn kind(kind: DescriptorType) -> &'static str {
    match kind {
        DescriptorType::RegularFile => "file",
        DescriptorType::Directory => "folder",
        DescriptorType::SymbolicLink => "link",
        DescriptorType::Fifo => "pipe",
        DescriptorType::Socket => "socket",
        DescriptorType::BlockDevice | DescriptorType::CharacterDevice => "device",
        DescriptorType::Unknown => "unknown",
    }
}

fn describe(stat: DescriptorStat) -> String {
    format!("{} of {} bytes", kind(stat.type_), stat.size)
}
