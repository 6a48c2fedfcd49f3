use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::json;
use tar::EntryType;
use toolhatch_plugin::ToolError;

use crate::testing::{Folder, Zipped, gzip, taped, taped_file, tar, zip, zipped};

#[test]
fn a_file_is_read_from_each_kind_of_archive() {
    let taped = tar(&[
        taped_file("other", b"no"),
        taped_file("d/a.txt", "für".as_bytes()),
    ]);
    for archive in [
        zip(&[zipped("other", b"no"), zipped("d/a.txt", "für".as_bytes())]),
        zip(&[Zipped {
            method: 0,
            ..zipped("d/a.txt", "für".as_bytes())
        }]),
        taped.clone(),
        gzip(&taped),
    ] {
        let result = Folder::with(&archive)
            .read_entry("d/a.txt", json!({}))
            .unwrap();
        assert_eq!(
            result,
            json!({"name": "d/a.txt", "encoding": "text", "content": "für", "truncated": false})
        );
    }
    let result = Folder::with(&gzip(b"alone"))
        .read_entry("a", json!({}))
        .unwrap_err();
    // The archive is called `a`, without an ending.
    assert!(matches!(result, ToolError::NotFound(_)), "{result}");
    let result = Folder::with(&gzip(b"alone"))
        .read_entry("content", json!({}))
        .unwrap();
    assert_eq!(result["content"], "alone");
}

#[test]
fn zstd_is_unpacked_frame_by_frame_and_checked() {
    let mut frame = compress_to_vec(&b"hello"[..], CompressionLevel::Uncompressed);
    let result = Folder::with(&[&frame[..], &frame[..]].concat()).read_entry("content", json!({}));
    assert_eq!(result.unwrap()["content"], "hellohello");
    let last = frame.len() - 1;
    frame[last] ^= 1;
    let error = Folder::with(&frame)
        .read_entry("content", json!({}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn parts_follow_each_other() {
    let folder = Folder::with(&zip(&[zipped("a", "ab€cd".as_bytes())]));
    let result = folder.read_entry("a", json!({"max_bytes": 4})).unwrap();
    assert_eq!(
        result,
        json!({"name": "a", "encoding": "text", "content": "ab", "truncated": true, "next_offset": 2})
    );
    let result = folder
        .read_entry("a", json!({"offset": 2, "max_bytes": 5}))
        .unwrap();
    assert_eq!(
        (&result["content"], &result["truncated"]),
        (&json!("€cd"), &json!(false))
    );
    let result = folder.read_entry("a", json!({"offset": 100})).unwrap();
    assert_eq!(
        (&result["content"], &result["truncated"]),
        (&json!(""), &json!(false))
    );
}

#[test]
fn what_is_no_text_is_base64() {
    let folder = Folder::with(&zip(&[zipped("a", b"\0\xff")]));
    let result = folder.read_entry("a", json!({})).unwrap();
    assert_eq!(
        (&result["encoding"], &result["content"]),
        (&json!("base64"), &json!("AP8="))
    );
    assert!(folder.read_entry("a", json!({"encoding": "text"})).is_err());
    assert_eq!(
        folder
            .read_entry("a", json!({"encoding": "base64"}))
            .unwrap()["content"],
        "AP8="
    );
}

#[test]
fn what_cannot_be_read_is_explained() {
    let archive = zip(&[
        Zipped {
            flags: 1,
            ..zipped("encrypted", b"x")
        },
        Zipped {
            crc: Some(1),
            ..zipped("sum", b"x")
        },
        Zipped {
            size: Some(3),
            ..zipped("size", b"hello")
        },
        Zipped {
            size: Some(30),
            ..zipped("short", b"hello")
        },
        Zipped {
            mode: 0o120_777,
            ..zipped("link", b"/etc/passwd")
        },
        Zipped {
            local_name: Some(b"other".to_vec()),
            ..zipped("names", b"x")
        },
        zipped("d/", b""),
        zipped("twice", b"1"),
        zipped("twice", b"2"),
        zipped("bomb", &vec![0; 40 << 20]),
    ]);
    let folder = Folder::with(&archive);
    for (name, why) in [
        ("encrypted", "it is encrypted"),
        ("sum", "its checksum is another one"),
        ("size", "does not have the 3 bytes that it says"),
        ("short", "does not have the 30 bytes that it says"),
        ("link", "it is a link"),
        ("names", "its two headers name it differently"),
        ("d/", "it is a folder"),
        ("twice", "more than one `twice`"),
        ("nothing", "has no entry `nothing`"),
    ] {
        let error = folder.read_entry(name, json!({})).unwrap_err().to_string();
        assert!(error.contains(why), "{name}: {error}");
    }
    let error = folder
        .read_entry("bomb", json!({"offset": 30 << 20}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("250 times its size"), "{error}");
    let link = tar(&[taped("l", EntryType::Symlink, "/etc/passwd", b"")]);
    let error = Folder::with(&link)
        .read_entry("l", json!({}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("it is a link"), "{error}");
}
