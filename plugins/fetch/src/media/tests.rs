use super::*;

#[test]
fn a_header_is_read_in_all_its_forms() {
    for (header, essence, charset) in [
        ("text/html", "text/html", None),
        ("Text/HTML; Charset=\"UTF-8\"", "text/html", Some("UTF-8")),
        (
            "text/plain;format=flowed; charset = latin1",
            "text/plain",
            Some("latin1"),
        ),
        ("text/plain; charset=", "text/plain", None),
        ("", "", None),
    ] {
        let media = Media::parse(header);
        assert_eq!(
            (media.essence.as_str(), media.charset.as_deref()),
            (essence, charset),
            "{header}"
        );
    }
}

#[test]
fn the_type_says_what_it_is_and_else_the_bytes() {
    for (header, bytes, kind) in [
        ("text/html", &b"x"[..], Kind::Html),
        ("application/ld+json", b"x", Kind::Json),
        ("application/rss+xml", b"x", Kind::Text),
        ("image/svg+xml", b"<svg/>", Kind::Text),
        ("image/png", b"text", Kind::Binary),
        ("application/pdf", b"%PDF", Kind::Binary),
        ("", b" \n<!DOCTYPE HTML>", Kind::Html),
        ("", b"\xef\xbb\xbf[1]", Kind::Json),
        ("", b"plain", Kind::Text),
        ("", b"", Kind::Text),
        ("application/octet-stream", b"\x89PNG\r\n\0", Kind::Binary),
        ("nonsense", b"caf\xc3", Kind::Text),
        ("", b"\xff\xfea\0", Kind::Text),
        ("", b"\xe9\xe8 ", Kind::Binary),
    ] {
        assert_eq!(Media::parse(header).kind(bytes), kind, "{header} {bytes:?}");
    }
}
