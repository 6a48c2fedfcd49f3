//! What is mounted here, from `/proc/self/mountinfo`.

use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where it is.
    pub path: PathBuf,
    /// Whether nothing can be written there: the mount itself, or the file system below it.
    pub is_read_only: bool,
    /// Whether it is a whole file system in memory, and not a part of one that somebody else has too.
    pub is_whole_tmpfs: bool,
    /// Whether it is an overlay of several folders.
    pub is_overlay: bool,
}

/// All mounts, later ones over earlier ones; `None` where they cannot be read.
pub fn mounts() -> Option<Vec<Mount>> {
    let text = std::fs::read("/proc/self/mountinfo").ok()?;
    Some(parse(&text))
}

/// The mount that has its place exactly here: the last of several.
pub fn at<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().rev().find(|mount| mount.path == path)
}

/// The mounts strictly below a folder.
pub fn below<'a>(mounts: &'a [Mount], folder: &Path) -> impl Iterator<Item = &'a Mount> {
    let is_below = move |mount: &&Mount| mount.path.starts_with(folder) && mount.path != folder;
    mounts.iter().filter(is_below)
}

fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

/// A line is `36 35 98:0 /root /path options [tags] - type source options`.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let words = line.split(|byte| *byte == b' ').collect::<Vec<_>>();
    let separator = words.iter().position(|word| word == b"-")?;
    let is_read_only = |words: Option<&&[u8]>| {
        words.is_some_and(|words| words.split(|byte| *byte == b',').any(|word| word == b"ro"))
    };
    Some(Mount {
        path: unescape(words.get(4)?),
        is_read_only: is_read_only(words.get(5)) || is_read_only(words.get(separator + 3)),
        is_whole_tmpfs: words.get(3) == Some(&&b"/"[..])
            && words.get(separator + 1) == Some(&&b"tmpfs"[..]),
        is_overlay: words.get(separator + 1) == Some(&&b"overlay"[..]),
    })
}

/// Blanks, line ends and backslashes are written as three octal digits after a backslash.
fn unescape(word: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let octal = after.split_at_checked(3).filter(|_| *first == b'\\');
        let value = octal.and_then(|(digits, after)| {
            let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?;
            Some((value, after))
        });
        match value {
            Some((value, after)) => {
                bytes.push(value);
                rest = after;
            }
            None => bytes.push(*first),
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mountinfo_are_understood() {
        let text = b"22 1 0:20 / / ro,relatime - overlay overlay rw,lowerdir=/a\n\
                     23 22 0:21 / /tmp rw,nosuid master:1 - tmpfs tmpfs rw\n\
                     24 22 8:1 /x /a\\040b\\134c rw - ext4 /dev/sda1 ro\n\
                     nonsense\n\
                     25 22 8:1 / /tmp/x rw shared:1 master:2 - ext4 /dev/sda1 rw\n";
        let mounts = parse(text);
        let told = mounts
            .iter()
            .map(|mount| (mount.path.to_str().unwrap(), mount.is_read_only))
            .collect::<Vec<_>>();
        let expected = [
            ("/", true),
            ("/tmp", false),
            ("/a b\\c", true),
            ("/tmp/x", false),
        ];
        assert_eq!(told, expected);
        let tmp = at(&mounts, Path::new("/tmp")).unwrap();
        assert!(tmp.is_whole_tmpfs && !mounts[0].is_whole_tmpfs);
        assert_eq!(at(&mounts, Path::new("/nowhere")), None);
        let inside = below(&mounts, Path::new("/tmp")).collect::<Vec<_>>();
        assert_eq!(inside, [&mounts[3]]);
    }

    #[test]
    fn this_system_has_a_root() {
        let mounts = mounts().unwrap();
        assert!(mounts.iter().any(|mount| mount.path == Path::new("/")));
    }
}
