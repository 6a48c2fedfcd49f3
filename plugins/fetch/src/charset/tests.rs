use super::*;

#[test]
fn the_strongest_word_counts() {
    let cases: [(&[u8], Option<&str>, &str); 9] = [
        (b"caf\xc3\xa9", None, "café"),
        (b"caf\xe9", None, "café"),
        (b"caf\xe9", Some("iso-8859-1"), "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", Some("latin1"), "café"),
        (b"\xff\xfeh\0i\0", Some("utf-8"), "hi"),
        (
            b"<meta charset=\"shift_jis\">\x82\xa0",
            None,
            "<meta charset=\"shift_jis\">あ",
        ),
        (
            b"<META http-equiv=x content='text/html; charset=koi8-r'>\xc1",
            None,
            "<META http-equiv=x content='text/html; charset=koi8-r'>а",
        ),
        (
            b"<meta charset=utf-16>\xc3\xa9",
            None,
            "<meta charset=utf-16>é",
        ),
        (
            b"<meta charset=nonsense>\xe9",
            Some("no such"),
            "<meta charset=nonsense>é",
        ),
    ];
    for (bytes, header, text) in cases {
        assert_eq!(decode(bytes, header, true, false), text);
    }
}

#[test]
fn what_means_nothing_is_marked_and_what_was_cut_is_utf8() {
    assert_eq!(decode(b"a\xffb", Some("utf-8"), false, false), "a\u{fffd}b");
    assert_eq!(decode(b"a\xe2\x82", None, false, true), "a\u{fffd}");
}
