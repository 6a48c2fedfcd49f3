//! TCP and UDP scopes, and name lookup.

use std::net::IpAddr;

use super::{denied, problem, scope};
use crate::permission::{Action, Capability, Kind, Scope};

fn tcp(address: &str, port: u16, names: &[&str]) -> Action {
    Action::Tcp {
        address: address.parse().expect("an address"),
        port,
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn allows(text: &str, action: &Action) -> bool {
    scope(&[&format!("network_tcp={text}")]).allows(action)
}

#[test]
fn a_name_covers_the_addresses_it_was_resolved_to() {
    for (text, address, port, names, expected) in [
        ("db.a.com:5432", "8.8.8.8", 5432, &["db.a.com"][..], true),
        (
            "db.a.com:5432",
            "8.8.8.8",
            5432,
            &["x.org", "DB.a.com."],
            true,
        ),
        ("db.a.com:5432", "8.8.8.8", 5433, &["db.a.com"], false),
        ("db.a.com:5432", "8.8.8.8", 5432, &[], false),
        ("db.a.com:5432", "8.8.8.8", 5432, &["a.com"], false),
        ("*.a.com:*", "8.8.8.8", 1, &["db.a.com"], true),
        ("*.a.com:*", "8.8.8.8", 1, &["a.com"], false),
        ("db.a.com:5432", "10.0.0.1", 5432, &["db.a.com"], false),
        (
            "db.a.com:5432;private",
            "10.0.0.1",
            5432,
            &["db.a.com"],
            true,
        ),
        (
            "db.a.com:5432;private",
            "169.254.169.254",
            5432,
            &["db.a.com"],
            false,
        ),
        (
            "db.a.com:5432;private;in=10.0.0.0/8",
            "10.0.0.1",
            5432,
            &["db.a.com"],
            true,
        ),
        (
            "db.a.com:5432;private;in=10.0.0.0/8",
            "192.168.0.1",
            5432,
            &["db.a.com"],
            false,
        ),
        ("localhost:80", "127.0.0.1", 80, &["localhost"], true),
        ("localhost:80", "10.0.0.1", 80, &["localhost"], false),
    ] {
        assert_eq!(
            allows(text, &tcp(address, port, names)),
            expected,
            "{text}: {address} {names:?}"
        );
    }
}

#[test]
fn networks_and_any_host_cover_addresses() {
    for (text, address, expected) in [
        ("*:*", "8.8.8.8", true),
        ("*:*", "127.0.0.1", false),
        ("*:*", "::ffff:127.0.0.1", false),
        ("*:*", "fd00::1", false),
        ("*:*;private", "127.0.0.1", true),
        ("*:*;private", "169.254.169.254", false),
        ("*:*;metadata", "169.254.169.254", true),
        ("*:*;metadata", "224.0.0.1", false),
        ("*:*;metadata", "0.0.0.0", false),
        ("10.0.0.0/8:*", "10.9.9.9", true),
        ("10.0.0.0/8:*", "::ffff:10.9.9.9", true),
        ("10.0.0.0/8:*", "11.0.0.0", false),
        ("0.0.0.0/0:*", "10.0.0.1", false),
        ("0.0.0.0/0:*", "8.8.8.8", true),
        ("169.254.0.0/16:*", "169.254.0.1", true),
        ("169.254.0.0/16:*", "169.254.169.254", false),
        ("169.254.169.254:80", "169.254.169.254", true),
        ("[::1]:*", "::1", true),
        ("[fd00::/8]:*", "fd12::1", true),
        ("[fd00::/8]:*", "fe80::1", false),
        ("127.0.0.1:*", "127.0.0.1", true),
    ] {
        assert_eq!(
            allows(text, &tcp(address, 80, &[])),
            expected,
            "{text}: {address}"
        );
    }
}

#[test]
fn tcp_and_udp_are_apart() {
    let scope = scope(&["network_udp=8.8.8.8:53"]);
    let address: IpAddr = "8.8.8.8".parse().expect("an address");
    let udp = Action::Udp {
        address,
        port: 53,
        names: Vec::new(),
    };
    assert!(scope.allows(&udp));
    assert!(!scope.allows(&tcp("8.8.8.8", 53, &[])));
    assert!(scope.allows_connect(Kind::NetworkUdp, address, 53, &[]));
    assert!(!scope.allows_connect(Kind::NetworkTcp, address, 53, &[]));
    assert!(!Scope::everything().allows_connect(Kind::NetworkHttp, address, 53, &[]));
}

#[test]
fn names_are_looked_up_only_where_a_scope_names_them() {
    for (entry, name, expected) in [
        ("network_tcp=db.a.com:1", "db.a.com", true),
        ("network_tcp=db.a.com:1", "DB.A.COM.", true),
        ("network_tcp=db.a.com:1", "a.com", false),
        ("network_udp=*.a.com:1", "db.a.com", true),
        ("network_tcp=*:443", "anything.org", true),
        ("network_tcp=*:443", "localhost", false),
        ("network_tcp=*:443;private", "localhost", true),
        ("network_tcp=localhost:80", "localhost", true),
        ("network_tcp=10.0.0.0/8:*", "db.a.com", false),
        ("network_tcp=10.0.0.0/8:*;lookup", "db.a.com", true),
        ("network_http=a.com", "a.com", false),
        ("network_tcp=*:443", "not a name", false),
        ("network_tcp=*:443", "127.0.0.1", false),
    ] {
        let action = Action::Lookup {
            name: name.to_owned(),
        };
        assert_eq!(scope(&[entry]).allows(&action), expected, "{entry}: {name}");
    }
}

#[test]
fn an_operator_may_permit_a_network_and_leave_the_names_to_the_grants() {
    let granted = scope(&["network_tcp=db.internal:5432;private"]);
    let ceiling = scope(&["network_tcp=10.0.0.0/8:*;lookup"]);
    let effective = granted.meet(&ceiling);
    assert_eq!(
        effective.to_string(),
        "network_tcp=db.internal:5432;in=10.0.0.0/8;lookup"
    );
    assert!(effective.allows(&tcp("10.0.0.1", 5432, &["db.internal"])));
    assert!(!effective.allows(&tcp("10.0.0.1", 5432, &[])));
    assert!(!effective.allows(&tcp("192.168.0.1", 5432, &["db.internal"])));
    assert!(effective.allows_lookup("db.internal"));
    assert!(
        !granted
            .meet(&scope(&["network_tcp=10.0.0.0/8:*"]))
            .allows_lookup("db.internal")
    );
}

#[test]
fn text_forms_are_put_in_order() {
    for (text, canonical) in [
        ("DB.A.com.:5432", "db.a.com:5432"),
        ("*.a.com:*", "*.a.com:*"),
        ("127.0.0.1:80;private", "127.0.0.1:80"),
        ("127.0.0.1:80;metadata", "127.0.0.1:80"),
        ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ("[FD00::/8]:80", "[fd00::/8]:80"),
        ("0.0.0.0/0:80;private", "0.0.0.0/0:80;private"),
        ("localhost:1;private", "localhost:1"),
        ("a.com:1;in=10.0.0.0/8;private", "a.com:1;in=10.0.0.0/8"),
        ("*:1;lookup", "*:1"),
    ] {
        let capability = Capability::parse(Kind::NetworkTcp, text);
        assert_eq!(
            capability.unwrap_or_else(|e| panic!("{e}")).to_string(),
            canonical,
            "{text}"
        );
    }
}

#[test]
fn mistakes_are_explained() {
    for (text, why) in [
        ("a.com", "the port is missing"),
        ("a.com:0", "1 to 65535"),
        ("https://a.com:443", "no scheme"),
        ("10.0.0.1/8:80", "did you mean `10.0.0.0/8`?"),
        ("::1:80", "in brackets"),
        ("a.com:80;secret", "the options are"),
        ("*:80;in=10.0.0.0/8", "the options are"),
        ("224.0.0.0/4:5353", "nobody can connect"),
        ("0.0.0.0:80", "nobody can connect"),
        ("127.1:80", "four decimal numbers"),
    ] {
        let found = problem(Kind::NetworkTcp, text);
        assert!(found.contains(why), "{text}: {found}");
    }
}

#[test]
fn listening_is_never_allowed() {
    let listen = Action::Listen {
        kind: Kind::NetworkTcp,
        address: "127.0.0.1:80".parse().expect("an address"),
    };
    assert_eq!(
        denied(&Scope::everything(), &listen),
        "listening on 127.0.0.1:80 was denied: tools open connections, they do not accept them"
    );
}
