use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};
use tar::EntryType;

use crate::testing::{Folder, Zipped, gzip, pax, taped, taped_file, tar, zip, zipped};

fn problems(result: &Value) -> Vec<(&str, Option<&str>)> {
    let entries = result["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            (
                entry["name"].as_str().unwrap(),
                entry.get("problem").and_then(Value::as_str),
            )
        })
        .collect()
}

#[test]
fn a_zip_is_listed_as_its_directory_says() {
    let folder = Zipped {
        mode: 0o040_755,
        ..zipped("docs/", b"")
    };
    let result = Folder::with(&zip(&[folder, zipped("docs/a.txt", &[b'a'; 1000])]))
        .list(json!({}))
        .unwrap();
    assert_eq!(result["format"], "zip");
    assert_eq!(
        result["entries"][0],
        json!({"name": "docs/", "kind": "folder", "modified": "2026-03-01T00:00:00"})
    );
    let file = &result["entries"][1];
    assert_eq!(
        (&file["kind"], &file["size"]),
        (&json!("file"), &json!(1000))
    );
    assert!(file["packed"].as_u64().unwrap() < 100);
    assert_eq!(
        (&result["count"], &result["size"], &result["truncated"]),
        (&json!(2), &json!(1000), &json!(false))
    );
}

#[test]
fn the_format_is_told_by_the_bytes() {
    let plain = tar(&[taped_file("a.txt", b"hello")]);
    for (archive, format) in [
        (plain.clone(), "tar"),
        (gzip(&plain), "tar-gzip"),
        (gzip(b"hello"), "gzip"),
        (zip(&[]), "zip"),
        (tar(&[]), "tar"),
        (
            compress_to_vec(&plain[..], CompressionLevel::Fastest),
            "tar-zstd",
        ),
    ] {
        let result = Folder::with(&archive).list(json!({})).unwrap();
        assert_eq!(result["format"], format);
    }
    let result = Folder::with(&plain).list(json!({})).unwrap();
    assert_eq!(
        result["entries"][0],
        json!({"name": "a.txt", "kind": "file", "size": 5, "modified": "2001-09-09T01:46:40Z"})
    );
}

#[test]
fn what_is_wrong_is_told() {
    let link = Zipped {
        mode: 0o120_777,
        method: 0,
        ..zipped("link", b"/etc/passwd")
    };
    let encrypted = Zipped {
        flags: 1,
        ..zipped("secret", b"x")
    };
    let strange = Zipped {
        method: 12,
        ..zipped("bzip", b"x")
    };
    let latin = Zipped {
        name: b"caf\xe9".to_vec(),
        flags: 0,
        ..zipped("", b"x")
    };
    let entries = [
        link,
        encrypted,
        strange,
        latin,
        zipped("../out", b""),
        zipped("/etc/x", b""),
        zipped("a\\..\\b", b""),
        zipped("Read", b""),
        zipped("read", b""),
        zipped("Read", b""),
    ];
    let result = Folder::with(&zip(&entries)).list(json!({})).unwrap();
    assert_eq!(
        problems(&result),
        [
            ("link", Some("it is a link")),
            ("secret", Some("it is encrypted")),
            (
                "bzip",
                Some("it is packed with BZIP2, which is not known here")
            ),
            ("caf%E9", None),
            ("../out", Some("its path leads out of the folder")),
            ("/etc/x", Some("its path is absolute")),
            (
                "a\\..\\b",
                Some("its name has backslashes, which are folders elsewhere")
            ),
            ("Read", None),
            (
                "read",
                Some("its name differs from `Read` in capitals only")
            ),
            ("Read", Some("the archive has this name more than once")),
        ]
    );
    let entries = [
        taped("l", EntryType::Symlink, "../../etc", b""),
        taped("h", EntryType::Link, "l", b""),
        taped("d", EntryType::Block, "", b""),
        taped("p", EntryType::Fifo, "", b""),
        taped("dir/", EntryType::Directory, "", b""),
    ];
    let result = Folder::with(&tar(&entries)).list(json!({})).unwrap();
    assert_eq!(result["entries"][0]["target"], "../../etc");
    let expected = [
        Some("it is a link"),
        Some("it is a hard link"),
        Some("it is no file"),
        Some("it is no file"),
        None,
    ];
    assert_eq!(
        problems(&result)
            .iter()
            .map(|(_, problem)| *problem)
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn long_names_come_from_the_headers_before() {
    let long = format!("{}/end", "x".repeat(120));
    let entries = [
        pax("path", long.as_bytes()),
        taped_file("short", b"1"),
        taped(
            "long",
            EntryType::GNULongName,
            "",
            format!("{long}2\0").as_bytes(),
        ),
        taped_file("short", b"2"),
        taped_file("last", b"3"),
    ];
    let result = Folder::with(&tar(&entries)).list(json!({})).unwrap();
    assert_eq!(
        problems(&result),
        [
            (long.as_str(), None),
            (&format!("{long}2"), None),
            ("last", None)
        ]
    );
}

#[test]
fn long_lists_come_in_parts_and_chosen() {
    let names: Vec<_> = (0..30)
        .map(|number| zipped(&format!("d{}/f{number:02}.txt", number % 2), b"x"))
        .collect();
    let folder = Folder::with(&zip(&names));
    let result = folder
        .list(json!({"glob": "d1/**", "max_entries": 4, "skip": 10}))
        .unwrap();
    assert_eq!(
        (&result["count"], &result["truncated"]),
        (&json!(15), &json!(true))
    );
    assert_eq!(result["entries"][0]["name"], "d1/f21.txt");
    assert!(folder.list(json!({"glob": "[a"})).is_err());
}

#[test]
fn what_is_no_archive_or_broken_is_told() {
    let whole = zip(&[zipped("a", b"hello"), zipped("b", b"hello")]);
    let mut count = whole.clone();
    let end = count.len() - 22;
    count[end + 10] = 9;
    let tape = tar(&[taped_file("a", b"hello"), taped_file("b", b"hello")]);
    let mut sum = tape.clone();
    sum[1024 + 3] = b'x';
    for (bytes, why) in [
        (b"hello".to_vec(), "is no archive that is known here"),
        (Vec::new(), "is no archive"),
        (
            whole[..whole.len() - 30].to_vec(),
            "its directory is missing",
        ),
        (count, "says that it has 9 entries, and has 2"),
        (tape[..700].to_vec(), "is broken"),
        (sum, "checksum mismatch"),
        (
            gzip(&tape)[..gzip(&tape).len() - 6].to_vec(),
            "is broken: it ends too early",
        ),
        (
            b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            "is broken",
        ),
        (
            tar(&[pax("size", b"1"), taped_file("a", b"hello")]),
            "different sizes",
        ),
        (
            tar(&[pax("size", b"x"), taped_file("a", b"hello")]),
            "different sizes",
        ),
        (
            tar(&[
                taped_file("ok", b""),
                taped("p", EntryType::XHeader, "", b"nonsense"),
            ]),
            "is broken",
        ),
        (
            tar(&[
                taped_file("ok", b""),
                taped("p", EntryType::XHeader, "", &vec![b'x'; 70_000]),
            ]),
            "takes 70000 bytes",
        ),
    ] {
        let error = Folder::with(&bytes)
            .list(json!({}))
            .unwrap_err()
            .to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
    let folder = Folder::with(b"");
    std::fs::remove_file(folder.path("a")).unwrap();
    assert!(
        folder
            .list(json!({}))
            .unwrap_err()
            .to_string()
            .contains("does not exist")
    );
    std::fs::create_dir(folder.path("a")).unwrap();
    assert!(
        folder
            .list(json!({}))
            .unwrap_err()
            .to_string()
            .contains("it is a folder")
    );
}
