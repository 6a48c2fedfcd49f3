//! What is packed and comes back is what the command left, and what comes back damaged or hostile is not taken.

use std::path::Path;

use proptest::prelude::*;
use tar::{EntryType, Header};
use tempfile::TempDir;

use super::*;
use crate::error::{Code, Result};

const ROOM: Room = Room {
    bytes: 1 << 20,
    entries: 100,
};

fn pack_one(host: &Path, apart: Apart) -> (Packed, Vec<u8>) {
    use std::os::unix::fs::MetadataExt as _;
    let found = host.metadata().expect("there");
    let workspace = Workspace {
        host,
        file: (found.dev(), found.ino()),
        place: Path::new("0"),
        owner: (1000, 1000),
        apart,
    };
    let mut archive = Vec::new();
    let mut packed = pack(&[workspace], &ROOM, &mut archive).expect("packed");
    (packed.remove(0), archive)
}

/// A workspace, a folder for what comes back, and nothing else.
struct Place {
    home: TempDir,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for name in ["ws", "upper"] {
            std::fs::create_dir(home.path().join(name)).expect("made");
        }
        Self { home }
    }

    fn path(&self, name: &str) -> PathBuf {
        let home = self.home.path().canonicalize().expect("there");
        home.join(name)
    }

    fn unpack(&self, packed: &Packed, archive: &[u8]) -> Result<Vec<Change>> {
        let (host, upper) = (self.path("ws"), self.path("upper"));
        let returned = Returned {
            host: &host,
            packed,
            base: "0",
            upper: &upper,
        };
        unpack(archive, &returned, &mut ROOM.clone(), &ROOM)
    }

    /// What an archive comes to, over an empty workspace.
    fn told(&self, archive: &[u8]) -> String {
        match self.unpack(&Packed::default(), archive) {
            Ok(changes) => {
                let told = changes.iter().map(|change| {
                    let node = serde_json::to_value(&change.after).expect("JSON");
                    format!(
                        "{} {}",
                        change.path,
                        node["type"].as_str().unwrap_or("none")
                    )
                });
                told.collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("{}: {error}", error.code()),
        }
    }
}

/// An entry whose name nobody has looked at.
fn raw(name: &[u8], kind: EntryType, content: &[u8], link: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn folder(name: &str) -> Vec<u8> {
    raw(name.as_bytes(), EntryType::Directory, b"", b"")
}

fn file(name: &str) -> Vec<u8> {
    raw(name.as_bytes(), EntryType::Regular, b"x", b"")
}

fn link(name: &str, target: &str) -> Vec<u8> {
    raw(name.as_bytes(), EntryType::Symlink, b"", target.as_bytes())
}

fn same(name: &str, other: &str) -> Vec<u8> {
    raw(name.as_bytes(), EntryType::Link, b"", other.as_bytes())
}

fn archive(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = folder("0/");
    bytes.extend(entries.iter().flatten());
    bytes.extend([0; 1024]);
    bytes
}

/// An attribute as PAX writes it: its own length first.
fn attribute(text: &str) -> Vec<u8> {
    raw(b"x", EntryType::XHeader, text.as_bytes(), b"")
}

#[test]
fn what_leads_elsewhere_is_refused() {
    let huge = {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..3].copy_from_slice(b"0/a");
        header.set_size(1 << 40);
        header.set_mode(0o644);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let long = raw(b"l", EntryType::GNULongName, &vec![b'a'; 300 << 10], b"");
    for (entries, expected) in [
        (vec![file("0/../x")], "is no plain path"),
        (vec![file("0/./x")], "is no plain path"),
        (vec![file("0//x")], "is no plain path"),
        (vec![file("/etc/passwd")], "lies elsewhere"),
        (vec![file("../x")], "lies elsewhere"),
        (vec![file("x")], "lies elsewhere"),
        (vec![file("00/x")], "lies elsewhere"),
        (vec![file("0")], "the folder is none"),
        (vec![folder("0")], "twice"),
        (vec![file("0/a"), file("0/a")], "a is there twice"),
        (vec![file("0/a"), folder("0/a")], "a is there twice"),
        (
            vec![link("0/a", "/etc"), file("0/a/b")],
            "a/b lies in no folder",
        ),
        (vec![link("0/a", "/etc"), file("0/a")], "a is there twice"),
        (vec![file("0/a"), file("0/a/b")], "a/b lies in no folder"),
        (vec![file("0/a/b")], "a/b lies in no folder"),
        (vec![same("0/a", "0/b")], "a is the same as nothing"),
        (vec![same("0/a", "0/a")], "a is the same as nothing"),
        (vec![same("0/a", "/etc/passwd")], "lies elsewhere"),
        (vec![same("0/a", "0/../../etc/passwd")], "is no plain path"),
        (
            vec![folder("0/d"), same("0/a", "0/d")],
            "a is the same as nothing",
        ),
        (vec![link("0/a", "")], "a link leads nowhere"),
        (
            vec![raw(b"0/a", EntryType::GNUSparse, b"", b"")],
            "of the type 83",
        ),
        (
            vec![raw(b"0/a", EntryType::Directory, b"x", b"")],
            "has content",
        ),
        (
            vec![attribute("13 size=9999\n"), file("0/a")],
            "more than 1 MiB",
        ),
        (
            vec![attribute("22 GNU.sparse.major=1\n"), file("0/a")],
            "has holes",
        ),
        (
            vec![attribute("99 path=x\n"), file("0/a")],
            "cannot be read",
        ),
        (
            vec![attribute("15 path=0/../x\n"), file("0/a")],
            "is no plain path",
        ),
        (vec![attribute("12 path=0/b\n")], "has no entry"),
        (vec![long, file("0/a")], "too long"),
        (vec![huge], "more than 1 MiB or 100 entries"),
    ] {
        let place = Place::new();
        let told = place.told(&archive(&entries));
        assert!(told.contains(expected), "{expected}: {told}");
        assert!(
            told.starts_with("E3502") || told.starts_with("E3407"),
            "{told}"
        );
        let here = std::fs::read_dir(place.home.path()).expect("listed");
        assert_eq!(here.count(), 2, "{expected}: nothing is outside");
    }
}

#[test]
fn what_is_no_file_is_only_written_down() {
    let place = Place::new();
    let entries = [
        link("0/abs", "/etc/passwd"),
        raw(b"0/dev", EntryType::Char, b"", b""),
        folder("0/d/"),
        raw(b"0/d/pipe", EntryType::Fifo, b"", b""),
        file("0/f"),
        same("0/g", "0/f"),
        link("0/up", "../.."),
    ];
    let told = place.told(&archive(&entries));
    assert_eq!(
        told,
        "abs link, d folder, d/pipe special, dev special, f file, g file, up link"
    );
    let here: Vec<_> = read(&place.path("upper")).into_keys().collect();
    assert_eq!(here, [PathBuf::from("f"), PathBuf::from("g")]);
}

#[test]
fn an_archive_without_an_end_is_none() {
    let place = Place::new();
    let whole = archive(&[file("0/a"), file("0/b")]);
    assert_eq!(place.told(&whole), "a file, b file");
    for length in 0..whole.len() {
        let place = Place::new();
        let told = place.told(whole.get(..length).expect("shorter"));
        assert!(told.starts_with("E3502"), "{length}: {told}");
    }
    let place = Place::new();
    assert!(place.told(&[0; 1024]).contains("it is empty"));
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let place = Place::new();
    let entries: Vec<_> = (0..200).map(|at| file(&format!("0/{at}"))).collect();
    assert!(place.told(&archive(&entries)).starts_with("E3407"));
    let large = raw(b"0/a", EntryType::Regular, &vec![0; 2 << 20], b"");
    assert!(place.told(&archive(&[large])).starts_with("E3407"));

    let host = place.path("ws");
    let sparse = std::fs::File::create(host.join("sparse")).expect("made");
    sparse.set_len(1 << 40).expect("set");
    let found = std::os::unix::fs::MetadataExt::ino(&host.metadata().expect("there"));
    let dev = std::os::unix::fs::MetadataExt::dev(&host.metadata().expect("there"));
    let workspace = |ino| Workspace {
        host: &host,
        file: (dev, ino),
        place: Path::new("0"),
        owner: (0, 0),
        apart: Apart::default(),
    };
    let error = pack(&[workspace(found)], &ROOM, std::io::sink()).expect_err("too large");
    assert_eq!(error.code(), Code::E3407);
    let error = pack(&[workspace(found + 1)], &ROOM, std::io::sink()).expect_err("another");
    assert_eq!(error.code(), Code::E3405);
}

#[test]
fn what_was_left_out_is_never_replaced() {
    let place = Place::new();
    let host = place.path("ws");
    for name in ["kept/secret", "kept/plain", "open/hook", "gone/secret"] {
        let path = host.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        crate::fsx::write_atomic(&path, b"x", 0o644).expect("written");
    }
    let of = |paths: &[&str]| paths.iter().map(PathBuf::from).collect();
    let apart = Apart {
        left_out: of(&["kept/secret", "gone/secret"]),
        closed: of(&["open/hook"]),
        elsewhere: of(&["mounted"]),
    };
    let (packed, bytes) = pack_one(&host, apart);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("0/open/hook") && !text.contains("secret"));
    let entries = [
        folder("0/kept"),
        file("0/kept/plain"),
        file("0/kept/secret"),
        folder("0/mounted"),
        folder("0/open"),
    ];
    let changes = place.unpack(&packed, &archive(&entries)).expect("taken");
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let path = change.path.to_string();
            (path, change.what, change.trouble.is_some())
        })
        .filter(|(_, what, _)| *what != What::Modified)
        .collect();
    let expected = [
        ("gone", What::Removed, true),
        ("kept/secret", What::Added, true),
        ("open/hook", What::Removed, true),
    ];
    assert_eq!(
        told,
        expected.map(|(path, what, is_refused)| (path.to_owned(), what, is_refused))
    );
}

#[test]
fn odd_names_come_back_as_they_went() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    let host = place.path("ws");
    let long = "n".repeat(250);
    let deep = host.join(&long).join(&long);
    std::fs::create_dir_all(&deep).expect("made");
    let odd = host.join(std::ffi::OsStr::from_bytes(b"odd \xff\n\\"));
    for path in [&odd, &deep.join("x")] {
        crate::fsx::write_atomic(path, b"x", 0o644).expect("written");
    }
    symlink(format!(".//{long}/../{long}"), host.join("link")).expect("made");
    let (packed, bytes) = pack_one(&host, Apart::default());
    let changes = place.unpack(&packed, &bytes).expect("taken");
    assert_eq!(changes, []);
    // Everything is new where nothing was.
    let changes = place.unpack(&Packed::default(), &bytes).expect("taken");
    assert_eq!(changes.len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn what_comes_back_is_applied(before in tree(), after in tree()) {
        let home = tempfile::tempdir().expect("a folder");
        let home = home.path().canonicalize().expect("there");
        let (workspace, wanted) = (home.join("ws"), home.join("wanted"));
        build(&workspace, &before);
        build(&wanted, &after);
        let kept = Kept::new(home.join("changes"));
        let draft = Draft::begin(&kept, CallId::generate()).expect("begun");
        let upper = draft.upper("0-0").expect("made");
        let (packed, _) = pack_one(&workspace, Apart::default());
        let (_, archive) = pack_one(&wanted, Apart::default());
        let returned = Returned { host: &workspace, packed: &packed, base: "0", upper: &upper };
        let changes = unpack(&archive[..], &returned, &mut ROOM.clone(), &ROOM).expect("taken");
        prop_assert_eq!(changes.is_empty(), read(&workspace) == read(&wanted));
        prop_assert!(changes.iter().all(|change| !change.changed_meanwhile && change.trouble.is_none()));
        let layers = vec![LayerChanges {
            name: "0-0".to_owned(),
            host: workspace.clone().into(),
            container: "/workspace".to_owned(),
            changes,
        }];
        let set = draft.keep("image", &[], layers).expect("kept");
        drop(draft);
        let plan = Plan::make(&kept, &set, &rules(), &|_| true).expect("no conflict");
        // Links of a tree like this may lead in circles, which are refused.
        if !plan.refused.is_empty() {
            return Ok(());
        }
        let applied = plan.run();
        prop_assert!(applied.error.is_none(), "{:?}", applied.error);
        prop_assert_eq!(read(&workspace), read(&wanted));
    }

    #[test]
    fn damage_is_no_way_out(after in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let place = Place::new();
        build(&place.path("wanted"), &after);
        let (_, mut archive) = pack_one(&place.path("wanted"), Apart::default());
        let at = at.index(archive.len());
        archive[at] = byte;
        let changes = unpack_anything(&archive, &place.path("ws"), &place.path("upper"));
        if let Err(error) = changes {
            prop_assert!(matches!(error.code(), Code::E3502 | Code::E3407), "{error}");
        }
        let length = cut.index(archive.len());
        std::fs::remove_dir_all(place.path("upper")).expect("removed");
        std::fs::create_dir(place.path("upper")).expect("made");
        let cut = unpack_anything(&archive[..length], &place.path("ws"), &place.path("upper"));
        prop_assert!(cut.is_err());
        prop_assert_eq!(std::fs::read_dir(place.home.path()).expect("listed").count(), 3);
        prop_assert_eq!(std::fs::read_dir(place.path("ws")).expect("listed").count(), 0);
    }
}
