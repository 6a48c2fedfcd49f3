use super::*;

#[test]
fn values_are_kept_replaced_and_removed() {
    assert_eq!(get("a").unwrap(), None);
    set("a", b"1").unwrap();
    set("ab", b"2").unwrap();
    set("b", b"").unwrap();
    assert_eq!(get("a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(keys("a").unwrap(), ["a", "ab"]);
    assert_eq!(keys("").unwrap(), ["a", "ab", "b"]);
    assert!(!replace("a", Some(b"2"), None).unwrap());
    assert!(!replace("c", Some(b"2"), Some(b"3")).unwrap());
    assert!(replace("a", Some(b"1"), None).unwrap());
    assert!(replace("c", None, Some(b"3")).unwrap());
    assert!(delete("c").unwrap() && !delete("c").unwrap());
    assert_eq!(keys("").unwrap(), ["ab", "b"]);
}

#[test]
fn every_test_begins_with_an_empty_store() {
    assert_eq!(keys("").unwrap(), Vec::<String>::new());
}

#[test]
fn a_value_is_changed_by_what_it_was() {
    set_json("list", &["a"]).unwrap();
    let add = |list: Option<Vec<String>>| {
        let mut list = list.unwrap_or_default();
        list.push("b".to_owned());
        list
    };
    assert_eq!(update("list", add).unwrap(), ["a", "b"]);
    assert_eq!(
        get_json::<Vec<String>>("list").unwrap().unwrap(),
        ["a", "b"]
    );
    // Another call is faster once: it is asked again, with what that one wrote.
    let mut seen = Vec::new();
    let last = update("number", |number: Option<u32>| {
        if seen.is_empty() {
            set("number", b"7").unwrap();
        }
        seen.push(number);
        number.unwrap_or(0) + 1
    });
    assert_eq!((last.unwrap(), seen), (8, vec![None, Some(7)]));
}

#[test]
fn somebody_who_is_always_faster_ends_it() {
    let mut other = 0_u32;
    let error = update("number", |number: Option<u32>| {
        other += 1;
        set_json("number", &other).unwrap();
        number.unwrap_or(0)
    });
    assert!(
        matches!(&error, Err(Error::Unavailable(why)) if why.contains("`number`")),
        "{error:?}"
    );
}

#[test]
fn what_can_be_no_key_and_no_value_is_refused() {
    for key in ["", "a\nb", &"k".repeat(513)] {
        for result in [set(key, b""), get(key).map(drop), delete(key).map(drop)] {
            assert!(
                matches!(result, Err(Error::Invalid(_))),
                "{key:?}: {result:?}"
            );
        }
    }
    let large = vec![0; (16 << 20) + 1];
    assert!(matches!(set("a", &large), Err(Error::Invalid(_))));
    set("a", b"{").unwrap();
    let error = get_json::<u32>("a").unwrap_err();
    assert!(
        matches!(&error, Error::Invalid(why) if why.contains("`a`")),
        "{error:?}"
    );
}
