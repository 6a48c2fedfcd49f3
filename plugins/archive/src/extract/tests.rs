use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;
use serde_json::json;
use tar::EntryType;

use crate::testing::{Folder, Zipped, gzip, skipped, taped, taped_file, tar, zip, zipped};

#[test]
fn files_are_extracted_with_their_folders() {
    let taped = tar(&[
        taped("d/", EntryType::Directory, "", b""),
        taped_file("d/a.txt", b"A"),
        taped_file("e/f/b.txt", b"BB"),
    ]);
    for archive in [
        zip(&[
            zipped("d/", b""),
            zipped("d/a.txt", b"A"),
            zipped("e/f/b.txt", b"BB"),
        ]),
        gzip(&taped),
        taped,
    ] {
        let folder = Folder::with(&archive);
        let result = folder.extract(json!({})).unwrap();
        assert_eq!(
            folder.names("out"),
            ["d", "d/a.txt", "e", "e/f", "e/f/b.txt"]
        );
        assert_eq!(folder.read("out/e/f/b.txt"), "BB");
        assert_eq!(
            (&result["files"], &result["bytes"], &result["folders"]),
            (&json!(2), &json!(3), &json!(3))
        );
        assert_eq!(
            (&result["names"], &result["complete"]),
            (&json!(["d/a.txt", "e/f/b.txt"]), &json!(true))
        );
        // The archive said that it is executable and belongs to whoever runs it.
        let mode = fs::metadata(folder.path("out/d/a.txt"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7111, 0, "{mode:o}");
    }
}

#[test]
fn what_is_wanted_is_chosen_by_globs_and_shortened() {
    let folder = Folder::with(&zip(&[
        zipped("p-1/src/a.rs", b""),
        zipped("p-1/src/b.txt", b""),
        zipped("p-1/old/c.rs", b""),
        zipped("top.rs", b""),
    ]));
    let result = folder
        .extract(json!({"include": ["*.rs"], "exclude": ["p-1/old/**"], "strip": 1}))
        .unwrap();
    assert_eq!(result["names"], json!(["src/a.rs"]));
    assert_eq!(folder.names("out"), ["src", "src/a.rs"]);
}

#[test]
fn a_dry_run_writes_nothing_and_says_the_same() {
    let folder = Folder::with(&zip(&[
        zipped("d/a", b"A"),
        Zipped {
            crc: Some(1),
            ..zipped("b", b"B")
        },
        zipped("c", b"C"),
    ]));
    folder.write("out/c", b"mine");
    let dry = folder.extract(json!({"dry_run": true})).unwrap();
    assert_eq!(folder.names("out"), ["c"]);
    let real = folder.extract(json!({})).unwrap();
    for key in ["files", "bytes", "names", "skipped", "complete"] {
        assert_eq!(dry[key], real[key], "{key}");
    }
}

#[test]
fn nothing_leaves_the_folder() {
    let names = [
        "../out",
        "a/../../out",
        "/abs",
        "C:\\x",
        "..\\out",
        "a/\0b",
        "a\nb",
    ];
    let entries: Vec<Zipped> = names
        .iter()
        .map(|name| zipped(name, b"x"))
        .chain([zipped("good", b"x")])
        .collect();
    let folder = Folder::with(&zip(&entries));
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.names("out"), ["good"]);
    assert_eq!(folder.names(""), ["a", "out", "out/good"]);
    assert_eq!(skipped(&result).len(), names.len());
    assert_eq!(result["complete"], false);
    let taped = tar(&[
        taped_file("../evil", b"x"),
        taped_file("/evil", b"x"),
        taped_file("ok", b"x"),
    ]);
    let folder = Folder::with(&taped);
    folder.extract(json!({})).unwrap();
    assert_eq!(folder.names(""), ["a", "out", "out/ok"]);
    // The stripped part counts too.
    let folder = Folder::with(&zip(&[zipped("x/../../evil", b"x")]));
    assert_eq!(
        skipped(&folder.extract(json!({"strip": 1})).unwrap())[0].1,
        "its path leads out of the folder"
    );
}

#[test]
fn links_and_devices_are_left_out_and_not_followed() {
    let taped = tar(&[
        taped("l", EntryType::Symlink, "..", b""),
        taped_file("l/evil", b"x"),
        taped("h", EntryType::Link, "/etc/passwd", b""),
        taped("dev", EntryType::Char, "", b""),
        taped("pipe", EntryType::Fifo, "", b""),
    ]);
    let folder = Folder::with(&taped);
    let result = folder.extract(json!({})).unwrap();
    // The link was not made, so what lies below it is in a folder of its own.
    assert_eq!(folder.names(""), ["a", "out", "out/l", "out/l/evil"]);
    assert_eq!(skipped(&result).len(), 4);
    // A link that somebody else made there is not followed either.
    let folder = Folder::with(&zip(&[zipped("l/evil", b"x"), zipped("f", b"x")]));
    symlink(folder.path(""), folder.path("out/l")).unwrap();
    folder.write("target", b"mine");
    symlink(folder.path("target"), folder.path("out/f")).unwrap();
    for overwrite in [false, true] {
        let result = folder.extract(json!({"overwrite": overwrite})).unwrap();
        assert_eq!(
            skipped(&result)[0],
            (
                "l/evil".to_owned(),
                "`l` is a link and no folder".to_owned()
            )
        );
        assert_eq!(folder.read("target"), "mine");
        assert!(!folder.path("evil").exists());
    }
    assert_eq!(folder.read("out/f"), "x");
}

#[test]
fn what_is_there_is_left_unless_it_may_be_replaced() {
    let folder = Folder::with(&zip(&[
        zipped("f", b"new"),
        zipped("d", b"file"),
        zipped("e/x", b"x"),
    ]));
    folder.write("out/f", b"mine");
    fs::create_dir(folder.path("out/d")).unwrap();
    folder.write("out/e", b"a file");
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.read("out/f"), "mine");
    assert_eq!(
        skipped(&result)
            .iter()
            .map(|(_, why)| why.as_str())
            .collect::<Vec<_>>(),
        [
            "it is there already",
            "a folder is in its place",
            "`e` is a file and no folder"
        ]
    );
    let result = folder.extract(json!({"overwrite": true})).unwrap();
    assert_eq!(folder.read("out/f"), "new");
    assert_eq!(result["skipped_count"], 2);
    assert_eq!(folder.names("out"), ["d", "e", "f"]);
}

#[test]
fn names_that_collide_are_extracted_once() {
    let folder = Folder::with(&zip(&[
        zipped("A", b"1"),
        zipped("a", b"2"),
        zipped("A", b"3"),
        zipped("./A", b"4"),
        zipped("d/", b""),
        zipped("D", b"5"),
    ]));
    let result = folder.extract(json!({"overwrite": true})).unwrap();
    assert_eq!(folder.read("out/A"), "1");
    assert_eq!(folder.names("out"), ["A", "d"]);
    assert_eq!(result["skipped_count"], 4);
}

#[test]
fn bombs_end_and_leave_nothing() {
    let zeros = vec![0; 64 << 20];
    let folder = Folder::with(&zip(&[zipped("bomb", &zeros), zipped("good", b"x")]));
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(
        skipped(&result),
        [(
            "bomb".to_owned(),
            "it unpacks to more than 250 times its size".to_owned()
        )]
    );
    assert_eq!(folder.names("out"), ["good"]);
    let folder = Folder::with(&gzip(&tar(&[
        taped_file("first", b"x"),
        taped_file("bomb", &zeros),
        taped_file("last", b"x"),
    ])));
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.names("out"), ["first"]);
    assert!(
        result["stopped"].as_str().unwrap().contains("250 times"),
        "{result}"
    );
    // The size in the header says nothing.
    let folder = Folder::with(&zip(&[Zipped {
        size: Some(1),
        ..zipped("liar", &zeros)
    }]));
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.names("out"), Vec::<String>::new());
    assert_eq!(result["skipped_count"], 1);
}

#[test]
fn entries_that_share_their_bytes_are_left_out() {
    let first = zipped("a", b"hello");
    let entries = [
        first.clone(),
        Zipped {
            offset: Some(0),
            ..zipped("a", b"hello")
        },
        zipped("c", b"other"),
    ];
    let folder = Folder::with(&zip(&entries));
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.names("out"), ["c"]);
    assert!(
        skipped(&result)
            .iter()
            .all(|(_, why)| why == "it shares its bytes with another entry"),
        "{result}"
    );
}

#[test]
fn caps_are_kept_and_told() {
    let entries = [
        zipped("a", &[b'a'; 100]),
        zipped("b", &[b'b'; 300]),
        zipped("c", &[b'c'; 100]),
        zipped("d", &[b'd'; 100]),
    ];
    let folder = Folder::with(&zip(&entries));
    let result = folder.extract(json!({"max_file_bytes": 200})).unwrap();
    assert_eq!(
        (folder.names("out"), &result["skipped"][0]["why"]),
        (
            vec!["a".to_owned(), "c".to_owned(), "d".to_owned()],
            &json!("it has more than 200 bytes")
        )
    );
    let folder = Folder::with(&zip(&entries));
    let result = folder.extract(json!({"max_total_bytes": 450})).unwrap();
    assert_eq!(folder.names("out"), ["a", "b"]);
    assert!(
        result["stopped"]
            .as_str()
            .unwrap()
            .contains("at `c`: all together have more than 450 bytes"),
        "{result}"
    );
    let folder = Folder::with(&zip(&entries));
    let result = folder.extract(json!({"max_files": 2})).unwrap();
    assert_eq!(folder.names("out"), ["a", "b"]);
    assert!(
        result["stopped"]
            .as_str()
            .unwrap()
            .contains("more than 2 files"),
        "{result}"
    );
}

#[test]
fn an_archive_that_ends_too_early_is_extracted_as_far_as_it_goes() {
    let whole = tar(&[
        taped_file("a", &[b'a'; 2000]),
        taped_file("b", &[b'b'; 2000]),
    ]);
    let folder = Folder::with(&whole[..4000]);
    let result = folder.extract(json!({})).unwrap();
    assert_eq!(folder.names("out"), ["a"]);
    assert_eq!(
        skipped(&result),
        [("b".to_owned(), "it ends too early".to_owned())]
    );
    assert!(result["stopped"].is_string(), "{result}");
    // Nothing of it could be read: that is an error.
    assert!(
        Folder::with(&whole[..600]).extract(json!({})).is_err()
            || Folder::with(&whole[..600]).names("out").is_empty()
    );
}

#[test]
fn the_destination_is_a_folder_that_is_there() {
    let folder = Folder::with(&zip(&[zipped("a", b"x")]));
    for destination in ["none", "a"] {
        let error = folder
            .extract(json!({"destination": folder.path(destination)}))
            .unwrap_err();
        assert!(error.to_string().contains(destination), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_an_archive_has_nothing_else_changes(names in prop::collection::vec("[aB./\\\\\u{0}é]{0,8}", 0..8), at in any::<usize>(), byte in any::<u8>()) {
        let entries: Vec<Zipped> = names.iter().map(|name| zipped(name, name.as_bytes())).collect();
        let mut archive = zip(&entries);
        let index = at % archive.len();
        for damage in [false, true] {
            if damage {
                archive[index] = byte;
            }
            let folder = Folder::with(&archive);
            if let Ok(result) = folder.extract(json!({})) {
                let files = folder.names("out").iter().filter(|name| folder.path("out").join(name).is_file()).count();
                prop_assert_eq!(result["files"].as_u64().unwrap() as usize, files);
            }
            let outside: Vec<String> = folder.names("").into_iter().filter(|name| !name.starts_with("out")).collect();
            prop_assert_eq!(outside, vec!["a".to_owned()]);
        }
    }

    #[test]
    fn whatever_a_tar_has_nothing_else_changes(names in prop::collection::vec("[aB./é]{1,8}", 1..8), at in any::<usize>(), byte in any::<u8>()) {
        let entries: Vec<Vec<u8>> = names.iter().map(|name| taped_file(name, name.as_bytes())).collect();
        let mut archive = tar(&entries);
        let index = at % archive.len();
        archive[index] = byte;
        let folder = Folder::with(&archive);
        let _ = folder.extract(json!({}));
        let outside: Vec<String> = folder.names("").into_iter().filter(|name| !name.starts_with("out")).collect();
        prop_assert_eq!(outside, vec!["a".to_owned()]);
    }
}
