use super::*;

const WHOLE: Walk = Walk {
    depth: usize::MAX,
    everything: false,
    max_entries: 1_000,
};

fn tree(files: &[&str]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).unwrap();
    }
    root
}

fn names(walked: &Walked) -> Vec<&str> {
    walked
        .entries
        .iter()
        .map(|entry| entry.relative.as_str())
        .collect()
}

#[test]
fn entries_come_depth_first_in_byte_order() {
    let root = tree(&["b/2", "b/10", "a.rs", "b.rs", "B"]);
    let walked = WHOLE.run(root.path(), |_| true).unwrap();
    assert_eq!(names(&walked), ["B", "a.rs", "b", "b/10", "b/2", "b.rs"]);
    assert!(!walked.truncated);
}

#[test]
fn hidden_and_generated_folders_are_not_gone_into_unless_asked_for() {
    let root = tree(&[
        ".git/x",
        ".env",
        "target/x",
        "sub/node_modules/x",
        "sub/target",
        "a",
    ]);
    let walked = WHOLE.run(root.path(), |_| true).unwrap();
    let expected = [
        ".env",
        ".git",
        "a",
        "sub",
        "sub/node_modules",
        "sub/target",
        "target",
    ];
    assert_eq!(names(&walked), expected);
    let everything = Walk {
        everything: true,
        ..WHOLE
    };
    let walked = everything
        .run(root.path(), |entry| entry.kind == Kind::File)
        .unwrap();
    let expected = [
        ".env",
        ".git/x",
        "a",
        "sub/node_modules/x",
        "sub/target",
        "target/x",
    ];
    assert_eq!(names(&walked), expected);
}

#[test]
fn the_root_may_be_hidden_or_generated() {
    let root = tree(&["target/a"]);
    let walked = WHOLE.run(&root.path().join("target"), |_| true).unwrap();
    assert_eq!(names(&walked), ["a"]);
}

#[test]
fn depth_and_entries_are_bounded() {
    let root = tree(&["a/b/c", "a/d", "e"]);
    let shallow = Walk { depth: 2, ..WHOLE }
        .run(root.path(), |_| true)
        .unwrap();
    assert_eq!(names(&shallow), ["a", "a/b", "a/d", "e"]);
    let few = Walk {
        max_entries: 2,
        ..WHOLE
    }
    .run(root.path(), |_| true)
    .unwrap();
    assert_eq!(names(&few), ["a", "a/b"]);
    assert!(few.truncated);
    let exact = Walk {
        max_entries: 5,
        ..WHOLE
    }
    .run(root.path(), |_| true)
    .unwrap();
    assert!(!exact.truncated, "nothing was left out");
}

#[cfg(unix)]
#[test]
fn links_are_reported_and_not_followed() {
    let root = tree(&["real/file"]);
    std::os::unix::fs::symlink(root.path(), root.path().join("real/up")).unwrap();
    let walked = WHOLE.run(root.path(), |_| true).unwrap();
    assert_eq!(names(&walked), ["real", "real/file", "real/up"]);
    assert_eq!(walked.entries.last().unwrap().kind, Kind::Link);
}

#[test]
fn a_root_that_is_missing_is_an_error() {
    let root = tree(&[]);
    let error = WHOLE.run(&root.path().join("none"), |_| true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
