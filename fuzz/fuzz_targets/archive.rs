//! An archive of what a command left, by a daemon that means no good: reading it never panics, and nothing comes of it outside
//! of the folder that it is unpacked into, nor anything there but plain files.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use toolhatch::changes::unpack_anything;

/// A folder of this process.
static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("toolhatch-fuzz-{}", std::process::id()));
    fs::create_dir_all(place.join("workspace")).expect("made");
    place.canonicalize().expect("there")
});

fn check(folder: &Path) {
    for entry in fs::read_dir(folder).expect("listed") {
        let entry = entry.expect("there");
        let kind = entry.file_type().expect("known");
        assert!(kind.is_file() || kind.is_dir(), "{:?}", entry.path());
        if kind.is_dir() {
            check(&entry.path());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (workspace, upper) = (PLACE.join("workspace"), PLACE.join("upper"));
    fs::create_dir_all(&upper).expect("made");
    if let Ok(changes) = unpack_anything(bytes, &workspace, &upper) {
        for change in &changes {
            let path = change.path.path();
            assert!(path.is_relative() && path.components().count() > 0);
            assert!(
                path.components()
                    .all(|part| matches!(part, std::path::Component::Normal(_)))
            );
        }
    }
    assert_eq!(fs::read_dir(&workspace).expect("listed").count(), 0);
    assert_eq!(fs::read_dir(&*PLACE).expect("listed").count(), 2);
    check(&upper);
    fs::remove_dir_all(&upper).expect("removed");
});
