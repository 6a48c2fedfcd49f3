//! `--allow NAME=SCOPE`.

use crate::permission::{Allow, AllowValue, Kind};

fn parse(text: &str) -> Allow {
    Allow::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn files_have_a_host_path_and_perhaps_a_guest_path() {
    for (text, host, guest) in [
        ("file_read=src", "src", None),
        ("file_read=.", ".", None),
        ("file_read=.:/workspace", ".", Some("/workspace")),
        ("file_read=/a/b:/c", "/a/b", Some("/c")),
        ("file_read=/a:b", "/a:b", None),
        ("file_read=/a:b:/c", "/a:b", Some("/c")),
        ("file_read=/a:/b:/c", "/a:/b", Some("/c")),
        ("file_read=a=b", "a=b", None),
        ("file_read=a:relative", "a:relative", None),
        ("file_read=:/x", ":/x", None),
        ("file_read=x:/", "x", Some("/")),
    ] {
        let expected = AllowValue::File {
            host: host.to_owned(),
            guest: guest.map(str::to_owned),
        };
        let allow = parse(text);
        assert_eq!(
            (allow.kind, &allow.value),
            (Kind::FileRead, &expected),
            "{text}"
        );
        assert_eq!(allow.capability(), None);
    }
    assert_eq!(parse("file_write=out").kind, Kind::FileWrite);
}

#[test]
fn variables_take_the_callers_value_or_a_given_one() {
    for (text, name, value) in [
        ("env=LANG", "LANG", None),
        ("env=LANG=C", "LANG", Some("C")),
        ("env=OPTS=a=b;c", "OPTS", Some("a=b;c")),
        ("env=EMPTY=", "EMPTY", Some("")),
    ] {
        let expected = AllowValue::Env {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        let allow = parse(text);
        assert_eq!(allow.value, expected, "{text}");
        assert_eq!(
            allow.capability().map(|c| c.to_string()).as_deref(),
            Some(name)
        );
    }
}

#[test]
fn other_grants_are_scopes() {
    for (text, scope) in [
        (
            "network_http=https://api.a.com/x;methods=GET",
            "https://api.a.com/x;methods=GET",
        ),
        ("network_tcp=db.a.com:5432", "db.a.com:5432"),
        ("secrets=T;host=a.com", "T;host=a.com"),
        ("state=1024KiB", "1MiB"),
        ("checkpoint=on", "on"),
        ("tool_invoke=files.*", "files.*"),
    ] {
        let capability = parse(text).capability().expect("a scope");
        assert_eq!(capability.to_string(), scope, "{text}");
    }
}

#[test]
fn mistakes_are_explained() {
    for (text, why) in [
        (
            "file_read",
            "the scope is missing, as in `file_read=/home/me/project`",
        ),
        ("file_read=", "it is empty"),
        ("file-read=src", "did you mean `file_read`?"),
        ("network=a.com", "did you mean"),
        ("", "it is empty"),
        ("=src", "there is no permission of that name"),
        ("env=*", "variables are granted one by one"),
        ("env=A B", "not the name of a variable"),
        ("env==x", "not the name of a variable"),
        ("network_http=ftp://x", "http or https"),
        ("file_read=a\nb", "control character"),
    ] {
        let error = Allow::parse(text).expect_err(text);
        assert!(error.problem().contains(why), "{text}: {error}");
    }
}
