//! Archives in the format of tar: written plainly, and read with distrust.
//!
//! Whoever made an archive that is read may want to harm whoever reads it. So it is all or nothing: a name that leads elsewhere,
//! a header that does not add up or an end that is missing makes the whole of it worthless. Extensions, whose sizes a header
//! decides, are read up to a limit; what no file system of a command holds (sparse files as such, labels) is refused.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header, PaxExtensions};

/// Everything is in blocks of this size.
const BLOCK: u64 = 512;
/// What is said about an entry besides its header: a long name, a long target, a few attributes.
const MOST_EXTENSION: u64 = 256 << 10;
/// Names and targets that are longer stand before the header.
const SHORT: usize = 100;

/// What cannot be gone on with.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It cannot be read or written.
    Io(io::Error),
    /// It is no archive, or one that nobody should take.
    Malformed(String),
    /// A file in it is larger than anything that is taken.
    TooLarge,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed("it ends too early"),
            _ => Self::Io(error),
        }
    }
}

fn malformed(why: impl Into<String>) -> Trouble {
    Trouble::Malformed(why.into())
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file; its content follows.
    File {
        /// In bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link(Vec<u8>),
    /// Another name of an entry before it.
    Same(PathBuf),
    /// A pipe or a device.
    Special,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below the first folder of the archive; empty for that one itself. Has plain names only.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// The permission bits.
    pub(super) mode: u32,
}

/// Reads an archive whose entries all lie in one folder.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: R,
    /// The name of the folder.
    base: Vec<u8>,
    /// What is left of the content of the last entry.
    content: u64,
    /// What follows it, up to the next block.
    padding: u64,
}

/// What stood before a header.
#[derive(Default)]
struct Before {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(from: R, base: &str) -> Self {
        Self {
            from,
            base: base.as_bytes().to_vec(),
            content: 0,
            padding: 0,
        }
    }

    /// The next entry; nothing at the end, which has to be marked as such. What was not read of the last one is passed over.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Trouble> {
        let mut before = Before::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return match before.path.or(before.link) {
                    None => Ok(None),
                    Some(_) => Err(malformed("a name has no entry")),
                };
            };
            let size = header
                .entry_size()
                .map_err(|_| malformed("a size is no number"))?;
            self.content = size;
            self.padding = (BLOCK - size % BLOCK) % BLOCK;
            let kind = header.entry_type();
            match kind {
                EntryType::GNULongName => before.path = Some(self.extension()?),
                EntryType::GNULongLink => before.link = Some(self.extension()?),
                EntryType::XHeader => self.attributes(&mut before)?,
                EntryType::XGlobalHeader => drop(self.whole_extension()?),
                _ => return self.entry(&header, before).map(Some),
            }
        }
    }

    /// The content of the last entry.
    pub(super) fn content(&mut self) -> Content<'_, R> {
        Content(self)
    }

    fn skip(&mut self) -> Result<(), Trouble> {
        let left = self.content.saturating_add(self.padding);
        (self.content, self.padding) = (0, 0);
        let passed = io::copy(&mut (&mut self.from).take(left), &mut io::sink())?;
        if passed == left {
            return Ok(());
        }
        Err(malformed("it ends too early"))
    }

    /// The next header; nothing for the two empty blocks at the end.
    fn header(&mut self) -> Result<Option<Header>, Trouble> {
        let mut header = Header::new_old();
        self.from.read_exact(header.as_mut_bytes())?;
        let is_empty = |header: &Header| header.as_bytes().iter().all(|byte| *byte == 0);
        if is_empty(&header) {
            self.from.read_exact(header.as_mut_bytes())?;
            if is_empty(&header) {
                return Ok(None);
            }
            return Err(malformed("its end is none"));
        }
        let found = header
            .as_bytes()
            .iter()
            .enumerate()
            // The sum itself counts as blanks.
            .map(|(at, byte)| {
                u32::from(if (148..156).contains(&at) {
                    b' '
                } else {
                    *byte
                })
            })
            .sum::<u32>();
        match header.cksum() {
            Ok(told) if told == found => Ok(Some(header)),
            _ => Err(malformed("a header is damaged")),
        }
    }

    fn whole_extension(&mut self) -> Result<Vec<u8>, Trouble> {
        if self.content > MOST_EXTENSION {
            return Err(malformed("a name or an attribute is too long"));
        }
        let mut bytes = Vec::new();
        self.content().read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A name, which ends with a zero.
    fn extension(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut bytes = self.whole_extension()?;
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(bytes)
    }

    fn attributes(&mut self, before: &mut Before) -> Result<(), Trouble> {
        let bytes = self.whole_extension()?;
        for attribute in PaxExtensions::new(&bytes) {
            let attribute = attribute.map_err(|_| malformed("an attribute cannot be read"))?;
            match attribute.key_bytes() {
                b"path" => before.path = Some(attribute.value_bytes().to_vec()),
                b"linkpath" => before.link = Some(attribute.value_bytes().to_vec()),
                // It is there for files of more than 8 GiB, which are not taken, and would have us see other entries.
                b"size" => return Err(Trouble::TooLarge),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(malformed("a file has holes"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn entry(&mut self, header: &Header, before: Before) -> Result<Entry, Trouble> {
        let name = before
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let link = || match before.link {
            Some(link) => link,
            None => header
                .link_name_bytes()
                .map(|link| link.into_owned())
                .unwrap_or_default(),
        };
        let mode = header
            .mode()
            .map_err(|_| malformed("a mode is no number"))?
            & 0o7777;
        let kind = match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => Kind::File { size: self.content },
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink => Kind::Link(link()),
            EntryType::Link => Kind::Same(self.path(&link())?),
            EntryType::Fifo | EntryType::Char | EntryType::Block => Kind::Special,
            other => {
                let type_byte = other.as_byte();
                return Err(malformed(format!("an entry is of the type {type_byte}")));
            }
        };
        if self.content > 0 && !matches!(kind, Kind::File { .. }) {
            return Err(malformed("what is no file has content"));
        }
        let path = self.path(&name)?;
        if matches!(&kind, Kind::Link(target) if target.is_empty() || target.contains(&0)) {
            return Err(malformed("a link leads nowhere"));
        }
        if path.as_os_str().is_empty() && kind != Kind::Folder {
            return Err(malformed("the folder is none"));
        }
        Ok(Entry { path, kind, mode })
    }

    /// A path of the archive as one below its folder: plain names, and nothing that leads elsewhere.
    fn path(&self, name: &[u8]) -> Result<PathBuf, Trouble> {
        let told = || String::from_utf8_lossy(name).escape_debug().to_string();
        let mut parts = name
            .strip_suffix(b"/")
            .unwrap_or(name)
            .split(|b| *b == b'/');
        if parts.next() != Some(&self.base) {
            return Err(malformed(format!("{} lies elsewhere", told())));
        }
        let mut path = PathBuf::new();
        for part in parts {
            let is_plain = !part.is_empty() && part != b"." && part != b".." && !part.contains(&0);
            if !is_plain {
                return Err(malformed(format!("{} is no plain path", told())));
            }
            path.push(OsString::from_vec(part.to_vec()));
        }
        Ok(path)
    }
}

/// The content of an entry, to its last byte.
#[derive(Debug)]
pub(super) struct Content<'a, R>(&'a mut Reader<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Reader { from, content, .. } = &mut *self.0;
        if *content == 0 || buffer.is_empty() {
            return Ok(0);
        }
        match from.take(*content).read(buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                *content -= count as u64;
                Ok(count)
            }
        }
    }
}

/// What is written down about an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stat {
    pub(super) mode: u32,
    /// User and group.
    pub(super) owner: (u32, u32),
    /// In seconds since 1970.
    pub(super) modified: i64,
}

/// Writes an archive.
#[derive(Debug)]
pub(super) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to }
    }

    /// A folder.
    pub(super) fn folder(&mut self, path: &Path, stat: Stat) -> io::Result<()> {
        self.header(path, EntryType::Directory, stat, 0, b"")
    }

    /// A symbolic link, whose target is written as it is.
    pub(super) fn link(&mut self, path: &Path, target: &[u8], stat: Stat) -> io::Result<()> {
        self.header(path, EntryType::Symlink, stat, 0, target)
    }

    /// A file. What is given has to be exactly as long as it is said to be: `content` gets what to write it into.
    pub(super) fn file<T>(
        &mut self,
        path: &Path,
        stat: Stat,
        size: u64,
        content: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        self.header(path, EntryType::Regular, stat, size, b"")?;
        let written = content(&mut self.to)?;
        self.pad(size)?;
        Ok(written)
    }

    /// Writes the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.to.write_all(&[0; 2 * BLOCK as usize])?;
        self.to.flush()
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let missing = (BLOCK - size % BLOCK) % BLOCK;
        io::copy(&mut io::repeat(0).take(missing), &mut self.to).map(drop)
    }

    fn header(
        &mut self,
        path: &Path,
        kind: EntryType,
        stat: Stat,
        size: u64,
        link: &[u8],
    ) -> io::Result<()> {
        let mut header = Header::new_gnu();
        let name = path.as_os_str().as_bytes();
        if link.len() > SHORT {
            self.extension(EntryType::GNULongLink, link)?;
        } else if !link.is_empty() {
            header.set_link_name_literal(link)?;
        }
        if name.len() > SHORT {
            self.extension(EntryType::GNULongName, name)?;
        }
        set_name(&mut header, name);
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(stat.mode & 0o7777);
        header.set_uid(stat.owner.0.into());
        header.set_gid(stat.owner.1.into());
        header.set_mtime(u64::try_from(stat.modified).unwrap_or_default());
        header.set_cksum();
        self.to.write_all(header.as_bytes())
    }

    fn extension(&mut self, kind: EntryType, text: &[u8]) -> io::Result<()> {
        let mut header = Header::new_gnu();
        set_name(&mut header, b"././@LongLink");
        header.set_entry_type(kind);
        let size = text.len() as u64 + 1;
        header.set_size(size);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        self.to.write_all(header.as_bytes())?;
        self.to.write_all(text)?;
        self.to.write_all(&[0])?;
        self.pad(size)
    }
}

/// The first bytes of a name as they are: the whole of a long one stands before the header.
fn set_name(header: &mut Header, name: &[u8]) {
    for (to, from) in header.as_old_mut().name.iter_mut().zip(name) {
        *to = *from;
    }
}
